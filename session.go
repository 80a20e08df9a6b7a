// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
)

// session is an open queue and those who work on it. When the queue closes,
// because nobody needs it or because its disk is full, they end with it.
type session struct {
	store      *badger.Store
	reconciler *reconcile.Reconciler
	operations *operations
	sightings  *sightings
}

func newSession(store *badger.Store) *session {
	return &session{
		store:      store,
		reconciler: reconcile.New(store, reconcile.Options{Logger: liveLogger("reconcile"), Metrics: metrics}),
		operations: newOperations(store),
		sightings:  newSightings(store, event.NewHasher(store.Instance().HashKey), liveLogger("sightings")),
	}
}

// rest leaves the queue open and nobody at work on it.
func (s *session) rest(log *zap.Logger) {
	s.reconciler.Apply(reconcile.Plan{})
	if err := s.operations.apply(nil, nil); err != nil {
		log.Error("ending deliveries", zap.Error(err))
	}
}

// stop ends all work and closes the queue. What is cut short when ctx ends is
// in the queue.
func (s *session) stop(ctx context.Context, log *zap.Logger) error {
	s.sightings.stop()
	err := s.reconciler.Stop(ctx)
	s.operations.stop(ctx)
	if err != nil {
		log.Warn("work was cut short; the next start takes it up again", zap.Error(err))
	}
	return s.store.Close()
}
