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
// queue is larger than it may be. It works in the background: nobody waits for
// it but those whose batches it shares.
func (w *watch) trim(ctx context.Context) {
	defer close(w.trimmed)
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		removed := 0
		for store := w.engine.store.Load(); store != nil && w.engine.overfull(store); {
			n, more, err := store.Trim(ctx)
			removed += n
			if err != nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, badger.ErrFull) && ctx.Err() == nil {
				w.engine.log.Error("trimming history", zap.Error(err))
			}
			if err != nil || !more {
				break
			}
		}
		if removed > 0 {
			w.engine.log.Info("history was trimmed before its time", zap.Int("events", removed))
		}
	}
}

// overfull tells whether history is to be trimmed.
func (e *engine) overfull(store *badger.Store) bool {
	if store.Level() != badger.SpaceEnough {
		return true
	}
	limit := e.retentionSize.Load()
	if limit == 0 {
		return false
	}
	tables, _, _ := badger.DiskUsage(e.dir)
	return uint64(tables) > limit
}
