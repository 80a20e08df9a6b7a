// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// A look is the reading of a Show that no exchange caused. There may be any
// number of objects to look at, and the API must not feel it: so looks have a
// budget of requests per second, and wait for their turn in the queue.

// maxBooked limits how many looks have a booked turn. The others try again
// later.
const maxBooked = 100_000

// turns assigns turns to looks.
type turns struct {
	mu     sync.Mutex
	booked map[event.Key]turn
}

// turn is the time at which an object may be looked at, and since when it waits for that.
type turn struct{ since, at time.Time }

// take reports whether an object may be looked at now; otherwise it returns how
// long to wait before trying again. Late is how long the look has waited.
func (t *turns) take(key event.Key, budget *rate.Limiter, now time.Time) (wait, late time.Duration, ok bool) {
	if budget == nil {
		return 0, 0, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn, booked := t.booked[key]; booked {
		if turn.at.After(now) {
			return turn.at.Sub(now), 0, false
		}
		delete(t.booked, key)
		return 0, now.Sub(turn.since), true
	}
	reservation := budget.ReserveN(now, 1)
	delay := reservation.DelayFrom(now)
	if delay <= 0 {
		return 0, 0, true
	}
	if len(t.booked) >= maxBooked {
		reservation.CancelAt(now)
		return delay, 0, false
	}
	if t.booked == nil {
		t.booked = make(map[event.Key]turn)
	}
	t.booked[key] = turn{since: now, at: now.Add(delay)}
	return delay, 0, false
}

// nextLook returns how long to wait before the next look at an object, with
// jitter from 0 to 1. As long as the budget suffices, each object is looked at
// as often as configured. If looks come later than that, the budget goes to the
// objects most likely to change: those that changed lately. An object that has
// not changed for long is looked at after a tenth of that time, like the
// heuristic freshness of caches (RFC 9111, section 4.2.2).
func nextLook(every, late, unchanged time.Duration, jitter float64) time.Duration {
	wait := every
	if late > every {
		wait = max(every, min(unchanged/10, maxStretch*every))
	}
	return time.Duration(float64(wait) * (0.9 + 0.2*jitter))
}

// maxStretch limits how much less often than configured an object is looked at.
const maxStretch = 100

// between returns how long to wait before the next look at an object that the
// API may still be working on, until settleAt: a moment at first, then half of
// the time that has passed since the mark. It returns 0 if one look at settleAt
// suffices.
func between(markedAt, settleAt, now time.Time) time.Duration {
	if settleAt.Sub(now) < time.Minute {
		return 0
	}
	return max(time.Second, min(now.Sub(markedAt)/2, settleAt.Sub(now)))
}

// lookAt returns the time of an object's next look, zero for none.
func (r *Resource) lookAt(lease queue.MarkLease, d decision, now time.Time, late time.Duration, jitter float64) time.Time {
	if d.next.Gone && r.Lag > 0 {
		// A 404 has no version. If the object was created again meanwhile, a
		// replica that lags does not have it yet.
		return now.Add(r.Lag)
	}
	return sooner(r.watchAt(lease, d, now, late, jitter), lookWhileDeleting(d.next.Deleting, now))
}

// watchAt is lookAt for a resource that is watched.
func (r *Resource) watchAt(lease queue.MarkLease, d decision, now time.Time, late time.Duration, jitter float64) time.Time {
	if r.Every <= 0 || !d.document.IsJSON() || r.Final(d.document) {
		return time.Time{}
	}
	unchanged := time.Duration(0)
	if last := lease.Snapshot; last != nil && d.finding != moved {
		since := last.ChangedAt
		if since.IsZero() {
			since = last.Time
		}
		unchanged = now.Sub(since)
	}
	return now.Add(nextLook(r.Every, late, unchanged, jitter))
}

// refreshed returns a new snapshot of an object that did not change, if there
// is more to record than before: after a rule was added, or if only its version
// changed. Otherwise it returns nil.
func (r *Resource) refreshed(last *event.Snapshot, next event.Snapshot) *event.Snapshot {
	if last == nil || last.Gone || next.Hash == nil {
		return nil
	}
	complete := last.Version == next.Version && last.Tenant == next.Tenant && last.Structured == next.Structured && last.Deleting.Equal(next.Deleting) &&
		(last.Show != nil) == r.KeepShow
	for path := range next.Watched {
		if _, watched := last.Watched[path]; !watched {
			complete = false
		}
	}
	if complete {
		return nil
	}
	next.Sequence, next.ChangedAt, next.Uncertain = last.Sequence, last.ChangedAt, last.Uncertain
	next.Show, next.ContentType, next.Hidden, next.Told = last.Show, last.ContentType, last.Hidden, last.Told
	return &next
}
