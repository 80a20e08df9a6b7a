// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
	"github.com/caddy-webhooks/caddy-webhooks/show"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const aSecret = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"

// changing returns a configuration of a resource whose objects have changed each time
// that they are read.
func changing(t *testing.T, p *Pipeline) *Config {
	t.Helper()
	c := newConfig(t)
	transport, err := egress.New(egress.Policy{AllowHTTP: true, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, egress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Transport = transport
	reads := new(atomic.Int64)
	c.Plan.Resources = []reconcile.Resource{{
		Name: "items",
		Read: func(context.Context, queue.MarkLease) (show.Show, error) {
			return show.Show{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: fmt.Appendf(nil, `{"tenant":"acme","n":%d}`, reads.Add(1))}, nil
		},
		Tenant: "tenant",
		Triggers: []event.Trigger{
			{Type: typed(t, "items.created"), On: event.OpCreate}, {Type: typed(t, "items.updated"), On: event.OpChange},
		},
		Limit: reconcile.NewLimit(16, nil),
		Route: func(e *event.Event) (to, filtered []string) {
			return p.Endpoints().Route(e, func() event.Document { return event.NewDocument(e.Payload) }, func(string, error) {})
		},
	}}
	return c
}

func typed(t *testing.T, text string) event.Template {
	t.Helper()
	made, err := event.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func book(t *testing.T, p *Pipeline) *subscribers.Book {
	t.Helper()
	return &subscribers.Book{Store: opened(t, p), Sealer: p.keyring.Load(), Now: time.Now, Policy: subscribers.Policy{Limit: 1000}}
}

func storedAt(url string) subscribers.Endpoint {
	return subscribers.Endpoint{Tenant: "acme", URL: url, Secrets: []subscribers.Secret{{Text: aSecret}}}
}

// mark notes that an object may have changed, as an exchange does.
func mark(t *testing.T, p *Pipeline, id string) {
	t.Helper()
	key := event.Key{Resource: "items", ID: id}
	noted, err := p.Intake.Note(t.Context(), queue.Intent{Resource: "items", Kind: event.KindUpdate, Rule: "PUT /items/:id", Key: key})
	if err != nil {
		t.Error(err)
		return
	}
	p.Intake.Resolve(t.Context(), "items", noted, queue.Resolution{Marks: []queue.Mark{{Key: key, Hints: queue.HintUpdated}}}, true)
}

// An endpoint that a subscriber has made gets events, as long as it wants them, without
// another configuration.
func TestStoredEndpointIsDeliveredTo(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.Header.Get("Webhook-Object")]++
	}))
	defer receiver.Close()
	has := func(id string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return got["items/"+id] > 0
		}
	}
	p := newPipeline(t, silent(), nil)
	start(t, p, changing(t, p))
	b := book(t, p)
	made, err := b.Create(t.Context(), storedAt(receiver.URL))
	if err != nil {
		t.Fatal(err)
	}
	mark(t, p, "1")
	eventually(t, "the event comes", has("1"))

	set := func(status subscribers.Status) {
		t.Helper()
		if _, err := b.Change(t.Context(), "acme", made.ID, queue.AnyVersion, func(e *subscribers.Endpoint) error {
			e.Status = status
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	set(subscribers.Paused)
	eventually(t, "it is paused", func() bool { return p.Emitter().Status(made.ID) == queue.EndpointPaused })
	if standing := p.Emitter().Standings()[made.ID]; !strings.Contains(standing.Reason, "owner") || p.Emitter().Receives(made.ID) {
		t.Errorf("it stands as %+v", standing)
	}
	// An operator cannot take back what its owner wants.
	if err := p.Emitter().Resume(t.Context(), made.ID); err != nil || p.Emitter().Status(made.ID) != queue.EndpointPaused {
		t.Errorf("resumed by the operator: %v, %s", err, p.Emitter().Status(made.ID))
	}
	mark(t, p, "2")
	pending := func() []queue.Delivery {
		kept, _, err := opened(t, p).Deliveries(t.Context(), queue.Filter{Endpoint: made.ID, Status: queue.StatusPending}, queue.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	eventually(t, "the next event waits", func() bool { return len(pending()) == 1 })
	if has("2")() {
		t.Error("a paused endpoint was delivered to")
	}
	set(subscribers.Active)
	eventually(t, "what has waited comes", has("2"))

	if err := b.Delete(t.Context(), "acme", made.ID, queue.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if kept := deliveriesOf(t, p, "3"); len(kept) > 0 {
		t.Errorf("a deleted endpoint gets object 3: %v", kept)
	}
}

// Whoever was told that their endpoint is made gets every event that is committed
// afterwards, whatever is reconciled at the same time; and whoever was told that it is
// deleted gets none.
func TestAcknowledgedEndpointMissesNothing(t *testing.T) {
	p := newPipeline(t, silent(), nil)
	start(t, p, changing(t, p))
	b := book(t, p)
	// Nobody listens there: what is to come waits.
	const nowhere = "http://127.0.0.1:1/"
	acknowledged := func(t *testing.T, id string) {
		made, err := b.Create(t.Context(), storedAt(nowhere))
		if err != nil {
			t.Fatal(err)
		}
		if kept := deliveriesOf(t, p, id); !slices.Contains(kept, made.ID) {
			t.Errorf("%s is not among the %d that get %s", made.ID, len(kept), id)
		}
		if err := b.Delete(t.Context(), "acme", made.ID, queue.AnyVersion); err != nil {
			t.Error(err)
		}
		if kept := deliveriesOf(t, p, id+"-later"); slices.Contains(kept, made.ID) {
			t.Errorf("%s was deleted, and gets %s-later", made.ID, id)
		}
	}
	for w := range 4 {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			t.Parallel()
			for i := range 12 {
				acknowledged(t, fmt.Sprintf("%d-%d", w, i))
			}
		})
	}
}

// deliveriesOf changes an object that is not known yet, and returns the endpoints that
// its event goes to.
func deliveriesOf(t *testing.T, p *Pipeline, id string) (endpoints []string) {
	t.Helper()
	mark(t, p, id)
	key := event.Key{Resource: "items", ID: id}
	eventually(t, id+" is known", func() bool {
		_, err := opened(t, p).Object(t.Context(), key)
		return err == nil
	})
	kept, _, err := opened(t, p).Deliveries(t.Context(), queue.Filter{Key: key}, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	for i := range kept {
		endpoints = append(endpoints, kept[i].Endpoint)
	}
	return endpoints
}

// What is pending for an endpoint that was deleted is cancelled, also if nobody was there
// to do it when it was deleted, and nothing else is.
func TestDeletedEndpointLeavesNothingPending(t *testing.T) {
	p := newPipeline(t, silent(), nil)
	c := changing(t, p)
	start(t, p, c)
	b := book(t, p)
	const nowhere = "http://127.0.0.1:1/"
	create := func() string {
		made, err := b.Create(t.Context(), storedAt(nowhere))
		if err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	deleted, kept := create(), create()
	deliveriesOf(t, p, "1")
	pending := func(name string) bool {
		stats, err := opened(t, p).Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats.PendingDeliveries[name] > 0
	}
	eventually(t, "both have something pending", func() bool { return pending(deleted) && pending(kept) })
	if err := b.Delete(t.Context(), "acme", deleted, queue.AnyVersion); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is pending for the deleted one is cancelled", func() bool { return !pending(deleted) })
	if !pending(kept) {
		t.Error("what was pending for the other is gone")
	}
	// What was left behind by a process that has ended, or whose endpoint cannot be read.
	s := p.open()
	for _, name := range []string{"erp", "ep_short", kept} {
		err := s.store.Announce(t.Context(), event.Event{Type: "x", Key: event.Key{Resource: "items", ID: name}, Op: event.OpChange, Time: time.Now(), Payload: []byte("{}")}, []string{name, deleted})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.wakeSweep()
	eventually(t, "what was left behind is cancelled", func() bool { return !pending(deleted) })
	for _, name := range []string{"erp", "ep_short", kept} {
		if !pending(name) {
			t.Errorf("what was pending for %s is gone", name)
		}
	}
}

// Endpoints that nobody can read are told of in health: their owners lose events.
func TestUnreadableEndpointsAreTold(t *testing.T) {
	p := newPipeline(t, silent(), nil)
	start(t, p, changing(t, p))
	b := book(t, p)
	foreign, err := seal.NewKeyring(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	told := func() bool {
		return strings.Contains(fmt.Sprint(p.Problems()), "1 endpoints that subscribers have made cannot be read")
	}
	if told() {
		t.Errorf("problems: %v", p.Problems())
	}
	b.Sealer = foreign
	made, err := b.Create(t.Context(), storedAt("https://example.com/"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "health tells of the endpoint", told)
	if err := b.Delete(t.Context(), "acme", made.ID, queue.AnyVersion); err != nil {
		t.Fatal(err)
	}
	eventually(t, "health is good again", func() bool { return !told() })
}

// ordering is a queue that takes no order now and then.
type ordering struct {
	queue.Store
	failing atomic.Bool
}

func (o *ordering) SetOrder(ctx context.Context, endpoint string, order queue.Order) error {
	if o.failing.Load() {
		return errUnwell
	}
	return o.Store.SetOrder(ctx, endpoint, order)
}

// A new endpoint that could not be delivered to at once is delivered to later, without
// another change.
func TestStoredEndpointIsTriedAgain(t *testing.T) {
	store := &ordering{Store: memory.New(time.Now)}
	p := New(&testEngine{dir: t.TempDir(), store: store}, Opening{}, silent())
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	m := unmonitored(p)
	start(t, p, changing(t, p))
	store.failing.Store(true)
	made, err := book(t, p).Create(t.Context(), storedAt("http://127.0.0.1:1/"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "health tells of it", func() bool { return strings.Contains(fmt.Sprint(p.Problems()), errUnwell.Error()) })
	store.failing.Store(false)
	m.look(t.Context())
	if _, applied := p.Emitter().Standing(made.ID); !applied {
		t.Error("it is not delivered to")
	}
}

// Whoever was told that an endpoint has other credentials gets no event with the old ones
// that happens later, whatever configuration comes meanwhile.
func TestChangedEndpointIsDeliveredToAsChanged(t *testing.T) {
	got := make(chan [2]string, 1000)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- [2]string{r.Header.Get("Webhook-Object"), r.Header.Get("Authorization")}
	}))
	defer receiver.Close()
	p := newPipeline(t, silent(), nil)
	c := changing(t, p)
	start(t, p, c)
	b := book(t, p)
	made, err := b.Create(t.Context(), storedAt(receiver.URL))
	if err != nil {
		t.Fatal(err)
	}
	for round := range 30 {
		want := "Bearer " + fmt.Sprint(round)
		if _, err := b.Change(t.Context(), "acme", made.ID, queue.AnyVersion, func(e *subscribers.Endpoint) error {
			e.Auth = &subscribers.Auth{Scheme: "bearer", Credential: fmt.Sprint(round)}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if round%3 == 2 {
			next := *c
			old := c
			c = &next
			reloaded := make(chan error, 1)
			go func() {
				reloaded <- p.Start(c)
				p.Stop(old)
			}()
			defer func() {
				if err := <-reloaded; err != nil {
					t.Error(err)
				}
			}()
		}
		if err := p.Applied(t.Context()); err != nil {
			t.Fatal(err)
		}
		key := event.Key{Resource: "items", ID: fmt.Sprint(round)}
		of := event.Event{
			ID: event.ID(p.open().store.Instance().ID, key, 1, "items.updated", nil), Type: "items.updated", Key: key, Sequence: 1,
			Op: event.OpChange, Tenant: "acme", Time: time.Now(), Payload: []byte("{}"),
		}
		if err := p.open().store.Announce(t.Context(), of, []string{made.ID}); err != nil {
			t.Fatal(err)
		}
		select {
		case now := <-got:
			if now != [2]string{key.String(), want} {
				t.Fatalf("round %d: got %q, want %q", round, now, want)
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("round %d: nothing came", round)
		}
	}
}

// A change that deliveries cannot go by yet is waited for; one that nothing is delivered
// by is not.
func TestAppliedWaits(t *testing.T) {
	store := &ordering{Store: memory.New(time.Now)}
	p := New(&testEngine{dir: t.TempDir(), store: store}, Opening{}, silent())
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	m := unmonitored(p)
	c := changing(t, p)
	start(t, p, c)
	b := book(t, p)
	store.failing.Store(true)
	made, err := b.Create(t.Context(), storedAt("http://127.0.0.1:1/"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it cannot be delivered to", func() bool { return strings.Contains(fmt.Sprint(p.Problems()), errUnwell.Error()) })
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.Applied(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for what fails: %v", err)
	}
	store.failing.Store(false)
	m.look(t.Context())
	if err := p.Applied(t.Context()); err != nil {
		t.Error(err)
	}
	p.Stop(c)
	store.failing.Store(true)
	if err := b.Delete(t.Context(), "acme", made.ID, queue.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if err := p.Applied(t.Context()); err != nil {
		t.Errorf("with nothing at work: %v", err)
	}
}
