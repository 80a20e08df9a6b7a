// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func redelivering(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp", "crm")
	deliver(t, s, leaseDelivery(t, s, "erp"))
	publish(t, s, item("1"), "erp")
	publish(t, s, item("2"), "erp")
	held := leaseDelivery(t, s, "erp")
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{Code: 500}, queue.Verdict{Status: queue.StatusDead}))
	selection := queue.Selection{Endpoint: "erp", Statuses: []queue.Status{queue.StatusDelivered, queue.StatusDead}}
	redeliver(t, s, selection, 2)
	redeliver(t, s, selection, 0)
	redeliver(t, s, queue.Selection{}, 0)

	// They are in their lanes again, before younger ones.
	got := make(map[string][]string)
	for range 3 {
		held := leaseDelivery(t, s, "erp")
		got[held.Key.ID] = append(got[held.Key.ID], held.EventID)
		if held.Attempts != held.PriorAttempts {
			t.Errorf("got %+v", held.Delivery)
		}
		if held.EventID == "items/1-1" && (held.Attempts != 1 || held.Event.Sequence != 1) {
			t.Errorf("got %+v", held.Delivery)
		}
		deliver(t, s, held)
	}
	noDelivery(t, s, "erp")
	if !reflect.DeepEqual(got, map[string][]string{"1": {"items/1-1", "items/1-2"}, "2": {"items/2-1"}}) {
		t.Errorf("got %v", got)
	}
	attempts, _, err := s.Attempts(t.Context(), queue.Filter{EventID: "items/1-1"}, queue.Page{})
	must(t, err)
	wantNames(t, attempts, attemptName, "items/1-1>erp#2", "items/1-1>erp#1")
	listed, _, err := s.Deliveries(t.Context(), queue.Filter{EventID: "items/1-1", Endpoint: "erp"}, queue.Page{})
	must(t, err)
	if len(listed) != 1 || listed[0].Status != queue.StatusDelivered || listed[0].Attempts != 2 || listed[0].PriorAttempts != 1 {
		t.Errorf("got %+v", listed)
	}
}

func redeliver(t *testing.T, s queue.Store, selection queue.Selection, want int) {
	t.Helper()
	n, next, err := s.Redeliver(t.Context(), selection, queue.Page{})
	if err != nil || n != want || next != "" {
		t.Errorf("redelivered %d, want %d, and then %q: %v", n, want, next, err)
	}
}

// redeliveringWaiting redelivers a delivery that waits for a retry, a leased
// one, and one before a leased one.
func redeliveringWaiting(t *testing.T, s queue.Store) {
	for range 3 {
		publish(t, s, item("1"), "erp")
	}
	deliver(t, s, leaseDelivery(t, s, "erp"))
	retryAt(t, s, leaseDelivery(t, s, "erp"), time.Now().Add(time.Hour))
	noDelivery(t, s, "erp")
	redeliver(t, s, queue.Selection{Key: item("1"), Statuses: []queue.Status{queue.StatusPending}}, 1)
	second := leaseDelivery(t, s, "erp")
	if second.EventID != "items/1-2" || second.Attempts != 1 || second.PriorAttempts != 0 {
		t.Errorf("got %+v", second.Delivery)
	}
	redeliver(t, s, queue.Selection{EventID: "items/1-2"}, 0)
	redeliver(t, s, queue.Selection{EventID: "items/1-1"}, 1)
	noDelivery(t, s, "erp")
	retryAt(t, s, second, time.Now().Add(time.Minute))
	first := leaseDelivery(t, s, "erp")
	if first.EventID != "items/1-1" {
		t.Errorf("got %+v", first.Delivery)
	}
	deliver(t, s, first)
	noDelivery(t, s, "erp")
	time.Sleep(time.Minute)
	for _, id := range []string{"items/1-2", "items/1-3"} {
		held := leaseDelivery(t, s, "erp")
		if held.EventID != id {
			t.Errorf("got %+v, want %s", held.Delivery, id)
		}
		deliver(t, s, held)
	}
}

