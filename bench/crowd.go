// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// What is the same in a large crowd and in a small one: a tenant's endpoints, an endpoint's
// events, and how many of its tenant's events each endpoint's filter has left out.
const (
	crowdEndpoints = 10
	crowdEach      = 100
	crowdFiltered  = 10
	// crowdBatch is how many events are committed in one step.
	crowdBatch   = 500
	crowdWorkers = 64
)

// crowd is a queue with the endpoints of many subscribers, the events that they were sent,
// and the API by which they look at them.
type crowd struct {
	store  *badger.Store
	server *callbacks.Server
	// pages is the dashboard.
	pages *dashboard.Server
	// members are the endpoints, those of each tenant in a row.
	members []subscribers.Endpoint
	// sent is what attempts have sent, by endpoint.
	sent    map[string]queue.Sent
	events  int
	seconds atomic.Int64
}

// newCrowd returns a crowd with so many events, in tables, as after a restart.
func newCrowd(dir string, events int) (*crowd, error) {
	c := &crowd{events: events, sent: make(map[string]queue.Sent)}
	ring, err := seal.NewKeyring(seal.NewKey())
	if err != nil {
		return nil, err
	}
	options := badger.Options{Dir: dir, Durability: queue.Process}
	if c.store, err = badger.Open(options); err != nil {
		return nil, err
	}
	if err := c.fill(ring); err != nil {
		return nil, errors.Join(err, c.store.Close())
	}
	if err := c.store.Close(); err != nil {
		return nil, err
	}
	if c.store, err = badger.Open(options); err != nil {
		return nil, err
	}
	// Badger's work after the writes is not part of what is measured.
	if err := settled(dir); err != nil {
		return nil, err
	}
	if err := c.serve(ring); err != nil {
		return nil, err
	}
	return c, nil
}

// serve makes the API and the pages.
func (c *crowd) serve(ring *seal.Keyring) error {
	updated, err := event.ParseTemplate("items.updated")
	if err != nil {
		return err
	}
	types, err := catalogue.NewTypes([]catalogue.Made{{Resource: "items", Type: updated}}, []catalogue.Declared{{
		Pattern: "items.updated", Description: "Something has changed", Schema: []byte(`{"type":"object","required":["id"]}`), Sample: []byte(`{"id":"42","amount":7}`),
	}})
	if err != nil {
		return err
	}
	// Each request comes a second after the last, so that no limit holds it back.
	clock := func() time.Time { return time.Now().Add(time.Duration(c.seconds.Load()) * time.Second) }
	c.server = callbacks.New(callbacks.Options{
		Queue: func() queue.Store { return c.store }, Sealer: func() subscribers.Sealer { return ring },
		Authorize: []callbacks.Authorize{func(r *http.Request, _ queue.Store) (callbacks.Caller, error) {
			return callbacks.Caller{Tenant: r.Header.Get("Tenant"), Name: "bench"}, nil
		}},
		EventTypes: func() *catalogue.Types { return types }, Now: clock,
	}, callbacks.NewLimits())
	c.pages, err = dashboard.New(dashboard.Options{API: c.server, Gate: anybody{}, Now: clock})
	return err
}

// settled waits until Badger has not made a table for a while.
func settled(dir string) error {
	last := ""
	for range 120 {
		tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
		if err != nil {
			return err
		}
		now := fmt.Sprint(tables)
		if now == last {
			return nil
		}
		last = now
		time.Sleep(3 * time.Second)
	}
	return errors.New("the queue does not come to rest")
}

func (c *crowd) fill(ring *seal.Keyring) error {
	ctx := context.Background()
	book := subscribers.Book{Store: c.store, Sealer: ring, Now: time.Now}
	for n := range c.events / crowdEach {
		made, err := book.Create(ctx, subscribers.Endpoint{
			Tenant: "tenant" + strconv.Itoa(n/crowdEndpoints), Label: "ERP", URL: receiverURL(strconv.Itoa(n)),
			Events: []string{"items.*"}, Secrets: []subscribers.Secret{{Text: secret}},
		})
		if err != nil {
			return err
		}
		c.members = append(c.members, made)
		as, err := made.Resolve(endpoint.Endpoint{})
		if err != nil {
			return err
		}
		as = as.WithDefaults()
		c.sent[made.ID] = queue.Sent{Host: receiversAddress, Settings: as.Settings(as.Payload), Keys: []string{as.Secrets[0].ShortName()}}
	}
	epoch, err := c.store.Epoch(ctx, queue.KindEndpoint)
	if err != nil {
		return err
	}
	for from := 0; from < c.events; from += crowdBatch {
		if err := c.commit(ctx, from, min(from+crowdBatch, c.events), epoch); err != nil {
			return err
		}
	}
	return nil
}

