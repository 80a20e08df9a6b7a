// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// populate leaves some of everything that a queue can hold.
func populate(t *testing.T, s *Store) {
	ctx := t.Context()
	for i := range 5 {
		publish(t, s, "1", "erp", "crm")
		publish(t, s, fmt.Sprint(100+i), "erp")
	}
	later := queue.Verdict{Status: queue.StatusPending, RetryAt: time.Now().Add(time.Hour)}
	finish(t, s, "crm", queue.Verdict{Status: queue.StatusDelivered})
	finish(t, s, "crm", queue.Verdict{Status: queue.StatusDead})
	finish(t, s, "crm", later)
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	finish(t, s, "erp", later)
	leaseDelivery(t, s, "erp")

	markItem(t, s, "1", "2", "3")
	must(t, s.RetryMark(ctx, leaseMark(t, s), time.Now().Add(time.Hour), "busy"))
	leaseMark(t, s)
	must(t, s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{
		{Key: item("4"), SettleAt: time.Now().Add(time.Hour), Hints: queue.HintMayBeDeleted, Version: "7"},
	}}, true))
	for range 3 {
		_, err := s.NoteIntent(ctx, queue.Intent{Resource: "items", Key: item("9"), Deadline: time.Now().Add(time.Hour)})
		must(t, err)
	}
	id, err := s.NoteIntent(ctx, queue.Intent{Resource: "items"})
	must(t, err)
	must(t, s.ResolveIntent(ctx, id, queue.Resolution{Unresolved: "no id"}, true))
	id, err = s.NoteIntent(ctx, queue.Intent{Resource: "items"})
	must(t, err)
	must(t, s.ResolveIntent(ctx, id, queue.Resolution{Marks: []queue.Mark{{Key: item("5")}}}, false))
	must(t, s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{
		{Key: event.Key{Resource: "users", ID: "1"}, Callback: []byte("sealed")},
	}}, true))
	held, err := s.LeaseMark(ctx, "users", time.Hour)
	must(t, err)
	must(t, s.CommitReconciled(ctx, held, queue.Reconciled{
		AskedAt: time.Now(), LookAt: time.Now().Add(time.Hour), Unresolved: "why", CloseCallback: true,
		Marks: []queue.Mark{{Key: item("7"), Hints: queue.HintLooked}},
	}))
	_, err = s.Change(ctx,
		queue.Record{Kind: queue.KindEndpoint, ID: "ep_1", Owner: "acme", Value: []byte("sealed")},
		queue.Record{Kind: "slots", ID: "acme", Value: []byte("1"), Expires: time.Now().Add(24 * time.Hour)},
		queue.Record{Kind: "session", ID: "gone", Value: []byte("x")})
	must(t, err)
	_, err = s.Change(ctx, queue.Record{Kind: "session", ID: "gone", Version: queue.AnyVersion})
	must(t, err)
	// When the committer has done this, it has done that.
	must(t, s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: item("6")}}}, true))
}

// dump returns all that can be seen of a queue but its leases.
func dump(t *testing.T, s *Store) string {
	t.Helper()
	ctx := t.Context()
	var b strings.Builder
	line := func(rows any, err error) {
		must(t, err)
		fmt.Fprintf(&b, "%+v\n", rows)
	}
	line(s.instance, nil)
	stats, err := s.Stats(ctx)
	stats.OldestMark = stats.OldestMark.Round(0).UTC()
	line(stats, err)
	pending, err := s.Pending(ctx, 1000)
	for i := range pending {
		pending[i].Leased = false
	}
	slices.SortFunc(pending, func(a, b queue.PendingMark) int { return strings.Compare(a.Key.ID, b.Key.ID) })
	line(pending, err)
	page := queue.Page{Limit: queue.MaxLimit}
	events, _, err := s.Events(ctx, queue.Filter{}, page)
	line(events, err)
	deliveries, _, err := s.Deliveries(ctx, queue.Filter{}, page)
	line(deliveries, err)
	attempts, _, err := s.Attempts(ctx, queue.Filter{}, page)
	line(attempts, err)
	unresolved, _, err := s.Unresolved(ctx, page)
	line(unresolved, err)
	for _, kind := range []string{queue.KindEndpoint, "slots", "session"} {
		records, _, err := s.Records(ctx, kind, page)
		line(records, err)
		records, _, err = s.RecordsOf(ctx, kind, "acme", page)
		line(records, err)
	}
	callback, err := s.Callback(ctx, event.Key{Resource: "users", ID: "1"})
	if !errors.Is(err, queue.ErrNotFound) {
		line(callback, err)
	}
	return b.String()
}