func replaying(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp")
	publish(t, s, item("1"), "erp", "crm")
	publish(t, s, item("2"))
	publish(t, s, item("1"))
	deliver(t, s, leaseDelivery(t, s, "crm"))
	total := 0
	page := queue.Page{Limit: 2}
	for calls := 0; ; calls++ {
		n, next, err := s.Replay(t.Context(), "crm", queue.Selection{Key: item("1"), Endpoint: "other"}, page)
		must(t, err)
		if total += n; next == "" {
			break
		}
		if page.Cursor = next; calls > 3 {
			t.Fatal("there is no end")
		}
	}
	if total != 3 {
		t.Errorf("replayed %d, want 3", total)
	}
	if n, _, err := s.Replay(t.Context(), "crm", queue.Selection{Key: item("1")}, queue.Page{}); err != nil || n != 0 {
		t.Errorf("replayed %d the second time: %v", n, err)
	}
	listed, _, err := s.Deliveries(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	wantNames(t, listed, deliveryName, "items/1-3>crm", "items/1-2>crm", "items/1-2>erp", "items/1-1>crm", "items/1-1>erp")
	for _, want := range []struct {
		id       string
		attempts int
	}{{"items/1-1", 0}, {"items/1-2", 1}, {"items/1-3", 0}} {
		held := leaseDelivery(t, s, "crm")
		if held.EventID != want.id || held.Attempts != want.attempts || held.PriorAttempts != want.attempts || held.Event.ID != want.id {
			t.Errorf("got %+v, want %v", held.Delivery, want)
		}
		deliver(t, s, held)
	}
	noDelivery(t, s, "crm")
}

// replayingOfTenant looks at the events of one tenant, of a time, page by page.
func replayingOfTenant(t *testing.T, s queue.Store) {
	began := time.Now()
	var asked []string
	selection := queue.Selection{Tenant: "acme", Permit: func(_ string, e *event.Event, _ bool) bool {
		asked = append(asked, e.ID)
		return e.ID != "e3"
	}}
	for i := range 10 {
		e := owned(fmt.Sprint("e", i), []string{"acme", "umbrella", ""}[i%3])
		if i == 6 {
			e.Audience = event.AudienceOperators
		}
		commitEvents(t, s, queue.Routed{Event: e})
		time.Sleep(time.Hour)
	}
	for _, test := range []struct {
		from, to time.Duration
		want     string
		replayed int
	}{{want: "e0 e3 e9", replayed: 2}, {from: 2 * time.Hour, to: 9 * time.Hour, want: "e3"}, {from: 9 * time.Hour, want: "e9"}} {
		asked = nil
		selection.From = began.Add(test.from)
		if test.to > 0 {
			selection.To = began.Add(test.to)
		} else {
			selection.To = time.Time{}
		}
		replayed := every(t, func(page queue.Page) (int, queue.Cursor, error) {
			page.Limit = 1
			return s.Replay(t.Context(), "erp", selection, page)
		})
		if strings.Join(asked, " ") != test.want || replayed != test.replayed {
			t.Errorf("from %v: asked about %v, and replayed %d", test.from, asked, replayed)
		}
	}
}

func cancelling(t *testing.T, s queue.Store) {
	for range 3 {
		publish(t, s, item("1"), "erp")
		publish(t, s, item("2"), "erp", "crm")
	}
	held := leaseDelivery(t, s, "erp")
	began := time.Now()
	if n, _, err := s.Cancel(t.Context(), queue.Selection{Endpoint: "erp", Key: held.Key}, queue.Page{}); err != nil || n != 2 {
		t.Errorf("cancelled %d, want 2: %v", n, err)
	}
	deliver(t, s, held)
	other := leaseDelivery(t, s, "erp")
	if other.Key == held.Key {
		t.Errorf("got %+v, which is cancelled", other.Delivery)
	}
	must(t, s.ReleaseDelivery(t.Context(), other))
	if n, _, err := s.Cancel(t.Context(), queue.Selection{EventID: other.EventID, Endpoint: "erp"}, queue.Page{}); err != nil || n != 1 {
		t.Errorf("cancelled %d, want 1: %v", n, err)
	}
	if next := leaseDelivery(t, s, "erp"); next.Sequence != 2 {
		t.Errorf("got %+v", next.Delivery)
	}
	wantPending(t, s, map[string]int{"erp": 2, "crm": 3}, nil)
	listed, _, err := s.Deliveries(t.Context(), queue.Filter{Status: queue.StatusCancelled}, queue.Page{})
	must(t, err)
	if len(listed) != 3 || !listed[0].FinishedAt.Equal(began) || !listed[0].DueAt.IsZero() {
		t.Errorf("got %+v", listed)
	}
	for selection, want := range map[*queue.Selection]int{
		{}: 9, {Endpoint: "crm"}: 3, {Statuses: []queue.Status{queue.StatusCancelled, queue.StatusDelivered}}: 4,
		{Types: []string{"items.updated", "x"}}: 9, {Types: []string{"x"}}: 0, {To: began}: 0,
	} {
		if n, err := s.Count(t.Context(), *selection); err != nil || n != want {
			t.Errorf("counted %d of %+v, want %d: %v", n, selection, want, err)
		}
	}
}

// expiring ends pending deliveries that have waited for too long. Younger ones,
// and those of other endpoints, wait on.
func expiring(t *testing.T, s queue.Store) {
	for range 3 {
		publish(t, s, item("1"), "erp", "crm")
	}
	publish(t, s, item("2"), "erp")
	deliver(t, s, leaseDelivery(t, s, "crm"))
	retryAt(t, s, leaseDelivery(t, s, "erp"), time.Now().Add(time.Hour))
	time.Sleep(time.Minute)
	began := time.Now()
	publish(t, s, item("1"), "erp")
	held := leaseDelivery(t, s, "erp")
	if held.Key != item("2") {
		t.Fatalf("got %+v", held.Delivery)
	}
	selection := queue.Selection{Endpoint: "erp", Statuses: []queue.Status{queue.StatusPending}, To: began}
	total, page := 0, queue.Page{Limit: 2}
	for calls := 0; ; calls++ {
		n, next, err := s.Expire(t.Context(), selection, page)
		must(t, err)
		if n > page.Limit || calls > 4 {
			t.Fatalf("call %d has changed %d", calls, n)
		}
		if total += n; next == "" {
			break
		}
		page.Cursor = next
	}
	if total != 3 {
		t.Errorf("expired are %d, want 3", total)
	}
	if n, next, err := s.Expire(t.Context(), selection, queue.Page{}); err != nil || n != 0 || next != "" {
		t.Errorf("expired are %d more, and then %q: %v", n, next, err)
	}
	deliver(t, s, held)
	listed, _, err := s.Deliveries(t.Context(), queue.Filter{Endpoint: "erp", Status: queue.StatusDead}, queue.Page{})
	must(t, err)
	wantNames(t, listed, deliveryName, "items/1-3>erp", "items/1-2>erp", "items/1-1>erp")
	if !listed[0].FinishedAt.Equal(began) || !listed[0].DueAt.IsZero() || listed[2].Attempts != 1 {
		t.Errorf("got %+v", listed)
	}
	// The rest of the lane goes on at once.
	if next := leaseDelivery(t, s, "erp"); next.EventID != "items/1-4" {
		t.Errorf("got %+v", next.Delivery)
	}
	wantPending(t, s, map[string]int{"erp": 1, "crm": 2}, nil)
}

func announcing(t *testing.T, s queue.Store) {
	key := event.Key{Resource: "webhooks", ID: "erp"}
	for range 2 {
		e := event.Event{Type: "endpoint.disabled", Key: key, Op: event.OpChange, Time: time.Now(), Payload: []byte("{}")}
		must(t, s.Announce(t.Context(), e, []string{"crm"}))
	}
	first := leaseDelivery(t, s, "crm")
	deliver(t, s, first)
	second := leaseDelivery(t, s, "crm")
	if first.Sequence != 1 || second.Sequence != 2 || first.EventID == second.EventID || first.EventType != "endpoint.disabled" {
		t.Errorf("got %+v and %+v", first.Delivery, second.Delivery)
	}
	if want := event.ID(s.Instance().ID, key, 1, "endpoint.disabled", nil); first.EventID != want || first.Event.ID != want {
		t.Errorf("got id %q, want %q", first.EventID, want)
	}
	if object, err := s.Object(t.Context(), key); err != nil || object.Sequence != 2 {
		t.Errorf("got %+v and %v", object, err)
	}
}

// announcingTests: events that somebody made up are delivered and listed as all others, and
// no object has them.
func announcingTests(t *testing.T, s queue.Store) {
	key := event.Key{Resource: "endpoint", ID: "test_1"}
	made := event.Event{
		ID: event.ID(s.Instance().ID, key, 1, "items.updated", nil), Type: "items.updated", Key: key, Sequence: 1, Op: event.OpTest, Tenant: "acme",
		Time: time.Now(), Payload: []byte(`{"id":1}`), ContentType: "application/json",
	}
	must(t, s.Announce(t.Context(), made, []string{"crm", "erp"}))
	lease := leaseDelivery(t, s, "crm")
	if got := lease.Event; got.ID != made.ID || got.Op != event.OpTest || got.Sequence != 1 || got.Tenant != "acme" || string(got.Payload) != `{"id":1}` {
		t.Errorf("got %+v", got)
	}
	deliver(t, s, lease)
	if kept, err := s.Event(t.Context(), made.ID); err != nil || kept.DeliveryID() != made.DeliveryID() {
		t.Errorf("got %+v and %v", kept, err)
	}
	if object, err := s.Object(t.Context(), key); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("there is an object %+v: %v", object, err)
	}
	wantPending(t, s, map[string]int{"erp": 1}, nil)
}

