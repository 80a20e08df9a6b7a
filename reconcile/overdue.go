// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// overdue are exchanges under way that take longer than the API has for a change. Their
// objects are marked again and again, and a client chooses how many exchanges and objects
// there are. So the marks of all are due one after the other, as fast as the budget for
// what only clients ask for allows: all such exchanges have one turn together, as each
// client has one, and no other client waits for them.
type overdue struct {
	// again is when the objects of each exchange are to be marked next.
	again map[queue.IntentID]time.Time
	// lines give the turns, by the resource of a mark's key. Resources that share a
	// budget share a line.
	lines map[string]*rate.Limiter
}

// maxTurn limits how far in the future a turn may be.
const maxTurn = time.Hour

func newOverdue(plan Plan) *overdue {
	o := &overdue{again: make(map[queue.IntentID]time.Time), lines: make(map[string]*rate.Limiter)}
	shared := make(map[*rate.Limiter]*rate.Limiter)
	add := func(name string, budget *rate.Limiter) {
		if budget == nil {
			return
		}
		if shared[budget] == nil {
			shared[budget] = rate.NewLimiter(budget.Limit(), budget.Burst())
		}
		o.lines[name] = shared[budget]
	}
	for i := range plan.Resources {
		add(plan.Resources[i].Name, plan.Resources[i].Unconfirmed)
	}
	for i := range plan.Queries {
		add(plan.Queries[i].Name, plan.Queries[i].Unconfirmed)
	}
	return o
}

// isWaiting reports whether the objects of an exchange need not be marked yet.
func (o *overdue) isWaiting(id queue.IntentID, now time.Time) bool {
	return now.Before(o.again[id])
}

// spread sets when the marks of an exchange are due. Its objects are marked next when
// all have had their turn, and not before a time.
func (o *overdue) spread(id queue.IntentID, marks []queue.Mark, now, notBefore time.Time) {
	for i := range marks {
		marks[i].After = o.turn(marks[i].Key.Resource, now)
		if marks[i].After.After(notBefore) {
			notBefore = marks[i].After
		}
	}
	o.again[id] = notBefore
}

// turn returns when the next mark of a resource is due.
func (o *overdue) turn(resource string, now time.Time) time.Time {
	line := o.lines[resource]
	if line == nil {
		return now
	}
	turn := line.ReserveN(now, 1)
	delay := turn.DelayFrom(now)
	if delay > maxTurn {
		turn.CancelAt(now)
		delay = maxTurn
	}
	return now.Add(delay)
}
