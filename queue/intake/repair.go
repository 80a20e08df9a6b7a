// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// gapStore is the part of the queue that repairing needs.
type gapStore interface {
	queue.Intents
	queue.Objects
}

// kept is a resolution that the queue could not take. It is given to the queue again
// until the queue takes it.
type kept struct {
	resource   string
	intent     queue.IntentID
	resolution queue.Resolution
}

// Resource says what repairing a gap needs to know of a resource.
type Resource struct {
	// Name is the resource's name.
	Name string
	// Listed reports whether all its objects can be listed.
	Listed bool
	// Settles is how long after an exchange the API may still do what it was
	// asked.
	Settles time.Duration
}

// progress is how far the repair of a gap has come. The zero progress is its
// beginning.
type progress struct {
	// after is the object that was marked last.
	after event.Key
	// unseen is true once all known objects are marked.
	unseen bool
}

// Repair repairs gaps for a while. The queue must have what was in the journal.
// Resources are those that are configured, nil while that is not known. How far the
// repair has come is lost with the process, so it is no slower than necessary.
func (i *Intake) Repair(ctx context.Context, store queue.Store, resources []Resource) {
	names, known := make([]string, 0, len(resources)), make(map[string]Resource, len(resources))
	for _, r := range resources {
		names, known[r.Name] = append(names, r.Name), r
	}
	i.gaps.expand(names)
	i.gaps.repair(ctx, store, func(name string) (Resource, bool) { return known[name], resources != nil })
}

