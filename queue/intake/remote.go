// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

// farPatience is how long an exchange waits for the server of a queue before the journal
// has it instead. A server that is away is known to be after that.
const farPatience = 500 * time.Millisecond

// noteAfar notes an intent in a queue on a server, and in the journal while that is away
// and until the queue has what passed meanwhile.
func (i *Intake) noteAfar(ctx context.Context, store queue.Store, intent queue.Intent) (queue.IntentID, error) {
	id, err := i.noteInServer(ctx, store, intent)
	if err == nil {
		return id, nil
	}
	if i.divert() {
		kept, problem := i.noteInJournal(ctx, intent)
		if errors.Is(problem, journal.ErrHandedOver) {
			// The server is back, and the queue has all that passed.
			kept, problem = i.noteInServer(ctx, store, intent)
		}
		if kept != 0 {
			// The server may have the first one all the same, and nobody would resolve it.
			i.abandon(ctx, store, id)
			id = kept
		}
		err = problem
	}
	if err != nil {
		i.pass(ctx, id, intent)
	}
	return id, err
}

// noteInServer notes an intent in a queue on a server, unless the journal is to have it.
func (i *Intake) noteInServer(ctx context.Context, store queue.Store, intent queue.Intent) (queue.IntentID, error) {
	if i.diverted.Load() || queue.IsAway(store) {
		return 0, queue.ErrNotOpen
	}
	ctx, cancel := context.WithTimeout(ctx, farPatience)
	defer cancel()
	id, err := store.NoteIntent(ctx, intent)
	if err != nil {
		i.log.Warn("the server of the queue does not take an intent", zap.String("rule", intent.Rule), zap.Error(err))
	}
	return id, err
}

// divert has the journal take what the open queue cannot, and reports whether it does.
func (i *Intake) divert() bool {
	opened := i.journal.Load()
	if opened == nil {
		return false
	}
	if !i.diverted.Swap(true) {
		i.log.Warn("the server of the queue is away: the journal keeps what passes")
	}
	return opened.Resume()
}

// abandon closes an intent that a server may have noted, without waiting for it. What
// that cannot close is stale by its deadline or with this process, and costs a look.
func (i *Intake) abandon(ctx context.Context, store queue.Store, id queue.IntentID) {
	if id == 0 {
		return
	}
	if err := store.ResolveIntent(ctx, id, queue.Resolution{}, false); err != nil {
		i.gaps.finish(kept{intent: id})
	}
}

// resolveAfar resolves an intent of a queue on a server, and reports whether that is
// cared for. While the server is away, the journal keeps what was changed, durably, and
// the intent is closed when it is back.
func (i *Intake) resolveAfar(ctx context.Context, store queue.Store, one kept, durable bool) bool {
	if !queue.IsAway(store) && (one.intent != 0 || one.resolution.Unresolved == "") {
		if queue.Resolve(ctx, store, one.intent, one.resolution, durable) == nil {
			return true
		}
	}
	if one.resolution.Unresolved != "" {
		// The record is made of the intent, which only the server has.
		return false
	}
	if len(one.resolution.Marks) > 0 {
		if !i.divert() {
			return false
		}
		id, err := i.noteInJournal(ctx, queue.Intent{Resource: one.resource, Noted: time.Now()})
		if id == 0 || err != nil {
			return false
		}
		if moved := i.resolveInJournal(ctx, one.resource, id, one.resolution, durable); moved != 0 {
			// The server is back, and has it under another number.
			i.miss(ctx, kept{resource: one.resource, intent: moved, resolution: one.resolution})
		}
	}
	if one.intent != 0 {
		i.gaps.finish(kept{resource: one.resource, intent: one.intent})
	}
	return true
}

// rejoin gives a queue whose server is back what the journal took, and has it take
// everything again. It reports whether it does.
func (i *Intake) rejoin(ctx context.Context, store queue.Store) bool {
	if queue.IsAway(store) {
		return false
	}
	if !i.diverted.Load() {
		return true
	}
	// Most of it comes before what is noted from now on.
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	opened := i.journal.Load()
	waiting := opened.Waiting()
	if err := opened.Drain(ctx, store); err != nil {
		i.log.Warn("giving the queue what passed while its server was away; that is tried again", zap.Error(err))
		return false
	}
	i.diverted.Store(false)
	i.log.Info("the server of the queue is back, and has what passed", zap.Int("exchanges", waiting))
	return true
}
