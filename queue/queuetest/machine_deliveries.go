// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

var someOrders = rapid.SampledFrom([]queue.Order{queue.OrderObject, queue.OrderObject, queue.OrderEndpoint, queue.OrderNone})

func (m *machine) setOrder(t *rapid.T) {
	endpoint := someEndpoints.Draw(t, "endpoint")
	order := someOrders.Draw(t, "order")
	if err := m.store.SetOrder(m.ctx, endpoint, order); err != nil {
		t.Fatalf("SetOrder: %v", err)
	}
	m.model.nextOrders[endpoint] = order
}

func (m *machine) leaseDelivery(t *rapid.T) {
	endpoint := someEndpoints.Draw(t, "endpoint")
	options := queue.LeaseOptions{
		For: lease,
		// Rarely, so that lanes grow.
		Coalesce: rapid.IntRange(0, 4).Draw(t, "coalesce") == 0,
	}
	ctx, cancel := context.WithTimeout(m.ctx, idle)
	defer cancel()
	now := time.Now()
	due := m.model.dueDeliveries(endpoint, now)
	got, err := m.store.LeaseDelivery(ctx, endpoint, options)
	coalesces := options.Coalesce && m.model.orders[endpoint] != queue.OrderNone
	if coalesces {
		m.adoptSuperseded(t, endpoint, now)
		due = m.model.dueDeliveries(endpoint, now)
	}
	if len(due) == 0 {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("LeaseDelivery: got %s and %v, and none is due", got.EventID, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("LeaseDelivery: %v, and %d are due", err, len(due))
	}
	i := slices.IndexFunc(due, func(d *modelDelivery) bool { return d.EventID == got.EventID })
	if i < 0 {
		t.Fatalf("LeaseDelivery: got %s at %s, which is not the due head of a lane; pending are\n%q", got.EventID, moment(now),
			names(m.model.pending(endpoint), func(d *modelDelivery) string { return deliveryLine(d.Delivery) + " leased until " + moment(d.passes) }))
	}
	want := due[i]
	if got.Attempts != want.Attempts || got.PriorAttempts != want.PriorAttempts || got.ExtraAttempts != want.ExtraAttempts ||
		!got.HastenedFrom.Equal(want.HastenedFrom) || got.Endpoint != endpoint ||
		got.Event.ID != want.EventID || got.Event.Sequence != want.Sequence {
		t.Fatalf("LeaseDelivery: got %+v, want %+v", got.Delivery, want.Delivery)
	}
	if coalesces && !m.model.newest(want) {
		t.Fatalf("LeaseDelivery: got %s, which is not the newest", got.EventID)
	}
	want.fence, want.passes = got.Fence, time.Now().Add(lease)
	m.deliveries = append(m.deliveries, got)
}

// adoptSuperseded takes over which lanes the store has coalesced, and checks
// that it was allowed to.
func (m *machine) adoptSuperseded(t *rapid.T, endpoint string, now time.Time) {
	listed, _, err := m.store.Deliveries(m.ctx, queue.Filter{Endpoint: endpoint, Status: queue.StatusSuperseded}, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		t.Fatalf("Deliveries: %v", err)
	}
	var superseded []*modelDelivery
	for _, d := range m.model.pending(endpoint) {
		if !slices.ContainsFunc(listed, func(l queue.Delivery) bool { return l.EventID == d.EventID }) {
			continue
		}
		if d.leased(now) || m.model.newest(d) {
			t.Fatalf("%s is superseded, which is leased or the newest", d.EventID)
		}
		superseded = append(superseded, d)
	}
	for _, d := range superseded {
		d.Status, d.DueAt, d.FinishedAt = queue.StatusSuperseded, time.Time{}, now
		d.ExtraAttempts, d.HastenedFrom = 0, time.Time{}
	}
}

func (m *machine) someSelection(t *rapid.T) queue.Selection {
	var selection queue.Selection
	if rapid.Bool().Draw(t, "one endpoint") {
		selection.Endpoint = someEndpoints.Draw(t, "endpoint")
	}
	if rapid.IntRange(0, 3).Draw(t, "one event") == 0 && len(m.model.events) > 0 {
		selection.EventID = one(t, m.model.events, "event").ID
	}
	if rapid.IntRange(0, 3).Draw(t, "one key") == 0 {
		selection.Key = someKeys.Draw(t, "key")
	}
	if rapid.IntRange(0, 3).Draw(t, "one type") == 0 {
		selection.Types = []string{"items.updated"}
	}
	if rapid.IntRange(0, 3).Draw(t, "since") == 0 {
		selection.From = time.Now().Add(-someWaits.Draw(t, "age"))
	}
	if rapid.IntRange(0, 3).Draw(t, "until") == 0 {
		selection.To = time.Now().Add(-someWaits.Draw(t, "age"))
	}
	selection.Statuses = rapid.SliceOfNDistinct(rapid.SampledFrom([]queue.Status{
		queue.StatusPending, queue.StatusDelivered, queue.StatusDead, queue.StatusCancelled, queue.StatusSuperseded,
	}), 0, 2, rapid.ID).Draw(t, "statuses")
	return selection
}

func (m *machine) operate(t *rapid.T) {
	selection := m.someSelection(t)
	verb := rapid.SampledFrom([]string{"redeliver", "cancel", "expire", "replay"}).Draw(t, "verb")
	endpoint := someEndpoints.Draw(t, "to")
	now := time.Now()
	got, want := 0, 0
	page := queue.Page{Limit: rapid.IntRange(1, 3).Draw(t, "limit")}
	for {
		var n int
		var next queue.Cursor
		var err error
		switch verb {
		case "redeliver":
			n, next, err = m.store.Redeliver(m.ctx, selection, page)
		case "cancel":
			n, next, err = m.store.Cancel(m.ctx, selection, page)
		case "expire":
			n, next, err = m.store.Expire(m.ctx, selection, page)
		case "replay":
			n, next, err = m.store.Replay(m.ctx, endpoint, selection, page)
		}
		if err != nil || n > page.Limit && selection.EventID == "" {
			t.Fatalf("%s: %d of %d, and %v", verb, n, page.Limit, err)
		}
		got += n
		if next == "" {
			break
		}
		page.Cursor = next
	}
	switch verb {
	case "redeliver":
		want = m.model.redeliver(selection, now)
	case "cancel":
		want = m.model.end(selection, queue.StatusCancelled, now)
	case "expire":
		want = m.model.end(selection, queue.StatusDead, now)
	case "replay":
		want = m.model.replay(endpoint, selection, now)
	}
	if got != want {
		t.Fatalf("%s: changed %d, want %d", verb, got, want)
	}
}

// hasten takes over which deliveries the store has hastened, and checks that it
// was allowed to, and that it left none that it had to.
func (m *machine) hasten(t *rapid.T) {
	endpoint := someEndpoints.Draw(t, "endpoint")
	which := queue.Hasten{Next: rapid.Bool().Draw(t, "next")}
	if rapid.IntRange(0, 3).Draw(t, "one key") == 0 {
		which.Key = someKeys.Draw(t, "key")
	}
	now := time.Now()
	must := m.model.waiting(endpoint, which.Key, now)
	got, err := m.store.HastenDeliveries(m.ctx, endpoint, which)
	if err != nil {
		t.Fatalf("HastenDeliveries: %v", err)
	}
	listed, _, err := m.store.Deliveries(m.ctx, queue.Filter{Endpoint: endpoint, Status: queue.StatusPending}, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		t.Fatalf("Deliveries: %v", err)
	}
	hastened := 0
	for _, d := range m.model.pending(endpoint) {
		i := slices.IndexFunc(listed, func(l queue.Delivery) bool { return l.EventID == d.EventID })
		if i < 0 || listed[i].DueAt.Equal(d.DueAt) {
			continue
		}
		if d.leased(now) || !d.DueAt.After(now) || !which.Key.IsZero() && which.Key != d.Key {
			t.Fatalf("HastenDeliveries: %s is hastened, which is not meant", d.EventID)
		}
		d.hasten(now)
		hastened++
	}
	if got != hastened || which.Next && got > 1 {
		t.Fatalf("HastenDeliveries: got %d, and %d are due now", got, hastened)
	}
	if which.Next || m.model.orders[endpoint] != m.model.nextOrders[endpoint] {
		return
	}
	for _, d := range must {
		if d.DueAt.After(now) {
			t.Fatalf("HastenDeliveries: %s is left", d.EventID)
		}
	}
}

func (m *machine) count(t *rapid.T) {
	selection := m.someSelection(t)
	got, err := m.store.Count(m.ctx, selection)
	if want := len(m.model.selected(selection)); err != nil || got != want {
		t.Fatalf("Count: got %d and %v, want %d", got, err, want)
	}
}

// checkMerged compares the list of deliveries to some endpoints.
func (m *machine) checkMerged(t *rapid.T, size int) {
	some := rapid.SliceOfN(rapid.SampledFrom([]string{"erp", "crm", "nobody"}), 0, 3).Draw(t, "endpoints")
	got := pages(t, size, func(page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
		return m.store.DeliveriesTo(m.ctx, some, queue.Filter{}, page)
	})
	var want []string
	for _, d := range m.model.listed(queue.Filter{}) {
		if slices.Contains(some, d.Endpoint) {
			want = append(want, deliveryLine(d.Delivery))
		}
	}
	wantLines(t, fmt.Sprintf("DeliveriesTo %q", some), names(got, deliveryLine), want)
}
