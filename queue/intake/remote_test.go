// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// afar is a queue on a server, which may be away, or known to be.
type afar struct {
	queue.Store
	// hangs has the server take what it is given, and not say so.
	hangs, away atomic.Bool
	asked       atomic.Int64
}

func (s *afar) Away() bool { return s.away.Load() }

func (s *afar) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	s.asked.Add(1)
	switch {
	case s.hangs.Load():
		id, _ := s.Store.NoteIntent(ctx, intent)
		<-ctx.Done()
		return id, ctx.Err()
	case s.away.Load():
		return 0, queue.ErrAway
	}
	return s.Store.NoteIntent(ctx, intent)
}

func (s *afar) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) error {
	if s.away.Load() {
		return queue.ErrAway
	}
	return s.Store.ResolveIntent(ctx, id, resolution, durable)
}

// outage is an intake before a queue on a server.
type outage struct {
	*Intake
	t     *testing.T
	store *afar
}

func (o *outage) note(id string) queue.IntentID {
	o.t.Helper()
	noted, err := o.Note(o.t.Context(), queue.Intent{Resource: "items", Rule: "PUT /items/:id", Key: event.Key{Resource: "items", ID: id}})
	if err != nil {
		o.t.Error(err)
	}
	return noted
}

func (o *outage) resolve(intent queue.IntentID, id string) {
	mark := queue.Mark{Key: event.Key{Resource: "items", ID: id}, Hints: queue.HintUpdated}
	o.Resolve(o.t.Context(), "items", intent, queue.Resolution{Marks: []queue.Mark{mark}}, true)
}

// back has the server back, and the queue get what passed.
func (o *outage) back(intake *Intake) {
	o.t.Helper()
	o.store.hangs.Store(false)
	o.store.away.Store(false)
	if !intake.HandOver(o.t.Context(), o.store) {
		o.t.Error("it is not handed over")
	}
	intake.Repair(o.t.Context(), o.store, nil)
}

func (o *outage) want(intents, marks int) {
	o.t.Helper()
	stats, err := o.store.Stats(o.t.Context())
	if err != nil || stats.OpenIntents != intents || stats.Marks != marks {
		o.t.Errorf("%d intents are open, and %d objects marked, %v; want %d and %d", stats.OpenIntents, stats.Marks, err, intents, marks)
	}
}

func testOutage(t *testing.T, test func(o *outage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New(time.Now)
		defer inner.Close()
		store := &afar{Store: inner}
		i := newIntake(t, &door{store: store})
		i.Own(queue.Process)
		if !i.HandOver(t.Context(), store) {
			t.Fatal("the journal is not handed over")
		}
		test(&outage{i, t, store})
		_ = i.Close()
	})
}

// While the server is away, the journal takes what passes; when it is back, the queue has
// all of it, however exchanges lie across. None is a gap.
func TestServerIsAway(t *testing.T) {
	testOutage(t, func(o *outage) {
		for range 3 {
			ended, left := o.note("ended"), o.note("left")
			if journal.Holds(ended) || journal.Holds(left) {
				o.t.Errorf("the journal has %d, %d before the server is away", ended, left)
			}
			o.store.away.Store(true)
			if o.HandOver(o.t.Context(), o.store) {
				o.t.Error("it is handed over to a server that is away")
			}
			whole, across := o.note("whole"), o.note("across")
			if !journal.Holds(whole) || !journal.Holds(across) {
				o.t.Errorf("the journal has not got %d, %d", whole, across)
			}
			o.resolve(ended, "ended")
			o.resolve(whole, "whole")
			o.Resolve(o.t.Context(), "items", left, queue.Resolution{}, false)
			o.back(o.Intake)
			o.want(1, 2)
			o.resolve(across, "across")
			o.want(0, 3)
			if gaps := o.Gaps(); len(gaps) != 0 || o.Unrepaired() || o.Waiting() != 0 {
				o.t.Errorf("the gaps are %+v", gaps)
			}
			for range 3 {
				held, err := o.store.LeaseMark(o.t.Context(), "items", time.Minute)
				if err == nil {
					err = o.store.CommitReconciled(o.t.Context(), held, queue.Reconciled{AskedAt: time.Now()})
				}
				if err != nil {
					o.t.Fatal(err)
				}
			}
		}
	})
}

// An exchange waits for a server that hangs for a short time, and the next ones for none. What
// the server took all the same is closed.
func TestServerHangs(t *testing.T) {
	testOutage(t, func(o *outage) {
		o.store.hangs.Store(true)
		began := time.Now()
		first := o.note("first")
		if waited := time.Since(began); waited != farPatience || !journal.Holds(first) {
			o.t.Errorf("it waits %v for %d", waited, first)
		}
		o.want(0, 0)
		began, asked := time.Now(), o.store.asked.Load()
		for range 100 {
			o.resolve(o.note("next"), "next")
		}
		if waited := time.Since(began); waited != 0 || o.store.asked.Load() != asked {
			o.t.Errorf("the next ones wait %v, and ask %d times", waited, o.store.asked.Load()-asked)
		}
		o.back(o.Intake)
		o.resolve(first, "first")
		o.want(0, 2)
		if id := o.note("after"); journal.Holds(id) {
			o.t.Error("the journal goes on")
		}
	})
}

// What passed while the server was away outlives the process.
func TestCrashWhileServerIsAway(t *testing.T) {
	testOutage(t, func(o *outage) {
		before := o.note("before")
		o.store.away.Store(true)
		o.note("open")
		o.resolve(before, "before")
		o.resolve(o.note("ended"), "ended")
		// The process dies: nothing but the files goes on.
		next := New(&door{store: o.store}, Options{Dir: o.options.Dir, Metrics: uncounted{}, Logger: zap.NewNop(), GapsLogger: zap.NewNop()})
		defer next.Close()
		next.Own(queue.Process)
		o.back(next)
		// The intent of "before" is open by the server's own knowledge of who noted it.
		o.want(2, 2)
		if stale, err := o.store.StaleIntents(o.t.Context(), 10); err != nil || len(stale) != 1 || stale[0].Key.ID != "open" {
			o.t.Errorf("got %+v, %v", stale, err)
		}
		if gaps := next.Gaps(); len(gaps) != 0 {
			o.t.Errorf("the gaps are %+v", gaps)
		}
	})
}

// Where the journal cannot take it either, it is a gap, and nothing is lost in this process.
func TestServerIsAwayAndJournalFails(t *testing.T) {
	testOutage(t, func(o *outage) {
		if err := o.journal.Load().Close(); err != nil {
			o.t.Fatal(err)
		}
		o.store.away.Store(true)
		id, err := o.Note(o.t.Context(), slowDelete)
		if err == nil || len(o.Gaps()) != 1 {
			o.t.Errorf("%d, %v, with the gaps %+v", id, err, o.Gaps())
		}
		o.resolve(id, "1")
		o.back(o.Intake)
		o.want(0, 1)
	})
}
