// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// copied is a copy of the stored endpoints, read again only when that is asked for.
type copied struct {
	store queue.Records
	// failing is how often it cannot be read.
	failing int

	mu        sync.Mutex
	epoch     uint64
	ids       []string
	refreshed int
}

func (c *copied) Epoch() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

func (c *copied) Refresh(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refreshed++
	if c.refreshed <= c.failing {
		return errors.New("input/output error")
	}
	epoch, err := c.store.Epoch(ctx, queue.KindEndpoint)
	if err != nil {
		return err
	}
	records, _, err := c.store.Records(ctx, queue.KindEndpoint, queue.Page{Limit: queue.MaxLimit})
	c.epoch, c.ids = epoch, nil
	for _, r := range records {
		c.ids = append(c.ids, r.ID)
	}
	return err
}

func (c *copied) route(*event.Event) (to, filtered []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ids), nil
}

func formats(endpoints []string) map[string]string {
	formats := make(map[string]string)
	for _, name := range endpoints {
		formats[name] = "form of " + name
	}
	return formats
}

// routing begins to reconcile with a copy of the stored endpoints.
func (b *bench) routing(c *copied, store Store) *Resource {
	if err := b.r.Stop(context.Background()); err != nil {
		b.t.Error(err)
	}
	c.store = b.store
	b.r = New(store, Options{Jitter: func() float64 { return .5 }})
	resource := testResource(b.t)
	resource.Read, resource.Route, resource.Formats, resource.Routing = b.api.read, c.route, formats, c
	return resource
}

func (b *bench) put(id string) {
	b.t.Helper()
	_, err := b.store.Change(context.Background(), queue.Record{Kind: queue.KindEndpoint, ID: id, Version: queue.AnyVersion, Value: []byte("{}")})
	if err != nil {
		b.t.Error(err)
	}
}

// deliveries returns all deliveries as type>endpoint.
func (b *bench) deliveries() string {
	b.t.Helper()
	synctest.Wait()
	listed, _, err := b.store.Deliveries(context.Background(), queue.Filter{}, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, d := range listed {
		all = append(all, d.EventType+">"+d.Endpoint)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// changing is a queue in which endpoints change before each of the first commits.
type changing struct {
	*bench
	Store
	left int
}

func (c *changing) CommitReconciled(ctx context.Context, lease queue.MarkLease, reconciled queue.Reconciled) error {
	if c.left > 0 {
		c.put(fmt.Sprint("ep_", c.left))
		c.left--
	}
	return c.Store.CommitReconciled(ctx, lease, reconciled)
}

// An endpoint that was made while a Show was read, or while its events were about to
// be committed, gets them, in its form; so does whoever got them before, once.
func TestEndpointMadeMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		during, commits, failing int
		want                     string
	}{
		"before":                        {0, 0, 0, "items.created>ep_a"},
		"while Show is read":            {1, 0, 0, "items.created>ep_a items.created>ep_b"},
		"before the commit":             {0, 1, 0, "items.created>ep_1 items.created>ep_a"},
		"again and again":               {1, 3, 0, "items.created>ep_1 items.created>ep_2 items.created>ep_3 items.created>ep_a items.created>ep_b"},
		"and it cannot be read at once": {1, 0, 2, "items.created>ep_a items.created>ep_b"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t)
				c := new(copied)
				store := &changing{bench: b, Store: b.store}
				resource := b.routing(c, store)
				resource.Callback = &CallbackRule{Endpoint: "notify.items", Wants: func(string) bool { return true }}
				b.put("ep_a")
				if err := c.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.refreshed, c.failing, store.left = 0, tc.failing, tc.commits
				if tc.during > 0 {
					b.api.during = func() { b.put("ep_b") }
				}
				b.r.Apply(Plan{Resources: []Resource{*resource}})
				b.api.set(`{"v":1,"state":"pending"}`)
				b.mark(queue.Mark{Hints: queue.HintCreated, Callback: []byte("sealed")})
				pass(time.Minute)
				if got := b.deliveries(); got != tc.want+" items.created>notify.items" {
					t.Errorf("got %s, want %s", got, tc.want)
				}
				if b.expect("items.created"); b.marks() != 0 {
					t.Errorf("%d marks are left", b.marks())
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				for _, id := range c.ids {
					held, err := b.store.LeaseDelivery(ctx, id, queue.LeaseOptions{For: time.Minute})
					if err != nil || held.Format != "form of "+id || held.Sequence != 1 {
						t.Errorf("got %+v and %v", held.Delivery, err)
					}
				}
			})
		})
	}
}

