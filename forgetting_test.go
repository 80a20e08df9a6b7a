// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

func TestForgetAge(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		retention, lag time.Duration
		overfull       bool
		want           time.Duration
	}{
		{30 * day, 0, false, 30 * day},
		{30 * day, time.Minute, true, time.Hour},
		{time.Hour, 2 * day, false, 2 * day},
		{30 * day, 2 * day, true, 2 * day},
	} {
		if got := forgetAge(tc.retention, tc.lag, tc.overfull); got != tc.want {
			t.Errorf("forgetAge(%v, %v, %v) is %v, want %v", tc.retention, tc.lag, tc.overfull, got, tc.want)
		}
	}
}

// settled commits what is known of an object, and leaves no mark of it.
func settled(t *testing.T, store queue.Store, snapshot event.Snapshot) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: snapshot.Key}}}, true))
	held, err := store.LeaseMark(t.Context(), snapshot.Key.Resource, time.Minute)
	must(err)
	snapshot.Time = time.Now()
	must(store.CommitReconciled(t.Context(), held, queue.Reconciled{
		AskedAt: time.Now(), Snapshot: &snapshot,
		Events: []queue.Routed{{Event: event.Event{ID: snapshot.Key.String(), Key: snapshot.Key, Sequence: snapshot.Sequence}}},
	}))
}

// Objects that are gone are forgotten when their retention has passed, or
// before where there is too much in the queue or on its disk; and so are events
// that are pending for nobody, then as soon as can be.
func TestForgetting(t *testing.T) {
	for name, tc := range map[string]struct {
		free uint64
		want time.Duration
		// events is how many are left of two, short of that time.
		events int
	}{
		"retention": {64 << 30, 3 * time.Hour, 2},
		"overfull":  {700 << 20, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEngine(t.TempDir())
				store := openWith(t, e, badger.Options{Dir: e.dir, FreeSpace: func(string) (uint64, uint64, error) {
					return tc.free, 1 << 40, nil
				}, Space: queue.Space{Low: 1 << 30, Critical: 512 << 20, Reserve: 1}})
				defer func() {
					if err := e.Destruct(); err != nil {
						t.Error(err)
					}
				}()
				h := handlerFor(t, new(recordingQueue), &syntax.Resource{Name: "items", Lag: caddy.Duration(time.Minute)})
				app := &App{Retention: caddy.Duration(3 * time.Hour), handlers: []*Handler{h}, engine: e}
				e.keep(app)
				gone, there := event.Key{Resource: "items", ID: "gone"}, event.Key{Resource: "items", ID: "there"}
				settled(t, store, event.Snapshot{Key: gone, Sequence: 2, Gone: true})
				settled(t, store, event.Snapshot{Key: there, Sequence: 2})

				time.Sleep(tc.want - time.Minute)
				if events, _, err := store.Events(t.Context(), queue.Filter{}, queue.Page{}); err != nil || len(events) != tc.events {
					t.Errorf("%d events, want %d; %v", len(events), tc.events, err)
				}
				time.Sleep(time.Minute)
				if _, err := store.Object(t.Context(), gone); err != nil {
					t.Errorf("before its time: %v", err)
				}
				time.Sleep(forgetEvery + 2*trimEvery)
				if _, err := store.Object(t.Context(), gone); !errors.Is(err, queue.ErrNotFound) {
					t.Errorf("after its time: %v, want ErrNotFound", err)
				}
				if _, err := store.Object(t.Context(), there); err != nil {
					t.Errorf("what is there: %v", err)
				}
			})
		})
	}
}

// History is trimmed as soon as it is seen that little space is left: the
// process may not live until it would be the next time.
func TestTrimmedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t.TempDir())
		store := openWith(t, e, badger.Options{Dir: e.dir, FreeSpace: func(string) (uint64, uint64, error) {
			return 700 << 20, 1 << 40, nil
		}, Space: queue.Space{Low: 1 << 30, Critical: 512 << 20, Reserve: 1}})
		settled(t, store, event.Snapshot{Key: event.Key{Resource: "items", ID: "1"}, Sequence: 1})
		time.Sleep(2 * watchEvery)
		synctest.Wait()
		if events, _, err := store.Events(t.Context(), queue.Filter{}, queue.Page{}); err != nil || len(events) != 0 {
			t.Errorf("%d events are left; %v", len(events), err)
		}
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	})
}