func TestReopen(t *testing.T) {
	for _, test := range []struct {
		name  string
		again func(t *testing.T, s *Store, dir string) string
	}{
		{"after closing", func(t *testing.T, s *Store, dir string) string {
			must(t, s.Close())
			return dir
		}},
		{"after a crash", func(t *testing.T, _ *Store, dir string) string { return image(t, dir) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			before := mustOpen(t, Options{Dir: dir})
			populate(t, before)
			want := dump(t, before)
			lastIntent, lastPosition := before.lastIntent.Load(), before.lastPosition

			// By then, retries are due.
			later := func() time.Time { return time.Now().Add(2 * time.Hour) }
			s := mustOpen(t, Options{Dir: test.again(t, before, dir), Now: later})
			if got := dump(t, s); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if s.lastIntent.Load() < lastIntent || s.lastPosition < lastPosition {
				t.Errorf("numbers go back from %d and %d to %d and %d", lastIntent, lastPosition, s.lastIntent.Load(), s.lastPosition)
			}
			stale, err := s.StaleIntents(t.Context(), 100)
			must(t, err)
			if len(stale) != 3 {
				t.Errorf("%d intents are stale, want all 3 of the earlier process", len(stale))
			}
			for _, intent := range stale {
				if !intent.Abandoned {
					t.Errorf("intent %d is not told to be of an earlier process", intent.ID)
				}
			}
			drain(t, s)
			looked, err := s.LeaseMark(t.Context(), "users", time.Hour)
			must(t, err)
			if !looked.Look || looked.Callback == nil || !looked.Callback.Closed {
				t.Errorf("got %+v", looked)
			}
		})
	}
}

// drain delivers all pending deliveries, and checks their order and their
// attempts.
func drain(t *testing.T, s *Store) {
	t.Helper()
	for endpoint, left := range map[string]int{"erp": 9, "crm": 3} {
		sequence := make(map[string]uint64)
		attempts := 0
		for range left {
			held := finish(t, s, endpoint, queue.Verdict{Status: queue.StatusDelivered})
			if last := sequence[held.Key.ID]; last != 0 && held.Sequence != last+1 {
				t.Errorf("%v: %d comes after %d", held.Key, held.Sequence, last)
			}
			sequence[held.Key.ID] = held.Sequence
			attempts += held.Attempts
		}
		// Of each endpoint, one delivery waited for its second attempt.
		if attempts != 1 {
			t.Errorf("the deliveries to %s had %d attempts, want 1", endpoint, attempts)
		}
	}
	stats, err := s.Stats(t.Context())
	must(t, err)
	if len(stats.PendingDeliveries) != 0 || len(stats.Lanes) != 0 {
		t.Errorf("left: %+v", stats)
	}
}

// image copies the files that a killed process leaves on the disk.
func image(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		if entry.Name() == "LOCK" {
			continue
		}
		from, err := os.Open(filepath.Join(dir, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(entry.Name(), inspectedFile) {
			continue // it is written beside, and then takes the other's place
		}
		must(t, err)
		into, err := os.Create(filepath.Join(to, entry.Name()))
		must(t, err)
		_, err = io.Copy(into, from)
		must(t, errors.Join(err, from.Close(), into.Close()))
	}
	return to
}

func TestInUse(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, Options{Dir: dir})
	_, err := Open(Options{Dir: dir})
	if !errors.Is(err, queue.ErrInUse) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "caddy reload") ||
		!strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("got %v", err)
	}
}

func TestDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{"", file, filepath.Join(file, "queue")} {
		if _, err := Open(Options{Dir: dir}); err == nil {
			t.Errorf("%q can be opened", dir)
		}
	}
	dir := filepath.Join(t.TempDir(), "a", "[queue]*")
	mustOpen(t, Options{Dir: dir})
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
}

// rewrite changes stored rows behind the queue's back.
func rewrite(t *testing.T, dir string, change func(txn *badgerdb.Txn) error) {
	t.Helper()
	db, err := badgerdb.Open(engineOptions(Options{Dir: dir}.withDefaults()))
	must(t, err)
	must(t, errors.Join(db.Update(change), db.Close()))
}