// A configuration that routes to no stored endpoints goes on beside those of one
// that did, whatever becomes of them.
func TestEndpointsOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.put("ep_a")
		b.api.set(`{"v":1,"state":"pending"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated})
		b.expect("items.created")
		b.put("ep_a")
		b.api.set(`{"v":2,"state":"paid"}`)
		b.mark(queue.Mark{Hints: queue.HintUpdated})
		b.expect("items.created", "items.updated", "items.paid")
		if got := b.deliveries(); got != "items.created>erp items.paid>erp items.updated>erp" {
			t.Errorf("got %s", got)
		}
	})
}

// stuck says that it was refreshed, and was not.
type stuck struct{ refreshed int }

func (s *stuck) Epoch() uint64                 { return 0 }
func (s *stuck) Refresh(context.Context) error { s.refreshed++; return nil }

// A copy that does not become newer is no reason to try without end.
func TestRoutingThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		resource, stuck := b.routing(new(copied), b.store), new(stuck)
		resource.Routing = stuck
		b.put("ep_a")
		b.r.Apply(Plan{Resources: []Resource{*resource}})
		b.api.set(`{"v":1,"state":"pending"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated})
		b.expect()
		if stuck.refreshed != 2 || b.marks() != 1 {
			t.Errorf("refreshed %d times, and %d marks are there", stuck.refreshed, b.marks())
		}
	})
}

// TestAcknowledgedEndpointMissesNothing makes, changes and deletes endpoints while
// objects are reconciled. Whatever is committed after that was acknowledged goes to
// the endpoints that there are.
func TestAcknowledgedEndpointMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const objects, rounds = 5, 40
		b := start(t)
		c := new(copied)
		resource := b.routing(c, b.store)
		var reads sync.Map
		resource.Own = nil
		resource.Read = func(ctx context.Context, lease queue.MarkLease) (show.Show, error) {
			n, _ := reads.LoadOrStore(lease.Key.ID, new(int))
			*n.(*int)++
			wait(ctx, []time.Duration{time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond}[*n.(*int)%3])
			return answer(200, fmt.Sprintf(`{"v":%d}`, *n.(*int))), nil
		}
		b.r.Apply(Plan{Resources: []Resource{*resource}})
		known := func() map[string]bool {
			ids := make(map[string]bool)
			page := queue.Page{Limit: queue.MaxLimit}
			events, _, err := b.store.Events(t.Context(), queue.Filter{}, page)
			if err != nil {
				t.Error(err)
			}
			for i := range events {
				ids[events[i].ID] = true
			}
			return ids
		}
		// before has the events that were there when an endpoint was acknowledged,
		// and until those when its delete was asked for.
		before, until := make([]map[string]bool, rounds), make(map[int]map[string]bool)
		for i := range rounds {
			for object := range objects {
				key := event.Key{Resource: "items", ID: fmt.Sprint(object)}
				err := b.store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key, Hints: queue.HintUpdated}}}, true)
				if err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Duration(i%4) * time.Millisecond)
			b.put(fmt.Sprint("ep_", i))
			before[i] = known()
			if old := i - 10; old >= 0 {
				until[old] = known()
				_, err := b.store.Change(t.Context(), queue.Record{Kind: queue.KindEndpoint, ID: fmt.Sprint("ep_", old), Version: queue.AnyVersion})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		pass(time.Minute)
		all, late := known(), 0
		for i := range rounds {
			deliveries, _, err := b.store.Deliveries(t.Context(), queue.Filter{Endpoint: fmt.Sprint("ep_", i)}, queue.Page{Limit: queue.MaxLimit})
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]bool)
			for _, d := range deliveries {
				got[d.EventID] = true
			}
			for id := range all {
				if before[i][id] || until[i] != nil && !until[i][id] {
					continue
				}
				if late++; !got[id] {
					t.Errorf("endpoint %d misses %s", i, id)
				}
			}
		}
		if late == 0 || c.refreshed == 0 {
			t.Errorf("%d events came after an endpoint, and the copy was read %d times", late, c.refreshed)
		}
	})
}

// late is a queue that refuses commits by a change of endpoints that it has taken, and
// not committed yet.
type late struct {
	*bench
	Store
	left int
	lost bool // the change fails in the end
}

func (l *late) CommitReconciled(ctx context.Context, lease queue.MarkLease, reconciled queue.Reconciled) error {
	if l.left == 0 {
		return l.Store.CommitReconciled(ctx, lease, reconciled)
	}
	if l.left--; l.left == 0 && !l.lost {
		time.AfterFunc(50*time.Millisecond, func() { l.put("ep_late") })
	}
	return queue.ErrStale
}

// A commit that is refused by a change which is not seen yet waits for that, and is
// made whatever becomes of it.
func TestChangeThatIsNotSeenYet(t *testing.T) {
	for name, lost := range map[string]bool{"it comes": false, "it fails": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t)
				c := new(copied)
				resource := b.routing(c, &late{bench: b, Store: b.store, left: 1, lost: lost})
				b.put("ep_a")
				if err := c.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				b.r.Apply(Plan{Resources: []Resource{*resource}})
				b.api.set(`{"v":1,"state":"pending"}`)
				b.mark(queue.Mark{Hints: queue.HintCreated})
				pass(2 * time.Second)
				want := "items.created>ep_a"
				if !lost {
					want += " items.created>ep_late"
				}
				if got := b.deliveries(); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}