func operationsEnd(t *testing.T, s queue.Store) map[string]func() error {
	ctx := t.Context()
	return map[string]func() error{
		"Redeliver": func() error { _, _, err := s.Redeliver(ctx, queue.Selection{}, queue.Page{}); return err },
		"Replay":    func() error { _, _, err := s.Replay(ctx, "erp", queue.Selection{}, queue.Page{}); return err },
		"Cancel":    func() error { _, _, err := s.Cancel(ctx, queue.Selection{}, queue.Page{}); return err },
		"Expire":    func() error { _, _, err := s.Expire(ctx, queue.Selection{}, queue.Page{}); return err },
		"Count":     func() error { _, err := s.Count(ctx, queue.Selection{}); return err },
		"Announce":  func() error { return s.Announce(ctx, event.Event{Key: item("1")}, nil) },
	}
}

func badOperationCursor(t *testing.T, s queue.Store) {
	fill(t, s)
	_, cursor, err := s.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(t, err)
	page := queue.Page{Cursor: cursor}
	for name, verb := range map[string]func() error{
		"Redeliver": func() error { _, _, err := s.Redeliver(t.Context(), queue.Selection{}, page); return err },
		"Replay":    func() error { _, _, err := s.Replay(t.Context(), "erp", queue.Selection{}, page); return err },
		"Cancel":    func() error { _, _, err := s.Cancel(t.Context(), queue.Selection{}, page); return err },
		"Expire":    func() error { _, _, err := s.Expire(t.Context(), queue.Selection{}, page); return err },
	} {
		if err := verb(); !errors.Is(err, queue.ErrBadCursor) {
			t.Errorf("%s: %v, want ErrBadCursor", name, err)
		}
	}
}