// repair repairs gaps for a while. Of returns a resource, or false if it is not
// known which resources are configured.
func (g *gaps) repair(ctx context.Context, store gapStore, of func(resource string) (Resource, bool)) {
	err := g.repairKept(ctx, store)
	for began, more := time.Now(), true; more && err == nil && time.Since(began) < repairSlice; {
		more, err = g.repairWhole(ctx, store, of)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
		g.log.Error("repairing gaps", zap.Error(err))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closeOld(gapLingers)
}

// repairSlice is how long a call of repair goes on; it does at least one part. The
// next check of the free space waits for it, so it is half of the time between two.
const repairSlice = 50 * time.Millisecond

// repairPart is how many resolutions or objects make a part.
const repairPart = 256

// repairKept gives the queue the resolutions that are kept.
func (g *gaps) repairKept(ctx context.Context, store queue.Intents) error {
	for range repairPart {
		g.mu.Lock()
		if len(g.kept) == 0 {
			g.mu.Unlock()
			return nil
		}
		one, last := g.kept[0], len(g.kept) == 1
		g.mu.Unlock()
		// Before the last is durable, the file of gaps stands for what a crash
		// could lose.
		err := queue.Resolve(ctx, store, one.intent, one.resolution, last)
		if errors.Is(err, queue.ErrTooLarge) {
			// It will never fit in, and would hold up those after it.
			g.log.Error("what an exchange changed does not fit in the queue: its resource is looked at", zap.String("resource", one.resource))
			g.drop()
			err = g.whole(ctx, one.resource)
			if err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if len(one.resolution.Marks) > 0 {
			g.metrics.Repaired(one.resource)
		}
		g.drop()
	}
	return nil
}

// drop forgets the oldest resolution that is kept.
func (g *gaps) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kept = g.kept[1:]
}

// repairWhole marks a part of the objects of one resource. It reports whether there
// may be more to do.
func (g *gaps) repairWhole(ctx context.Context, store gapStore, of func(string) (Resource, bool)) (more bool, err error) {
	g.mu.Lock()
	var next Gap
	for _, one := range g.open {
		if one.whole && one.Resource != allResources && (next.Resource == "" || one.Resource < next.Resource) {
			next = *one
		}
	}
	if g.looked.after.Resource != next.Resource {
		g.looked, g.begun = progress{after: event.Key{Resource: next.Resource}}, next.asked
	}
	looked := g.looked
	g.mu.Unlock()
	if next.Resource == "" {
		return false, nil
	}
	resource, ok := of(next.Resource)
	if !ok {
		return false, nil
	}
	settleAt := time.Now().Add(resource.Settles)
	looked, done, err := repairGap(ctx, store, next, looked, settleAt)
	if err != nil {
		return false, err
	}
	if done {
		if err := endGap(ctx, store, next, resource.Listed, settleAt); err != nil {
			return false, err
		}
		if !resource.Listed {
			g.metrics.Unresolved(next.Resource)
			g.log.Warn(unresolvedGap, zap.String("resource", next.Resource), zap.Time("since", next.Since))
		}
		looked = progress{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looked = looked
	one := g.open[next.Resource]
	switch {
	case done && one.asked != g.begun:
		// More has passed in the meantime, perhaps of objects that were looked at
		// before.
	case done:
		one.whole = false
		if one.last.IsZero() {
			delete(g.open, next.Resource)
		}
		g.log.Info("a gap is repaired: all known objects of the resource are looked at", zap.String("resource", next.Resource))
		g.metrics.Repaired(next.Resource)
		g.write()
	}
	return true, nil
}

// repairGap marks a part of the objects that a gap may have changed: first the known
// objects of its resource, then those that are marked and not known, because the
// delete of one may have passed, and no Show would ever explain why it is missing.
//
// No exchange is known to have changed any of them, so an object that is as it was
// makes no event. It costs two readings: the second is when the API can no longer do
// what it was asked within the gap.
func repairGap(ctx context.Context, store gapStore, one Gap, from progress, settleAt time.Time) (reached progress, done bool, err error) {
	mark := queue.Mark{
		Hints: queue.HintLooked | queue.HintMayBeUpdated, SettleAt: settleAt,
		Cause: event.Cause{Rule: gapRule, Outcome: event.OutcomeUnknown, At: one.Since},
	}
	if one.Deletes {
		mark.Hints |= queue.HintMayBeDeleted
	}
	var keys []event.Key
	if from.unseen {
		mark.Hints = queue.HintMayBeDeleted
		keys, err = store.Unseen(ctx, one.Resource, from.after, repairPart)
	} else {
		keys, err = known(ctx, store, from.after)
	}
	if err != nil {
		return from, false, err
	}
	marks := make([]queue.Mark, 0, len(keys))
	for _, key := range keys {
		mark.Key = key
		marks = append(marks, mark)
	}
	if len(marks) > 0 {
		if err := store.ResolveIntent(ctx, 0, queue.Resolution{Marks: marks}, true); err != nil {
			return from, false, err
		}
	}
	switch {
	case len(keys) == repairPart:
		from.after = keys[repairPart-1]
		return from, false, nil
	case !from.unseen && one.Deletes:
		return progress{after: event.Key{Resource: one.Resource}, unseen: true}, false, nil
	default:
		return progress{}, true, nil
	}
}

// known returns a part of the known objects. Those that are gone are among them,
// since one may have been made again.
func known(ctx context.Context, store gapStore, after event.Key) (keys []event.Key, err error) {
	objects, err := store.Objects(ctx, after.Resource, after, repairPart)
	for i := range objects {
		keys = append(keys, objects[i].Key)
	}
	return keys, err
}

// endGap cares for objects that are not known: creates may have passed, or the
// first change of an object since the queue began. If all objects can be listed, a
// list finds them; otherwise operators get an unresolved record.
func endGap(ctx context.Context, store gapStore, one Gap, listed bool, settleAt time.Time) error {
	if listed {
		return store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{
			Key: queue.ListKey(one.Resource), Hints: queue.HintMayBeUpdated, SettleAt: settleAt,
			Cause: event.Cause{Rule: gapRule, Outcome: event.OutcomeUnknown, At: one.Since},
		}}}, true)
	}
	id, err := store.NoteIntent(ctx, queue.Intent{Resource: one.Resource, Kind: event.KindUpdate, Rule: gapRule, Noted: one.Since})
	if err != nil {
		return err
	}
	return store.ResolveIntent(ctx, id, queue.Resolution{Unresolved: unresolvedGap}, true)
}

// unresolvedGap is the reason of the unresolved record of a gap.
const unresolvedGap = "exchanges passed without the queue, and what they were about is not known; " +
	"objects that it had never seen may have changed, and the resource has no `list` to find them by"

// gapRule takes the place of a rule in the causes of marks that a gap made.
const gapRule = "gap"