func TestNewerStore(t *testing.T) {
	dir := t.TempDir()
	must(t, mustOpen(t, Options{Dir: dir}).Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		return txn.Set(append([]byte{kindMeta}, metaName...), appendMeta(nil, &metaRecord{Format: 9}))
	})
	for range 2 {
		_, err := Open(Options{Dir: dir})
		if !errors.Is(err, queue.ErrNewerFormat) || !strings.Contains(err.Error(), "store format 9, this one knows 2") {
			t.Errorf("got %v", err)
		}
	}
}

// A damaged row loses its own content, and nothing else.
func TestDamagedRows(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	markItem(t, s, "1", "2")
	publish(t, s, "3", "erp")
	publish(t, s, "4", "erp")
	position := s.lastPosition
	must(t, s.Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		junk := []byte{1, 0xff, 0xff}
		return errors.Join(
			txn.Set(objectKey(nil, kindMark, item("1")), junk),
			txn.Set([]byte{kindMark, 0x80}, junk),
			txn.Set([]byte{kindIntent, 1}, junk),
			txn.Set(numberKey(nil, kindIntent, 5), junk),
			txn.Set(numberKey(nil, kindUnresolved, 5), junk),
			txn.Set([]byte{kindLane, 9, 1}, junk),
			txn.Set(laneKey(nil, "erp", objectName(item("9")), 5), junk),
			txn.Set(numberKey(nil, kindEvent, position), junk),
			txn.Set(objectKey(nil, kindCallback, item("2")), junk),
		)
	})
	s = mustOpen(t, Options{Dir: dir})
	must(t, s.awaitLanes(t.Context(), ""))
	if got := s.Damaged(); got != 7 {
		t.Errorf("%d rows are damaged, want 7", got)
	}
	stats, err := s.Stats(t.Context())
	must(t, err)
	if stats.OpenIntents != 0 || stats.PendingDeliveries["erp"] != 2 {
		t.Errorf("got %+v", stats)
	}
	// The object of a damaged mark is reconciled all the same.
	leased := make(map[event.Key]bool)
	for range stats.Marks {
		held := leaseMark(t, s)
		leased[held.Key] = true
		must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	}
	if got := s.Damaged(); got != 9 {
		t.Errorf("%d rows are damaged with the mark again and a callback, want 9", got)
	}
	if !leased[item("1")] {
		t.Errorf("leased %v", leased)
	}
	if stats, err = s.Stats(t.Context()); err != nil || stats.Marks != 0 {
		t.Errorf("marks are left: %+v, %v", stats, err)
	}
	// The delivery of a damaged event can be ended.
	var expired int
	for range 2 {
		if held := finish(t, s, "erp", queue.Verdict{Status: queue.StatusDead}); held.Expired {
			expired++
			if held.Event.ID == "" || held.Event.Key.IsZero() || held.EventType != "items.updated" || held.Event.Payload != nil {
				t.Errorf("got %+v", held)
			}
		}
	}
	if expired != 1 {
		t.Errorf("%d events are not there, want 1", expired)
	}
}

// An object whose snapshot cannot be read keeps its mark, and others do not
// wait for it.
func TestDamagedSnapshot(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	markItem(t, s, "1", "2")
	must(t, s.Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		return txn.Set(objectKey(nil, kindSnapshot, item("1")), []byte{1})
	})
	s = mustOpen(t, Options{Dir: dir})
	if held := leaseMark(t, s); held.Key != item("2") {
		t.Errorf("got %v", held.Key)
	}
	stats, err := s.Stats(t.Context())
	must(t, err)
	if stats.Marks != 2 || stats.FailingMarks != 1 {
		t.Errorf("got %+v", stats)
	}
}

// An object whose mark is damaged goes on from its snapshot, and a
// reconciliation of it that fails keeps it marked.
func TestDamagedMark(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	publish(t, s, "1", "erp")
	markItem(t, s, "1")
	must(t, s.Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error {
		return txn.Set(objectKey(nil, kindMark, item("1")), []byte{1})
	})
	s = mustOpen(t, Options{Dir: dir})
	held := leaseMark(t, s)
	if held.Snapshot == nil || held.Snapshot.Sequence != 1 {
		t.Errorf("got snapshot %+v", held.Snapshot)
	}
	must(t, s.RetryMark(t.Context(), held, time.Now(), "busy"))
	held = leaseMark(t, s)
	if held.Tries != 1 || held.Snapshot == nil {
		t.Errorf("got %+v", held)
	}
	must(t, s.CommitReconciled(t.Context(), held, found(held)))
	if stats, err := s.Stats(t.Context()); err != nil || stats.Marks != 0 {
		t.Errorf("got %+v and %v", stats, err)
	}
}

