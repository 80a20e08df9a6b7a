// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func eventComesBack(t *testing.T, s queue.Store) {
	now := time.Now()
	want := event.Event{
		ID:        "e1",
		Type:      "items.updated",
		Key:       item("1"),
		Sequence:  3,
		Op:        event.OpChange,
		Time:      now,
		Version:   "v",
		Freshness: event.FreshnessVersion,
		Cause: event.Cause{
			Rule: "PATCH /items/:id", Outcome: event.OutcomeChanged, At: now,
			Method: "PATCH", Path: "/items/1", Resource: "carts", TraceParent: "00-a-b-01", Hops: "c:1",
		},
		Tenant:       "acme",
		PreviousShow: []byte(`{"id":0}`),
		Previous:     map[string]json.RawMessage{"state": json.RawMessage(`"new"`)},
		Changed:      event.Pointers{"/id", ""},
		Base:         2,
		State:        4,
		ContentType:  "application/json",
		Payload:      []byte(`{"id":1}`),
	}
	commitEvents(t, s, queue.Routed{Event: want, Endpoints: []string{"erp", "crm", "erp"}})

	got, err := s.Event(t.Context(), "e1")
	must(t, err)
	wantEvent(t, got, want)
	listed, _, err := s.Events(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	if len(listed) != 1 {
		t.Fatalf("got %d events", len(listed))
	}
	wantEvent(t, listed[0], want)

	for _, endpoint := range []string{"erp", "crm"} {
		leased := leaseDelivery(t, s, endpoint)
		wantEvent(t, leased.Event, want)
		if leased.Expired || leased.Fence == 0 {
			t.Errorf("got %+v", leased)
		}
		d := leased.Delivery
		if d.EventID != "e1" || d.EventType != want.Type || d.Key != want.Key || d.Sequence != 3 ||
			d.Endpoint != endpoint || d.Status != queue.StatusPending || d.Attempts != 0 || !d.CreatedAt.Equal(now) {
			t.Errorf("got %+v", d)
		}
		noDelivery(t, s, endpoint)
	}
}

// changedComesBack keeps apart what nobody knows to have changed from what has not.
func changedComesBack(t *testing.T, s queue.Store) {
	for _, changed := range []event.Pointers{nil, {}, {""}, {"/a", "/b~1c"}} {
		id := "e" + changed.Header()
		want := event.Event{ID: id, Type: "items.updated", Key: item("1"), Sequence: 1, Changed: changed, Payload: []byte("{}")}
		commitEvents(t, s, queue.Routed{Event: want})
		got, err := s.Event(t.Context(), id)
		must(t, err)
		if (got.Changed == nil) != (changed == nil) || !slices.Equal(got.Changed, changed) {
			t.Errorf("got %#v, want %#v", got.Changed, changed)
		}
	}
}

// formatStays keeps an endpoint's format with an event, through retries and
// redelivery.
func formatStays(t *testing.T, s queue.Store) {
	commitEvents(t, s,
		queue.Routed{
			Event:     event.Event{ID: "e1", Type: "items.updated", Key: item("1"), Sequence: 1},
			Endpoints: []string{"erp", "crm", "erp"}, Formats: map[string]string{"erp": "thin", "nobody": "show"},
		},
		queue.Routed{
			Event:     event.Event{ID: "e2", Type: "items.updated", Key: item("1"), Sequence: 2},
			Endpoints: []string{"crm"}, Formats: map[string]string{"crm": "show"},
		})
	want := func(endpoint, id, format string, status queue.Status) {
		t.Helper()
		held := leaseDelivery(t, s, endpoint)
		if held.EventID != id || held.Format != format {
			t.Errorf("%s: got %s as %q, want %s as %q", endpoint, held.EventID, held.Format, id, format)
		}
		must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, queue.Verdict{Status: status}))
	}
	want("erp", "e1", "thin", queue.StatusPending)
	want("erp", "e1", "thin", queue.StatusDelivered)
	want("crm", "e1", "", queue.StatusDelivered)
	want("crm", "e2", "show", queue.StatusDead)
	redeliver(t, s, queue.Selection{}, 3)
	want("erp", "e1", "thin", queue.StatusDelivered)
	want("crm", "e1", "", queue.StatusDelivered)
	want("crm", "e2", "show", queue.StatusDelivered)

	// An endpoint that an event was not meant for has none.
	_, _, err := s.Replay(t.Context(), "new", queue.Selection{}, queue.Page{})
	must(t, err)
	want("new", "e1", "", queue.StatusDelivered)
	want("new", "e2", "", queue.StatusDelivered)
}

