// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// An API may confirm a delete, and show the object until it is done. What then ends the
// object is no delete, or no request at all.
func TestDeletedLater(t *testing.T) {
	r := testResource(t)
	hasher := event.NewHasher([32]byte{1})
	there := `{"v":5,"state":"there"}`
	decide := func(last *event.Snapshot, hints queue.Hints, answer show.Show, after time.Duration) decision {
		return r.decide(hasher, queue.MarkLease{
			Mark:     queue.Mark{Key: testKey, Hints: hints, Cause: event.Cause{At: testTime}},
			Snapshot: last, MarkedAt: testTime,
		}, answer, testTime.Add(after))
	}
	first := decide(nil, queue.HintUpdated, answer(200, there), 0)
	known := &first.next
	for name, tc := range map[string]struct {
		// last is the known state, hints those of the mark, with which it is found there.
		last  *event.Snapshot
		hints queue.Hints
		body  string
		after time.Duration
		// deleting is whether the object is being deleted then.
		deleting bool
	}{
		"a delete, and another state":                {known, queue.HintDeleted, `{"v":6,"state":"deleting"}`, 0, true},
		"a delete and an update":                     {known, queue.HintDeleted | queue.HintUpdated, `{"v":6,"state":"deleting"}`, 0, true},
		"a delete of what was never seen":            {nil, queue.HintDeleted | queue.HintUpdated, there, lagFor, true},
		"a delete, and the same state for long":      {known, queue.HintDeleted, there, lagFor, true},
		"a delete of unknown end, and another state": {known, queue.HintMayBeDeleted, `{"v":6}`, 0, false},
		"a delete and a create":                      {known, queue.HintDeleted | queue.HintCreated, `{"v":6}`, 0, false},
		"an update":                                  {known, queue.HintUpdated, `{"v":6}`, 0, false},
	} {
		d := decide(tc.last, tc.hints, answer(200, tc.body), tc.after)
		if got := !d.next.Deleting.IsZero(); got != tc.deleting {
			t.Errorf("%s: being deleted is %v (finding %d, %s)", name, got, d.finding, d.reason)
			continue
		}
		if at := r.lookAt(queue.MarkLease{Snapshot: tc.last}, d, testTime.Add(tc.after), 0, 0); at.IsZero() == tc.deleting {
			t.Errorf("%s: the next look is at %v", name, at)
		}
		// Later, another exchange, or just a look, finds it gone.
		want := missing
		if tc.deleting {
			want = moved
		}
		d.next.Time, d.next.ChangedAt = testTime.Add(tc.after), testTime.Add(tc.after)
		gone := decide(&d.next, queue.HintUpdated, answer(404, ""), tc.after+time.Minute)
		if gone.finding != want || want == moved && gone.op != event.OpDelete {
			t.Errorf("%s, then an update and 404: finding %d %s, want %d", name, gone.finding, gone.op, want)
		}
		if gone := decide(&d.next, queue.HintLooked, answer(404, ""), tc.after+time.Minute); (gone.finding == moved) != tc.deleting {
			t.Errorf("%s, then a look and 404: finding %d %s", name, gone.finding, gone.op)
		}
	}

	deleting := decide(known, queue.HintDeleted, answer(200, `{"v":6}`), 0).next
	deleting.Time = testTime
	if d := decide(&deleting, queue.HintDeleted, answer(200, `{"v":6}`), time.Minute); d.finding == stale {
		t.Error("a second delete of what is being deleted waits for a Show that proves it")
	}
	if d := decide(&deleting, queue.HintUpdated, answer(404, ""), time.Second); d.finding != early {
		t.Errorf("a 404 at once, maybe of a replica that lags: finding %d", d.finding)
	}
	if d := decide(&deleting, queue.HintUpdated, answer(200, `{"v":7}`), time.Minute); !d.next.Deleting.Equal(testTime) {
		t.Errorf("after an update it is being deleted since %v", d.next.Deleting)
	}
}

