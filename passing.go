// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

// note notes an intent. Where the queue cannot, a gap stands for it: the
// resource is looked at if the process dies before the exchange has ended.
func (e *engine) note(ctx context.Context, app *App, intent queue.Intent) (queue.IntentID, error) {
	store, err := e.open(ctx, app)
	switch {
	case err == nil:
		return e.noteIn(ctx, store, intent)
	case !errors.Is(err, errPassing):
		e.log.Error("noting an intent", zap.String("rule", intent.Rule), zap.Error(err))
	default:
		id, problem := e.noteInterim(ctx, intent)
		switch opened := e.store.Load(); {
		case problem == nil:
			return id, nil
		case id != 0:
			e.pass(ctx, id, intent)
			return id, problem
		case errors.Is(problem, journal.ErrHandedOver) && opened != nil:
			// The patience of the exchange may be at its end, for no fault of the
			// disk.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queuePatience)
			defer cancel()
			return e.noteIn(ctx, opened, intent)
		}
	}
	e.pass(ctx, 0, intent)
	return 0, err
}

// noteIn notes an intent in a queue that is open.
func (e *engine) noteIn(ctx context.Context, store *badger.Store, intent queue.Intent) (queue.IntentID, error) {
	if store.Level() == queue.SpaceLow {
		if e.pass(ctx, 0, intent) {
			// Intents would fill the disk. One note for the resource is as
			// good, if less exact.
			return 0, nil
		}
		e.gaps.ended(0)
	}
	if stalled(store) {
		e.log.Warn("the disk of the queue does not answer: exchanges pass without it", zap.String("rule", intent.Rule))
		e.pass(ctx, 0, intent)
		return 0, errPassing
	}
	id, err := store.NoteIntent(ctx, intent)
	if err != nil {
		e.log.Error("noting an intent", zap.String("rule", intent.Rule), zap.Error(err))
		e.pass(ctx, id, intent)
	}
	return id, err
}

// stalled tells whether the disk has not answered for as long as an exchange
// waits for it. Those who come then do not wait, too.
func stalled(store *badger.Store) bool {
	return store.Stalled() >= queuePatience
}

// pass notes that an exchange passes without an intent, or with one that may be
// noted late, and tells whether that survives a crash.
func (e *engine) pass(ctx context.Context, late queue.IntentID, intent queue.Intent) bool {
	resources := []string{intent.Resource}
	for i := range intent.Touches {
		// What is listed of a resource stands under a name of its own.
		resource, _, _ := strings.Cut(intent.Touches[i].Resource, "@")
		resources = append(resources, resource)
	}
	return e.gaps.passes(ctx, late, intent.Kind, resources...)
}

// resolve resolves an intent, and sees to it later where the queue cannot now.
func (e *engine) resolve(ctx context.Context, resource string, id queue.IntentID, resolution queue.Resolution, durable bool) {
	if e.gaps.passed(id) {
		// No intent would bring its objects back after a crash, and the gap that
		// does is closed when it has ended.
		durable = true
		defer e.gaps.ended(id)
	}
	if journal.Holds(id) {
		if id = e.resolveInterim(ctx, resource, id, resolution, durable); id == 0 {
			return
		}
	}
	if id == 0 && len(resolution.Marks) == 0 && resolution.Unresolved == "" {
		return
	}
	one := repair{resource: resource, intent: id, resolution: resolution}
	store := e.store.Load()
	// What is not known of an exchange that was not noted is looked for as what
	// passed is.
	if store == nil || stalled(store) || id == 0 && resolution.Unresolved != "" {
		e.miss(ctx, one)
		return
	}
	err := queue.Resolve(ctx, store, id, resolution, durable)
	if err == nil {
		return
	}
	// A queue that is being closed is opened again.
	if !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrFull) {
		e.log.Error("resolving an intent", zap.String("resource", resource), zap.Error(err))
	}
	e.miss(ctx, one)
}

// miss counts a resolution that the queue could not take, and keeps it for
// when it can.
func (e *engine) miss(ctx context.Context, one repair) {
	if len(one.resolution.Marks) == 0 && one.resolution.Unresolved == "" {
		// Nothing was changed. An intent that stays open costs one look.
		return
	}
	metrics.gaps.WithLabelValues(one.resource, "mark").Add(float64(max(len(one.resolution.Marks), 1)))
	e.gaps.keep(ctx, one)
}
