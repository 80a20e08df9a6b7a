// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// commitBatch commits writes in one transaction. Nobody else may use the
// store.
func commitBatch(s *Store, writes []write) {
	b := s.committer.batch
	b.begin()
	for _, wr := range writes {
		wr.wait().log = zap.NewNop()
		b.add(wr)
	}
	s.committer.finish()
}

// intentRows counts the rows with intents, and the intents in the fullest row.
func intentRows(t *testing.T, s *Store) (rows, most int) {
	t.Helper()
	must(t, s.db.View(func(txn *badgerdb.Txn) error {
		return each(txn, kindIntent, func(item *badgerdb.Item) error {
			rows++
			return item.Value(func(value []byte) error {
				intents, err := record.ParseIntents(1, value)
				most = max(most, len(intents))
				if len(value) > rowBytes+maxIntent {
					t.Errorf("a row has %d bytes", len(value))
				}
				return err
			})
		})
	}))
	return rows, most
}

// intentModel is the intents that a store must have.
type intentModel struct {
	s      *Store
	random *rand.Rand
	open   map[queue.IntentID]queue.Intent
	// earlier are those that an earlier process has noted.
	earlier map[queue.IntentID]bool
	kept    int
}

// step commits some writes at once, and applies them to the model.
func (m *intentModel) step(broken bool) {
	next := maps.Clone(m.open)
	kept := 0
	var writes []write
	for range m.random.IntN(60) {
		open := slices.Sorted(maps.Keys(next))
		if m.random.IntN(2) == 0 || len(open) == 0 {
			wr := m.note()
			next[wr.intent.id] = queue.Intent{ID: wr.intent.id, Rule: "PATCH /items/:id"}
			writes = append(writes, wr)
			continue
		}
		id := open[m.random.IntN(len(open))]
		if m.random.IntN(4) == 0 {
			// One from the end: its row is new, or not yet there.
			id = open[len(open)-1]
		}
		wr := &resolveIntent{id: id, now: m.s.now()}
		if m.random.IntN(8) == 0 {
			wr.unresolved = "no id"
			kept++
		}
		wr.need(9)
		delete(next, id)
		writes = append(writes, wr)
		if m.random.IntN(10) == 0 {
			// It may be closed twice.
			writes = append(writes, &resolveIntent{id: id, now: m.s.now(), unresolved: "again"})
		}
	}
	if !broken {
		commitBatch(m.s, writes)
		m.open, m.kept = next, m.kept+kept
		return
	}
	commit := m.s.committer.commitTxn
	m.s.committer.commitTxn = func(b *batch) error {
		b.txn.Discard()
		return errors.New("no space left")
	}
	commitBatch(m.s, writes)
	m.s.committer.commitTxn = commit
}

func (m *intentModel) note() *noteIntent {
	intent := queue.Intent{Resource: "items", Rule: "PATCH /items/:id", Deadline: time.Now().Add(-time.Hour)}
	if m.random.IntN(20) == 0 {
		intent.Callback = []byte(strings.Repeat("c", m.random.IntN(queue.MaxCallback)))
	}
	wr := &noteIntent{intent: openIntent{
		id: queue.IntentID(m.s.lastIntent.Add(1)), fields: record.AppendIntent(nil, &intent), deadline: 1,
	}}
	wr.need(9, len(wr.intent.fields))
	return wr
}

func (m *intentModel) check(t *testing.T) {
	t.Helper()
	stale, err := m.s.StaleIntents(t.Context(), 1<<20)
	must(t, err)
	var got, want []string
	for i := range stale {
		got = append(got, fmt.Sprint(stale[i].ID, stale[i].Rule, stale[i].Abandoned))
	}
	for _, id := range slices.Sorted(maps.Keys(m.open)) {
		want = append(want, fmt.Sprint(id, m.open[id].Rule, m.earlier[id]))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("open are\n%v, want\n%v", got, want)
	}
	stats, err := m.s.Stats(t.Context())
	must(t, err)
	if stats.OpenIntents != len(m.open) || stats.Unresolved != m.kept {
		t.Fatalf("got %d open and %d kept, want %d and %d", stats.OpenIntents, stats.Unresolved, len(m.open), m.kept)
	}
	if _, most := intentRows(t, m.s); most > rowIntents {
		t.Fatalf("a row has %d intents", most)
	}
}

// However intents are noted and closed together, those that were noted and not
// closed are open: in memory, and for the next process.
func TestIntentRows(t *testing.T) {
	dir := t.TempDir()
	m := &intentModel{
		s: mustOpen(t, Options{Dir: dir}), random: rand.New(rand.NewPCG(1, 2)),
		open: make(map[queue.IntentID]queue.Intent), earlier: make(map[queue.IntentID]bool),
	}
	for range 8 {
		for range 12 {
			m.step(m.random.IntN(6) == 0)
			m.check(t)
		}
		must(t, m.s.Close())
		m.s = mustOpen(t, Options{Dir: dir})
		for id := range m.open {
			m.earlier[id] = true
		}
		m.check(t)
	}
	for id := range m.open {
		must(t, m.s.ResolveIntent(t.Context(), id, queue.Resolution{}, true))
	}
	if rows, _ := intentRows(t, m.s); rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
}

// Exchanges that begin at the same time share rows, so that noting them and
// closing them takes few writes.
func TestIntentsShareRows(t *testing.T) {
	s := mustOpen(t, Options{})
	m := &intentModel{s: s, random: rand.New(rand.NewPCG(1, 2))}
	var notes, closings []write
	for range 4 * rowIntents {
		wr := m.note()
		wr.intent.fields = record.AppendIntent(nil, &queue.Intent{Resource: "items"})
		notes = append(notes, wr)
		closings = append(closings, &resolveIntent{id: wr.intent.id, now: s.now()})
	}
	commitBatch(s, notes)
	if rows, _ := intentRows(t, s); rows != 4 {
		t.Errorf("%d intents stand in %d rows, want 4", len(notes), rows)
	}
	writes := 0
	commit := s.committer.commitTxn
	s.committer.commitTxn = func(b *batch) error {
		writes += len(b.entries)
		return commit(b)
	}
	// Half of the first row's, then all but one of the others.
	commitBatch(s, closings[:rowIntents/2])
	commitBatch(s, closings[rowIntents/2:len(closings)-1])
	if rows, most := intentRows(t, s); rows != 1 || most != 1 {
		t.Errorf("%d rows are left, the fullest with %d intents; want one with one", rows, most)
	}
	// Each batch writes its number, and a row that stays.
	if writes != 4 {
		t.Errorf("%d entries were written, want 4", writes)
	}
}

// A row that an earlier version has written holds one intent, and is deleted
// with it.
func TestIntentRowOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	must(t, s.Close())
	intent := noted(7)
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		return txn.Set(numberKey(nil, kindIntent, 7), append([]byte{3}, record.AppendIntent(nil, &intent)...))
	})
	s = mustOpen(t, Options{Dir: dir})
	stale, err := s.StaleIntents(t.Context(), 10)
	must(t, err)
	if len(stale) != 1 || stale[0].ID != 7 || stale[0].Hops != "c:1" || !stale[0].Abandoned {
		t.Errorf("got %+v", stale)
	}
	must(t, s.ResolveIntent(t.Context(), 7, queue.Resolution{}, true))
	if rows, _ := intentRows(t, s); rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
}
