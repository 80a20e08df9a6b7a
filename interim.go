// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

// openInterim opens what keeps intents while the queue is being opened, with
// what earlier processes have left. The directory must be ours.
func (e *engine) openInterim(durability queue.Durability) {
	if e.interim.Load() != nil {
		return
	}
	interim, err := journal.Open(e.dir, durability)
	if err != nil {
		// What it does not tell is found as what a gap has hidden.
		e.log.Error("what passed while an earlier process opened the queue cannot be read: all resources are looked at", zap.Error(err))
		ctx, cancel := context.WithTimeout(context.Background(), queuePatience)
		defer cancel()
		if err := e.gaps.whole(ctx, allResources); err != nil {
			e.log.Error("noting that; a crash would forget it", zap.Error(err))
		}
	}
	if interim == nil {
		return
	}
	if left := interim.Waiting(); left > 0 {
		e.log.Info("exchanges passed while an earlier process opened the queue; it gets them when it is open", zap.Int("exchanges", left))
	}
	if !e.interim.CompareAndSwap(nil, interim) {
		_ = interim.Close()
	}
}

// noteInterim notes an intent while the queue is being opened. The error is
// journal.ErrHandedOver if it is open by now.
func (e *engine) noteInterim(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	interim := e.interim.Load()
	if interim == nil || e.trouble.Load() != nil {
		// The queue will not be open soon.
		return 0, errPassing
	}
	// The exchange has waited for the queue, and now waits for a disk.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queuePatience)
	defer cancel()
	id, err := interim.NoteIntent(ctx, intent)
	failpoint.Here("interim.noted")
	if err != nil && !errors.Is(err, journal.ErrHandedOver) {
		e.log.Error("noting an intent while the queue is being opened", zap.String("rule", intent.Rule), zap.Error(err))
	}
	return id, err
}

// resolveInterim resolves an intent that noteInterim has noted. Where it is in
// the queue by now, it returns its number there.
func (e *engine) resolveInterim(ctx context.Context, resource string, id queue.IntentID, resolution queue.Resolution, durable bool) (moved queue.IntentID) {
	moved, err := e.interim.Load().ResolveIntent(ctx, id, resolution, durable)
	failpoint.Here("interim.resolved")
	if err != nil {
		e.log.Error("noting what an exchange changed while the queue is being opened: a crash would leave it interrupted",
			zap.String("resource", resource), zap.Error(err))
	}
	return moved
}

// drainPatience bounds how long what passed holds up the use of a queue that is
// open.
const drainPatience = 10 * time.Second

// drain gives the queue what passed before it is used. Where it cannot take that,
// or more comes, handOver sees to it.
func (e *engine) drain(store *badger.Store) {
	interim := e.interim.Load()
	if interim == nil || interim.Waiting() == 0 {
		return
	}
	failpoint.Here("interim.waiting")
	ctx, cancel := context.WithTimeout(context.Background(), drainPatience)
	defer cancel()
	before := interim.Waiting()
	if err := interim.Drain(ctx, store); err != nil {
		e.log.Error("giving the queue what passed while it was being opened; that is tried again", zap.Error(err))
		return
	}
	e.log.Info("the queue has what passed while it was being opened", zap.Int("exchanges", before))
}

// handOver gives the queue, which is open, what has passed before it was and is
// left. It tells whether the queue has all of it.
func (e *engine) handOver(ctx context.Context, store *badger.Store) bool {
	interim := e.interim.Load()
	if interim == nil {
		return true
	}
	err := interim.HandOver(ctx, store)
	if err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
		e.log.Error("giving the queue what passed while it was being opened", zap.Error(err))
	}
	return err == nil
}

// interimProblem says in words what the open queue does not have yet.
func (e *engine) interimProblem() string {
	interim := e.interim.Load()
	if interim == nil || e.store.Load() == nil {
		return ""
	}
	waiting := interim.Waiting()
	if waiting == 0 {
		return ""
	}
	return fmt.Sprintf("%d exchanges that passed while the queue was being opened are not in it yet", waiting)
}
