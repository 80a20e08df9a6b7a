// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/hop"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// sending is the emitter and the announcer of an open queue.
type sending struct {
	emitter   *emitter.Emitter
	announcer *emitter.Announcer
	hops      hop.Key
}

// newSending returns the emitter and the announcer of a queue, without endpoints.
func newSending(store queue.Store, env Environment) *sending {
	instance := store.Instance()
	s := &sending{
		announcer: emitter.NewAnnouncer(store, env.Metrics, env.Logger("announcer")),
		hops:      hop.NewKey(instance.HashKey[:]),
	}
	s.emitter = emitter.New(store, emitter.Options{
		Logger: env.Logger("emitter"), Metrics: env.Metrics, Tracer: env.Tracer,
		States: store, Notify: s.announcer.Notify, Hops: s.hops,
	})
	return s
}

// apply replaces the endpoints by those of a configuration; none for nil.
func (s *sending) apply(c *Config, endpoints *endpoint.Set, targets []emitter.Target) error {
	if c != nil {
		s.announcer.Apply(emitter.Audience{Endpoints: endpoints, Tell: c.Tell})
	}
	return s.emitter.Apply(targets)
}

// stop ends deliveries, and then the announcing of what they caused.
func (s *sending) stop(ctx context.Context) {
	s.emitter.Stop(ctx)
	s.announcer.Stop(ctx)
}

// Emitter returns the emitter of the open queue, nil while it is not open.
func (p *Pipeline) Emitter() *emitter.Emitter {
	if s := p.open(); s != nil {
		return s.sending.emitter
	}
	return nil
}

// Hops returns the hops of the delivery that caused a request, read from its
// header; "" if none of our deliveries did.
func (p *Pipeline) Hops(header http.Header) string {
	signed, s := header.Get(hop.Header), p.open()
	if signed == "" || s == nil {
		return ""
	}
	chain, ok := s.sending.hops.Verify(signed, time.Now())
	if !ok {
		return ""
	}
	return chain
}
