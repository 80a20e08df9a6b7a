// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// wantEventsOf checks which events of a tenant are listed, in pages of every size.
func wantEventsOf(t *testing.T, s queue.Store, tenant string, filter queue.Filter, want ...string) {
	t.Helper()
	for size := 1; size < len(want)+2; size++ {
		rows := pages(t, size, func(page queue.Page) ([]event.Event, queue.Cursor, error) {
			return s.EventsOf(t.Context(), tenant, filter, page)
		})
		wantNames(t, rows, eventName, want...)
		for i := range rows {
			if rows[i].Payload != nil || rows[i].PreviousShow != nil {
				t.Errorf("%s is listed with its payload", rows[i].ID)
			}
		}
	}
}

// tenantEvents lists to each tenant what is in its feed, newest first.
func tenantEvents(t *testing.T, s queue.Store) {
	of := func(id, tenant string, change func(*event.Event)) queue.Routed {
		e := owned(id, tenant)
		if change != nil {
			change(&e)
		}
		return queue.Routed{Event: e}
	}
	long := strings.Repeat("x", 100_000)
	commitEvents(t, s,
		of("a", "acme", nil), of("b", "umbrella", nil), of("c", "", nil), of("d", "acm", nil), of("e", long, nil),
		of("operators", "acme", func(e *event.Event) { e.PreviousTenant, e.Audience = "umbrella", event.AudienceOperators }),
		of("tenant", "acme", func(e *event.Event) { e.PreviousTenant, e.Audience = "umbrella", event.AudienceTenant }),
	)
	commitEvents(t, s,
		of("f", "acme", func(e *event.Event) { e.Type, e.Key, e.Sequence = "items.created", item("a"), 2 }),
		of("g", "acme", func(e *event.Event) { e.PreviousShow = []byte("before") }),
	)
	for tenant, want := range map[string]string{
		"acme": "g f tenant a", "umbrella": "b", "acm": "d", "ac": "", "": "g f operators e d c b a", long: "e",
	} {
		wantEventsOf(t, s, tenant, queue.Filter{}, strings.Fields(want)...)
	}
	wantEventsOf(t, s, "acme", queue.Filter{Key: item("a")}, "f", "a")
	wantEventsOf(t, s, "umbrella", queue.Filter{Key: item("a")})
	wantEventsOf(t, s, "acme", queue.Filter{Type: "items.created"}, "f")
	wantEventsOf(t, s, "acme", queue.Filter{Type: "items.created", Key: item("g")})
	_, next, err := s.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(t, err)
	if _, _, err := s.EventsOf(t.Context(), "acme", queue.Filter{}, queue.Page{Cursor: next}); !errors.Is(err, queue.ErrBadCursor) {
		t.Errorf("the cursor of another list: %v", err)
	}
}

// tenantEventsAreLimited goes on with a page that has looked at many events, and found few.
func tenantEventsAreLimited(t *testing.T, s queue.Store) {
	const others = queue.MaxEventsLooked + 50
	rare := owned("rare", "acme")
	rare.Type = "items.rare"
	commitEvents(t, s, queue.Routed{Event: rare})
	all := make([]queue.Routed, 0, others)
	for i := range others {
		all = append(all, queue.Routed{Event: owned(fmt.Sprint("other", i), "acme")})
	}
	for some := range slices.Chunk(all, 500) {
		commitEvents(t, s, some...)
	}
	filter := queue.Filter{Type: "items.rare"}
	rows, next, err := s.EventsOf(t.Context(), "acme", filter, queue.Page{})
	must(t, err)
	if len(rows) > 0 || next == "" {
		t.Fatalf("one call has looked at all of %d events: %d rows, next %q", others, len(rows), next)
	}
	rows, next, err = s.EventsOf(t.Context(), "acme", filter, queue.Page{Cursor: next})
	must(t, err)
	if wantNames(t, rows, eventName, "rare"); next != "" {
		t.Errorf("there is more: %q", next)
	}
}