func wantEvent(t *testing.T, got, want event.Event) {
	t.Helper()
	if !got.Time.Equal(want.Time) || !got.Cause.At.Equal(want.Cause.At) {
		t.Errorf("got times %v and %v", got.Time, got.Cause.At)
	}
	got.Time, got.Cause.At = want.Time, want.Cause.At
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// commitEvents commits events by way of a mark of the first one's object.
func commitEvents(t *testing.T, s queue.Store, events ...queue.Routed) {
	t.Helper()
	markKey(t, s, events[0].Key)
	held := leaseMark(t, s, events[0].Key.Resource)
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), Events: events}))
}

func largePayloads(t *testing.T, s queue.Store) {
	payload := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	other := bytes.Repeat([]byte("x"), 100<<10)
	commitEvents(t, s,
		queue.Routed{Event: event.Event{ID: "a", Key: item("1"), Sequence: 1, Payload: payload}, Endpoints: []string{"erp"}},
		queue.Routed{Event: event.Event{ID: "b", Key: item("1"), Sequence: 2, Payload: payload}},
		queue.Routed{Event: event.Event{ID: "c", Key: item("1"), Sequence: 3, Payload: other}},
	)
	for id, want := range map[string][]byte{"a": payload, "b": payload, "c": other} {
		got, err := s.Event(t.Context(), id)
		must(t, err)
		if !bytes.Equal(got.Payload, want) {
			t.Errorf("the payload of %s differs", id)
		}
	}
	if got := leaseDelivery(t, s, "erp"); !bytes.Equal(got.Event.Payload, payload) {
		t.Error("the payload of the delivery differs")
	}
}

func laneIsInOrder(t *testing.T, s queue.Store) {
	for range 3 {
		publish(t, s, item("1"), "erp")
		time.Sleep(time.Second)
	}
	for sequence := uint64(1); sequence <= 3; sequence++ {
		held := leaseDelivery(t, s, "erp")
		if held.Sequence != sequence {
			t.Fatalf("got sequence %d, want %d", held.Sequence, sequence)
		}
		noDelivery(t, s, "erp")
		must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, delivered()))
	}
	noDelivery(t, s, "erp")
}

func lanesAreApart(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp", "crm")
	publish(t, s, item("1"), "erp")
	publish(t, s, item("2"), "erp")
	first := leaseDelivery(t, s, "erp")
	second := leaseDelivery(t, s, "erp")
	if first.Key == second.Key {
		t.Errorf("two deliveries of %v are leased", first.Key)
	}
	noDelivery(t, s, "erp")
	leaseDelivery(t, s, "crm")
	wantPending(t, s, map[string]int{"erp": 3, "crm": 1}, map[string]int{"erp": 2, "crm": 1})
}

func deliveryLeasePasses(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp")
	first := leaseDelivery(t, s, "erp")
	time.Sleep(lease)
	if err := s.ReleaseDelivery(t.Context(), first); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("ReleaseDelivery: %v, want ErrLeaseLost", err)
	}
	second := leaseDelivery(t, s, "erp")
	err := s.FinishAttempt(t.Context(), first, queue.Attempt{Code: 200}, delivered())
	if !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("FinishAttempt: %v, want ErrLeaseLost", err)
	}
	attempts, _, err := s.Attempts(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	if len(attempts) != 0 {
		t.Errorf("got %+v", attempts)
	}
	must(t, s.FinishAttempt(t.Context(), second, queue.Attempt{Code: 200}, delivered()))
}