// commit commits some events, each to the endpoint whose turn it is, and delivers them.
func (c *crowd) commit(ctx context.Context, from, to int, epoch uint64) error {
	key := event.Key{Resource: "items", ID: strconv.Itoa(from)}
	var routed []queue.Routed
	for n := from; n < to; n++ {
		member := n % len(c.members)
		one := queue.Routed{Event: c.event(n), Endpoints: []string{c.members[member].ID}}
		if n/len(c.members)%crowdFiltered == 0 {
			other := member - member%crowdEndpoints + (member+1)%crowdEndpoints
			one.Filtered = []string{c.members[other].ID}
		}
		routed = append(routed, one)
	}
	if err := c.store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, false); err != nil {
		return err
	}
	lease, err := c.store.LeaseMark(ctx, key.Resource, time.Minute)
	if err != nil {
		return err
	}
	if err := c.store.CommitReconciled(ctx, lease, queue.Reconciled{AskedAt: time.Now(), Events: routed, Epoch: epoch}); err != nil {
		return err
	}
	return c.deliver(ctx, routed)
}

// event returns the event of a number, with a payload that does not compress to nothing.
func (c *crowd) event(n int) event.Event {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	payload := fmt.Appendf(nil, `{"id":"%d","amount":%d,"note":"`, n, random.Uint32())
	for range 40 {
		payload = fmt.Appendf(payload, "%x", random.Uint64())
	}
	key := event.Key{Resource: "items", ID: strconv.Itoa(n)}
	return event.Event{
		ID: c.eventID(n), Type: "items.updated", Key: key, Sequence: 1, Op: event.OpChange, Time: time.Now(), Freshness: event.FreshnessVersion,
		Tenant: c.members[n%len(c.members)].Tenant, ContentType: "application/json", Payload: append(payload, `"}`...),
	}
}

// eventID returns an id that does not tell the order of events.
func (c *crowd) eventID(n int) string {
	return fmt.Sprintf("evt_%016x%016x", rand.New(rand.NewPCG(uint64(n), 2)).Uint64(), n)
}

// deliver records that events were delivered.
func (c *crowd) deliver(ctx context.Context, routed []queue.Routed) error {
	var failed atomic.Pointer[error]
	work := make(chan string, len(routed))
	for i := range routed {
		work <- routed[i].Endpoints[0]
	}
	close(work)
	var workers sync.WaitGroup
	for range crowdWorkers {
		workers.Go(func() {
			for to := range work {
				lease, err := c.store.LeaseDelivery(ctx, to, queue.LeaseOptions{For: time.Minute})
				if err == nil {
					err = c.store.FinishAttempt(ctx, lease, queue.Attempt{At: time.Now(), Duration: time.Millisecond, Code: 204, Sent: c.sent[to]}, queue.Verdict{Status: queue.StatusDelivered})
				}
				if err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	workers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// get makes a request of a tenant, and returns the answer and how long it took.
func (c *crowd) get(tenant, path string) ([]byte, time.Duration, error) {
	return c.open(c.server, tenant, path)
}

// page opens a page of the dashboard as a tenant.
func (c *crowd) page(tenant, path string) ([]byte, time.Duration, error) {
	return c.open(c.pages, tenant, path)
}

func (c *crowd) open(at http.Handler, tenant, path string) ([]byte, time.Duration, error) {
	c.seconds.Add(1)
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Header.Set("Tenant", tenant)
	w := httptest.NewRecorder()
	began := time.Now()
	at.ServeHTTP(w, r)
	took := time.Since(began)
	if w.Code != http.StatusOK {
		return nil, 0, fmt.Errorf("GET %s is answered with %d: %s", path, w.Code, w.Body)
	}
	return w.Body.Bytes(), took, nil
}
