// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// permitting selects deliveries whose endpoint may have the event, page by page,
// and asks once about each.
func permitting(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp", "crm")
	publish(t, s, item("2"), "erp")
	publish(t, s, item("3"))
	for range 2 {
		deliver(t, s, leaseDelivery(t, s, "erp"))
	}
	deliver(t, s, leaseDelivery(t, s, "crm"))
	var asked []string
	selection := queue.Selection{Permit: func(endpoint string, e *event.Event, routed bool) bool {
		name := e.Key.ID + ">" + endpoint
		if asked = append(asked, name); e.Payload != nil || routed != slices.Contains([]string{"1>erp", "1>crm", "2>erp"}, name) {
			t.Errorf("%s: %+v, routed: %t", name, e, routed)
		}
		return e.Key.ID != "2"
	}}
	want := func(what string, changed, wantChanged int, names ...string) {
		t.Helper()
		slices.Sort(asked)
		if changed != wantChanged || !slices.Equal(asked, names) {
			t.Errorf("%s: %d, want %d; asked about %v", what, changed, wantChanged, asked)
		}
		asked = nil
	}
	n, err := s.Count(t.Context(), selection)
	must(t, err)
	want("count", n, 2, "1>crm", "1>erp", "2>erp")
	want("redeliver", every(t, func(page queue.Page) (int, queue.Cursor, error) {
		return s.Redeliver(t.Context(), selection, page)
	}), 2, "1>crm", "1>erp", "2>erp")
	want("replay", every(t, func(page queue.Page) (int, queue.Cursor, error) {
		return s.Replay(t.Context(), "crm", selection, page)
	}), 1, "1>crm", "2>crm", "3>crm")
	selection.EventID = "items/2-1"
	redeliver(t, s, selection, 0)
	want("redeliver one", 0, 0, "2>erp")
	n, _, err = s.Replay(t.Context(), "crm", selection, queue.Page{})
	must(t, err)
	want("replay one", n, 0, "2>crm")
	noDelivery(t, s, "new")
}

// every goes through all pages of one row.
func every(t *testing.T, act func(page queue.Page) (int, queue.Cursor, error)) int {
	t.Helper()
	page, total := queue.Page{Limit: 1}, 0
	for range 20 {
		n, next, err := act(page)
		must(t, err)
		if total += n; next == "" {
			return total
		}
		page.Cursor = next
	}
	t.Fatal("there is no end")
	return total
}

// eventOfTenant tells a tenant of its own events, and of no other's.
func eventOfTenant(t *testing.T, s queue.Store) {
	long := strings.Repeat("x", 1000)
	events := []event.Event{owned("a", "acme"), owned("u", "umbrella"), owned("n", ""), owned("l", long), owned("o", "acme"), owned("t", "acme"), owned("s", "acme")}
	events[4].Audience, events[5].Audience, events[6].Op = event.AudienceOperators, event.AudienceTenant, event.OpSnapshot
	events[0].Payload = bytes.Repeat([]byte("p"), 600<<10)
	for i := range events {
		commitEvents(t, s, queue.Routed{Event: events[i]})
	}
	for tenant, want := range map[string]string{"acme": "ats", "umbrella": "u", "": "aunlos", long: "l", long + "x": "", "acm": ""} {
		for i := range events {
			id := events[i].ID
			got, err := s.EventOf(t.Context(), tenant, id)
			if !strings.Contains(want, id) {
				if !errors.Is(err, queue.ErrNotFound) || got.ID != "" {
					t.Errorf("%.9q got %s: %v", tenant, id, err)
				}
				continue
			}
			whole, wholeErr := s.Event(t.Context(), id)
			if err != nil || wholeErr != nil || !reflect.DeepEqual(got, whole) {
				t.Errorf("%.9q got of %s: %v", tenant, id, err)
			}
		}
		for _, id := range []string{"", "nothing", long, strings.Repeat("x", 100_000)} {
			if _, err := s.EventOf(t.Context(), tenant, id); !errors.Is(err, queue.ErrNotFound) {
				t.Errorf("%.9q got %.9q: %v", tenant, id, err)
			}
		}
	}
}

// lastEventOfObject finds what a tenant was told last of an object, and nothing of others'.
func lastEventOfObject(t *testing.T, s queue.Store) {
	of := func(id, object, tenant string) event.Event {
		e := owned(id, tenant)
		e.Key = item(object)
		return e
	}
	events := []event.Event{of("a", "1", "acme"), of("b", "2", "acme"), of("c", "1", "acme"), of("d", "1", "umbrella"), of("e", "1", "acme"), of("f", "1", "acme")}
	events[4].Audience, events[5].Op = event.AudienceOperators, event.OpSnapshot
	for i := range events {
		commitEvents(t, s, queue.Routed{Event: events[i]})
	}
	for _, test := range []struct{ tenant, object, want string }{
		{"acme", "1", "c"}, {"acme", "2", "b"}, {"umbrella", "1", "d"}, {"umbrella", "2", ""}, {"", "1", "e"}, {"", "2", "b"}, {"", "3", ""}, {"acme", "3", ""}, {"acm", "1", ""},
	} {
		got, err := s.LastEvent(t.Context(), test.tenant, item(test.object))
		if test.want == "" && !errors.Is(err, queue.ErrNotFound) || test.want != "" && err != nil || got.ID != test.want {
			t.Errorf("%+v: got %q, %v", test, got.ID, err)
		}
	}
}

// deliveriesOfEvent finds the deliveries of one event to the endpoints that are named.
func deliveriesOfEvent(t *testing.T, s queue.Store) {
	commitEvents(t, s,
		queue.Routed{Event: owned("a", "acme"), Endpoints: []string{"erp", "crm", "er"}},
		queue.Routed{Event: owned("b", "acme"), Endpoints: []string{"erp"}},
	)
	deliver(t, s, leaseDelivery(t, s, "crm"))
	lease := leaseDelivery(t, s, "erp")
	must(t, s.FinishAttempt(t.Context(), lease, queue.Attempt{At: time.Now()}, queue.Verdict{Status: queue.StatusPending, RetryAt: time.Now().Add(time.Hour)}))
	for _, test := range []struct{ event, endpoints, want string }{
		{"a", "erp crm er", "erp crm er"},
		{"a", "crm nobody", "crm"},
		{"a", "crm erp", "crm erp"},
		{"a", "", ""},
		{"a", "rp", ""},
		{"b", "erp crm", "erp"},
		{"nothing", "erp crm", ""},
		{"", "erp", ""},
	} {
		got, err := s.DeliveriesOf(t.Context(), test.event, strings.Fields(test.endpoints)...)
		must(t, err)
		wantNames(t, got, func(d queue.Delivery) string { return d.Endpoint }, strings.Fields(test.want)...)
		for i := range got {
			listed, _, err := s.Deliveries(t.Context(), queue.Filter{EventID: test.event, Endpoint: got[i].Endpoint}, queue.Page{})
			must(t, err)
			if len(listed) != 1 || !reflect.DeepEqual(listed[0], got[i]) {
				t.Errorf("got %+v, and listed is %+v", got[i], listed)
			}
		}
	}
	if got, err := s.DeliveriesOf(t.Context(), "a", strings.Repeat("x", 100_000)); err != nil || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
