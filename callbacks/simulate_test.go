// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const process = `{"url":"https://erp.example/h","events":["process.completed"]}`

// sentTo returns the endpoints of the deliveries in an answer.
func (r reply) sentTo(t *testing.T) (names []string) {
	t.Helper()
	for _, row := range r.json["deliveries"].([]any) {
		names = append(names, row.(map[string]any)["endpoint"].(string))
	}
	return names
}

// What is echoed goes to the caller's endpoints that ask for the type, and is of no object,
// in nobody else's sight, and marked.
func TestEcho(t *testing.T) {
	s := newStage(t, catalogued(t))
	mine := s.create("acme", process).text("id")
	filtering := s.create("acme", `{"url":"https://crm.example/h","events":["process.*"],"filter":"object.x == 1"}`).text("id")
	s.create("acme", simple)
	s.create("acme", `{"events":["process.completed"]}`) // reads its feed
	s.create("umbrella", process)
	sent := s.as("acme", http.MethodPost, "/types/5/echo", `{"processUniqueId":"p1"}`).want(t, 202, `"type":"process.completed"`, `"status":"pending"`, `"attempts":[]`)
	if to := strings.Join(sent.sentTo(t), " "); to != mine+" "+filtering && to != filtering+" "+mine {
		t.Errorf("it is sent to %s", to)
	}
	e, err := s.store.Event(t.Context(), sent.text("event"))
	must(t, err)
	if e.Op != event.OpTest || e.Tenant != "acme" || e.Key.Resource != "endpoint" || string(e.Payload) != `{"processUniqueId":"p1"}` || e.Changed != nil || e.DeliveryID() != sent.text("webhook_id") {
		t.Errorf("it is %+v", e)
	}
	if _, err := s.store.Object(t.Context(), e.Key); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("it has an object: %v", err)
	}
	s.as("acme", http.MethodGet, "/events/"+e.ID, "").want(t, 200, `"op":"test"`)
	s.as("acme", http.MethodGet, "/endpoints/"+mine+"/deliveries", "").want(t, 200, e.ID)
	s.as("acme", http.MethodGet, "/audit", "").want(t, 200, `"action":"type.echo"`, `"object":"process.completed"`)
	s.as("umbrella", http.MethodGet, "/events/"+e.ID, "").want(t, 404)
	if got := s.as("umbrella", http.MethodGet, "/feed", ""); strings.Contains(got.body, "p1") {
		t.Errorf("another's feed has %s", got.body)
	}
}

// A simulated event stands in the feed of the endpoint that it was sent to, and in none that
// tells what has happened. A replay leaves it out, and recovering does not: it was sent, and
// failed.
func TestEchoInFeeds(t *testing.T) {
	s := newStage(t, catalogued(t))
	id := s.create("acme", process).text("id")
	pulling := s.create("acme", `{"events":["process.completed"]}`).text("id")
	s.as("acme", http.MethodPost, "/types/process.completed/echo", `{"simulationUniqueId":"s1"}`).want(t, 202)
	s.as("acme", http.MethodGet, "/endpoints/"+id+"/feed", "").want(t, 200, "s1", `"webhook-op":"test"`)
	for _, path := range []string{"/feed", "/endpoints/" + pulling + "/feed"} {
		if got := s.as("acme", http.MethodGet, path, "").want(t, 200); strings.Contains(got.body, "s1") {
			t.Errorf("%s has what did not happen: %s", path, got.body)
		}
	}
	later := s.create("acme", process).text("id")
	s.as("acme", http.MethodGet, "/endpoints/"+later+"/replay?since=1h", "").want(t, 200, `"count":0`)
	s.as("acme", http.MethodPost, "/endpoints/"+later+"/replay?since=1h", "").want(t, 202, `"changed":0`)
	s.fail(id)
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/recover?since=1h", "").want(t, 202, `"changed":1`)
}

