// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// forgetEvery is how long after a round over all objects the next one begins, unless
// there is too much in the queue.
const forgetEvery = 10 * time.Minute

// forgetting forgets objects that have been gone for long. It checks some thousand
// objects at a time, round after round.
type forgetting struct {
	// at is when the next round begins, and after the object that was checked
	// last in this one.
	at    time.Time
	after event.Key
}

// step does a part of a round, if it is time for it.
func (f *forgetting) step(ctx context.Context, k *Keeper, store queue.Store, settings Settings, now time.Time) error {
	overfull := k.overfull(store, settings)
	if settings.Age == 0 || !overfull && now.Before(f.at) {
		// No configuration has been at work yet, or the round is over.
		return nil
	}
	age := forgetAge(settings.Age, settings.Lag, overfull)
	forgotten, next, err := store.Forget(ctx, now.Add(-age), f.after)
	if f.after = next; next.IsZero() {
		f.at = now.Add(forgetEvery)
	}
	if forgotten > 0 {
		k.opts.Logger.Info("objects that are gone for long were forgotten", zap.Int("objects", forgotten), zap.Duration("for", age))
	}
	return err
}

// forgetAge returns how long an object is gone before it is forgotten: the
// retention, and less only if there is too much in the queue. Before all replicas
// have caught up, a replica that still shows the object would bring it back to life.
func forgetAge(retention, lag time.Duration, overfull bool) time.Duration {
	if overfull {
		retention = MinAge
	}
	return max(retention, lag)
}