func retriedDeliveryWaits(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp")
	publish(t, s, item("1"), "erp")
	at := time.Now().Add(5 * time.Minute)
	held := leaseDelivery(t, s, "erp")
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{Code: 500}, queue.Verdict{Status: queue.StatusPending, RetryAt: at}))
	noDelivery(t, s, "erp")

	pending, _, err := s.Deliveries(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	if len(pending) != 2 || pending[1].Attempts != 1 || !pending[1].DueAt.Equal(at) || pending[0].Attempts != 0 {
		t.Errorf("got %+v", pending)
	}
	again, err := s.LeaseDelivery(t.Context(), "erp", queue.LeaseOptions{For: lease})
	must(t, err)
	if !time.Now().Equal(at) || again.EventID != held.EventID || again.Attempts != 1 {
		t.Errorf("got %+v at %v", again.Delivery, time.Now())
	}
	must(t, s.FinishAttempt(t.Context(), again, queue.Attempt{Code: 500}, queue.Verdict{Status: queue.StatusDead}))
	if next := leaseDelivery(t, s, "erp"); next.Sequence != 2 || next.Attempts != 0 {
		t.Errorf("got %+v", next.Delivery)
	}
}

func releasedDelivery(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp")
	held := leaseDelivery(t, s, "erp")
	must(t, s.ReleaseDelivery(t.Context(), held))
	again := leaseDelivery(t, s, "erp")
	if again.Attempts != 0 || again.EventID != held.EventID {
		t.Errorf("got %+v", again.Delivery)
	}
	if err := s.ReleaseDelivery(t.Context(), held); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("the second time: %v, want ErrLeaseLost", err)
	}
}

func decidedDelivery(t *testing.T, s queue.Store) {
	created := time.Now()
	id := publish(t, s, item("1"), "erp")
	time.Sleep(time.Second)
	held := leaseDelivery(t, s, "erp")
	began := time.Now()
	attempt := queue.Attempt{
		// The store sets these.
		EventID: "other", Endpoint: "other", Number: 9,
		At: began, Duration: time.Second, Code: 410, Error: "gone", Response: []byte("never again"),
		Sent: queue.Sent{Host: "erp.example", Settings: 1<<16 - 1, Keys: []string{"ab12", "00ff"}, Trace: "00-1-2-01"},
	}
	must(t, s.FinishAttempt(t.Context(), held, attempt, queue.Verdict{Status: queue.StatusDead}))
	if err := s.FinishAttempt(t.Context(), held, attempt, delivered()); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("the second time: %v, want ErrLeaseLost", err)
	}
	noDelivery(t, s, "erp")

	got, _, err := s.Deliveries(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	if len(got) != 1 {
		t.Fatalf("got %+v", got)
	}
	d := got[0]
	if d.EventID != id || d.EventType != "items.updated" || d.Key != item("1") || d.Sequence != 1 || d.Endpoint != "erp" ||
		d.Status != queue.StatusDead || d.Attempts != 1 || !d.DueAt.IsZero() ||
		!d.CreatedAt.Equal(created) || !d.FinishedAt.Equal(began) {
		t.Errorf("got %+v", d)
	}
	attempts, _, err := s.Attempts(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	attempt.EventID, attempt.Endpoint, attempt.Number = id, "erp", 1
	if len(attempts) != 1 || !attempts[0].At.Equal(began) {
		t.Fatalf("got %+v", attempts)
	}
	attempts[0].At = began
	if !reflect.DeepEqual(attempts[0], attempt) {
		t.Errorf("got %+v, want %+v", attempts[0], attempt)
	}
}

func laneGrows(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp")
	held := leaseDelivery(t, s, "erp")
	publish(t, s, item("1"), "erp")
	noDelivery(t, s, "erp")
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, delivered()))
	if got := leaseDelivery(t, s, "erp"); got.Sequence != 2 {
		t.Errorf("got sequence %d, want 2", got.Sequence)
	}
}

func badVerdict(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp")
	held := leaseDelivery(t, s, "erp")
	if err := s.FinishAttempt(t.Context(), held, queue.Attempt{}, queue.Verdict{Status: "perhaps"}); err == nil {
		t.Error("a verdict of perhaps is accepted")
	}
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, delivered()))
}
