// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// A node that was away for so long that another one called it dead, as a process that is
// stopped, goes on under another number: what it notes from then on is not stale, and what it
// had noted is.
func TestNodeComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		empty(t)
		ctx := t.Context()
		away := open(t, Options{DSN: server.DSN("postgres"), Now: time.Now, Beat: 24 * time.Hour})
		defer away.Close()
		other := open(t, Options{DSN: server.DSN("postgres"), Now: time.Now})
		defer other.Close()
		before, err := away.NoteIntent(ctx, queue.Intent{Resource: "items"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * DefaultBeat)
		after, err := away.NoteIntent(ctx, queue.Intent{Resource: "items"})
		if err != nil {
			t.Fatal(err)
		}
		stale, err := other.StaleIntents(ctx, 10)
		if err != nil || len(stale) != 1 || stale[0].ID != before {
			t.Errorf("stale are %+v, %v; want %d, and not %d", stale, err, before, after)
		}
	})
}

// Who calls another one dead has beaten itself all the while.
func TestHear(t *testing.T) {
	began := time.Now()
	b := &beats{every: time.Second}
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	for second := range silence {
		if dead := b.hear(at(second), map[int64]int64{1: 7, 2: int64(second)}); len(dead) != 0 {
			t.Errorf("after %d s: %v", second, dead)
		}
	}
	// A pause of our own begins anew.
	for second := 60; second < 60+silence; second++ {
		if dead := b.hear(at(second), map[int64]int64{1: 7, 2: int64(second)}); len(dead) != 0 {
			t.Errorf("after %d s: %v", second, dead)
		}
	}
	if dead := b.hear(at(60+silence), map[int64]int64{1: 7, 2: 99}); len(dead) != 1 || dead[0] != 1 {
		t.Errorf("got %v", dead)
	}
}

// The clocks of nodes may be ten minutes apart: a lease lasts as long as it says, and a time
// comes back as it was given.
func TestClocksApart(t *testing.T) {
	empty(t)
	ctx := t.Context()
	var nodes []*Store
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		s := open(t, Options{DSN: server.DSN("postgres")})
		defer s.Close()
		s.clock.local = func() time.Time { return time.Now().Add(ahead) }
		if err := s.measure(ctx); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, s)
	}
	early, late := nodes[0], nodes[1]
	key := event.Key{Resource: "items", ID: "1"}
	settles := early.clock.local().Add(time.Hour).UTC()
	marks := []queue.Mark{{Key: key, SettleAt: settles}}
	if err := early.ResolveIntent(ctx, 0, queue.Resolution{Marks: marks}, true); err != nil {
		t.Fatal(err)
	}
	held, err := late.LeaseMark(ctx, "items", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string]time.Duration{
		"marked":  late.clock.local().Sub(held.MarkedAt),
		"settles": settles.Add(-20 * time.Minute).Sub(held.SettleAt),
	} {
		if got.Abs() > time.Minute {
			t.Errorf("%s: off by %v", what, got)
		}
	}
	trying, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if other, err := early.LeaseMark(trying, "items", time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it is leased twice: %+v, %v", other, err)
	}
	if err := late.CommitReconciled(ctx, held, queue.Reconciled{AskedAt: late.clock.local()}); err != nil {
		t.Errorf("the lease is lost: %v", err)
	}
	pending, err := early.Pending(ctx, 10)
	if err != nil || len(pending) != 1 || !pending[0].SettleAt.Equal(settles) {
		t.Errorf("got %+v, %v; want it to settle at %v", pending, err, settles)
	}
}

