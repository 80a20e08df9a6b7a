// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

// openJournal opens the journal, with entries left by earlier processes. The
// directory must belong to this process.
func (i *Intake) openJournal(durability queue.Durability) {
	if i.journal.Load() != nil {
		return
	}
	opened, err := journal.Open(i.options.Dir, durability)
	if err != nil {
		// A gap of all resources stands for what cannot be read.
		i.log.Error("what passed while an earlier process opened the queue cannot be read: all resources are looked at", zap.Error(err))
		ctx, cancel := context.WithTimeout(context.Background(), i.options.Timeout)
		defer cancel()
		if err := i.Whole(ctx); err != nil {
			i.log.Error("noting that; a crash would forget it", zap.Error(err))
		}
	}
	if opened == nil {
		return
	}
	if left := opened.Waiting(); left > 0 {
		i.log.Info("exchanges passed while an earlier process opened the queue; it gets them when it is open", zap.Int("exchanges", left))
	}
	if !i.journal.CompareAndSwap(nil, opened) {
		_ = opened.Close()
	}
}

// noteInJournal notes an intent while the queue is being opened. The error is
// journal.ErrHandedOver if it is open by now.
func (i *Intake) noteInJournal(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	opened := i.journal.Load()
	if opened == nil || i.door.Failed() {
		return 0, queue.ErrNotOpen
	}
	// The exchange has waited for the queue, and now waits for a disk.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.options.Timeout)
	defer cancel()
	id, err := opened.NoteIntent(ctx, intent)
	failpoint.Here("interim.noted")
	if err != nil && !errors.Is(err, journal.ErrHandedOver) {
		i.log.Error("noting an intent while the queue is being opened", zap.String("rule", intent.Rule), zap.Error(err))
	}
	return id, err
}

// resolveInJournal resolves an intent that is in the journal. If the queue has
// it by now, it returns its number there.
func (i *Intake) resolveInJournal(ctx context.Context, resource string, id queue.IntentID, resolution queue.Resolution, durable bool) (moved queue.IntentID) {
	moved, err := i.journal.Load().ResolveIntent(ctx, id, resolution, durable)
	failpoint.Here("interim.resolved")
	if err != nil {
		i.log.Error("noting what an exchange changed while the queue is being opened: a crash would leave it interrupted",
			zap.String("resource", resource), zap.Error(err))
	}
	return moved
}

// drainTimeout limits how long the journal holds up the use of an open queue.
const drainTimeout = 10 * time.Second

// Drain gives an open queue the content of the journal before the queue is used.
// [Intake.HandOver] gives the queue what is left, or comes later.
func (i *Intake) Drain(store queue.Store) {
	opened := i.journal.Load()
	if opened == nil || opened.Waiting() == 0 {
		return
	}
	failpoint.Here("interim.waiting")
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	before := opened.Waiting()
	if err := opened.Drain(ctx, store); err != nil {
		i.log.Error("giving the queue what passed while it was being opened; that is tried again", zap.Error(err))
		return
	}
	i.log.Info("the queue has what passed while it was being opened", zap.Int("exchanges", before))
}

// HandOver gives the open queue what is left in the journal, and ends its use. It
// reports whether the queue has all of it.
func (i *Intake) HandOver(ctx context.Context, store queue.Store) bool {
	opened := i.journal.Load()
	if opened == nil {
		return true
	}
	if !i.rejoin(ctx, store) {
		return false
	}
	err := opened.HandOver(ctx, store)
	if err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
		i.log.Error("giving the queue what passed while it was being opened", zap.Error(err))
	}
	// A file that cannot be emptied costs the next start some looks.
	return err == nil || opened.Waiting() == 0
}

// Waiting returns how many exchanges are in the journal, and not in the queue.
func (i *Intake) Waiting() int {
	opened := i.journal.Load()
	if opened == nil {
		return 0
	}
	return opened.Waiting()
}
