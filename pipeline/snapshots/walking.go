// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const (
	// maxUnsaved is after how many objects that need nothing of the queue the record is
	// written all the same.
	maxUnsaved = 256
	// maxLooks is how often an object is looked at that cannot be read, or is never as it
	// is known: for some minutes. MaxMoves is how often one is that changes meanwhile.
	maxLooks = 12
	maxMoves = 64
	// trouble is after how many objects in a row that cannot be read it is the API that is
	// in trouble. Then the run is patient for an hour with each.
	trouble       = 3
	patientlyLook = maxLooks + 60
	// movedWait is how long it takes until an object is looked at again that has changed
	// meanwhile, the longer the more often.
	movedWait = 20 * time.Millisecond
	// settleFor is how long it is waited for reconciling to find out why an object is not
	// as it is known, and settleEvery how often it is looked.
	settleFor   = time.Minute
	settleEvery = 250 * time.Millisecond
)

// errDiffers is returned for an object that is not as it is known. It is marked.
var errDiffers = errors.New("the object is not as it is known")

// walk tells the endpoint of one object after the other.
func (r *run) walk(ctx context.Context) error {
	for {
		names, plan, err := r.resources(ctx)
		if err != nil {
			return err
		}
		if !r.Turn(names) {
			r.End(subscribers.Done, r.Now())
			return r.save(ctx)
		}
		objects, err := r.objects(ctx, event.Key{Resource: r.Resource, ID: r.After})
		if err != nil {
			return err
		}
		resource := resourceOf(plan, r.Resource)
		for i := range objects {
			err := r.visit(ctx, resource, &objects[i])
			if errors.Is(err, reconcile.ErrUnplanned) {
				// The configuration is being changed.
				if err = r.wait(ctx, again); err == nil {
					break
				}
			}
			if err != nil {
				return err
			}
		}
		if len(objects) == 0 {
			r.Over()
		}
	}
}

func resourceOf(plan *reconcile.Plan, name string) *reconcile.Resource {
	for i := range plan.Resources {
		if plan.Resources[i].Name == name {
			return &plan.Resources[i]
		}
	}
	return nil
}

// typesOf returns the types of a resource's events.
func typesOf(resource *reconcile.Resource) (types []event.Template) {
	for i := range resource.Triggers {
		types = append(types, resource.Triggers[i].Type)
	}
	return types
}

// visit tells the endpoint of an object, if it is to be told. It returns when the object
// is done.
func (r *run) visit(ctx context.Context, resource *reconcile.Resource, listed *event.Snapshot) error {
	if !r.has(listed) {
		return r.pass(ctx, listed.Key, subscribers.Skipped)
	}
	looks, most, moves := 0, maxLooks, 0
	if r.unread >= trouble {
		most = patientlyLook
	}
	for looks < most && moves < maxMoves {
		if err := r.turn(ctx); err != nil {
			return err
		}
		done, err := r.tell(ctx, resource, listed.Key)
		switch {
		case err == nil:
			r.unread = 0
			return r.passed(ctx, listed.Key, done)
		case errors.Is(err, queue.ErrStale):
			moves++
			err = r.Endpoints.Refresh(ctx)
		case errors.Is(err, queue.ErrMoved):
			moves++
			err = r.wait(ctx, time.Duration(moves)*movedWait)
		case errors.Is(err, errDiffers):
			looks++
			err = r.settle(ctx, listed.Key)
		case errors.Is(err, reconcile.ErrNever), errors.Is(err, reconcile.ErrNoCredential):
			return r.pass(ctx, listed.Key, subscribers.Unread)
		case errors.Is(err, reconcile.ErrUnsighted):
			r.Log.Debug("an object cannot be read", zap.String("object", listed.Key.String()), zap.Error(err))
			err = r.wait(ctx, min(again<<min(looks, maxLooks), lastAgain))
			looks++
		}
		if err != nil {
			return err
		}
	}
	r.unread++
	return r.pass(ctx, listed.Key, subscribers.Unread)
}

// settle waits until an object that was marked has been reconciled, for a while.
func (r *run) settle(ctx context.Context, key event.Key) error {
	marked, err := r.Store.Sighted(ctx, key)
	for end := r.Now().Add(settleFor); err == nil && r.Now().Before(end); {
		if err := r.wait(ctx, settleEvery); err != nil {
			return err
		}
		var now queue.Sighting
		if now, err = r.Store.Sighted(ctx, key); now.Generation != marked.Generation || !bytes.Equal(now.Snapshot.Hash, marked.Snapshot.Hash) {
			break
		}
	}
	if errors.Is(err, queue.ErrNotFound) {
		return nil // it was forgotten
	}
	return err
}

// told is what became of an object that was visited.
type told struct {
	as subscribers.Passed
	// introduced is true if the record says so already.
	introduced bool
}

func (r *run) passed(ctx context.Context, key event.Key, t told) error {
	if t.introduced {
		return nil
	}
	return r.pass(ctx, key, t.as)
}

// pass notes that an object is done of which the endpoint is not told now.
func (r *run) pass(ctx context.Context, key event.Key, as subscribers.Passed) error {
	r.Pass(key, as)
	if r.unsaved++; r.unsaved < maxUnsaved {
		return nil
	}
	return r.save(ctx)
}

