// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"slices"
	"testing"

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
