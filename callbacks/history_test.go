// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// announce makes an event of a tenant's for endpoints, and returns it.
func (s *stage) announce(tenant, eventType, object string, endpoints ...string) event.Event {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	must(s.t, s.store.Announce(s.t.Context(), event.Event{
		Type: eventType, Key: event.Key{Resource: "items", ID: object}, Tenant: tenant, Op: event.OpChange, Time: s.now,
		Payload: []byte(`{"id":"` + object + `"}`), ContentType: "application/json",
	}, endpoints))
	rows, _, err := s.store.Events(s.t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(s.t, err)
	return rows[0]
}

// attempt makes an attempt at an endpoint's next delivery.
func (s *stage) attempt(endpoint string, attempt queue.Attempt, status queue.Status) {
	s.t.Helper()
	lease, err := s.store.LeaseDelivery(s.t.Context(), endpoint, queue.LeaseOptions{For: time.Minute})
	must(s.t, err)
	attempt.At = s.now
	must(s.t, s.store.FinishAttempt(s.t.Context(), lease, attempt, queue.Verdict{Status: status, RetryAt: s.now.Add(time.Hour)}))
}

// rows returns a member of each row of a list.
func (r reply) rows(name string) string {
	var all []string
	for _, row := range r.json["data"].([]any) {
		all = append(all, fmt.Sprint(row.(map[string]any)[name]))
	}
	return strings.Join(all, " ")
}

func TestDeliveries(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", simple).text("id")
	path := "/endpoints/" + id + "/deliveries"
	s.as("acme", http.MethodGet, path, "").want(t, 200, `{"data":[]}`)
	first := s.announce("acme", "items.created", "1", id, "operators")
	s.attempt(id, queue.Attempt{Duration: 10 * time.Millisecond, Code: 500, Error: "answered 500 Internal Server Error", Response: []byte("broken")}, queue.StatusDead)
	second := s.announce("acme", "items.updated", "2", id)
	s.attempt(id, queue.Attempt{Duration: time.Second, Error: "connection refused"}, queue.StatusPending)
	third := s.announce("acme", "items.updated", "3", id)

	all := s.as("acme", http.MethodGet, path, "").want(t, 200, `"number":1`, `"status":500`, `"body":"broken"`, "no answer came from the receiver")
	// What an attempt found of our network is not told.
	if strings.Contains(all.body, "refused") || strings.Contains(all.body, `"ms":1000`) || all.rows("event") != third.ID+" "+second.ID+" "+first.ID {
		t.Errorf("got %s", all.body)
	}
	for query, want := range map[string]string{
		"status=dead": "items/1", "status=pending": "items/3 items/2", "type=items.created": "items/1", "object=items/2": "items/2", "limit=1": "items/3",
		"since=1s": "items/3 items/2", "until=1s": "items/1", "since=2s&until=0s": "items/2 items/1", "since=0s": "items/3", "status=delivered": "", "type=other": "",
		"since=" + s.now.Add(-time.Second).Format(time.RFC3339): "items/3 items/2", "since=1d": "items/3 items/2 items/1",
	} {
		if got := s.as("acme", http.MethodGet, path+"?"+query, "").want(t, 200); got.rows("object") != want {
			t.Errorf("%s: %q, want %q", query, got.rows("object"), want)
		}
	}
	page := s.as("acme", http.MethodGet, path+"?limit=2", "").want(t, 200)
	if got := s.as("acme", http.MethodGet, path+"?limit=2&cursor="+page.text("next"), ""); got.rows("object") != "items/1" || got.text("next") != "" {
		t.Errorf("got %s", got.body)
	}
	for query, pointer := range map[string]string{
		"status=lost": "?status", "object=x": "?object", "since=soon": "?since", "until=-1h": "?until", "since=99999999d": "?since", "endpoint=x": "?endpoint", "cursor=x": "?cursor",
	} {
		if got := s.as("acme", http.MethodGet, path+"?"+query, "").want(t, 400); got.pointers()[0] != pointer {
			t.Errorf("%s: %s", query, got.body)
		}
	}

	one := first.ID + "." + id
	s.as("acme", http.MethodGet, "/deliveries/"+one, "").want(t, 200, `"object":"items/1"`, `"status":"dead"`)
	s.as("acme", http.MethodGet, "/deliveries/"+first.DeliveryID()+"."+id, "").want(t, 200, one)
	shown := s.as("acme", http.MethodGet, "/events/"+first.DeliveryID(), "").want(t, 200, `"webhook_id":"`+first.DeliveryID()+`"`, one)
	if strings.Contains(shown.body, "operators") {
		t.Errorf("it tells of the operator's endpoints: %s", shown.body)
	}
	payload := s.as("acme", http.MethodGet, "/events/"+first.ID+"/payload", "").want(t, 200)
	if payload.body != `{"id":"1"}` || payload.header.Get("Content-Type") != "application/json" || !strings.Contains(payload.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("got %q %v", payload.body, payload.header)
	}
	for _, path := range []string{"/deliveries/x", "/deliveries/.", "/deliveries/." + id, "/deliveries/" + first.ID + ".operators", "/deliveries/" + first.ID + ".", "/events/x", "/events/x/payload"} {
		s.as("acme", http.MethodGet, path, "").want(t, 404)
	}
	s.as("acme", http.MethodPost, "/deliveries/"+one+"/resend", "").want(t, 202, `{"changed":1}`)
	s.as("acme", http.MethodPost, "/deliveries/"+one+"/resend", "").want(t, 202, `{"changed":0}`)
	s.as("acme", http.MethodGet, "/deliveries/"+one, "").want(t, 200, `"status":"pending"`)
	s.as("acme", http.MethodGet, "/audit?limit=1", "").want(t, 200, "delivery.resend", one)
}

// What was sent to all endpoints of a tenant is one list, in the order of events, with the
// filters and the pages of each endpoint's own.
func TestDeliveriesToAll(t *testing.T) {
	s := newStage(t)
	s.as("acme", http.MethodGet, "/deliveries", "").want(t, 200, `{"data":[]}`)
	erp, crm := s.create("acme", simple).text("id"), s.create("acme", simple).text("id")
	other := s.create("umbrella", simple).text("id")
	s.announce("acme", "items.created", "1", erp, "operators")
	s.attempt(erp, queue.Attempt{Code: 500, Error: "answered 500"}, queue.StatusDead)
	s.announce("acme", "items.updated", "2", crm)
	s.announce("umbrella", "items.created", "3", other)
	s.announce("acme", "items.updated", "4", crm, erp)
	for query, want := range map[string]string{
		"": "items/4 items/4 items/2 items/1", "status=dead": "items/1", "type=items.updated": "items/4 items/4 items/2", "object=items/2": "items/2",
		"since=2s": "items/4 items/4 items/2", "until=1s": "items/2 items/1", "object=items/3": "",
	} {
		if got := s.as("acme", http.MethodGet, "/deliveries?"+query, "").want(t, 200); got.rows("object") != want || strings.Contains(got.body, "operators") {
			t.Errorf("%s: %s, want %q", query, got.body, want)
		}
	}
	for limit := 1; limit <= 3; limit++ {
		var all []string
		for next := ""; ; {
			page := s.as("acme", http.MethodGet, fmt.Sprintf("/deliveries?limit=%d%s", limit, next), "").want(t, 200)
			all = append(all, page.rows("object"))
			if page.text("next") == "" {
				break
			}
			next = "&cursor=" + page.text("next")
		}
		if got := strings.Join(all, " "); got != "items/4 items/4 items/2 items/1" {
			t.Errorf("in pages of %d: %s", limit, got)
		}
	}
	if got := s.as("umbrella", http.MethodGet, "/deliveries", "").want(t, 200); got.rows("endpoint") != other {
		t.Errorf("umbrella's are %s", got.body)
	}
	s.as("acme", http.MethodGet, "/deliveries?endpoint="+erp, "").want(t, 400, "?endpoint")
	// What was deleted is not there any more.
	s.as("acme", http.MethodDelete, "/endpoints/"+crm, "").want(t, 204)
	if got := s.as("acme", http.MethodGet, "/deliveries", "").want(t, 200); got.rows("object") != "items/4 items/1" {
		t.Errorf("got %s", got.body)
	}
}

func TestRecoverAndReplay(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", simple).text("id")
	s.announce("acme", "items.created", "0")
	s.now = s.now.Add(24 * time.Hour)
	for _, object := range []string{"1", "2", "3"} {
		s.announce("acme", "items.created", object, id)
		s.attempt(id, queue.Attempt{Code: 500}, queue.StatusDead)
	}
	s.announce("acme", "items.created", "4")
	s.announce("acme", "users.created", "5")
	s.announce("umbrella", "items.created", "6")
	path := "/endpoints/" + id
	s.as("acme", http.MethodGet, path+"/recover?since=6h", "").want(t, 200, `{"count":3}`)
	s.as("acme", http.MethodGet, path+"/recover?since=6h&object=items/2", "").want(t, 200, `{"count":1}`)
	s.as("acme", http.MethodGet, path+"/recover", "").want(t, 400, "?since")
	s.as("acme", http.MethodPost, path+"/recover", "").want(t, 400, "?since")
	// Only what its tenant may see, and what it asks for, is replayed.
	s.as("acme", http.MethodGet, path+"/replay?since=6h", "").want(t, 200, `{"count":4}`)
	s.as("acme", http.MethodGet, path+"/replay?since=6h&type=users.created", "").want(t, 200, `{"count":1}`)
	first := s.as("acme", http.MethodPost, path+"/recover?since=6h&limit=2", "").want(t, 202)
	rest := s.as("acme", http.MethodPost, path+"/recover?since=6h&limit=2&cursor="+first.text("next"), "").want(t, 202)
	if fmt.Sprint(first.json["changed"], rest.json["changed"]) != "2 1" {
		t.Errorf("%s, then %s", first.body, rest.body)
	}
	s.as("acme", http.MethodPost, path+"/replay?since=6h", "").want(t, 202, `{"changed":1}`)
	if got := s.as("acme", http.MethodGet, path+"/deliveries", "").rows("object"); got != "items/4 items/3 items/2 items/1" {
		t.Errorf("got %s", got)
	}
	s.as("acme", http.MethodGet, path+"/replay?cursor=x&since=1h", "").want(t, 400)
}

// What became of an event at an endpoint is answered in one call.
func TestWhy(t *testing.T) {
	s := newStage(t)
	old := s.announce("acme", "items.created", "0")
	s.now = s.now.Add(time.Second)
	id := s.create("acme", simple).text("id")
	ask := func(of event.Event) reply {
		return s.as("acme", http.MethodGet, "/why?endpoint="+id+"&event="+of.DeliveryID(), "").want(t, 200)
	}
	want := func(of event.Event, verdict string) {
		t.Helper()
		if got := ask(of); got.text("verdict") != verdict || got.text("detail") == "" {
			t.Errorf("got %s, want %s", got.body, verdict)
		}
	}
	want(old, "older")
	want(s.announce("acme", "users.created", "1"), "type")
	want(s.announce("acme", "items.created", "2"), "unrouted")
	sent := s.announce("acme", "items.created", "3", id)
	want(sent, "pending")
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/pause", "").want(t, 200)
	want(sent, "paused")
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/resume", "").want(t, 200)
	s.attempt(id, queue.Attempt{Code: 200}, queue.StatusDelivered)
	want(sent, "delivered")
	dead := s.announce("acme", "items.created", "4", id)
	s.attempt(id, queue.Attempt{Code: 500, Error: "answered 500"}, queue.StatusDead)
	want(dead, "dead")
	expired := s.announce("acme", "items.created", "5", id)
	s.attempt(id, queue.Attempt{Error: "not sent: the endpoint's deadline has passed"}, queue.StatusDead)
	want(expired, "expired")
	cancelled := s.announce("acme", "items.created", "6", id)
	_, _, err := s.store.Cancel(t.Context(), queue.Selection{EventID: cancelled.ID}, queue.Page{})
	must(t, err)
	want(cancelled, "cancelled")
	if got := ask(cancelled); got.text("delivery") != cancelled.ID+"."+id {
		t.Errorf("got %s", got.body)
	}
	// Another tenant's event is like one that is not there.
	other := s.announce("umbrella", "items.created", "7")
	hidden, gone := s.as("acme", http.MethodGet, "/why?endpoint="+id+"&event="+other.ID, ""), s.as("acme", http.MethodGet, "/why?endpoint="+id+"&event=evt_nobody", "")
	if hidden.want(t, 404).body != gone.want(t, 404).body {
		t.Errorf("%s, %s", hidden.body, gone.body)
	}
	s.as("acme", http.MethodGet, "/why?event="+sent.ID, "").want(t, 400, "?endpoint")
	s.as("acme", http.MethodGet, "/why", "").want(t, 400, "?endpoint", "?event")
	s.as("acme", http.MethodGet, "/why?endpoint="+id+"&object=items/1&event="+sent.ID, "").want(t, 400, "?object")
	s.as("acme", http.MethodGet, "/why?endpoint="+id+"&event="+sent.ID+"&limit=1", "").want(t, 400, "?limit")
}

// What became of each of an object's last events is answered in one call, too.
func TestWhyOfAnObject(t *testing.T) {
	s := newStage(t)
	s.announce("acme", "items.created", "1")
	s.now = s.now.Add(time.Second)
	id := s.create("acme", simple).text("id")
	s.announce("acme", "items.updated", "1", id)
	s.attempt(id, queue.Attempt{Code: 200}, queue.StatusDelivered)
	s.announce("acme", "users.created", "1")
	s.announce("umbrella", "items.updated", "1")
	s.announce("acme", "items.updated", "2", id)
	last := s.announce("acme", "items.updated", "1", id)
	path := "/why?endpoint=" + id + "&object=items/1"
	got := s.as("acme", http.MethodGet, path, "").want(t, 200, `"delivery":"`+last.ID+"."+id)
	if got.rows("verdict") != "pending type delivered older" || got.rows("type") != "items.updated users.created items.updated items.created" || got.text("next") != "" {
		t.Errorf("got %s", got.body)
	}
	first := s.as("acme", http.MethodGet, path+"&limit=3", "").want(t, 200)
	if rest := s.as("acme", http.MethodGet, path+"&limit=3&cursor="+first.text("next"), ""); rest.rows("verdict") != "older" {
		t.Errorf("got %s", rest.body)
	}
	for query, pointer := range map[string]string{path + "&limit=101": "?limit", path + "&cursor=x": "?cursor", "/why?endpoint=" + id + "&object=x": "?object", "/why?object=items/1": "?endpoint"} {
		s.as("acme", http.MethodGet, query, "").want(t, 400, `"`+pointer+`"`)
	}
	// An object that another tenant has is like one that nobody has.
	s.announce("umbrella", "items.updated", "9")
	for _, object := range []string{"items/9", "items/nobody", "nothing/1"} {
		s.as("acme", http.MethodGet, "/why?endpoint="+id+"&object="+object, "").want(t, 200, `{"data":[]}`)
	}
	s.as("umbrella", http.MethodGet, path, "").want(t, 404)
}

// An event that was found a moment before another, and committed after it, hides none: a
// list since a time has all that were found since.
func TestEventsOfATimeAreInTheOrderOfCommits(t *testing.T) {
	s := newStage(t)
	early := s.now
	s.now = early.Add(-time.Hour)
	s.announce("acme", "items.created", "1")
	s.now = early.Add(time.Minute)
	s.announce("acme", "items.created", "2")
	s.now = early.Add(-time.Minute)
	s.announce("acme", "items.created", "3")
	s.now = early.Add(2 * time.Minute)
	got := s.as("acme", http.MethodGet, "/events?limit=2&since="+early.Format(time.RFC3339), "").want(t, 200)
	if got.rows("object") != "items/2" {
		t.Errorf("got %s", got.body)
	}
	// What is old enough ends the list.
	rest := s.as("acme", http.MethodGet, "/events?since="+early.Format(time.RFC3339), "").want(t, 200)
	if rest.rows("object") != "items/2" || rest.text("next") != "" {
		t.Errorf("got %s", rest.body)
	}
}

// A tenant's events are listed, newest first, with what narrows them.
func TestEvents(t *testing.T) {
	s := newStage(t)
	s.as("acme", http.MethodGet, "/events", "").want(t, 200, `{"data":[]}`)
	s.announce("acme", "items.created", "1")
	s.announce("umbrella", "items.created", "2")
	s.announce("acme", "items.updated", "1")
	s.announce("acme", "users.created", "3")
	all := s.as("acme", http.MethodGet, "/events", "").want(t, 200)
	if all.rows("object") != "items/3 items/1 items/1" || all.rows("type") != "users.created items.updated items.created" || strings.Contains(all.body, "umbrella") {
		t.Errorf("got %s", all.body)
	}
	for query, want := range map[string]string{
		"type=items.created": "items/1", "object=items/1": "items/1 items/1", "object=items/2": "", "type=users.created&object=items/1": "", "limit=1": "items/3",
		"since=0s": "items/3", "since=1s": "items/3 items/1", "until=1s": "items/1", "since=1s&until=0s": "items/1", "since=1d": "items/3 items/1 items/1",
	} {
		if got := s.as("acme", http.MethodGet, "/events?"+query, "").want(t, 200); got.rows("object") != want {
			t.Errorf("%s: %q, want %q", query, got.rows("object"), want)
		}
	}
	page := s.as("acme", http.MethodGet, "/events?limit=2", "").want(t, 200)
	if got := s.as("acme", http.MethodGet, "/events?limit=2&cursor="+page.text("next"), ""); got.rows("type") != "items.created" || got.text("next") != "" {
		t.Errorf("got %s", got.body)
	}
	for query, pointer := range map[string]string{"object=x": "?object", "since=soon": "?since", "event=x": "?event", "cursor=x": "?cursor", "limit=201": "?limit"} {
		if got := s.as("acme", http.MethodGet, "/events?"+query, "").want(t, 400); got.pointers()[0] != pointer {
			t.Errorf("%s: %s", query, got.body)
		}
	}
}
