// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// handOver makes an event of an object that a handed to b.
func handOver(e *event.Event) {
	e.Tenant, e.PreviousTenant = "b", "a"
	e.Previous = event.Fields{"state": json.RawMessage(`"secret-of-a"`)}
	e.PreviousShow = []byte(`{"state":"secret-of-a"}`)
}

// No format shows a tenant the state before the object was its own.
func TestFormatsShowATenantItsOwn(t *testing.T) {
	key, err := event.NewKey("items", "42")
	if err != nil {
		t.Fatal(err)
	}
	fields := []payload.Field{{Name: "state", Path: "state"}}
	for _, config := range []payload.Config{
		{},
		{Kind: payload.Standard, Previous: true},
		{Kind: payload.Gateway, Previous: true},
		{Kind: payload.Fields, Fields: fields, Previous: true},
		{Kind: payload.CloudEvents},
		{Kind: payload.CloudEvents, Binary: true},
		{Kind: payload.Thin},
	} {
		for tenant, tells := range map[string]bool{"b": false, "": config.Previous} {
			ev := &event.Event{ID: "evt_1", Type: "items.paid", Key: key, Sequence: 3, Payload: []byte(`{"state":"paid"}`)}
			handOver(ev)
			for _, old := range []string{"a", "", event.UnknownTenant} {
				ev.PreviousTenant = old
				request := requestOf(t, func(target *Target) {
					target.Endpoint.Payload, target.Endpoint.Tenant = formatOf(t, config), tenant
				}, ev)
				body, err := io.ReadAll(request.Body)
				if err != nil || strings.Contains(string(body), "secret-of-a") != tells {
					t.Errorf("%+v shows %q, of %q: %s %v", config, tenant, old, body, err)
				}
			}
		}
	}
}

// An event that was routed to an endpoint while another tenant had it ends
// unsent, however it came to be sent again, and without an announcement to the
// tenant.
func TestForeignEventsAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, network := memory.New(time.Now), &receivers{}
		var notices []Notice
		e := New(store, Options{Notify: func(n Notice) { notices = append(notices, n) }})
		p := newPublisher(store)
		p.publish(t, "1", []string{"erp"}, func(e *event.Event) { e.Tenant = "a" })
		p.publish(t, "2", []string{"erp"}, nil)
		p.publish(t, "3", []string{"erp"}, func(e *event.Event) { handOver(e); e.Audience = event.AudienceOperators })
		p.publish(t, "4", []string{"erp"}, handOver)
		target := newTarget(t, "erp", network)
		target.Endpoint.Tenant = "b"
		if err := e.Apply([]Target{target}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, _, err := store.Redeliver(t.Context(), queue.Selection{Statuses: []queue.Status{queue.StatusDead}}, queue.Page{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		// The endpoint gets another tenant with a reload.
		target.Endpoint.Tenant = "a"
		p.publish(t, "5", []string{"erp"}, handOver)
		synctest.Wait()
		if err := e.Apply([]Target{target}); err != nil {
			t.Fatal(err)
		}
		p.publish(t, "6", []string{"erp"}, handOver)
		synctest.Wait()
		e.Stop(t.Context())
		var sent []string
		for _, g := range network.all {
			sent = append(sent, g.header.Get("webhook-object"))
		}
		if got := strings.Join(sent, " "); got != "items/4 items/5" {
			t.Errorf("sent %s", got)
		}
		for _, notice := range notices {
			t.Errorf("announced %+v", notice)
		}
		attempts, _, err := store.Attempts(t.Context(), queue.Filter{EventID: "evt_1_1"}, queue.Page{})
		if err != nil || len(attempts) != 2 || attempts[0].Error != foreignWords {
			t.Errorf("recorded %+v, %v", attempts, err)
		}
	})
}
