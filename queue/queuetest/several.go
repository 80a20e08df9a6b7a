// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Several makes a new queue, and returns a function that opens it once more: each store is a
// process of its own. Kill ends such a process without a word.
type Several func(t *testing.T, now func() time.Time) (open func() (s queue.Store, kill func()))

// noticed is how long it may take until one process notices what another one has made, and
// gone how long until it notices that another one is gone.
const (
	noticed = 2 * time.Second
	gone    = 30 * time.Second
)

// RunSeveral runs what engines of several processes promise beyond [Run].
func RunSeveral(t *testing.T, several Several) {
	for _, test := range []struct {
		name string
		test func(t *testing.T, open func() (queue.Store, func()))
	}{
		{"what one makes another one finds", othersFind},
		{"nothing is leased twice", leasedOnce},
		{"readers of all miss nothing", readersOfAll},
		{"an order holds for all", orderOfAll},
		{"endpoints hold for all", endpointsOfAll},
		{"an operation is done once", operatedOnce},
		{"an owner is gone", ownerGone},
		{"an owner stops", ownerStops},
		{"maintenance is one's", maintenanceOfOne},
		{"an intent is resolved by another", resolvedByAnother},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open := several(t, time.Now)
				var all []queue.Store
				defer func() {
					for _, s := range all {
						must(t, s.Close())
					}
				}()
				test.test(t, func() (queue.Store, func()) {
					s, kill := open()
					all = append(all, s)
					return s, kill
				})
			})
		})
	}
}

// processes opens a queue several times.
func processes(open func() (queue.Store, func()), n int) (all []queue.Store) {
	for range n {
		s, _ := open()
		all = append(all, s)
	}
	return all
}

// soon waits for something that another process has made.
func soon(t *testing.T, what string, wait func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), noticed)
	defer cancel()
	if err := wait(ctx); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func othersFind(t *testing.T, open func() (queue.Store, func())) {
	all := processes(open, 2)
	a, b := all[0], all[1]
	if a.Instance() != b.Instance() {
		t.Error("they are of different queues")
	}
	waits := func(what string, wait func(ctx context.Context) error, act func()) {
		t.Helper()
		done := make(chan struct{})
		go func() {
			defer close(done)
			soon(t, what, wait)
		}()
		synctest.Wait()
		act()
		<-done
	}
	var held queue.MarkLease
	waits("a mark", func(ctx context.Context) (err error) {
		held, err = b.LeaseMark(ctx, "items", lease)
		return err
	}, func() { markKey(t, a, item("1")) })
	var delivery queue.DeliveryLease
	var group sync.WaitGroup
	group.Go(func() {
		soon(t, "an event of the feed", func(ctx context.Context) error { return b.AwaitFeed(ctx, queue.Everything(), queue.Position{}) })
	})
	waits("a delivery", func(ctx context.Context) (err error) {
		delivery, err = b.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: lease})
		return err
	}, func() {
		// What was leased by one process is not another one's to commit.
		publish(t, a, item("2"), "erp")
	})
	group.Wait()
	if delivery.EventID != "items/2-1" {
		t.Errorf("got %+v", delivery.Delivery)
	}
	must(t, b.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	waits("an epoch", func(ctx context.Context) error {
		_, err := b.Await(ctx, "note", 0)
		return err
	}, func() { change(t, a, noted("a", "1", 0)) })
	if ids, known, err := b.Changed(t.Context(), "note", 0); err != nil || !known || !slices.Equal(ids, []string{"a"}) {
		t.Errorf("changed are %v, known: %v, %v", ids, known, err)
	}
}

// held notes what is leased, by all processes together.
type leases struct {
	mu   sync.Mutex
	of   map[string]int
	last map[string]uint64
}

func (l *leases) begin(t *testing.T, name string, sequence uint64) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[name]++; l.of[name] > 1 {
		t.Errorf("%s is leased twice", name)
	}
	if sequence > 0 && sequence != l.last[name]+1 {
		t.Errorf("%d of %s comes after %d", sequence, name, l.last[name])
	}
	l.last[name] = sequence
}

func (l *leases) end(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[name]--
}

