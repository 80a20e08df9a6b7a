// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// isUnlisted reports whether a complete list of all objects was made, and the object of
// a lease was not in it, nor seen since.
func (r *Reconciler) isUnlisted(ctx context.Context, resource *Resource, lease queue.MarkLease) (bool, error) {
	if !resource.Listed || lease.Snapshot != nil || lease.Hints.Has(queue.HintKnown) {
		return false, nil
	}
	_, err := r.store.Object(ctx, queue.ListKey(resource.Name))
	if errors.Is(err, queue.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// unlisted corrects the decision about an object that a complete list did not have,
// and that nobody has seen since: it is new, whoever sees it first, and whatever the
// exchange meant to do.
//
// A Show that does not say whose it is proves nothing to a look or an unconfirmed
// exchange: what was asked for may be another spelling of the id of a known object. So
// nothing is kept, and the object is new to the next list, too.
func (r *Resource) unlisted(lease queue.MarkLease, d decision) decision {
	switch d.finding {
	case moved:
		if d.op == event.OpChange {
			d.op, d.unseen = event.OpCreate, false
		}
	case known:
		if own, said := r.own(lease.Key, d.document); !said || own != lease.Key {
			d.finding, d.uncertain = foreign, true
			return d
		}
		d.finding, d.op = moved, event.OpCreate
		d.uncertain, d.next.Uncertain = false, false
	case unproved:
		// Made after the list and deleted before the next, or never there: to whoever
		// knows all that was announced, that is the same.
		return decision{finding: nothing}
	default:
	}
	return d
}

// nowhere corrects the decision about an object that was changed and is gone, and that
// nobody asked the API to delete: if a complete list does not have it either, begun when
// no replica could lag any more, the API need not be asked for it again. What a list had
// is marked as looked at.
func (r *Reconciler) nowhere(ctx context.Context, resource *Resource, lease queue.MarkLease, status int, d decision) (decision, error) {
	there := lease.Snapshot != nil && !lease.Snapshot.Gone
	if d.finding != missing || !resource.Listed || there || lease.Hints.Has(queue.HintLooked) || status != http.StatusNotFound && status != http.StatusGone {
		return d, nil
	}
	list, err := r.store.Object(ctx, queue.ListKey(resource.Name))
	if errors.Is(err, queue.ErrNotFound) {
		return d, nil
	}
	since := lease.MarkedAt
	if lease.Cause.At.After(since) {
		since = lease.Cause.At
	}
	switch {
	case err != nil, list.Time.Before(since.Add(max(secondLook, resource.Lag))):
		return d, err
	case lease.Snapshot != nil:
		// Its delete was announced, and this was the rest of its life.
		return decision{finding: nothing}, nil
	}
	return decision{finding: unproved, reason: nowhereReason}, nil
}

// nowhereReason is the reason of the record of an object that nobody has seen.
const nowhereReason = "Show was answered with 404 or 410, nothing proves that the object was deleted, and a complete list that was made since does not have it either"
