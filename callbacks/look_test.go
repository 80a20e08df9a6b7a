// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// changed makes an event of a tenant's with a state before it.
func (s *stage) changed(tenant, from, object, before, now string, endpoints ...string) event.Event {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	must(s.t, s.store.Announce(s.t.Context(), event.Event{
		Type: "items.updated", Key: event.Key{Resource: "items", ID: object}, Tenant: tenant, PreviousTenant: from, Op: event.OpChange, Time: s.now,
		Payload: []byte(now), PreviousShow: []byte(before), Changed: event.Pointers{"/amount"}, ContentType: "application/json",
	}, endpoints))
	rows, _, err := s.store.Events(s.t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(s.t, err)
	return rows[0]
}

// Who owned the object before may see how it was, and nobody else.
func TestPrevious(t *testing.T) {
	s := newStage(t)
	own := s.changed("acme", "acme", "1", `{"amount":1}`, `{"amount":2}`)
	handed := s.changed("acme", "umbrella", "2", `{"amount":7}`, `{"amount":8}`)
	first := s.announce("acme", "items.created", "3")
	s.as("acme", http.MethodGet, "/events/"+own.ID, "").want(t, 200, `"changed":["/amount"]`)
	got := s.as("acme", http.MethodGet, "/events/"+own.ID+"/previous", "").want(t, 200)
	if got.body != `{"amount":1}` || !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("got %q, %v", got.body, got.header)
	}
	if got := s.as("acme", http.MethodGet, "/events/"+handed.ID, "").want(t, 200); strings.Contains(got.body, "changed") {
		t.Errorf("it tells what another tenant's object was: %s", got.body)
	}
	s.as("acme", http.MethodGet, "/events/"+handed.ID+"/previous", "").want(t, 404)
	s.as("acme", http.MethodGet, "/events/"+first.ID+"/previous", "").want(t, 404)
	s.as("umbrella", http.MethodGet, "/events/"+own.ID+"/previous", "").want(t, 404)
}

// What a delivery sends is shown to its owner, signed and without credentials.
func TestRequestOfDelivery(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"url":"https://erp.example/h?token=x","auth":{"scheme":"bearer","credential":"hush-hush"},"headers":{"X-Shop":"it's"}}`).text("id")
	of := s.announce("acme", "items.created", "1", id)
	path := "/deliveries/" + of.ID + "." + id + "/request"
	got := s.as("acme", http.MethodGet, path, "").want(t, 200, `"webhook-object":"items/1"`, `"webhook-signature":"v1,`, `"body":"{\"id\":\"1\"}"`, `"curl":"curl -X POST 'https://erp.example/h?token=x'`)
	if strings.Contains(got.body, "hush") {
		t.Errorf("it has the credential: %s", got.body)
	}
	s.as("umbrella", http.MethodGet, path, "").want(t, 404)
	must(t, s.store.Announce(t.Context(), event.Event{
		Type: "items.created", Key: event.Key{Resource: "items", ID: "2"}, Tenant: "acme", Op: event.OpChange, Time: s.now, Payload: []byte("\xff\x00"),
	}, []string{id}))
	rows, _, err := s.store.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(t, err)
	binary := s.as("acme", http.MethodGet, "/deliveries/"+rows[0].ID+"."+id+"/request", "").want(t, 200, `"body_base64":"/wA="`)
	if strings.Contains(binary.body, `"curl"`) {
		t.Errorf("bytes in a command: %s", binary.body)
	}
}

// A filter is tried on what the caller may see, before anybody depends on it.
func TestTryFilter(t *testing.T) {
	s := newStage(t)
	s.announce("acme", "items.created", "0")
	s.now = s.now.Add(48 * time.Hour)
	for _, object := range []string{"1", "2", "3"} {
		s.announce("acme", "items.created", object)
	}
	s.changed("acme", "umbrella", "4", `{"amount":7}`, `{"id":"4","amount":8}`)
	s.announce("umbrella", "items.created", "2")
	for query, want := range map[string]string{
		"filter=" + url.QueryEscape("object.id == '2'"):                                  `"looked_at":4,"kept":1,`,
		"filter=" + url.QueryEscape("object.id == '2'") + "&since=3d":                    `"looked_at":5,"kept":1,`,
		"filter=" + url.QueryEscape("object.id != '2'") + "&type=items.created":          `"looked_at":3,"kept":2,`,
		"filter=" + url.QueryEscape("object.id != '2'") + "&type=items.*":                `"looked_at":4,"kept":3,`,
		"filter=" + url.QueryEscape("object.amount == 8"):                                `"looked_at":4,"kept":1,"failed":3,"error":"`,
		"filter=" + url.QueryEscape("previous.amount == 7") + "&type=" + "items.updated": `"looked_at":1,"kept":0,"failed":1`,
	} {
		s.as("acme", http.MethodGet, "/filter?"+query, "").want(t, 200, want)
	}
	for query, want := range map[string]string{"": "?filter", "filter=x&since=soon": "?since", "filter=true&type=*x": "/events/0", "filter=object.x+%3E": "/filter"} {
		got := s.as("acme", http.MethodGet, "/filter?"+query, "")
		if got.status != 400 && got.status != 422 || got.json["errors"] == nil || query != "filter=x&since=soon" && got.pointers()[0] != want {
			t.Errorf("%q: %s", query, got.body)
		}
	}
}

func TestTryFilterIsBounded(t *testing.T) {
	s := newStage(t)
	for range sieved + 5 {
		s.announce("acme", "items.created", "1")
	}
	s.as("acme", http.MethodGet, "/filter?filter=true", "").want(t, 200, `"looked_at":200,"kept":200,`)
	for range sievesBurst - 1 {
		s.as("acme", http.MethodGet, "/filter?filter=false&since=0s", "").want(t, 200)
	}
	if got := s.as("acme", http.MethodGet, "/filter?filter=true", "").want(t, 429); got.header.Get("Retry-After") == "" {
		t.Errorf("got %v", got.header)
	}
	s.as("umbrella", http.MethodGet, "/filter?filter=true", "").want(t, 200)
}
