// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// session is an open queue and its workers. When the queue closes, because nobody
// needs it or because its disk is full, they end with it.
type session struct {
	store      queue.Store
	reconciler *reconcile.Reconciler
	sending    *sending
	observer   *reconcile.Observer
	// directory has the endpoints that events are routed to. unfollow ends its
	// following of what is stored, and followed is closed then.
	directory *subscribers.Directory
	unfollow  context.CancelFunc
	followed  chan struct{}
	// applied is which of the stored endpoints' states deliveries go by.
	applied *applied
	// deleted wakes the sweep of what is pending for deleted endpoints.
	deleted chan struct{}
}

// newSession returns a session whose workers have nothing to do yet.
func newSession(store queue.Store, env Environment) *session {
	return &session{
		store:      store,
		reconciler: reconcile.New(store, reconcile.Options{Logger: env.Logger("reconcile"), Metrics: env.Metrics}),
		sending:    newSending(store, env),
		observer:   reconcile.NewObserver(store, env.Logger("sightings")),
		applied:    newApplied(),
	}
}

// rest leaves the queue open, and its workers without anything to do.
func (s *session) rest(log *zap.Logger) {
	s.reconciler.Apply(reconcile.Plan{})
	if err := s.sending.apply(nil, nil, nil); err != nil {
		log.Error("ending deliveries", zap.Error(err))
		return
	}
	s.applied.note(nothingDelivered)
}

// stop ends all work and closes the queue. Work that is cut short when ctx ends is
// still in the queue.
func (s *session) stop(ctx context.Context, log *zap.Logger) error {
	s.unfollow()
	s.observer.Stop()
	err := s.reconciler.Stop(ctx)
	s.sending.stop(ctx)
	select {
	case <-s.followed:
	case <-ctx.Done():
	}
	if err != nil {
		log.Warn("work was cut short; the next start takes it up again", zap.Error(err))
	}
	return s.store.Close()
}