// An object that is being deleted is looked at ever more rarely, for a day.
func TestLookWhileDeleting(t *testing.T) {
	looks := 0
	for now := testTime; ; looks++ {
		next := lookWhileDeleting(testTime, now)
		if next.IsZero() {
			break
		}
		if !next.After(now) || looks > 20 {
			t.Fatalf("look %d is %v after the one before", looks, next.Sub(now))
		}
		now = next
	}
	if looks < 10 {
		t.Errorf("%d looks in a day", looks)
	}
	if at := lookWhileDeleting(time.Time{}, testTime); !at.IsZero() {
		t.Errorf("an object that nobody deletes is looked at, at %v", at)
	}
	for _, tc := range []struct{ a, b, want time.Time }{
		{time.Time{}, time.Time{}, time.Time{}},
		{testTime, time.Time{}, testTime},
		{time.Time{}, testTime, testTime},
		{testTime.Add(1), testTime, testTime},
		{testTime, testTime.Add(1), testTime},
	} {
		if got := sooner(tc.a, tc.b); got != tc.want {
			t.Errorf("sooner(%v, %v) = %v", tc.a, tc.b, got)
		}
	}
}

// The children of an object that is there again are looked at as the delete was asked for:
// by a client that only says so, with what clients may cost.
func TestChildrenOfWhatIsBack(t *testing.T) {
	resource := &Resource{children: []string{"lines"}}
	for name, tc := range map[string]struct {
		hints       queue.Hints
		gone        bool
		unconfirmed bool
	}{
		"confirmed":            {queue.HintDeleted, false, false},
		"only a client's word": {queue.HintMayBeDeleted | queue.HintUnconfirmed, false, true},
		"it is gone":           {queue.HintMayBeDeleted | queue.HintUnconfirmed, true, false},
	} {
		marks := children(resource, queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: tc.hints}}, tc.gone)
		if len(marks) != 1 || marks[0].Key != queue.ChildrenKey("lines", testKey) || marks[0].Hints.Has(queue.HintUnconfirmed) != tc.unconfirmed {
			t.Errorf("%s: %+v", name, marks)
		}
	}
}

// What belongs to an object is looked at when it may have gone with it, also where there
// is nothing to say of the object itself.
func TestBereaved(t *testing.T) {
	resource := &Resource{children: []string{"lines"}}
	for name, tc := range map[string]struct {
		hints queue.Hints
		there bool
		want  bool
	}{
		"deleted":                                  {queue.HintDeleted, false, true},
		"deleted, and there":                       {queue.HintDeleted, true, true},
		"it may have been deleted":                 {queue.HintMayBeDeleted, false, true},
		"a client says so":                         {queue.HintMayBeDeleted | queue.HintUnconfirmed, false, true},
		"it was not, as it is there":               {queue.HintMayBeDeleted, true, false},
		"it may have been, and was made again":     {queue.HintMayBeDeleted | queue.HintCreated, true, true},
		"it may have been, and may be a new one":   {queue.HintMayBeDeleted | queue.HintMayBeCreated, true, true},
		"created":                                  {queue.HintCreated, true, false},
		"updated, and not there":                   {queue.HintUpdated, false, false},
		"created, not there, and nobody deletes":   {queue.HintCreated, false, false},
		"looked at, as a list did not have it any": {queue.HintLooked, false, false},
	} {
		lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: tc.hints}}
		if got := bereaved(resource, lease, tc.there); (len(got) == 1) != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Going through all objects for the word of a client has a budget.
func TestBudgetOfOrphans(t *testing.T) {
	plan := Plan{Resources: []Resource{{Name: "orders"}, {Name: "lines", Parent: &Parent{Resource: "orders"}}}}
	for _, j := range new(Reconciler).jobs(plan) {
		if j.name == "lines"+queue.ChildrenSuffix {
			for range 10 {
				j.unconfirmed.AllowN(testTime, 1)
			}
			if j.unconfirmed.AllowN(testTime, 1) || !j.unconfirmed.AllowN(testTime.Add(unconfirmedOrphans), 1) {
				t.Errorf("the budget is %v, %d", j.unconfirmed.Limit(), j.unconfirmed.Burst())
			}
			return
		}
	}
	t.Error("nobody looks for the children")
}
