// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// take takes all places that a Limit gives now.
func take(l *Limit) (n int) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for l.Acquire(ctx) == nil {
		n++
	}
	return n
}

// give gives places back.
func give(l *Limit, n int, took time.Duration) {
	for range n {
		l.Release(true, took)
	}
}

// As many Shows are read at once as clients have exchanges under way, within the bounds,
// and for some seconds more.
func TestLimitFollowsClients(t *testing.T) {
	for name, tc := range map[string]struct{ full, clients, want int }{
		"nobody":              {256, 0, MinShows},
		"a few":               {256, 3, MinShows},
		"many":                {256, 70, 70},
		"more than the limit": {256, 1000, 256},
		"a low limit":         {4, 70, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var clients Clients
				l := NewLimit(tc.full, &clients)
				for range tc.clients {
					clients.Enter()
				}
				for range tc.clients {
					clients.Leave()
				}
				for _, after := range []time.Duration{0, clientsFor - time.Second} {
					pass(after)
					got := take(l)
					if give(l, got, time.Millisecond); got != tc.want {
						t.Errorf("%d places after %v, want %d", got, after, tc.want)
					}
				}
				pass(2 * clientsFor)
				if got := take(l); got != min(MinShows, tc.full) {
					t.Errorf("%d places when nobody has asked for long", got)
				}
			})
		})
	}
}

// What is under way counts for as long as it lasts.
func TestClientsThatStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clients
		for range 30 {
			c.Enter()
		}
		for range 10 {
			pass(7 * time.Second)
			if c.Most() != 30 {
				t.Fatalf("%d are under way, want 30", c.Most())
			}
		}
		for range 20 {
			c.Leave()
		}
		pass(3 * clientsFor)
		if c.Most() != 10 {
			t.Errorf("%d are under way, want 10", c.Most())
		}
	})
}

// An API that becomes slower is asked for fewer Shows, but for no fewer than an API may
// always be asked for; for more again when it is as fast as before, or when it stays as
// slow. What anybody's network does is no reason.
func TestLimitFollowsPace(t *testing.T) {
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	// phase has Shows take some time; it returns how many there are at once at its end.
	phase := func(l *Limit, shows int, took func(atOnce int) time.Duration) (n int) {
		for shows > 0 {
			n = take(l)
			pass(took(n))
			give(l, n, took(n))
			shows -= n
		}
		return n
	}
	constant := func(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }
	for name, tc := range map[string]struct {
		took     func(atOnce int) time.Duration
		min, max int
	}{
		"as usual":                 {constant(ms(20)), 200, 200},
		"three times as long":      {constant(ms(60)), 200, 200},
		"much longer":              {constant(ms(500)), MinShows, MinShows},
		"longer, the more at once": {func(n int) time.Duration { return ms(20 * math.Max(1, float64(n)/20)) }, MinShows, 150},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clients := new(Clients)
				for range 200 {
					clients.Enter()
				}
				l := NewLimit(256, clients)
				if n := phase(l, 2000, constant(ms(20))); n != 200 {
					t.Fatalf("%d at once at first", n)
				}
				if n := phase(l, 3000, tc.took); n < tc.min || n > tc.max {
					t.Errorf("%d at once, want %d to %d", n, tc.min, tc.max)
				}
				if n := phase(l, 3000, constant(ms(20))); n != 200 {
					t.Errorf("%d at once afterwards", n)
				}
				if n := phase(l, 100_000, constant(ms(500))); n != 200 {
					t.Errorf("%d at once of an API that stays slow", n)
				}
			})
		})
	}
}

// An object's place is free for the next Show while the queue commits.
func TestPlaceIsFreeDuringCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(time.Now)
		var asked atomic.Int32
		slow := &slowCommits{Store: store, release: make(chan struct{})}
		r := New(slow, Options{})
		resource := testResource(t)
		resource.Limit = NewLimit(2, nil)
		resource.Read = func(context.Context, queue.MarkLease) (show.Show, error) {
			asked.Add(1)
			return answer(200, `{"v":1}`), nil
		}
		r.Apply(Plan{Resources: []Resource{*resource}})
		marks := make([]queue.Mark, maxUnplaced+10)
		for i := range marks {
			marks[i] = queue.Mark{Key: event.Key{Resource: "items", ID: fmt.Sprint(i)}, Hints: queue.HintCreated}
		}
		if err := store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: marks}, true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if want := int32(maxUnplaced + 2); asked.Load() != want {
			t.Errorf("%d Shows are read while the queue commits nothing, want %d", asked.Load(), want)
		}
		close(slow.release)
		pass(time.Second)
		synctest.Wait()
		if int(asked.Load()) != len(marks) {
			t.Errorf("%d Shows are read in the end, of %d", asked.Load(), len(marks))
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// slowCommits commits nothing until it is released.
type slowCommits struct {
	Store
	release chan struct{}
}

func (s *slowCommits) CommitReconciled(ctx context.Context, lease queue.MarkLease, reconciled queue.Reconciled) error {
	<-s.release
	return s.Store.CommitReconciled(ctx, lease, reconciled)
}