// tell looks at an object and introduces it, if nobody has changed it meanwhile. It fails
// with [queue.ErrMoved] if somebody has, with errDiffers if it is not as it is known, and
// with [reconcile.ErrUnsighted] if it cannot be read.
func (r *run) tell(ctx context.Context, resource *reconcile.Resource, key event.Key) (told, error) {
	to, err := r.recipient(ctx)
	if err != nil {
		return told{}, err
	}
	was, err := r.Store.Sighted(ctx, key)
	switch {
	case errors.Is(err, queue.ErrNotFound), err == nil && !r.has(&was.Snapshot):
		return told{as: subscribers.Skipped}, nil
	case err != nil:
		return told{}, err
	}
	if heard, err := r.heard(ctx, resource, &was.Snapshot); heard || err != nil {
		return told{as: subscribers.Told}, err
	}
	sight, err := r.Reconciler.Sight(ctx, was.Snapshot)
	failpoint.Here("snapshot.read")
	switch {
	case err != nil:
		return told{}, err
	case sight.Is == reconcile.SightMoved:
		return told{}, errDiffers
	case sight.Is == reconcile.SightGone:
		return told{as: subscribers.Skipped}, nil
	}
	e := stateOf(r.Store.Instance(), r.name, &r.Run, &was.Snapshot, &sight, r.Now())
	if !keeps(&to.Endpoint, &e, sight.Document) {
		return told{as: subscribers.Filtered}, nil
	}
	return told{as: subscribers.Told, introduced: true}, r.introduce(ctx, &to, was, e)
}

// introduce commits an object's event with how far the run is then.
func (r *run) introduce(ctx context.Context, to *recipient, was queue.Sighting, e event.Event) error {
	next := r.Run
	next.Pass(e.Key, subscribers.Told)
	progress, err := next.Record(r.name, r.tenant)
	if err != nil {
		return err
	}
	version, err := r.Store.Introduce(ctx, queue.Introduction{
		Sighting: was, Event: e, Endpoint: r.name, Format: to.Payload.String(), Epoch: to.epoch, Progress: progress,
	})
	failpoint.Here("snapshot.introduced")
	switch {
	case errors.Is(err, queue.ErrConflict):
		return errLost
	case err != nil:
		return err
	}
	r.Run, r.unsaved = next, 0
	r.Version = version
	return nil
}

// stateOf makes the event of a run that tells an endpoint how an object is.
func stateOf(of queue.Instance, endpoint string, run *subscribers.Run, known *event.Snapshot, seen *reconcile.Sight, now time.Time) event.Event {
	return event.Event{
		ID:   stateID(of, endpoint, run, known),
		Type: subscribers.SnapshotType(known.Key.Resource), Key: known.Key, Sequence: known.Sequence, State: known.Sequence, Op: event.OpSnapshot,
		Time: now, Version: known.Version, Freshness: seen.Freshness, Cause: event.Cause{Rule: "snapshot", At: run.Began},
		Tenant: known.Tenant, PreviousTenant: known.Tenant, ContentType: seen.ContentType, Payload: seen.Payload,
	}
}

// stateID returns the id of that event. So long as the object stays as it is, it is the same.
func stateID(of queue.Instance, endpoint string, run *subscribers.Run, known *event.Snapshot) string {
	return event.SnapshotID(of.ID, endpoint, run.ID, known.Key, known.Sequence, known.Hash)
}

// keeps reports whether the endpoint's filter lets an event through. One that cannot be
// decided does.
func keeps(to *endpoint.Endpoint, e *event.Event, document event.Document) bool {
	if to.Filter == nil {
		return true
	}
	keeps, err := to.Filter.Keeps(when.NewFacts(e.For(to.Tenant), func() event.Document { return document }))
	return keeps || err != nil
}

// settled is how long it may take from finding an event until it is committed.
const settled = 5 * time.Minute

// heard reports whether the endpoint was told of an object as it is known: when it passed to
// the tenant, or by its last event. The ids follow from what made them.
func (r *run) heard(ctx context.Context, resource *reconcile.Resource, known *event.Snapshot) (bool, error) {
	if told, err := isTold(ctx, r.Store, stateID(r.Store.Instance(), r.name, &r.Run, known), r.name); told || err != nil {
		return told, err
	}
	if known.ChangedAt.Before(r.Began.Add(-settled)) || resource == nil {
		return false, nil
	}
	instance, seen := r.Store.Instance().ID, make(map[string]bool)
	for i := range resource.Triggers {
		trigger := &resource.Triggers[i]
		name := trigger.Type.Render(known.Watched)
		if trigger.On == event.OpDelete || seen[name] {
			continue
		}
		seen[name] = true
		id := event.ID(instance, known.Key, known.Sequence, name, known.Hash)
		if told, err := isTold(ctx, r.Store, id, r.name); told || err != nil {
			return told, err
		}
	}
	return false, nil
}

// isTold reports whether an event went to an endpoint.
func isTold(ctx context.Context, store queue.History, id, endpoint string) (bool, error) {
	found, err := store.DeliveriesOf(ctx, id, endpoint)
	if err != nil {
		return false, fmt.Errorf("looking for an event that the endpoint may have got: %w", err)
	}
	return len(found) > 0, nil
}