// fail has the next delivery to an endpoint fail for good.
func (s *stage) fail(endpoint string) {
	s.t.Helper()
	lease, err := s.store.LeaseDelivery(s.t.Context(), endpoint, queue.LeaseOptions{For: time.Minute})
	must(s.t, err)
	must(s.t, s.store.FinishAttempt(s.t.Context(), lease, queue.Attempt{At: s.now, Code: 500}, queue.Verdict{Status: queue.StatusDead}))
}

// A body that does not fit is refused with what is wrong where, and nothing is sent.
func TestEchoIsChecked(t *testing.T) {
	s := newStage(t, catalogued(t))
	s.create("acme", `{"url":"https://erp.example/h"}`)
	for body, want := range map[string]string{
		`{}`: "fits none of the alternatives of which exactly one must fit",
		`{"processUniqueId":"1","simulationUniqueId":"2"}`: "fits more than one",
		`{"processUniqueId":7}`:                            `"pointer":"/processUniqueId"`,
		`{"processUniqueId":"1","other":1}`:                "additional properties 'other' not allowed",
		`[]`:                                               "send an object",
		`{"processUniqueId":`:                              "syntax",
	} {
		s.as("acme", http.MethodPost, "/types/5/echo", body).want(t, 400, want)
	}
	s.as("acme", http.MethodPost, "/types/5/echo", "").want(t, 400)
	s.as("acme", http.MethodPost, "/types/5/echo", `{"processUniqueId":"1"}`, "Content-Type", "text/plain").want(t, 415)
	// What is learned is checked, too: no member that was never seen.
	s.as("acme", http.MethodPost, "/types/items.updated/echo", `{"id":"1","amount":1,"state":"x","more":1}`).want(t, 400, "problems/schema", "additional properties 'more' not allowed")
	s.as("acme", http.MethodPost, "/types/items.updated/echo", `{"id":1,"amount":1,"state":"x"}`).want(t, 400, `"pointer":"/id"`)
	rows, _, err := s.store.Deliveries(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	if len(rows) != 0 {
		t.Errorf("%d deliveries", len(rows))
	}
	s.as("acme", http.MethodPost, "/types/items.updated/echo", `{"id":"1","amount":1,"state":"x"}`).want(t, 202)
}

// The type of an event is that of its payload, where the rules make it of values; of a
// group, it is the first.
func TestEchoOfPatterns(t *testing.T) {
	s := newStage(t, catalogued(t))
	s.create("acme", `{"url":"https://erp.example/h","events":["items.state.paid","items.created"]}`)
	for path, want := range map[string]string{
		"items.state.%7Bstate%7D": `"type":"items.state.paid"`, "items.state.paid": `"type":"items.state.paid"`, "items": `"type":"items.created"`,
	} {
		body := `{"id":"1","amount":1,"state":"paid"}`
		s.as("acme", http.MethodPost, "/types/"+path+"/echo", body).want(t, 202, want)
	}
	s.as("acme", http.MethodPost, "/types/items.state.%7Bstate%7D/echo", `{"state":"sent"}`).want(t, 404, "none of your endpoints")
	s.as("acme", http.MethodPost, "/types/users.created/echo", `{}`).want(t, 404)
	s.as("umbrella", http.MethodPost, "/types/items.created/echo", `{}`).want(t, 404, "none of your endpoints")
}

// A sample of a type is sent to one endpoint, whether or not it asks for the type.
func TestSampleToEndpoint(t *testing.T) {
	s := newStage(t, catalogued(t))
	id := s.create("acme", process).text("id")
	s.create("acme", simple)
	sent := s.as("acme", http.MethodPost, "/endpoints/"+id+"/test", `{"type":"items.updated"}`).want(t, 202, `"type":"items.updated"`)
	if to := sent.sentTo(t); len(to) != 1 || to[0] != id {
		t.Errorf("it is sent to %v", to)
	}
	e, err := s.store.Event(t.Context(), sent.text("event"))
	must(t, err)
	if string(e.Payload) != `{"amount":1,"id":"text","state":"text"}` || e.Op != event.OpTest {
		t.Errorf("it is %+v", e)
	}
	s.as("acme", http.MethodGet, "/audit", "").want(t, 200, `"action":"endpoint.test"`, id)
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/test", `{"type":"users.created"}`).want(t, 422, `"pointer":"/type"`)
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/test", `{"type":"items.created"}`).want(t, 422, "no sample")
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/test", `{"kind":"x"}`).want(t, 400)
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/test?wait=1h", `{"type":"5"}`).want(t, 400)
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/test", `{}`).want(t, 200, `"accepted":true`)
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/test", "").want(t, 200, `"accepted":true`)
	s.as("umbrella", http.MethodPost, "/endpoints/"+id+"/test", `{"type":"5"}`).want(t, 404)
}

// Who waits is answered once all attempts were made.
func TestEchoWaits(t *testing.T) {
	s := newStage(t, catalogued(t))
	id := s.create("acme", process).text("id")
	done := make(chan error, 1)
	go func() {
		lease, err := s.store.LeaseDelivery(t.Context(), id, queue.LeaseOptions{For: time.Minute})
		if err == nil {
			err = s.store.FinishAttempt(t.Context(), lease, queue.Attempt{At: s.now, Code: 204}, queue.Verdict{Status: queue.StatusDelivered})
		}
		done <- err
	}()
	s.as("acme", http.MethodPost, "/types/5/echo?wait=60s", `{"processUniqueId":"p1"}`).want(t, 202, `"status":"delivered"`, `"status":204`)
	must(t, <-done)
	s.as("acme", http.MethodPost, "/types/5/echo?wait=1ms", `{"processUniqueId":"p1"}`).want(t, 202, `"status":"pending"`)
	s.as("acme", http.MethodPost, "/types/5/echo?wait=2m", `{"processUniqueId":"p1"}`).want(t, 400, "?wait")
}

// Each receiver counts, and who has many of them can send one at all.
func TestEchoIsLimited(t *testing.T) {
	s := newStage(t, catalogued(t), func(o *Options) { o.Unverified = true })
	for range probesBurst / 2 {
		s.create("acme", process)
	}
	for _, want := range []int{202, 202, 429} {
		got := s.as("acme", http.MethodPost, "/types/5/echo", `{"processUniqueId":"p1"}`).want(t, want)
		if want == 429 && got.header.Get("Retry-After") != "30" {
			t.Errorf("again in %s", got.header.Get("Retry-After"))
		}
	}
	s.create("umbrella", process)
	s.as("umbrella", http.MethodPost, "/types/5/echo", `{"processUniqueId":"p1"}`).want(t, 202)
	for range probesBurst {
		s.create("acme", process)
	}
	s.now = s.now.Add(time.Hour)
	s.as("acme", http.MethodPost, "/types/5/echo", `{"processUniqueId":"p1"}`).want(t, 202)
}

// In another API's shape, the path names the tenant and the type by its alias.
func TestEchoInAnotherShape(t *testing.T) {
	s := newStage(t, catalogued(t), withShape(t, "put PUT /:tenant/callbacks/:type\necho POST /v1/callbacks/echo/:tenant/:type 200",
		map[string]string{shape.Endpoint: "processUniqueId=label callbackUrl=url"}))
	echo := func(tenant, name, body string) reply {
		return s.as("acme", http.MethodPost, "/v1/callbacks/echo/"+tenant+"/"+name, body)
	}
	echo("acme", "5", `{"processUniqueId":"p1"}`).want(t, 404)
	s.as("acme", http.MethodPut, "/acme/callbacks/5", `{"callbackUrl":"https://erp.example/h"}`)
	echo("acme", "5", `{"processUniqueId":"p1"}`).want(t, 200, `"type":"process.completed"`)
	echo("acme", "5", `{"processUniqueId":"p1","simulationUniqueId":"s1"}`).want(t, 400, "fits more than one")
	echo("acme", "5", `{"processUniqueId":1}`).want(t, 400, `"pointer":"/processUniqueId"`)
	echo("acme", "7", `{"processUniqueId":"p1"}`).want(t, 404)
	echo("umbrella", "5", `{"processUniqueId":"p1"}`).want(t, 404)
	echo("acme", "items", `{"id":"1","amount":1,"state":"x"}`).want(t, 404, "none of your endpoints")
}
