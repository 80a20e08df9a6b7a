// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/hop"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// operations is what works on deliveries, as long as a queue is open.
type operations struct {
	store     operationsQueue
	emitter   *emitter.Emitter
	announcer *announcer
	hops      hop.Key
}

// operationsQueue is what operations need of the queue.
type operationsQueue interface {
	queue.Deliveries
	queue.Operations
	queue.EndpointStates
	queue.History
	Instance() queue.Instance
}

func newOperations(store operationsQueue) *operations {
	instance := store.Instance()
	o := &operations{
		store: store, announcer: newAnnouncer(store, liveLogger("announcer")), hops: hop.NewKey(instance.HashKey[:]),
	}
	o.emitter = emitter.New(store, emitter.Options{
		Logger: liveLogger("emitter"), Metrics: metrics, Tracer: &traces,
		States: store, Notify: o.announcer.notify, Hops: o.hops,
	})
	return o
}

// working returns what works on deliveries, or nil while the queue is not open.
func (e *engine) working() *operations {
	if e.store.Load() == nil {
		return nil
	}
	return e.operations.Load()
}

// apply puts an app's endpoints to work, or none.
func (o *operations) apply(app *App, targets []emitter.Target) error {
	if app != nil {
		o.announcer.apply(app)
	}
	return o.emitter.Apply(targets)
}

// stop ends deliveries, and what they had to tell.
func (o *operations) stop(ctx context.Context) {
	o.emitter.Stop(ctx)
	o.announcer.stop(ctx)
}

// route returns the endpoints that get an event: those that want its type and
// may see its object, less those that are disabled and want nothing kept.
func (a *App) route(e *event.Event) []string {
	names := a.endpoints.Match(e.Type, e.Tenant)
	working := a.engine.working()
	if !a.drops || working == nil {
		return names
	}
	kept := make([]string, 0, len(names))
	for _, name := range names {
		subscriber, _ := a.endpoints.Get(name)
		if subscriber.WhenDisabled == endpoint.Drop && working.emitter.Status(name) == queue.EndpointDisabled {
			metrics.dropped.Inc()
			continue
		}
		kept = append(kept, name)
	}
	return kept
}

// hopsOf returns through which of our deliveries a request came, by its header;
// "" for all others.
func (a *App) hopsOf(header http.Header) string {
	working := a.engine.working()
	signed := header.Get(hop.Header)
	if signed == "" || working == nil {
		return ""
	}
	chain, ok := working.hops.Verify(signed, time.Now())
	if !ok {
		return ""
	}
	return chain
}
