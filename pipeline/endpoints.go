// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline/snapshots"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// endpointsTimeout limits how long a configuration waits for the stored endpoints.
const endpointsTimeout = 10 * time.Second

// Endpoints returns the endpoints that events are routed to at present: those of the
// configuration, and those that are stored in the open queue.
func (p *Pipeline) Endpoints() *endpoint.Set {
	if s := p.open(); s != nil {
		if set := s.directory.Set(); set != nil {
			return set
		}
	}
	if c := p.Started(); c != nil {
		return c.Endpoints
	}
	return nil
}

// newDirectory returns the directory of a session, and follows what is stored until
// the session ends.
func (p *Pipeline) newDirectory(s *session) {
	s.directory = subscribers.NewDirectory(s.store, func() subscribers.Sealer {
		if ring := p.keyring.Load(); ring != nil {
			return ring
		}
		return nil
	}, p.log)
	ctx, cancel := context.WithCancel(context.Background())
	s.unfollow, s.followed, s.deleted = cancel, make(chan struct{}), make(chan struct{}, 1)
	var following sync.WaitGroup
	following.Go(func() { s.sweepDeleted(ctx, p.log) })
	following.Go(func() { p.newSnapshots(s).Follow(ctx) })
	following.Go(func() {
		s.directory.Follow(ctx, func() {
			p.endpointsChanged(s)
			s.wakeSweep()
		})
	})
	go func() {
		defer close(s.followed)
		following.Wait()
	}()
}

// endpointsChanged delivers to the endpoints as they are stored now. If that fails, the
// monitor tries again, as it does with a configuration.
func (p *Pipeline) endpointsChanged(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.atWork.Load()
	if p.open() != s || len(p.started) == 0 || c == nil {
		return
	}
	if err := p.deliver(s, c, p.transport); err != nil {
		p.idle = err
		p.log.Error("delivering to the endpoints that subscribers have made; it is tried again", zap.Error(err))
	}
}

// deliver delivers to the endpoints of a configuration, and to those that are stored.
// The caller holds the lock.
func (p *Pipeline) deliver(s *session, c *Config, transport *egress.Transport) error {
	// The directory has at least what was stored up to its epoch.
	epoch := s.directory.Epoch()
	held, err := s.held()
	if err != nil {
		return err
	}
	endpoints := s.directory.Set()
	if err := s.sending.apply(c, endpoints, c.targets(endpoints, held, transport, p.receiverOf)); err != nil {
		return err
	}
	s.applied.note(epoch)
	return nil
}

// applyEndpoints makes a configuration's endpoints, and those that are stored, the
// ones that events are routed to. An endpoint that could not be read would seem to be
// gone.
func (s *session) applyEndpoints(c *Config) error {
	s.directory.Apply(c.Endpoints, c.Template, c.Offer)
	ctx, cancel := context.WithTimeout(context.Background(), endpointsTimeout)
	defer cancel()
	if err := s.directory.Refresh(ctx); err != nil {
		return fmt.Errorf("reading the endpoints that subscribers have made: %w", err)
	}
	return nil
}

// routed returns a plan whose events are routed by the session's directory, and whose
// objects come to snapshots that are under way.
func (s *session) routed(plan reconcile.Plan) reconcile.Plan {
	plan.Resources = slices.Clone(plan.Resources)
	for i := range plan.Resources {
		resource := &plan.Resources[i]
		resource.Routing = s.directory
		resource.Passing = snapshots.Passing(s.store, s.directory, resource, time.Now)
	}
	return plan
}
