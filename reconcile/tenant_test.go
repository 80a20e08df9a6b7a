// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// owned is a resource with tenants, which keeps Shows.
func owned(t *testing.T) *Resource {
	r := testResource(t)
	r.Tenant, r.KeepShow = "owner", true
	r.Callback = &CallbackRule{Endpoint: "notify.items", Wants: func(string) bool { return true }}
	return r
}

// step reconciles an answer, with what was known before and a receiver of the
// object's own.
func step(t *testing.T, r *Resource, last *event.Snapshot, hints queue.Hints, a show.Show) queue.Reconciled {
	t.Helper()
	hasher := event.NewHasher([32]byte{1})
	lease := queue.MarkLease{
		Mark: queue.Mark{Key: testKey, Hints: hints}, Snapshot: last, MarkedAt: testTime.Add(-lagFor), Callback: &queue.Callback{},
	}
	d := r.decide(hasher, lease, a, testTime)
	reconciled, conditions, err := r.transition([16]byte{1}, lease, d, a, testTime)
	if err != nil || conditions != nil {
		t.Fatal(err, conditions)
	}
	return reconciled
}

// Whatever happens to an object that another tenant owned, its new tenant gets
// nothing of the state before, and the old receiver nothing of the state after.
func TestHandedOver(t *testing.T) {
	const hers = `{"owner":"a","state":"secret-of-a"}`
	for name, tc := range map[string]struct {
		first, then string
		closed      bool // the receiver of the object's own
		operators   bool // know the state before
	}{
		"to another tenant":      {hers, `{"owner":"b","state":"paid"}`, true, true},
		"to nobody":              {hers, `{"state":"paid"}`, true, true},
		"from nobody":            {`{"state":"secret-of-a"}`, `{"owner":"b","state":"paid"}`, true, true},
		"to a tenant, by number": {hers, `{"owner":7,"state":"paid"}`, true, true},
		"it stays":               {hers, `{"owner":"a","state":"paid"}`, false, true},
	} {
		r := owned(t)
		first := step(t, r, nil, queue.HintCreated, answer(200, tc.first))
		then := step(t, r, first.Snapshot, queue.HintUpdated, answer(200, tc.then))
		if len(then.Events) == 0 || then.CloseCallback != tc.closed {
			t.Errorf("%s: %+v", name, then)
		}
		for i := range then.Events {
			e := &then.Events[i].Event
			if strings.Contains(strings.Join(then.Events[i].Endpoints, " "), "notify.items") == tc.closed {
				t.Errorf("%s: goes to %v", name, then.Events[i].Endpoints)
			}
			if tells := strings.Contains(string(e.For("").PreviousShow), "secret-of-a"); tells != tc.operators {
				t.Errorf("%s: operators get %s", name, e.PreviousShow)
			}
			for _, tenant := range []string{"a", "b", "7"} {
				if e.VisibleTo(tenant) && tenant != "a" && (e.For(tenant).Previous != nil || e.For(tenant).PreviousShow != nil) {
					t.Errorf("%s: %s gets %s", name, tenant, e.PreviousShow)
				}
			}
			if e.VisibleTo("a") && tc.closed {
				t.Errorf("%s: a gets %s", name, e.Payload)
			}
		}

		// What follows is the new tenant's own.
		gone := step(t, r, then.Snapshot, queue.HintDeleted, answer(404, ""))
		if len(gone.Events) != 1 || strings.Contains(string(gone.Events[0].Payload), "secret-of-a") || gone.Events[0].Tenant != then.Snapshot.Tenant {
			t.Errorf("%s: deleted as %+v", name, gone.Events)
		}
		again := step(t, r, gone.Snapshot, queue.HintCreated, answer(200, `{"owner":"c","state":"new"}`))
		if len(again.Events) != 1 || again.Events[0].Previous != nil || again.Events[0].PreviousShow != nil || again.Events[0].Tenant != "c" {
			t.Errorf("%s: created again as %+v", name, again.Events)
		}
	}
}

// Without tenants, nothing is handed over: neither when the word is taken out of
// the configuration.
func TestNoTenants(t *testing.T) {
	r := owned(t)
	first := step(t, r, nil, queue.HintCreated, answer(200, `{"owner":"a","state":"new"}`))
	r.Tenant = ""
	then := step(t, r, first.Snapshot, queue.HintUpdated, answer(200, `{"owner":"b","state":"paid"}`))
	if then.CloseCallback || len(then.Events) != 2 || then.Events[0].Audience != event.AudienceAll || then.Events[0].Tenant != "" {
		t.Errorf("got %+v", then)
	}
}
