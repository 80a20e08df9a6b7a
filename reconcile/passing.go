// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// An endpoint that is being told of all objects of its tenant may have been told of
// those before and after one that passes to the tenant just now. So whoever hands the
// object over tells the endpoint of it, in the same commit.

// Passage is who is told of an object that passes to a tenant, beside those that its
// events go to.
type Passage struct {
	// Introductions are events of the object's state ([event.OpSnapshot]).
	Introductions []queue.Routed
	// Guard is a record that is still as it was when nobody else was to be told.
	Guard queue.Record
}

// PassingFunc returns who is told of an object as it is known from now on, and seen.
// Events are those that tell how it came to that.
type PassingFunc func(ctx context.Context, now *event.Snapshot, seen *Sight, events []queue.Routed) (Passage, error)

// passed returns how an object is that passes to a tenant with a commit, nil if it passes to
// none or nobody may have to be told.
func (r *Resource) passed(lease queue.MarkLease, next *event.Snapshot, d *decision, answer show.Show) (*Sight, error) {
	if r.Passing == nil || next == nil || next.Gone || next.Tenant == "" || !r.handedOver(lease.Snapshot, *next) {
		return nil, nil
	}
	seen := &Sight{Is: SightSame, Freshness: d.freshness}
	err := seen.show(r, answer)
	return seen, err
}

// with returns what is to be committed: what was found, and who is told of it if the object
// passes to a tenant. It is called after the endpoints' epoch was read.
func (r *Resource) with(ctx context.Context, found *queue.Reconciled, passed *Sight) (queue.Reconciled, error) {
	all := *found
	if passed == nil {
		return all, nil
	}
	passage, err := r.Passing(ctx, found.Snapshot, passed, found.Events)
	if err != nil {
		return all, fmt.Errorf("looking for who is told of an object that passes to a tenant: %w", err)
	}
	all.Events, all.Guard = slices.Concat(found.Events, passage.Introductions), passage.Guard
	return all, nil
}