// leasedOnce has several processes mark, reconcile and deliver the same objects at once. Each
// object is one's at a time, each event is made once, and delivered once and in order.
func leasedOnce(t *testing.T, open func() (queue.Store, func())) {
	const objects, rounds, nodes = 4, 12, 4
	all := processes(open, nodes)
	ctx, cancel := context.WithCancel(t.Context())
	l := &leases{of: make(map[string]int), last: make(map[string]uint64)}
	var marking, working sync.WaitGroup
	for node, s := range all {
		marking.Go(func() {
			for n := range rounds {
				key := item(fmt.Sprint((node + n) % objects))
				id, err := s.NoteIntent(ctx, queue.Intent{Resource: "items", Key: key, Noted: time.Now()})
				if err == nil {
					err = s.ResolveIntent(ctx, id, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, n%2 == 0)
				}
				if err != nil {
					t.Error(err)
				}
				time.Sleep(time.Microsecond)
			}
		})
		working.Go(func() { reconcileAll(ctx, t, s, l) })
		working.Go(func() { deliverAll(ctx, t, s, l) })
	}
	marking.Wait()
	wantStats(t, all[0], func(got queue.Stats) bool {
		return got.Marks == 0 && got.OpenIntents == 0 && len(got.PendingDeliveries) == 0 && len(got.Lanes) == 0
	})
	cancel()
	working.Wait()
	events, _, err := all[1].Events(t.Context(), queue.Filter{}, queue.Page{Limit: queue.MaxLimit})
	must(t, err)
	made := make(map[string]bool)
	for i := range events {
		if made[events[i].ID] {
			t.Errorf("%s was made twice", events[i].ID)
		}
		made[events[i].ID] = true
	}
	attempts, _, err := all[2].Attempts(t.Context(), queue.Filter{}, queue.Page{Limit: queue.MaxLimit})
	must(t, err)
	if len(attempts) != len(events) || len(events) < objects {
		t.Errorf("%d events, and %d attempts", len(events), len(attempts))
	}
}

func reconcileAll(ctx context.Context, t *testing.T, s queue.Store, l *leases) {
	for {
		held, err := s.LeaseMark(ctx, "items", lease)
		if err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		l.begin(t, held.Key.String(), 0)
		time.Sleep(time.Microsecond)
		l.end(held.Key.String())
		if err := s.CommitReconciled(ctx, held, routed(held, 0, "erp")); err != nil {
			t.Error(err)
		}
	}
}

func deliverAll(ctx context.Context, t *testing.T, s queue.Store, l *leases) {
	for {
		held, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: lease})
		if err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		name := "lane of " + held.Key.String()
		l.begin(t, name, held.Sequence)
		time.Sleep(time.Microsecond)
		l.end(name)
		if err := s.FinishAttempt(ctx, held, queue.Attempt{At: time.Now()}, delivered()); err != nil {
			t.Error(err)
		}
	}
}

// readersOfAll has several processes commit at once, and a reader on each go on from where it
// was. All get all, in one order.
func readersOfAll(t *testing.T, open func() (queue.Store, func())) {
	const nodes, rounds = 5, 20
	all := processes(open, nodes)
	ctx := t.Context()
	got := make([][]string, nodes)
	var group sync.WaitGroup
	for node, s := range all {
		resource := fmt.Sprint("object ", node)
		group.Go(func() { commitRouted(t, s, resource, rounds) })
		group.Go(func() {
			position := queue.Position{}
			for len(got[node]) < nodes*rounds {
				page, err := s.ReadFeed(ctx, queue.Everything(), position, 7)
				if err != nil {
					t.Error(err)
					return
				}
				for i := range page.Entries {
					got[node] = append(got[node], page.Entries[i].Event.ID)
				}
				position = page.Next
				if page.More || len(got[node]) >= nodes*rounds {
					continue
				}
				waiting, cancel := context.WithTimeout(ctx, gone)
				err = s.AwaitFeed(waiting, queue.Everything(), position)
				cancel()
				if err != nil {
					t.Errorf("reader %d has %d events: %v", node, len(got[node]), err)
					return
				}
			}
		})
	}
	group.Wait()
	for node := range all {
		if !slices.Equal(got[node], got[0]) {
			t.Errorf("reader %d got another order than the first", node)
		}
	}
	sorted := slices.Clone(got[0])
	slices.Sort(sorted)
	if distinct := slices.Compact(sorted); len(distinct) != nodes*rounds {
		t.Errorf("they got %d events, want %d", len(distinct), nodes*rounds)
	}
}

