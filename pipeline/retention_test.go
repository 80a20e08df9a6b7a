// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// lowSpace is that of a disk of which 700 MiB are little.
var lowSpace = queue.Space{Low: 1 << 30, Critical: 512 << 20, Reserve: 1}

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
				p := New(badger.Engine{Directory: t.TempDir(), FreeSpace: func(string) (uint64, uint64, error) {
					return tc.free, 1 << 40, nil
				}}, Opening{Space: lowSpace}, silent())
				defer func() {
					if err := p.Destruct(); err != nil {
						t.Error(err)
					}
				}()
				store := opened(t, p)
				c := newConfig(t)
				c.Retention, c.Lag = 3*time.Hour, time.Minute
				store.Configure(c.Settings)
				p.atWork.Store(c)
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
				time.Sleep(11 * time.Minute) // the next round
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
		p := New(badger.Engine{Directory: t.TempDir(), FreeSpace: func(string) (uint64, uint64, error) {
			return 700 << 20, 1 << 40, nil
		}}, Opening{Space: lowSpace}, silent())
		store := opened(t, p)
		settled(t, store, event.Snapshot{Key: event.Key{Resource: "items", ID: "1"}, Sequence: 1})
		time.Sleep(2 * monitorEvery)
		synctest.Wait()
		if events, _, err := store.Events(t.Context(), queue.Filter{}, queue.Page{}); err != nil || len(events) != 0 {
			t.Errorf("%d events are left; %v", len(events), err)
		}
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	})
}