// Intents that come at once share a transaction. A caller who leaves before its intent is
// written has it closed all the same.
func TestIntentsShareTransactions(t *testing.T) {
	empty(t)
	s := open(t, Options{DSN: server.DSN("postgres")})
	defer s.Close()
	ctx := t.Context()
	commits := func() (n int) {
		conn, err := pgx.Connect(ctx, server.DSN("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if err := conn.QueryRow(ctx, "select count(distinct xmin::text) from webhooks.intent").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const intents = 500
	var group sync.WaitGroup
	for range intents {
		group.Go(func() {
			if _, err := s.NoteIntent(ctx, queue.Intent{Resource: "items"}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := commits(); n == 0 || n > intents/5 {
		t.Errorf("%d intents took %d transactions", intents, n)
	}
	left, leave := context.WithCancel(ctx)
	leave()
	for i := range 50 {
		id, err := s.NoteIntent(left, queue.Intent{Resource: "items"})
		if i%2 == 0 {
			leaving, cancel := context.WithCancel(ctx)
			go cancel()
			id, err = s.NoteIntent(leaving, queue.Intent{Resource: "items"})
		}
		if err == nil || id != 0 {
			if err := s.ResolveIntent(ctx, id, queue.Resolution{}, true); err != nil {
				t.Error(err)
			}
		}
	}
	if stats, err := s.Stats(ctx); err != nil || stats.OpenIntents != intents {
		t.Errorf("%d are open, %v", stats.OpenIntents, err)
	}
}

// A schema of a newer version is refused, and so is an older one that nobody has said to
// migrate. The refusal says what to do.
func TestSchemas(t *testing.T) {
	empty(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, server.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, fmt.Sprintf("insert into %s (version_id, is_applied) values (99, true)", versionTable)); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Options{DSN: server.DSN("postgres"), Migrate: true})
	if !errors.Is(err, queue.ErrNewerFormat) || !queue.Misconfigured(err) {
		t.Errorf("a newer schema: %v", err)
	}
	if _, err := conn.Exec(ctx, "delete from "+versionTable+" where version_id = 99"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "create database fresh"); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(Options{DSN: server.DSN("fresh")}); !queue.Misconfigured(err) || !strings.Contains(err.Error(), "add `migrate`") {
		t.Errorf("no schema: %v", err)
	}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			s, err := Open(Options{DSN: server.DSN("fresh"), Migrate: true})
			if err != nil {
				t.Errorf("several migrate at once: %v", err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// Days that are older than the retention are dropped as a whole. Readers who have not read them
// are told, and what is pending is delivered without its event.
func TestDaysAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		empty(t)
		ctx := t.Context()
		options := alone(time.Now)
		options.Beat = 1000 * time.Hour // nobody looks after the days
		s := open(t, options)
		defer s.Close()
		e := func(id string) event.Event {
			return event.Event{ID: id, Type: "items.updated", Key: event.Key{Resource: "items", ID: id}, Sequence: 1, Op: event.OpTest, Payload: []byte("x")}
		}
		for _, id := range []string{"old", "older"} {
			if err := s.Announce(ctx, e(id), []string{"erp"}); err != nil {
				t.Fatal(err)
			}
		}
		_, behind, err := s.FeedEnds(ctx)
		if err != nil {
			t.Fatal(err)
		}
		held, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Minute})
		if err == nil {
			err = s.FinishAttempt(ctx, held, queue.Attempt{At: time.Now()}, queue.Verdict{Status: queue.StatusDelivered})
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Hour)
		if err := s.Announce(ctx, e("new"), []string{"crm"}); err != nil {
			t.Fatal(err)
		}
		s.Configure(queue.Settings{Retention: time.Hour})
		if err := s.dropDays(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Event(ctx, "old"); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("an event that is dropped: %v", err)
		}
		var expired *queue.ExpiredError
		if _, err := s.ReadFeed(ctx, queue.Everything(), queue.Position{}, 10); !errors.As(err, &expired) || expired.Oldest != behind {
			t.Errorf("a reader who was behind: %v", err)
		}
		if page, err := s.ReadFeed(ctx, queue.Everything(), behind, 10); err != nil || len(page.Entries) != 1 || page.Entries[0].Event.ID != "new" {
			t.Errorf("a reader who was not: %+v, %v", page, err)
		}
		lost, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Minute})
		if err != nil || !lost.Expired || lost.Event.ID == "" || lost.Event.Payload != nil {
			t.Fatalf("what is pending: %+v, %v", lost, err)
		}
		if err := s.FinishAttempt(ctx, lost, queue.Attempt{At: time.Now()}, queue.Verdict{Status: queue.StatusDead}); err != nil {
			t.Error(err)
		}
		if stats, err := s.Stats(ctx); err != nil || stats.PendingDeliveries["erp"] != 0 || stats.PendingDeliveries["crm"] != 1 {
			t.Errorf("got %+v, %v", stats, err)
		}
		// A day that is missing is made by whoever needs it.
		time.Sleep((daysAhead + 1) * 24 * time.Hour)
		if err := s.Announce(ctx, e("much later"), nil); err != nil {
			t.Error(err)
		}
	})
}
