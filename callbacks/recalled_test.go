// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// sent returns what the emitter keeps of a request to an endpoint as it is now.
func (s *stage) sent(tenant, id string) queue.Sent {
	s.t.Helper()
	e := s.kept(tenant, id)
	as, err := e.Resolve(s.options.Template)
	must(s.t, err)
	as = as.WithDefaults()
	signers := sign.SignersOf(as.Signatures, as.Secrets)
	return queue.Sent{Host: "erp.example", Settings: as.Settings(as.Payload), Keys: signers.At(s.now)}
}

// What an attempt has sent is told to the endpoint's owner, without credentials, and with why
// something is left out.
func TestRequestsOfAttempts(t *testing.T) {
	s := newStage(t)
	made := s.create("acme", `{"url":"https://erp.example/h?token=x","auth":{"scheme":"bearer","credential":"hush-hush"},"headers":{"X-Shop":"hush"}}`)
	id := made.text("id")
	key := made.json["secrets"].([]any)[0].(map[string]any)["id"].(string)[:4]
	of := s.announce("acme", "items.created", "1", id)
	path := "/deliveries/" + of.ID + "." + id
	s.attempt(id, queue.Attempt{Code: 500, Error: "answered 500", Sent: s.sent("acme", id)}, queue.StatusPending)
	first := fmt.Sprint(s.now.Unix())
	s.now = s.now.Add(2 * time.Hour)
	s.attempt(id, queue.Attempt{Code: 500, Error: "answered 500"}, queue.StatusDead) // as an earlier version did
	whole := s.as("acme", http.MethodGet, path, "").want(t, 200, `"request":{"method":"POST","host":"erp.example","url":"https://erp.example/h?token=x"`,
		`"webhook-timestamp":"`+first+`"`, `"webhook-id":"`+of.DeliveryID()+`"`, `"webhook-signature":"v1,`, `"authorization":"***"`, `"x-shop":"***"`, `"keys":["`+key+`"]`)
	if strings.Contains(whole.body, "hush") || strings.Contains(whole.body, "incomplete") || strings.Count(whole.body, `"request"`) != 1 {
		t.Errorf("got %s", whole.body)
	}
	listed := s.as("acme", http.MethodGet, "/endpoints/"+id+"/deliveries", "").want(t, 200, `"number":1`)
	if strings.Contains(listed.body, `"request"`) {
		t.Errorf("a list reads events: %s", listed.body)
	}

	s.as("acme", http.MethodPost, "/endpoints/"+id+"/secrets", `{"overlap":"0s"}`).want(t, 201)
	ended := s.as("acme", http.MethodGet, path, "").want(t, 200, keyGone, `"keys":["`+key+`"]`, `"url":"https://erp.example/h?token=x"`, `"authorization":"***"`)
	if strings.Contains(ended.body, "webhook-signature") {
		t.Errorf("signed by another key: %s", ended.body)
	}
	s.as("acme", http.MethodPatch, "/endpoints/"+id, `{"url":"https://other.example/"}`).want(t, 200)
	moved := s.as("acme", http.MethodGet, path, "").want(t, 200, settingsChanged, `"host":"erp.example"`, `"webhook-object":"items/1"`)
	if strings.Contains(moved.body, "other.example") || strings.Contains(moved.body, `"authorization"`) {
		t.Errorf("it went elsewhere: %s", moved.body)
	}
	s.as("acme", http.MethodPatch, "/endpoints/"+id, `{"url":null}`).want(t, 200)
	s.as("acme", http.MethodGet, path, "").want(t, 200, settingsChanged)
	s.as("umbrella", http.MethodGet, path, "").want(t, 404)
}

// The keys of a style of its own are called as the endpoint's secrets are.
func TestKeysOfAStyle(t *testing.T) {
	s := newStage(t)
	made := s.create("acme", `{"url":"https://erp.example/h","signature":"x-signature"}`)
	id := made.text("id")
	key := made.json["secrets"].([]any)[0].(map[string]any)["id"].(string)[:4]
	of := s.announce("acme", "items.created", "1", id)
	s.attempt(id, queue.Attempt{Code: 204, Sent: s.sent("acme", id)}, queue.StatusDelivered)
	s.as("acme", http.MethodGet, "/deliveries/"+of.ID+"."+id, "").want(t, 200, `"x-signature":"`, `"keys":["`+key+`"]`)
}

// However often a large event was attempted, no more than a few megabytes are signed again.
func TestRecallIsBounded(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"url":"https://erp.example/h"}`).text("id")
	must(t, s.store.Announce(t.Context(), event.Event{
		Type: "items.created", Key: event.Key{Resource: "items", ID: "1"}, Tenant: "acme", Op: event.OpChange, Time: s.now,
		Payload: []byte(`{"id":"1","text":"` + strings.Repeat("x", maxRecalled/2) + `"}`), ContentType: "application/json",
	}, []string{id}))
	rows, _, err := s.store.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(t, err)
	for range 3 {
		s.attempt(id, queue.Attempt{Code: 500, Error: "answered 500", Sent: s.sent("acme", id)}, queue.StatusPending)
		s.now = s.now.Add(2 * time.Hour)
	}
	got := s.as("acme", http.MethodGet, "/deliveries/"+rows[0].ID+"."+id, "").want(t, 200)
	if n := strings.Count(got.body, `"request"`); n != 1 {
		t.Errorf("%d of 3 attempts were signed again", n)
	}
	attempts := got.json["attempts"].([]any)
	if last := attempts[0].(map[string]any); last["number"] != 3.0 || last["request"] == nil {
		t.Errorf("the last attempt is %v", last)
	}
}
