// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// listedEvent is an event as a list has it.
type listedEvent struct {
	ID          string          `json:"id"`
	WebhookID   string          `json:"webhook_id"`
	Type        string          `json:"type"`
	Object      string          `json:"object"`
	Sequence    uint64          `json:"sequence"`
	Op          event.Op        `json:"op"`
	Time        time.Time       `json:"time"`
	Freshness   event.Freshness `json:"freshness,omitempty"`
	ContentType string          `json:"content_type,omitempty"`
}

func viewListed(e *event.Event) listedEvent {
	return listedEvent{e.ID, e.DeliveryID(), e.Type, e.Key.String(), e.Sequence, e.Op, e.Time, e.Freshness, e.ContentType}
}

// listEvents lists the caller's events, newest first. A page looks at so many of them at
// most, and may be empty although there are more: `next` says so.
func listEvents(c *call) (*answer, error) {
	values, err := parameters(c.r, "type", "object", "since", "until", "cursor", "limit")
	if err != nil {
		return nil, err
	}
	page, err := pageOf(values, maxPage)
	if err != nil {
		return nil, err
	}
	wanted, err := c.selection(values)
	if err != nil {
		return nil, err
	}
	filter := queue.Filter{Type: strings.Join(wanted.Types, ""), Key: wanted.Key}
	rows, next, err := c.store.EventsOf(c.r.Context(), c.caller.Tenant, filter, page)
	if err != nil {
		return nil, err
	}
	answer := List[listedEvent]{Data: []listedEvent{}, Next: string(next)}
	for i := range rows {
		e := &rows[i]
		switch {
		case !wanted.From.IsZero() && e.Time.Before(wanted.From.Add(-queue.CommittedWithin)):
			// The others are older.
			answer.Next = ""
			return ok(answer)
		case e.Time.Before(wanted.From):
		case wanted.To.IsZero() || e.Time.Before(wanted.To):
			answer.Data = append(answer.Data, viewListed(e.For(c.caller.Tenant)))
		}
	}
	return ok(answer)
}
