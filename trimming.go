// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// trimEvery is how often it is looked whether history is to be trimmed.
const trimEvery = 5 * time.Second

// trim removes the oldest history while the disk has little space left, or the
// queue is larger than it may be; and it ends deliveries that have waited for
// too long. It works in the background: nobody waits for it but those whose
// batches it shares.
func (w *watch) trim(ctx context.Context) {
	defer close(w.trimmed)
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	work := trimming{engine: w.engine}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-w.low:
		}
		if store := w.engine.store.Load(); store != nil {
			work.step(ctx, store, time.Now())
		}
	}
}

// trimming is what trim remembers.
type trimming struct {
	engine *engine
	tables growth
	// swept is when it was last looked for what has waited for too long.
	swept      time.Time
	forgetting forgetting
}

// step does what is necessary at a time.
func (t *trimming) step(ctx context.Context, store *badger.Store, now time.Time) {
	removed := t.history(ctx, store)
	t.report(ctx, "forgetting objects that are gone", t.forgetting.step(ctx, t.engine, store, now))
	tables, oversize := t.engine.size()
	if grown := t.tables.grown(tables); grown && oversize && removed == 0 {
		t.report(ctx, "ending deliveries that make the queue too large", t.engine.expiring.relieve(ctx, store, t.engine.receives))
	}
	if now.Sub(t.swept) >= expireEvery {
		t.swept = now
		before := now.Add(-time.Duration(t.engine.retention.Load()))
		t.report(ctx, "ending deliveries that have waited for too long", t.engine.expiring.sweep(ctx, store, t.engine.receives, before))
	}
}

// history removes what is pending for nobody, as far as that is necessary, and
// returns how many events that were.
func (t *trimming) history(ctx context.Context, store *badger.Store) (removed int) {
	for t.engine.overfull(store) {
		n, more, err := store.Trim(ctx)
		removed += n
		t.report(ctx, "trimming history", err)
		if err != nil || !more {
			break
		}
	}
	if removed > 0 {
		t.engine.log.Info("history was trimmed before its time", zap.Int("events", removed))
	}
	return removed
}

// report logs an error, unless it is just that the queue closes.
func (t *trimming) report(ctx context.Context, what string, err error) {
	if err != nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrFull) && ctx.Err() == nil {
		t.engine.log.Error(what, zap.Error(err))
	}
}

// overfull tells whether history is to be trimmed.
func (e *engine) overfull(store *badger.Store) bool {
	if store.Level() != queue.SpaceEnough {
		return true
	}
	_, oversize := e.size()
	return oversize
}

// size returns how large the queue's tables are, and whether that is more than
// the configuration lets them be.
func (e *engine) size() (tables int64, oversize bool) {
	limit := e.retentionSize.Load()
	if limit == 0 {
		return 0, false
	}
	tables, _, _ = badger.DiskUsage(e.dir)
	return tables, uint64(tables) > limit
}

// receives tells whether an endpoint gets deliveries at present. While no
// configuration is at work that is not known, and none is said to get nothing.
func (e *engine) receives(endpoint string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.started) == 0 || e.session == nil {
		return true
	}
	return e.session.operations.emitter.Receives(endpoint)
}
