// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
)

// gapStore is what repairing gaps needs of the queue.
type gapStore interface {
	queue.Intents
	queue.Objects
}

// repair makes up for gaps, a part at a time: the queue is open. Listed tells
// whether all objects of a resource can be listed.
func (g *gaps) repair(ctx context.Context, store gapStore, listed func(resource string) bool) {
	if err := errors.Join(g.repairKept(ctx, store), g.repairWhole(ctx, store, listed)); err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
		g.log.Error("repairing gaps", zap.Error(err))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	changed := false
	for resource, one := range g.open {
		// Exchanges that were not noted may still be under way.
		if !one.whole && len(g.kept) == 0 && time.Since(one.last) > gapOutlived {
			delete(g.open, resource)
			changed = true
		}
	}
	if changed {
		g.write()
	}
}

// repairPart is how much is repaired at a time.
const repairPart = 256

// repairKept gives the queue what exchanges have changed.
func (g *gaps) repairKept(ctx context.Context, store queue.Intents) error {
	for range repairPart {
		g.mu.Lock()
		if len(g.kept) == 0 {
			g.mu.Unlock()
			return nil
		}
		one, last := g.kept[0], len(g.kept) == 1
		g.mu.Unlock()
		// Until the last, the file of gaps stands for what a crash could lose.
		if err := store.ResolveIntent(ctx, one.intent, one.resolution, last); err != nil {
			return err
		}
		metrics.repaired.WithLabelValues(one.resource).Inc()
		g.mu.Lock()
		g.kept = g.kept[1:]
		g.mu.Unlock()
	}
	return nil
}

// repairWhole looks at some objects of a resource.
func (g *gaps) repairWhole(ctx context.Context, store gapStore, listed func(string) bool) error {
	g.mu.Lock()
	var next gap
	for _, one := range g.open {
		if one.whole && one.Resource != allResources && (next.Resource == "" || one.Resource < next.Resource) {
			next = *one
		}
	}
	after := g.after
	g.mu.Unlock()
	if next.Resource == "" {
		return nil
	}
	after, err := repairGap(ctx, store, next, after)
	if err != nil {
		return err
	}
	if after.IsZero() && listed(next.Resource) {
		if err := markScan(ctx, store, next); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.after = after
	if after.IsZero() {
		one := g.open[next.Resource]
		one.whole = false
		if one.last.IsZero() {
			delete(g.open, next.Resource)
		}
		g.log.Info("a gap is repaired: all known objects of the resource are looked at", zap.String("resource", next.Resource))
		metrics.repaired.WithLabelValues(next.Resource).Inc()
		g.write()
	}
	return nil
}

// repairGap marks what a gap may have changed: all objects of its resource that
// are known, some at a time. It returns where to go on, and the zero key when
// all are marked. Nobody is known to have asked for a change of any of them, so
// those that are as they were cost one reading each, and make no event.
func repairGap(ctx context.Context, store gapStore, one gap, after event.Key) (event.Key, error) {
	if after.Resource != one.Resource {
		after = event.Key{Resource: one.Resource}
	}
	known, err := store.Objects(ctx, one.Resource, after, repairPart)
	if err != nil || len(known) == 0 {
		return event.Key{}, err
	}
	hints := queue.HintLooked | queue.HintMayBeUpdated
	if one.Deletes {
		hints |= queue.HintMayBeDeleted
	}
	marks := make([]queue.Mark, 0, len(known))
	for i := range known {
		if known[i].Gone {
			// Who makes it again is noted by the create.
			continue
		}
		marks = append(marks, queue.Mark{Key: known[i].Key, Hints: hints, Cause: event.Cause{Rule: gapRule, Outcome: event.OutcomeUnknown, At: one.Since}})
	}
	if err := store.ResolveIntent(ctx, 0, queue.Resolution{Marks: marks}, true); err != nil {
		return after, err
	}
	if len(known) < repairPart {
		return event.Key{}, nil
	}
	return known[len(known)-1].Key, nil
}

// markScan has all objects of a resource listed: a gap may hold creates, of
// which nothing else would tell.
func markScan(ctx context.Context, store gapStore, one gap) error {
	return store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{
		Key: reconcile.ScanKey(one.Resource), Hints: queue.HintMayBeUpdated,
		Cause: event.Cause{Rule: gapRule, Outcome: event.OutcomeUnknown, At: one.Since},
	}}}, true)
}

// gapRule stands for a rule in the cause of what a gap has hidden.
const gapRule = "gap"