// History goes when its retention has passed; pending work stays.
func TestRetention(t *testing.T) {
	clock := newClock(time.Now())
	s := mustOpen(t, Options{Now: clock.now, Retention: time.Hour})
	publish(t, s, "1", "erp")
	id, err := s.NoteIntent(t.Context(), queue.Intent{Resource: "items"})
	must(t, err)
	must(t, s.ResolveIntent(t.Context(), id, queue.Resolution{Unresolved: "no id"}, true))

	clock.add(time.Hour)
	if _, err := s.Event(t.Context(), "items/1-1"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("the event: %v, want ErrNotFound", err)
	}
	s.Configure(queue.Settings{Retention: 2 * time.Hour})
	if _, err := s.Event(t.Context(), "items/1-1"); err != nil {
		t.Errorf("the event, with a longer retention: %v", err)
	}
	s.Configure(queue.Settings{Retention: time.Hour})
	stats, err := s.Stats(t.Context())
	must(t, err)
	if stats.Unresolved != 0 || stats.PendingDeliveries["erp"] != 1 {
		t.Errorf("got %+v", stats)
	}
	held := finish(t, s, "erp", queue.Verdict{Status: queue.StatusDead})
	if !held.Expired || held.Event.ID != "items/1-1" || held.Event.Key != item("1") || held.Event.Payload != nil || held.Sequence != 1 {
		t.Errorf("got %+v", held)
	}
}

// History expires on the disk, too. Pending work and known objects do not.
func TestHistoryExpires(t *testing.T) {
	s := mustOpen(t, Options{Retention: time.Hour})
	const endpoint = "erp"
	publish(t, s, "1", endpoint)
	finish(t, s, endpoint, queue.Verdict{Status: queue.StatusDelivered})
	// Large ones are kept in parts.
	markItem(t, s, "2")
	held := leaseMark(t, s)
	large := found(held, endpoint)
	large.Events[0].Payload = bytes.Repeat([]byte("x"), 2*partSize)
	large.Events[0].PreviousShow = bytes.Repeat([]byte("y"), 2*partSize)
	must(t, s.CommitReconciled(t.Context(), held, large))
	finish(t, s, endpoint, queue.Verdict{Status: queue.StatusDead})
	for _, unresolved := range []string{"no id", ""} {
		id, err := s.NoteIntent(t.Context(), queue.Intent{Resource: "items"})
		must(t, err)
		if unresolved != "" {
			must(t, s.ResolveIntent(t.Context(), id, queue.Resolution{Unresolved: unresolved}, true))
		}
	}
	publish(t, s, "3", "crm") // pending
	markItem(t, s, "4")

	count := make(map[string]int)
	must(t, s.db.View(func(txn *badgerdb.Txn) error {
		it := txn.NewIterator(badgerdb.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			kind := string(it.Item().Key()[:1])
			if kind == "d" && bytes.Contains(it.Item().Key(), []byte("crm")) {
				kind = "pending d"
			}
			if expires := it.Item().ExpiresAt(); expires > 0 {
				most := time.Hour
				if kind == "d" {
					most += time.Hour/500 + time.Second // not before its event
				}
				if left := time.Until(time.Unix(int64(expires), 0)); left > most || left < time.Hour-time.Minute {
					t.Errorf("%s expires in %v", kind, left)
				}
				kind += " expires"
			}
			count[kind]++
		}
		return nil
	}))
	want := map[string]int{
		"e expires": 3, "x expires": 3, "p expires": 2, "q expires": 2, "d expires": 2, "u expires": 1,
		"pending d": 1, "l": 1, "i": 1, "m": 1, "s": 3, "M": 3, "n": 1,
	}
	if !maps.Equal(count, want) {
		t.Errorf("got %v, want %v", count, want)
	}
}

// A panic while records are read does not end the process, and leaves the queue
// to the next that opens it.
func TestPanicOnOpening(t *testing.T) {
	dir := t.TempDir()
	options := Options{Dir: dir, Space: queue.Space{Reserve: 1}}
	s, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	broken := options
	broken.Now = func() time.Time { panic("index out of range") } // what reads the records asks for the time
	if _, err := Open(broken); err == nil || !strings.Contains(err.Error(), "index out of range") || queue.Misconfigured(err) {
		t.Errorf("opening: %v", err)
	}
	if s, err = Open(options); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
