// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"cmp"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

type modelEvent struct {
	event.Event
	createdAt  time.Time
	deliveries []*modelDelivery
}

func (e *modelEvent) byName() []*modelDelivery {
	return slices.SortedFunc(slices.Values(e.deliveries), func(a, b *modelDelivery) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
}

type modelDelivery struct {
	queue.Delivery
	attempts []queue.Attempt
	fence    uint64
	passes   time.Time
}

func (d *modelDelivery) leased(now time.Time) bool {
	return d.passes.After(now)
}

func (m *model) log(routed queue.Routed, now time.Time) {
	e := modelEvent{Event: routed.Event, createdAt: now}
	for _, endpoint := range routed.Endpoints {
		e.route(endpoint, now)
	}
	m.events = append(m.events, e)
}

func (e *modelEvent) route(endpoint string, now time.Time) {
	e.deliveries = append(e.deliveries, &modelDelivery{Delivery: queue.Delivery{
		EventID: e.ID, EventType: e.Type, Key: e.Key, Sequence: e.Sequence,
		Endpoint: endpoint, Status: queue.StatusPending, CreatedAt: e.createdAt, DueAt: now,
	}})
}

// pending returns the pending deliveries of an endpoint, oldest first.
func (m *model) pending(endpoint string) []*modelDelivery {
	var pending []*modelDelivery
	for _, e := range m.events {
		for _, d := range e.deliveries {
			if d.Endpoint == endpoint && d.Status == queue.StatusPending {
				pending = append(pending, d)
			}
		}
	}
	return pending
}

// lane returns the lane of a delivery.
func (d *modelDelivery) lane(order queue.Order) any {
	switch order {
	case queue.OrderEndpoint:
		return nil
	case queue.OrderNone:
		return d.EventID
	default:
		return d.Key
	}
}

// dueDeliveries returns the deliveries that may be leased.
func (m *model) dueDeliveries(endpoint string, now time.Time) []*modelDelivery {
	pending, order := m.pending(endpoint), m.nextOrders[endpoint]
	if m.orders[endpoint] != order {
		if slices.ContainsFunc(pending, func(d *modelDelivery) bool { return d.leased(now) }) {
			return nil
		}
		m.orders[endpoint] = order
	}
	var due []*modelDelivery
	for i, d := range pending {
		same := func(other *modelDelivery) bool { return other.lane(order) == d.lane(order) }
		if slices.ContainsFunc(pending, func(other *modelDelivery) bool { return same(other) && other.leased(now) }) {
			continue
		}
		if !slices.ContainsFunc(pending[:i], same) && !d.DueAt.After(now) {
			due = append(due, d)
		}
	}
	return due
}

// waiting returns the heads of lanes that wait for a retry. With one lane for the
// endpoint there is none while one of it is leased.
func (m *model) waiting(endpoint string, key event.Key, now time.Time) []*modelDelivery {
	var waiting []*modelDelivery
	pending, order := m.pending(endpoint), m.orders[endpoint]
	for i, d := range pending {
		same := func(other *modelDelivery) bool { return other.lane(order) == d.lane(order) }
		leased := slices.ContainsFunc(pending, func(other *modelDelivery) bool { return same(other) && other.leased(now) })
		if !leased && !slices.ContainsFunc(pending[:i], same) && d.DueAt.After(now) && (key.IsZero() || key == d.Key) {
			waiting = append(waiting, d)
		}
	}
	return waiting
}

func (d *modelDelivery) hasten(now time.Time) {
	if d.HastenedFrom.IsZero() {
		d.HastenedFrom = d.DueAt
	}
	d.DueAt = now
}

// newest reports whether no younger delivery of the object is pending.
func (m *model) newest(d *modelDelivery) bool {
	pending := m.pending(d.Endpoint)
	behind := pending[slices.Index(pending, d)+1:]
	return !slices.ContainsFunc(behind, func(other *modelDelivery) bool { return other.Key == d.Key })
}

// delivery returns the delivery of a lease that is held.
func (m *model) delivery(lease queue.DeliveryLease, now time.Time) *modelDelivery {
	for _, d := range m.pending(lease.Endpoint) {
		if d.EventID == lease.EventID && d.fence == lease.Fence && d.leased(now) {
			return d
		}
	}
	return nil
}

func (m *model) finish(lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict, now time.Time) bool {
	d := m.delivery(lease, now)
	if d == nil {
		return false
	}
	d.passes = time.Time{}
	d.Attempts++
	attempt.EventID, attempt.Endpoint, attempt.Number = d.EventID, d.Endpoint, d.Attempts
	d.attempts = append(d.attempts, attempt)
	d.Status, d.DueAt = verdict.Status, verdict.RetryAt
	if !d.HastenedFrom.IsZero() {
		d.ExtraAttempts, d.HastenedFrom = d.ExtraAttempts+1, time.Time{}
	}
	if verdict.Status != queue.StatusPending {
		d.DueAt, d.FinishedAt, d.ExtraAttempts = time.Time{}, now, 0
	}
	return true
}

func (m *model) release(lease queue.DeliveryLease, now time.Time) bool {
	d := m.delivery(lease, now)
	if d == nil {
		return false
	}
	d.passes = time.Time{}
	return true
}

func (m *model) selects(selection queue.Selection, e *modelEvent) bool {
	return (selection.EventID == "" || selection.EventID == e.ID) &&
		(selection.Key.IsZero() || selection.Key == e.Key) &&
		(len(selection.Types) == 0 || slices.Contains(selection.Types, e.Type)) &&
		!e.createdAt.Before(selection.From) && (selection.To.IsZero() || selection.To.After(e.createdAt))
}

func (m *model) selected(selection queue.Selection) []*modelDelivery {
	var selected []*modelDelivery
	for i := range m.events {
		for _, d := range m.events[i].deliveries {
			if m.selects(selection, &m.events[i]) &&
				(selection.Endpoint == "" || selection.Endpoint == d.Endpoint) &&
				(len(selection.Statuses) == 0 || slices.Contains(selection.Statuses, d.Status)) {
				selected = append(selected, d)
			}
		}
	}
	return selected
}

func (d *modelDelivery) reopen(now time.Time) {
	d.Status, d.PriorAttempts, d.DueAt, d.FinishedAt = queue.StatusPending, d.Attempts, now, time.Time{}
}

func (m *model) redeliver(selection queue.Selection, now time.Time) (changed int) {
	for _, d := range m.selected(selection) {
		switch {
		case d.Status != queue.StatusPending:
			d.reopen(now)
			changed++
		case !d.leased(now) && d.DueAt.After(now):
			d.hasten(now)
			changed++
		}
	}
	return changed
}

func (m *model) end(selection queue.Selection, as queue.Status, now time.Time) (changed int) {
	for _, d := range m.selected(selection) {
		if d.Status == queue.StatusPending && !d.leased(now) {
			d.Status, d.DueAt, d.FinishedAt = as, time.Time{}, now
			d.ExtraAttempts, d.HastenedFrom = 0, time.Time{}
			changed++
		}
	}
	return changed
}

func (m *model) replay(endpoint string, selection queue.Selection, now time.Time) (changed int) {
	for i := range m.events {
		e := &m.events[i]
		if e.Op == event.OpSnapshot || !m.selects(selection, e) {
			continue
		}
		at := slices.IndexFunc(e.deliveries, func(d *modelDelivery) bool { return d.Endpoint == endpoint })
		switch {
		case at < 0:
			e.route(endpoint, now)
			changed++
		case e.deliveries[at].Status != queue.StatusPending:
			e.deliveries[at].reopen(now)
			changed++
		}
	}
	return changed
}
