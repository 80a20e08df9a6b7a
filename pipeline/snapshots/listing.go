// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const (
	// unreadPage is how many objects are watched until they have been read.
	unreadPage = 1000
	// stuckFor is how long none of them may be read before the run goes on without them.
	stuckFor = 10 * time.Minute
	// page is how many objects are read from the queue at once: each may have its Show
	// with it, of 4 MiB.
	page = 16
)

// list has all objects listed, so that those are known that nobody has seen, and counts
// the endpoint's.
func (r *run) list(ctx context.Context) error {
	for {
		names, plan, err := r.resources(ctx)
		if err != nil {
			return err
		}
		if !r.Turn(names) {
			break
		}
		listed := slices.ContainsFunc(plan.Lists, func(l reconcile.List) bool { return l.Resource == r.Resource })
		if !listed {
			r.Partial = true
		} else if err := r.listOne(ctx); err != nil {
			return err
		}
		r.Over()
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	if err := r.count(ctx); err != nil {
		return err
	}
	r.State, r.Resource, r.After = subscribers.Walking, "", ""
	return r.save(ctx)
}

// listOne waits for a complete list that began after the run. What the first list of a
// resource finds is known without an event, once it is read: so that is waited for, too.
// What a later one finds comes as created.
func (r *run) listOne(ctx context.Context) error {
	key := queue.ListKey(r.Resource)
	done, err := r.wasListed(ctx, key)
	if err != nil {
		return err
	}
	if !done {
		mark := queue.Mark{Key: key, Hints: queue.HintLooked, Cause: event.Cause{Rule: "snapshot", Outcome: event.OutcomeUnknown, At: r.Now()}}
		if err := r.Store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{mark}}, true); err != nil {
			return err
		}
	}
	for !done {
		if r.listFails() {
			r.Partial = true
			break
		}
		if err := r.wait(ctx, again); err != nil {
			return err
		}
		if done, err = r.wasListed(ctx, key); err != nil {
			return err
		}
	}
	return r.drain(ctx)
}

func (r *run) wasListed(ctx context.Context, key event.Key) (bool, error) {
	last, err := r.Store.Object(ctx, key)
	if errors.Is(err, queue.ErrNotFound) {
		return false, nil
	}
	return err == nil && !last.Time.Before(r.Began), err
}

// listFails reports whether the list of the present resource does not complete.
func (r *run) listFails() bool {
	return slices.ContainsFunc(r.Reconciler.Listings(), func(l reconcile.Listing) bool { return l.Resource == r.Resource && l.Failing() })
}

// drain waits until the objects that are listed have been read, or cannot be.
func (r *run) drain(ctx context.Context) error {
	var after event.Key
	var last []event.Key
	since := r.Now()
	for {
		unread, err := r.Store.Unread(ctx, r.Resource, after, unreadPage)
		if err != nil || len(unread) == 0 {
			return err
		}
		switch {
		case !slices.Equal(unread, last):
			last, since = unread, r.Now()
		case r.Now().Sub(since) >= stuckFor:
			r.Unread += len(unread)
			after, last = unread[len(unread)-1], nil
			continue
		}
		if err := r.wait(ctx, again); err != nil {
			return err
		}
	}
}

// count counts the objects that the endpoint is told of, about.
func (r *run) count(ctx context.Context) error {
	names, _, err := r.resources(ctx)
	if err != nil {
		return err
	}
	r.Of = 0
	for _, name := range names {
		after := event.Key{Resource: name}
		for {
			objects, err := r.objects(ctx, after)
			if err != nil {
				return err
			}
			if len(objects) == 0 {
				break
			}
			for i := range objects {
				if r.has(&objects[i]) {
					r.Of++
				}
			}
			after = objects[len(objects)-1].Key
		}
	}
	return nil
}

// objects returns some known objects of a resource behind a key, when its turn comes: to
// look through all of a million takes a minute.
func (r *run) objects(ctx context.Context, after event.Key) ([]event.Snapshot, error) {
	if err := r.scan.Wait(ctx); err != nil {
		return nil, err
	}
	objects, err := r.Store.Objects(ctx, after.Resource, after, page)
	for i := range objects {
		// A run may wait for long before it comes to them, and reads each again then.
		objects[i].Show, objects[i].Watched = nil, nil
	}
	return objects, err
}

// has reports whether an object is one of the endpoint's.
func (r *run) has(known *event.Snapshot) bool {
	return !known.Gone && known.Alias == "" && (r.tenant == "" || known.Tenant == r.tenant)
}
