// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// redirectedReason is the reason of a retry.
const redirectedReason = "Show is redirected to another object's, though not for good, and nothing says that it was renamed"

// decideMoved decides what it means that an object's Show was redirected to that of
// another object.
//
// An object that was seen under this key has another now: it was renamed, or merged
// into the other. To whoever knows it by its key, it is gone, and the other is new, if
// it was not known. A redirect for the time being means that only after an exchange
// that may have done it. A key under which nothing was ever seen is another name.
func (r *Resource) decideMoved(lease queue.MarkLease, name event.Key, answer show.Show, now time.Time) decision {
	last := lease.Snapshot
	asked := confirmed(lease.Hints) || lease.Hints.Has(queue.HintDeleted)
	switch {
	case last != nil && last.Gone:
		return decision{finding: nothing}
	case last != nil && last.Alias == "", last == nil && existed(lease.Hints):
		if !answer.Redirect.Permanent && !asked {
			return decision{finding: missing, reason: redirectedReason}
		}
		gone := event.Snapshot{Key: lease.Key, Gone: true, Time: now}
		if last != nil {
			gone.Tenant, gone.Version = last.Tenant, newest(last.Version, lease.Version)
		}
		return decision{finding: moved, op: event.OpDelete, freshness: event.FreshnessUnproven, next: gone, name: name}
	case lease.Hints.AreUnconfirmed():
		// Anybody can make up names that lead to an object.
		return decision{finding: foreign}
	}
	return decision{finding: aliased, name: name}
}

// movedMark is the mark of the object that another one was renamed to: as the API shows
// it, it is there now.
func movedMark(lease queue.MarkLease, name event.Key) queue.Mark {
	return queue.Mark{Key: name, Hints: queue.HintMayBeCreated, Cause: lease.Cause}
}
