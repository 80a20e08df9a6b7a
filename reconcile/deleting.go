// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// An API may confirm a delete and take its time: it shows the object as one that is
// being deleted until its parts are gone, or until somebody has let go of it. The
// request that ends the object is then no delete at all, or there is none. So the
// snapshot notes since when the object is being deleted, which proves what a later 404
// means, and the object is looked at in the meantime.

// deleting returns since when an object that is there is being deleted, zero if it is
// not.
func deleting(lease queue.MarkLease, now time.Time) time.Time {
	last := lease.Snapshot
	switch {
	case lease.Hints.Has(queue.HintCreated):
		// It was made again, in whatever order the exchanges were done.
		return time.Time{}
	case isDeleting(last):
		return last.Deleting
	case lease.Hints.Has(queue.HintDeleted):
		return now
	}
	return time.Time{}
}

// isDeleting reports whether the API confirmed a delete of an object that it still
// showed.
func isDeleting(last *event.Snapshot) bool {
	return last != nil && !last.Gone && !last.Deleting.IsZero()
}

// lookWhileDeleting returns when to look at an object again that is being deleted, zero
// for never. The waits double, so that many such objects, or an API that shows
// deleted objects for good, take little of the budget of looks.
func lookWhileDeleting(since, now time.Time) time.Time {
	age := now.Sub(since)
	if since.IsZero() || age >= missingFor {
		return time.Time{}
	}
	return now.Add(max(secondLook, age))
}

// sooner returns the earlier of two times, of which zero means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
