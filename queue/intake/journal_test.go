// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// door leads to a queue that is being opened until the test opens it.
type door struct {
	store  queue.Store
	failed bool
	// entering is called by who waits for the queue, in vain.
	entering func()
}

func (d *door) Enter(context.Context) (queue.Store, error) {
	if d.store != nil {
		return d.store, nil
	}
	if d.entering != nil {
		d.entering()
	}
	return nil, queue.ErrNotOpen
}

func (d *door) Queue() queue.Store { return d.store }
func (d *door) Failed() bool       { return d.failed }

func newIntake(t *testing.T, d *door) *Intake {
	t.Helper()
	i := New(d, Options{Dir: t.TempDir(), Metrics: uncounted{}, Logger: zap.NewNop(), GapsLogger: zap.NewNop()})
	t.Cleanup(func() { _ = i.Close() })
	return i
}

var slowDelete = queue.Intent{Resource: "items", Kind: event.KindDelete, Rule: "DELETE /items/:id", Key: event.Key{Resource: "items", ID: "1"}}

// An exchange whose time ends at the moment at which the queue is open is noted in
// it.
func TestOpenAfterAll(t *testing.T) {
	store := memory.New(time.Now)
	defer store.Close()
	d := new(door)
	i := newIntake(t, d)
	i.Own(queue.Process)
	if !i.HandOver(t.Context(), store) {
		t.Fatal("the journal is not handed over")
	}
	ctx, cancel := context.WithCancel(t.Context())
	d.entering = func() {
		cancel()
		d.store = store
	}
	id, err := i.Note(ctx, slowDelete)
	if id == 0 || journal.Holds(id) || err != nil || len(i.Gaps()) != 0 {
		t.Errorf("%d, %v, with the gaps %+v", id, err, i.Gaps())
	}
}

// Where what passes cannot be kept in the journal, it is a gap; and where what
// an earlier process has kept cannot be read, all that it may have been.
func TestJournalFails(t *testing.T) {
	store := memory.New(time.Now)
	defer store.Close()
	d := new(door)
	i := newIntake(t, d)
	if err := os.WriteFile(filepath.Join(i.options.Dir, queue.JournalFile), []byte("no such file"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.Own(queue.Process)
	if gaps := i.Gaps(); len(gaps) != 1 || gaps[0].Resource != allResources || !gaps[0].whole {
		t.Errorf("the gaps are %+v", gaps)
	}
	id, err := i.Note(t.Context(), slowDelete)
	if !journal.Holds(id) || err != nil {
		t.Errorf("%d, %v", id, err)
	}
	if err := i.journal.Load().Close(); err != nil {
		t.Fatal(err)
	}
	late, err := i.Note(t.Context(), slowDelete)
	if late == 0 || err == nil || !i.gaps.passed(late) {
		t.Errorf("what cannot be kept is %d, %v", late, err)
	}
	if gaps := i.Gaps(); len(gaps) != 2 || gaps[1].Resource != "items" {
		t.Errorf("the gaps are %+v", gaps)
	}
	deleted := queue.Resolution{Marks: []queue.Mark{{Key: slowDelete.Key, Hints: queue.HintDeleted}}}
	i.Resolve(t.Context(), "items", late, deleted, true)
	i.Resolve(t.Context(), "items", id, deleted, true)
	// This process knows all of it.
	d.store = store
	i.Drain(store)
	stats, err := store.Stats(t.Context())
	if err != nil || stats.Marks != 1 || stats.OpenIntents != 0 {
		t.Errorf("the queue has %+v, %v", stats, err)
	}
}

// Where the queue will not be open soon, the journal takes nothing.
func TestFailedQueuePassesTheJournal(t *testing.T) {
	i := newIntake(t, &door{failed: true})
	i.Own(queue.Process)
	if id, err := i.Note(t.Context(), slowDelete); id != 0 || !errors.Is(err, queue.ErrNotOpen) || len(i.Gaps()) != 1 {
		t.Errorf("%d, %v, with the gaps %+v", id, err, i.Gaps())
	}
}

// A queue may be opened after its pipeline has ended. Nothing of the intake stays
// open then.
func TestOwnAfterClose(t *testing.T) {
	i := newIntake(t, new(door))
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	i.Own(queue.Process)
	if id, err := i.journal.Load().NoteIntent(t.Context(), slowDelete); err == nil {
		t.Errorf("noted as %d in a journal that nobody closes", id)
	}
}
