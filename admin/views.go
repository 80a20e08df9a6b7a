// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"encoding/json"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// List is a page of a list. Next is the cursor of the following page, "" after the last.
type List[T any] struct {
	Items []T          `json:"items"`
	Next  queue.Cursor `json:"next,omitempty"`
}

// list returns a page of rows as they are shown. Its items are never nil: JSON shows [].
func list[T, V any](rows []T, next queue.Cursor, view func(T) V) List[V] {
	page := List[V]{Items: make([]V, 0, len(rows)), Next: next}
	for _, row := range rows {
		page.Items = append(page.Items, view(row))
	}
	return page
}

// EventView is an event.
type EventView struct {
	event.Event
	// WebhookID is the id that receivers see.
	WebhookID string `json:"webhook_id"`
	Object    string `json:"object"`
	Size      int    `json:"size"`
	// Payload is there only in the view of one event: as JSON if it is JSON,
	// otherwise as text.
	Payload any `json:"payload,omitempty"`
}

func newEventView(e event.Event, payload bool) EventView {
	view := EventView{Event: e, WebhookID: e.DeliveryID(), Object: e.Key.String(), Size: len(e.Payload)}
	switch {
	case !payload:
	case json.Valid(e.Payload):
		view.Payload = json.RawMessage(e.Payload)
	default:
		view.Payload = string(e.Payload)
	}
	return view
}

// DeliveryView is a delivery, with why it has not succeeded.
type DeliveryView struct {
	queue.Delivery
	Object string `json:"object"`
	// LastCode and LastError are those of the last attempt, of a delivery that has
	// not succeeded.
	LastCode  int    `json:"last_code,omitempty"`
	LastError string `json:"last_error,omitempty"`
}

// deliveriesView returns a page of deliveries, with why they have not succeeded.
func deliveriesView(ctx context.Context, store queue.History, rows []queue.Delivery, next queue.Cursor) (List[DeliveryView], error) {
	page := List[DeliveryView]{Items: make([]DeliveryView, 0, len(rows)), Next: next}
	for i := range rows {
		view := DeliveryView{Delivery: rows[i], Object: rows[i].Key.String()}
		if view.Attempts > 0 && view.Status != queue.StatusDelivered {
			// The last attempt is the first of the list.
			last, _, err := store.Attempts(ctx, queue.Filter{EventID: view.EventID, Endpoint: view.Endpoint}, queue.Page{Limit: 1})
			if err != nil {
				return page, err
			}
			if len(last) > 0 {
				view.LastCode, view.LastError = last[0].Code, last[0].Error
			}
		}
		page.Items = append(page.Items, view)
	}
	return page, nil
}

// AttemptView is an attempt of a delivery.
type AttemptView struct {
	queue.Attempt
	// Response hides the attempt's bytes, which JSON would show in base64.
	Response string `json:"response,omitempty"`
}

// UnresolvedView is a record of a change whose object is not known.
type UnresolvedView struct {
	ID       uint64     `json:"id"`
	Resource string     `json:"resource"`
	Kind     event.Kind `json:"kind"`
	Rule     string     `json:"rule"`
	Noted    time.Time  `json:"noted"`
	At       time.Time  `json:"at"`
	Reason   string     `json:"reason"`
}

func newUnresolvedView(u queue.Unresolved) UnresolvedView {
	return UnresolvedView{ID: uint64(u.ID), Resource: u.Resource, Kind: u.Kind, Rule: u.Rule, Noted: u.Noted, At: u.At, Reason: u.Reason}
}

// MarkView is an object that waits for reconciling.
type MarkView struct {
	Object    string    `json:"object"`
	MarkedAt  time.Time `json:"marked_at"`
	DueAt     time.Time `json:"due_at"`
	Leased    bool      `json:"leased"`
	Tries     int       `json:"tries"`
	LastError string    `json:"last_error,omitempty"`
	// Rule and Outcome are those of the last exchange that led here; where the
	// outcome is unknown, the object is looked at until SettleAt.
	Rule     string        `json:"rule,omitempty"`
	Outcome  event.Outcome `json:"outcome,omitempty"`
	SettleAt time.Time     `json:"settle_at,omitzero"`
}

func newMarkView(m queue.PendingMark) MarkView {
	return MarkView{
		Object: m.Key.String(), MarkedAt: m.MarkedAt, DueAt: m.DueAt, Leased: m.Leased, Tries: m.Tries, LastError: m.LastError,
		Rule: m.Rule, Outcome: m.Outcome, SettleAt: m.SettleAt,
	}
}
