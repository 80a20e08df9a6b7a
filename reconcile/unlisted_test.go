// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// An object that a complete list did not have, and that nobody has seen since, is new:
// whatever led to it. A Show that does not say whose it is proves that only to an
// exchange that the API confirmed.
func TestUnlisted(t *testing.T) {
	r := testResource(t)
	hasher := event.NewHasher([32]byte{1})
	mine, anonymous := `{"id":"42","state":"a"}`, `{"state":"a"}`
	for name, tc := range map[string]struct {
		hints   queue.Hints
		rule    string
		body    string
		finding finding
		op      event.Op
	}{
		"a client's Show":                    {queue.HintLooked, observedRule, mine, moved, event.OpCreate},
		"a client's Show without an id":      {queue.HintLooked, observedRule, anonymous, foreign, ""},
		"a client's Show of another":         {queue.HintLooked, observedRule, `{"id":"43"}`, foreign, ""},
		"a confirmed update":                 {queue.HintUpdated, "PUT", anonymous, moved, event.OpCreate},
		"a confirmed update, or a touch":     {queue.HintUpdated | queue.HintMayBeUpdated, "PUT", mine, moved, event.OpCreate},
		"a query that has it":                {queue.HintMayBeUpdated, "PUT", mine, moved, event.OpCreate},
		"an update of unknown end":           {queue.HintMayBeUpdated | queue.HintUnconfirmed, "PUT", mine, moved, event.OpCreate},
		"an update of unknown end, no id":    {queue.HintMayBeUpdated | queue.HintUnconfirmed, "PUT", anonymous, foreign, ""},
		"an update of unknown end, of other": {queue.HintMayBeUpdated | queue.HintUnconfirmed, "PUT", `{"id":"43"}`, foreign, ""},
		"a delete of unknown end":            {queue.HintMayBeDeleted | queue.HintUnconfirmed, "DELETE", mine, moved, event.OpCreate},
		"a delete of what is not there":      {queue.HintDeleted, "DELETE", "", nothing, ""},
		"a confirmed create":                 {queue.HintCreated, "POST", mine, moved, event.OpCreate},
	} {
		lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: tc.hints, Cause: event.Cause{Rule: tc.rule, At: testTime}}, MarkedAt: testTime}
		show := answer(200, tc.body)
		if tc.body == "" {
			show = answer(404, "")
		}
		d := r.unlisted(lease, r.decide(hasher, lease, show, testTime.Add(time.Minute)))
		if d.finding != tc.finding || d.finding == moved && d.op != tc.op {
			t.Errorf("%s: finding %d, op %s; want %d, %s", name, d.finding, d.op, tc.finding, tc.op)
		}
		if d.finding == moved && (d.uncertain || d.next.Uncertain || d.unseen) {
			t.Errorf("%s: it is uncertain", name)
		}
	}
}

// listStore has nothing but the record of a list.
type listStore struct {
	Store
	listed time.Time // zero for never
}

func (s listStore) Object(context.Context, event.Key) (event.Snapshot, error) {
	if s.listed.IsZero() {
		return event.Snapshot{}, queue.ErrNotFound
	}
	return event.Snapshot{Time: s.listed}, nil
}

// What was changed and is gone is not asked for any more once a complete list that was
// made since does not have it either.
func TestNowhere(t *testing.T) {
	resource := testResource(t)
	resource.Listed, resource.Lag = true, 10*time.Second
	here, gone := &event.Snapshot{Key: testKey}, &event.Snapshot{Key: testKey, Gone: true}
	later := testTime.Add(time.Minute)
	for name, tc := range map[string]struct {
		listed   time.Time
		hints    queue.Hints
		last     *event.Snapshot
		status   int
		finding  finding
		unlisted bool
	}{
		"a list since":                 {listed: later, hints: queue.HintUpdated, status: 404, finding: unproved},
		"a create":                     {listed: later, hints: queue.HintCreated, status: 410, finding: unproved},
		"its delete was announced":     {listed: later, hints: queue.HintUpdated, last: gone, status: 404, finding: nothing},
		"no list yet":                  {hints: queue.HintUpdated, status: 404, finding: missing},
		"a list from before":           {listed: testTime.Add(-time.Second), hints: queue.HintUpdated, status: 404, finding: missing},
		"a list that may have lagged":  {listed: testTime.Add(9 * time.Second), hints: queue.HintUpdated, status: 404, finding: missing},
		"a list that had it":           {listed: later, hints: queue.HintUpdated | queue.HintLooked | queue.HintMayBeCreated, status: 404, finding: missing},
		"an object that was seen":      {listed: later, hints: queue.HintUpdated, last: here, status: 404, finding: missing},
		"a Show that leads to no Show": {listed: later, hints: queue.HintUpdated, status: 302, finding: missing},
		"a resource without a list":    {listed: later, hints: queue.HintUpdated, status: 404, finding: missing, unlisted: true},
	} {
		of := *resource
		of.Listed = !tc.unlisted
		r := &Reconciler{store: listStore{listed: tc.listed}}
		lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: tc.hints, Cause: event.Cause{At: testTime}}, MarkedAt: testTime, Snapshot: tc.last}
		d := of.decide(event.NewHasher([32]byte{1}), lease, answer(tc.status, ""), later)
		d, err := r.nowhere(t.Context(), &of, lease, tc.status, d)
		if err != nil || d.finding != tc.finding {
			t.Errorf("%s: finding %d (%v), want %d", name, d.finding, err, tc.finding)
		}
	}
}
