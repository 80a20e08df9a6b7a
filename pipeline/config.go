// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
	"github.com/caddy-webhooks/caddy-webhooks/queue/retention"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Config is what a configuration hands to the pipeline. It does not change.
type Config struct {
	// Opening says how the queue is opened.
	Opening
	// RetentionSize limits the queue's tables, in bytes; 0 for no limit.
	RetentionSize uint64
	// Lag is how far the API's replicas may lag behind, the longest of all
	// resources.
	Lag time.Duration

	// Resources are the configured resources.
	Resources []intake.Resource
	// Plan is what is reconciled.
	Plan reconcile.Plan

	// Endpoints are the subscribers that the operator has declared.
	Endpoints *endpoint.Set
	// Template is what the endpoints have that subscribers have made, as far as it is
	// not theirs to say, see [subscribers.Endpoint.Resolve].
	Template endpoint.Endpoint
	// Offer is what of them subscribers may say.
	Offer subscribers.Offer
	// Callbacks are the endpoints of the receivers that requests name, by
	// resource.
	Callbacks map[string]endpoint.Endpoint
	// Policy says where deliveries may go, and Transport keeps to it.
	Policy    egress.Policy
	Transport *egress.Transport
	// Tell, if not nil, gets operational events.
	Tell func(emitter.Announcement)
}

// Opening says how the queue is opened.
type Opening struct {
	queue.Settings
	// Space says how much of the disk is left alone.
	Space queue.Space
	// Keys seal secrets in the queue: the first seals, all open. If there are
	// none, a key beside the queue is used.
	Keys []seal.Key
}

// Environment is what outlives all configurations.
type Environment struct {
	// Logger returns the logger of a part of the pipeline, by its name. That of
	// "engine" should limit how often it says the same: strangers can cause its
	// messages.
	Logger func(part string) *zap.Logger
	// Metrics counts what happens.
	Metrics Metrics
	// Tracer adds attempts to traces. Default: none.
	Tracer emitter.Tracer
	// OpenTimeout is how long the start of a configuration and exchanges wait for
	// an opening, from its beginning. Opening takes seconds if millions of
	// deliveries wait, and Caddy may start its listeners only after us. Default:
	// [queue.Timeout], as long as an exchange waits for an open queue.
	OpenTimeout time.Duration
	// DiskTimeout is how long exchanges wait for the disk. Default:
	// [queue.Timeout].
	DiskTimeout time.Duration
}

// Metrics counts what the parts of the pipeline do.
type Metrics interface {
	intake.Metrics
	reconcile.Metrics
	emitter.Metrics
	emitter.AnnouncerMetrics
	retention.Metrics
}

// targets returns endpoints, and those whose receivers requests name, as the emitter
// wants them. Those that are held are sent nothing yet.
func (c *Config) targets(endpoints *endpoint.Set, held map[string]bool, transport *egress.Transport, receiver func(resource string) emitter.Resolver) []emitter.Target {
	var targets []emitter.Target
	add := func(e endpoint.Endpoint, resolve emitter.Resolver) {
		from := transport.For(e.Name)
		targets = append(targets, emitter.Target{
			Endpoint: e, Resolve: resolve,
			Transport: from.With(e.TLS), Tokens: from.With(e.TLS.ForTokens()),
		})
	}
	for e := range endpoints.All() {
		e.Paused = e.Paused || held[e.Name]
		add(e, nil)
	}
	for resource, e := range c.Callbacks {
		add(e, receiver(resource))
	}
	return targets
}

// receiverTLS returns the TLS settings that endpoints have of their own.
func (c *Config) receiverTLS() []*egress.TLS {
	var settings []*egress.TLS
	add := func(e endpoint.Endpoint) {
		if e.TLS != nil {
			settings = append(settings, e.TLS, e.TLS.ForTokens())
		}
	}
	for e := range c.Endpoints.All() {
		add(e)
	}
	add(c.Template)
	for _, e := range c.Callbacks {
		add(e)
	}
	return settings
}

// Keeps reports whether events are kept for an endpoint now: they are not if it is
// disabled and wants nothing kept.
func (p *Pipeline) Keeps(to endpoint.Endpoint) bool {
	if to.WhenDisabled != endpoint.Drop {
		return true
	}
	s := p.open()
	return s == nil || s.sending.emitter.Status(to.Name) != queue.EndpointDisabled
}
