// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// uncounted counts no operational event.
type uncounted struct{ NopMetrics }

func (uncounted) Notice(string) {}
func (uncounted) NoticeLost()   {}

// announced is a queue that remembers what it is to announce.
type announced struct {
	mu     sync.Mutex
	events []event.Event
	to     []string
	err    error
}

func (q *announced) Announce(_ context.Context, e event.Event, endpoints []string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	q.events = append(q.events, e)
	q.to = append(q.to, strings.Join(endpoints, " "))
	return nil
}

func operationalAudience(t *testing.T) Audience {
	t.Helper()
	secret, err := sign.ParseSecret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	var all []endpoint.Endpoint
	for name, patterns := range map[string]string{"erp": "*", "ops": "endpoint.* delivery.exhausted", "acme": "endpoint.*", "umbrella": "endpoint.*"} {
		filter, err := event.ParseFilter(strings.Fields(patterns)...)
		if err != nil {
			t.Fatal(err)
		}
		made := endpoint.Endpoint{Name: name, URL: "https://" + name + ".example/canary?canary", Secrets: []sign.Secret{secret}, Events: filter}
		if name == "acme" || name == "umbrella" {
			made.Tenant = name
		}
		all = append(all, made)
	}
	set, err := endpoint.NewSet(all...)
	if err != nil {
		t.Fatal(err)
	}
	return Audience{Endpoints: set}
}

// TestAnnouncer tells those who asked for it, and shows nobody a receiver's URL.
func TestAnnouncer(t *testing.T) {
	store := &announced{}
	a := NewAnnouncer(store, uncounted{}, zap.NewNop())
	a.Apply(operationalAudience(t))
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	a.Notify(Notice{
		Type: EndpointDisabled, At: at,
		State: queue.EndpointState{Name: "erp", Status: queue.EndpointDisabled, Reason: "gone", FailingSince: at, Failures: 7},
	})
	a.Notify(Notice{
		Type: DeliveryExhausted, At: at, State: queue.EndpointState{Name: "erp", Status: queue.EndpointActive},
		Delivery: &queue.Delivery{EventID: "evt_1", EventType: "items.updated", Key: event.Key{Resource: "items", ID: "42"}, Attempts: 10},
		Attempt:  &queue.Attempt{Code: 503, Error: "answered 503"},
	})
	a.Notify(Notice{Type: EndpointFailing, At: at, State: queue.EndpointState{Name: "ops"}})
	a.Notify(Notice{Type: EndpointFailing, At: at, State: queue.EndpointState{Name: "vanished"}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a.Stop(ctx)
	a.Stop(ctx)

	if got := strings.Join(store.to, ", "); got != "ops, ops, ops" {
		t.Fatalf("told %s", got)
	}
	for i, want := range []string{"endpoint.disabled", "delivery.exhausted", "endpoint.failing"} {
		e := store.events[i]
		var payload map[string]any
		if err := json.Unmarshal(e.Payload, &payload); err != nil {
			t.Fatal(err)
		}
		if e.Type != want || payload["type"] != want || payload["timestamp"] != "2026-03-04T05:06:07Z" || e.Key.Resource != OperationalResource || e.ContentType != "application/json" {
			t.Errorf("told %+v", e)
		}
		if strings.Contains(string(e.Payload), "canary") {
			t.Errorf("told the URL: %s", e.Payload)
		}
	}
	if text := string(store.events[1].Payload); !strings.Contains(text, `"object":"items/42"`) || !strings.Contains(text, `"code":503`) {
		t.Errorf("told %s", text)
	}
	if text := string(store.events[0].Payload); !strings.Contains(text, `"host":"https://erp.example"`) || !strings.Contains(text, `"reason":"gone"`) {
		t.Errorf("told %s", text)
	}
}

// TestAnnouncerNeverHoldsUp deliveries, though nothing can be told.
func TestAnnouncerNeverHoldsUp(t *testing.T) {
	store := &announced{err: errors.New("disk full")}
	store.mu.Lock()
	a := NewAnnouncer(store, uncounted{}, zap.NewNop())
	a.Apply(operationalAudience(t))
	for range 2 * waitingNotices {
		a.Notify(Notice{Type: EndpointFailing, State: queue.EndpointState{Name: "erp"}})
	}
	store.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a.Stop(ctx)
}
