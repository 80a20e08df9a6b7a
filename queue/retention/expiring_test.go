// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// expiryLab is a queue with deliveries that wait.
type expiryLab struct {
	*testing.T
	store *memory.Store
	logs  *observer.ObservedLogs
	*expiring
}

func newExpiryLab(t *testing.T) *expiryLab {
	core, logs := observer.New(zap.InfoLevel)
	lab := &expiryLab{T: t, store: memory.New(time.Now), logs: logs, expiring: newExpiring(zap.New(core), uncounted{})}
	t.Cleanup(func() { _ = lab.store.Close() })
	return lab
}

// wait makes deliveries that wait.
func (l *expiryLab) wait(n int, endpoints ...string) {
	l.Helper()
	for range n {
		key := event.Key{Resource: "operational", ID: "1"}
		if err := l.store.Announce(l.Context(), event.Event{Type: "x", Key: key, Time: time.Now()}, endpoints); err != nil {
			l.Fatal(err)
		}
	}
}

func (l *expiryLab) pending(want map[string]int) {
	l.Helper()
	stats, err := l.store.Stats(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	if got := fmt.Sprint(stats.PendingDeliveries); got != fmt.Sprint(want) {
		l.Errorf("pending are %s, want %v", got, want)
	}
}

func onlyLive(endpoint string) bool { return endpoint == "live" }

// What waits for an endpoint that gets nothing ends when it is older than the
// retention, and not before; what waits for one that gets deliveries stays.
func TestDeliveriesExpireByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := newExpiryLab(t)
		lab.wait(3, "gone", "live", "paused")
		time.Sleep(time.Hour)
		lab.wait(2, "gone", "live")
		sweep := func(age time.Duration) {
			if err := lab.sweep(t.Context(), lab.store, onlyLive, time.Now().Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
		sweep(2 * time.Hour)
		lab.pending(map[string]int{"gone": 5, "live": 5, "paused": 3})
		if lab.logs.Len() != 0 {
			t.Errorf("logged: %v", lab.logs.All())
		}
		sweep(time.Minute)
		lab.pending(map[string]int{"gone": 2, "live": 5})
		if lab.logs.Len() != 2 || lab.logs.All()[0].ContextMap()["deliveries"] != int64(3) {
			t.Errorf("logged: %v", lab.logs.All())
		}
		if got := fmt.Sprint(lab.all()); got != "map[gone:3 paused:3]" {
			t.Errorf("counted: %s", got)
		}
		dead, _, err := lab.store.Deliveries(t.Context(), queue.Filter{Endpoint: "gone", Status: queue.StatusDead}, queue.Page{})
		if err != nil || len(dead) != 3 || dead[0].Sequence != 3 {
			t.Errorf("dead are %v, %v", dead, err)
		}
	})
}

// An endpoint that returns while others' deliveries are ended keeps its own.
func TestReturningEndpointKeepsItsDeliveries(t *testing.T) {
	lab := newExpiryLab(t)
	lab.wait(queue.MaxLimit+10, "gone")
	asked := 0
	returning := func(string) bool {
		asked++
		return asked > 1
	}
	if err := lab.sweep(t.Context(), lab.store, returning, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	lab.pending(map[string]int{"gone": 10})
}

// endless is a queue in which there is always more to look at.
type endless struct {
	names map[string]int
	asked map[string]int
	last  queue.Page
}

func (e *endless) Stats(context.Context) (queue.Stats, error) {
	return queue.Stats{PendingDeliveries: e.names}, nil
}

func (e *endless) Expire(_ context.Context, s queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	e.asked[s.Endpoint]++
	e.last = page
	if e.asked[s.Endpoint] > 10*expireParts {
		return 0, "", errors.New("it is asked without end")
	}
	if s.Endpoint == "a" && e.asked["a"] == expireParts+7 {
		return 1, "", nil
	}
	return 0, queue.Cursor(fmt.Sprint(s.Endpoint, e.asked[s.Endpoint])), nil
}

// A sweep does a bounded part, and the next one goes on behind it.
func TestSweepIsBounded(t *testing.T) {
	lab := newExpiryLab(t)
	q := &endless{names: map[string]int{"a": 1, "b": 1, "c": 1}, asked: map[string]int{}}
	none := func(string) bool { return false }
	for i, want := range []string{
		fmt.Sprintf("map[a:%d]", expireParts),
		fmt.Sprintf("map[a:%d b:%d]", expireParts+7, expireParts-7),
		fmt.Sprintf("map[a:%d b:%d]", expireParts+7, 2*expireParts-7),
	} {
		if err := lab.sweep(t.Context(), q, none, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(q.asked); got != want {
			t.Errorf("sweep %d has asked %s, want %s", i+1, got, want)
		}
	}
	if want := queue.Cursor(fmt.Sprint("b", 2*expireParts-8)); q.last.Cursor != want || q.last.Limit != queue.MaxLimit {
		t.Errorf("the last part was %+v, want one behind %s", q.last, want)
	}
	if err := lab.relieve(t.Context(), q, none); err != nil {
		t.Fatal(err)
	}
	if total := q.asked["a"] + q.asked["b"] + q.asked["c"]; total != 4*expireParts {
		t.Errorf("relieving has asked %d times", total-3*expireParts)
	}
}

// When the queue is too large, the oldest quarter goes of what waits for
// endpoints that get nothing, each time that it has grown.
func TestDeliveriesExpireBySize(t *testing.T) {
	lab := newExpiryLab(t)
	lab.wait(8, "gone", "live")
	lab.wait(1, "paused")
	if err := lab.relieve(t.Context(), lab.store, onlyLive); err != nil {
		t.Fatal(err)
	}
	lab.pending(map[string]int{"gone": 6, "live": 8})
	left, _, err := lab.store.Deliveries(t.Context(), queue.Filter{Endpoint: "gone", Status: queue.StatusPending}, queue.Page{})
	if err != nil || left[len(left)-1].Sequence != 3 {
		t.Errorf("left are %v, %v", left, err)
	}

	var g growth
	for i, step := range []struct {
		tables int64
		grown  bool
	}{{100, false}, {100, false}, {160, true}, {160, false}, {50, false}, {60, true}, {60, false}, {61, true}} {
		if got := g.grown(step.tables); got != step.grown {
			t.Errorf("step %d: grown to %d is %v", i, step.tables, got)
		}
	}
}

// uncounted counts nothing.
type uncounted struct{}

func (uncounted) Expired(string, int) {}