func orderOfAll(t *testing.T, open func() (queue.Store, func())) {
	all := processes(open, 3)
	a, b := all[0], all[1]
	must(t, b.SetOrder(t.Context(), "erp", queue.OrderEndpoint))
	interleave(t, a)
	held := leaseDelivery(t, a, "erp")
	noDelivery(t, b, "erp")
	// What waits behind a retry waits on all.
	retryAt(t, a, held, time.Now().Add(time.Minute))
	noDelivery(t, b, "erp")
	time.Sleep(time.Minute)
	for i, id := range []string{"items/1-1", "items/2-1"} {
		deliver(t, all[i], leaseNext(t, all[i], id))
	}
	held = leaseNext(t, b, "items/2-2")
	must(t, all[2].SetOrder(t.Context(), "erp", queue.OrderNone))
	noDelivery(t, a, "erp")
	deliver(t, b, held)
	leaseNext(t, a, "items/1-2")
	hasten(t, b, queue.Hasten{}, 0)
}

// endpointsOfAll: an endpoint that was made on one process misses nothing that another one
// commits, and what is told about it holds on all.
func endpointsOfAll(t *testing.T, open func() (queue.Store, func())) {
	all := processes(open, 2)
	a, b := all[0], all[1]
	markKey(t, b, item("1"))
	held := leaseMark(t, b, "items")
	epoch := change(t, a, storedEndpoint("ep_1"))
	if err := b.CommitReconciled(t.Context(), held, routed(held, 0, "erp")); !errors.Is(err, queue.ErrStale) {
		t.Errorf("got %v, want ErrStale", err)
	}
	must(t, b.CommitReconciled(t.Context(), held, routed(held, epoch, "ep_1")))
	paused := queue.Record{Kind: queue.KindState, ID: "ep_1", Value: []byte("paused")}
	paused.Version = change(t, a, paused)
	if got, err := b.Record(t.Context(), queue.KindState, "ep_1"); err != nil || string(got.Value) != "paused" {
		t.Errorf("got %+v, %v", got, err)
	}
	wantConflict(t, b, "ep_1", queue.Record{Kind: queue.KindState, ID: "ep_1", Value: []byte("failing")})
	// Of two who make the same, one wins.
	var group sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for _, s := range []queue.Store{a, b, a, b} {
		group.Go(func() {
			_, err := s.Change(t.Context(), noted("same", "1", 0))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, queue.ErrConflict) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won != 1 {
		t.Errorf("%d have made the same record", won)
	}
}

func operatedOnce(t *testing.T, open func() (queue.Store, func())) {
	const events = 20
	all := processes(open, 3)
	for i := range events {
		publish(t, all[0], item(fmt.Sprint(i)), "erp")
	}
	total := func(act func(s queue.Store) (int, queue.Cursor, error)) (sum int) {
		var group sync.WaitGroup
		var mu sync.Mutex
		for _, s := range all {
			group.Go(func() {
				n, _, err := act(s)
				mu.Lock()
				defer mu.Unlock()
				if sum += n; err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		return sum
	}
	page := queue.Page{Limit: 100}
	for what, act := range map[string]func(s queue.Store) (int, queue.Cursor, error){
		"cancelled": func(s queue.Store) (int, queue.Cursor, error) {
			return s.Cancel(t.Context(), queue.Selection{Endpoint: "erp"}, page)
		},
		"replayed": func(s queue.Store) (int, queue.Cursor, error) {
			return s.Replay(t.Context(), "new", queue.Selection{}, page)
		},
		"redelivered": nil,
	} {
		if act == nil {
			continue
		}
		if got := total(act); got != events {
			t.Errorf("%s: %d, want %d", what, got, events)
		}
	}
	if got := total(func(s queue.Store) (int, queue.Cursor, error) {
		return s.Redeliver(t.Context(), queue.Selection{Endpoint: "erp"}, page)
	}); got != events {
		t.Errorf("redelivered: %d, want %d", got, events)
	}
	wantPending(t, all[1], map[string]int{"erp": events, "new": events}, map[string]int{"erp": events, "new": events})
}
