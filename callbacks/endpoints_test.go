// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const whole = `{"label":"ERP","url":"https://erp.example/h","events":["items.*"],"payload":{"format":"standard","previous":true},
	"signature":"x-signature github","auth":{"scheme":"basic","name":"me","credential":"canary-password"},"rate":"10/s","order":"endpoint",
	"headers":{"X-A":"1","X-B":"2"},"metadata":{"a":"1"},"status":"paused"}`

// kept returns an endpoint as it is stored.
func (s *stage) kept(tenant, id string) subscribers.Endpoint {
	s.t.Helper()
	book := subscribers.Book{Store: s.store, Sealer: s.options.Sealer(), Now: s.options.Now}
	e, err := book.Get(s.t.Context(), tenant, id)
	must(s.t, err)
	return e
}

func TestCreate(t *testing.T) {
	s := newStage(t)
	got := s.create("acme", whole)
	id := got.text("id")
	if got.header.Get("Location") != "/webhooks/endpoints/"+id || got.header.Get("ETag") == "" {
		t.Errorf("got %v", got.header)
	}
	secret := got.text("secret")
	if !strings.HasPrefix(secret, "whsec_") || strings.Contains(got.body, "canary-password") {
		t.Errorf("got %s", got.body)
	}
	e := s.kept("acme", id)
	if e.Tenant != "acme" || e.Secrets[0].Text != secret || e.Auth.Credential != "canary-password" || e.Status != subscribers.Paused ||
		e.Headers["X-B"] != "2" || e.Payload != `{"kind":"standard","previous":true}` || e.Signature != "x-signature github" {
		t.Errorf("kept %+v", e)
	}
	verification := got.json["verification"].(map[string]any)
	if verification["accepted"] != true || len(s.prober.urls) != 1 {
		t.Errorf("got %v", verification)
	}
	const line = `curl -X POST 'https://erp.example/h' -H 'authorization: ***' -H 'webhook-id: test_1' --data-binary '{"test":true}'`
	if verification["curl"] != line {
		t.Errorf("got %s", verification["curl"])
	}
	// It is shown once.
	shown := s.as("acme", http.MethodGet, "/endpoints/"+id, "").want(t, 200, `"auth":{"scheme":"basic","name":"me"}`, `"payload":{"format":"standard","previous":true}`)
	if strings.Contains(shown.body, secret) || strings.Contains(shown.body, "canary-password") || shown.header.Get("ETag") != got.header.Get("ETag") {
		t.Errorf("shown %s, %v", shown.body, shown.header)
	}
	if s.as("acme", http.MethodGet, "/endpoints/"+id, "", "If-None-Match", "W/"+got.header.Get("ETag")).status != 304 {
		t.Error("it is said to be modified")
	}
	// Without a signature there is no secret, and nothing but a name is needed.
	if got := s.create("acme", `{"signature":"none"}`); got.text("secret") != "" || len(s.prober.urls) != 1 {
		t.Errorf("got %s", got.body)
	}
}

// Nothing is made where the receiver does not answer a test with success, and the
// answer says what was sent and came back.
func TestVerification(t *testing.T) {
	s := newStage(t)
	s.prober.refuse = true
	got := s.as("acme", http.MethodPost, "/endpoints", simple).want(t, 422,
		`"problems/verification-failed"`, `"pointer":"/url"`, "Answered 500 Internal Server Error.", `"status":500`, `"body_base64":"bm//"`)
	if got.json["verification"].(map[string]any)["accepted"] != false {
		t.Errorf("got %s", got.body)
	}
	// What its policy refuses is not tested.
	s.as("acme", http.MethodPost, "/endpoints", `{"url":"https://inner.example/"}`).want(t, 422)
	if len(s.prober.urls) != 1 {
		t.Errorf("tested %q", s.prober.urls)
	}
	s.prober.refuse = false
	made := s.create("acme", simple)
	path := "/endpoints/" + made.text("id")
	s.prober.refuse = true
	// A change is tested if it changes the URL.
	for _, test := range []struct {
		method, body string
		status       int
	}{
		{http.MethodPatch, `{"label":"CRM"}`, 200},
		{http.MethodPatch, `{"url":"https://erp.example/h"}`, 200},
		{http.MethodPatch, `{"url":"https://crm.example/h"}`, 422},
		{http.MethodPut, simple, 200},
		{http.MethodPut, `{"url":"https://crm.example/h"}`, 422},
		{http.MethodPatch, `{"url":null}`, 200},
		{http.MethodPatch, `{"url":"https://erp.example/h"}`, 422},
	} {
		s.as("acme", test.method, path, test.body).want(t, test.status)
	}
	s.as("acme", http.MethodPost, path+"/test", "").want(t, 422, "/url")
	s.server = New(func() Options { o := *s.options; o.Unverified = true; return o }(), NewLimits())
	s.as("acme", http.MethodPatch, path, `{"url":"https://erp.example/h"}`).want(t, 200)
	s.create("acme", simple)
	// The test that is asked for is answered whatever comes of it.
	s.as("acme", http.MethodPost, path+"/test", "").want(t, 200, `"accepted":false`)
	for range probesBurst {
		if s.as("acme", http.MethodPost, path+"/test", "").status == 429 {
			return
		}
	}
	t.Error("tests are not limited")
}

// Who changes an endpoint keeps the credentials that he does not name.
func TestChange(t *testing.T) {
	s := newStage(t)
	made := s.create("acme", whole)
	id := made.text("id")
	patch := func(body string, more ...string) reply {
		return s.as("acme", http.MethodPatch, "/endpoints/"+id, body, append([]string{"Content-Type", "application/merge-patch+json"}, more...)...)
	}
	before := s.kept("acme", id)
	patch(`{}`).want(t, 200)
	after := s.kept("acme", id)
	after.Version = before.Version
	if !reflect.DeepEqual(before, after) {
		t.Errorf("an empty patch made %+v of %+v", after, before)
	}
	patch(`{"headers":{"X-A":null,"X-C":"3"},"metadata":null,"label":null,"payload":{"previous":null},"rate":null,"order":null}`).want(t, 200)
	e := s.kept("acme", id)
	if !reflect.DeepEqual(e.Headers, map[string]string{"X-B": "2", "X-C": "3"}) || len(e.Metadata) > 0 || e.Label != "" || e.Rate != "" || e.Order != "" ||
		e.Payload != `{"kind":"standard"}` || e.Auth == nil || e.Secrets[0].Text != made.text("secret") || e.Status != subscribers.Paused {
		t.Errorf("made %+v", e)
	}
	// Credentials are replaced as a whole.
	patch(`{"auth":{"scheme":"bearer"}}`).want(t, 422, "/auth/credential")
	patch(`{"auth":{"name":"other"}}`).want(t, 422)
	patch(`{"auth":{"scheme":"bearer","credential":"canary-token"}}`).want(t, 200, `"auth":{"scheme":"bearer"}`)
	if e := s.kept("acme", id); *e.Auth != (subscribers.Auth{Scheme: "bearer", Credential: "canary-token"}) {
		t.Errorf("made %+v", e.Auth)
	}
	// PUT replaces the rest, and no secrets.
	s.as("acme", http.MethodPut, "/endpoints/"+id, `{"label":"new"}`).want(t, 200)
	e = s.kept("acme", id)
	if e.Label != "new" || e.URL != "" || len(e.Headers) > 0 || e.Signature != "" || e.Auth == nil || e.Secrets[0].Text != made.text("secret") {
		t.Errorf("made %+v", e)
	}
	patch(`{"auth":null}`).want(t, 200)
	if e := s.kept("acme", id); e.Auth != nil {
		t.Errorf("made %+v", e.Auth)
	}
	// Who begins to sign gets a secret.
	bare := s.create("acme", `{"signature":"none"}`).text("id")
	if got := s.as("acme", http.MethodPatch, "/endpoints/"+bare, `{"signature":"rfc9421"}`).want(t, 200); !strings.HasPrefix(got.text("secret"), "whsec_") {
		t.Errorf("got %s", got.body)
	}
}

func TestIfMatch(t *testing.T) {
	s := newStage(t)
	made := s.create("acme", simple)
	path, tag := "/endpoints/"+made.text("id"), made.header.Get("ETag")
	next := s.as("acme", http.MethodPatch, path, `{"label":"a"}`, "If-Match", `"x", `+tag).want(t, 200).header.Get("ETag")
	for _, match := range []string{tag, "W/" + next, `"1"`, "x"} {
		s.as("acme", http.MethodPatch, path, `{"label":"b"}`, "If-Match", match).want(t, 412)
		s.as("acme", http.MethodPut, path, `{}`, "If-Match", match).want(t, 412)
		s.as("acme", http.MethodDelete, path, "", "If-Match", match).want(t, 412)
		s.as("acme", http.MethodPost, path+"/pause", "", "If-Match", match).want(t, 412)
		s.as("acme", http.MethodPost, path+"/secrets", "", "If-Match", match).want(t, 412)
	}
	s.as("acme", http.MethodPatch, path, `{"label":"b"}`, "If-Match", "*").want(t, 200)
	// A tag tells nothing of how much others change.
	other := s.create("umbrella", simple)
	if other.header.Get("ETag") == tag || len(tag) != len(next) {
		t.Errorf("tags %s %s %s", tag, next, other.header.Get("ETag"))
	}
}

// A change that another disturbs while its receiver is tested is made on what the other
// has left, or refused if it was for what was there before.
func TestDisturbedChange(t *testing.T) {
	s := newStage(t)
	made := s.create("acme", simple)
	id := made.text("id")
	book := subscribers.Book{Store: s.store, Sealer: s.options.Sealer(), Now: s.options.Now}
	disturb := func() {
		s.prober.during = nil
		_, err := book.Change(t.Context(), "acme", id, queue.AnyVersion, func(e *subscribers.Endpoint) error { e.Metadata = map[string]string{"by": "another"}; return nil })
		must(t, err)
	}
	s.prober.during = disturb
	s.as("acme", http.MethodPatch, "/endpoints/"+id, `{"url":"https://crm.example/h"}`).want(t, 200)
	if e := s.kept("acme", id); e.URL != "https://crm.example/h" || e.Metadata["by"] != "another" || len(s.prober.urls) != 2 {
		t.Errorf("made %+v, tested %q", e, s.prober.urls)
	}
	tag := s.as("acme", http.MethodGet, "/endpoints/"+id, "").header.Get("ETag")
	s.prober.during = disturb
	s.as("acme", http.MethodPatch, "/endpoints/"+id, `{"url":"https://erp.example/h"}`, "If-Match", tag).want(t, 412)
}

func TestDeleteCancels(t *testing.T) {
	s := newStage(t)
	id, other := s.create("acme", simple).text("id"), s.create("acme", simple).text("id")
	for _, object := range []string{"1", "2", "3"} {
		must(t, s.store.Announce(t.Context(), event.Event{Type: "items.updated", Key: event.Key{Resource: "items", ID: object}, Tenant: "acme", Time: s.now}, []string{id, other}))
	}
	s.as("acme", http.MethodDelete, "/endpoints/"+id, "").want(t, 204)
	s.as("acme", http.MethodGet, "/endpoints/"+id, "").want(t, 404)
	s.as("acme", http.MethodDelete, "/endpoints/"+id, "").want(t, 404)
	for name, want := range map[string]queue.Status{id: queue.StatusCancelled, other: queue.StatusPending} {
		rows, _, err := s.store.Deliveries(t.Context(), queue.Filter{Endpoint: name}, queue.Page{})
		must(t, err)
		for i := range rows {
			if rows[i].Status != want {
				t.Errorf("%s is %s, want %s", rows[i].EventID, rows[i].Status, want)
			}
		}
		if len(rows) != 3 {
			t.Errorf("%d deliveries", len(rows))
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", simple).text("id")
	path := "/endpoints/" + id
	for range 2 {
		s.as("acme", http.MethodPost, path+"/pause", "").want(t, 200, `"status":"paused"`)
	}
	if s.kept("acme", id).Status != subscribers.Paused {
		t.Error("it is not paused")
	}
	s.as("acme", http.MethodPost, path+"/resume", "").want(t, 200, `"status":"active"`)
	// The emitter takes over a moment later what the owner has said.
	s.fares.of[id] = emitter.Standing{EndpointState: queue.EndpointState{Name: id, Status: queue.EndpointPaused, Reason: emitter.OwnerPaused}}
	s.as("acme", http.MethodGet, path, "").want(t, 200, `"status":"active"`)
	delete(s.fares.of, id)
	// What was disabled because it failed goes on; what the operator has paused does not.
	for _, status := range []queue.EndpointStatus{queue.EndpointDisabled, emitter.StatusFailing, queue.EndpointPaused} {
		s.fares.of[id] = emitter.Standing{EndpointState: queue.EndpointState{Status: status, Reason: "canary-reason", Since: s.now}}
		shown := s.as("acme", http.MethodGet, path, "").want(t, 200, `"status":"`+string(status)+`"`, `"reason":"`)
		if strings.Contains(shown.body, "canary-reason") {
			t.Errorf("it tells why: %s", shown.body)
		}
		s.fares.resumed = nil
		s.as("acme", http.MethodPost, path+"/resume", "").want(t, 200)
		if resumed := len(s.fares.resumed) == 1; resumed != (status != queue.EndpointPaused) {
			t.Errorf("%s: resumed is %v", status, resumed)
		}
	}
}

func TestSecrets(t *testing.T) {
	s := newStage(t)
	made := s.create("acme", simple)
	id, path := made.text("id"), "/endpoints/"+made.text("id")+"/secrets"
	rotated := s.as("acme", http.MethodPost, path, `{"overlap":"1h"}`).want(t, 201)
	if rotated.text("previous_until") != "2026-11-28T13:00:00Z" || rotated.text("secret") == made.text("secret") {
		t.Errorf("got %s", rotated.body)
	}
	e := s.kept("acme", id)
	if len(e.Secrets) != 2 || e.Secrets[0].Text != rotated.text("secret") || !e.Secrets[0].Until.IsZero() || !e.Secrets[1].Until.Equal(s.now.Add(time.Hour)) {
		t.Fatalf("kept %+v", e.Secrets)
	}
	shown := rotated.json["secrets"].([]any)
	current, previous := shown[0].(map[string]any)["id"].(string), shown[1].(map[string]any)["id"].(string)
	s.as("acme", http.MethodDelete, path+"/"+current, "").want(t, 409)
	s.as("acme", http.MethodDelete, path+"/0000000000000000", "").want(t, 404)
	s.as("acme", http.MethodDelete, path+"/"+previous, "").want(t, 204)
	if e := s.kept("acme", id); len(e.Secrets) != 1 {
		t.Errorf("kept %+v", e.Secrets)
	}
	// A longer overlap does not lengthen one that was shorter, and at most four sign.
	s.as("acme", http.MethodPost, path, `{"overlap":"1h"}`).want(t, 201)
	s.as("acme", http.MethodPost, path, `{"overlap":"48h"}`).want(t, 201)
	if e := s.kept("acme", id); len(e.Secrets) != 3 || !e.Secrets[1].Until.Equal(s.now.Add(48*time.Hour)) || !e.Secrets[2].Until.Equal(s.now.Add(time.Hour)) {
		t.Errorf("kept %+v", e.Secrets)
	}
	s.as("acme", http.MethodPost, path, "").want(t, 201)
	s.as("acme", http.MethodPost, path, "").want(t, 422, "revoke")
	// Those that have ended are gone, and those that are replaced at once.
	s.now = s.now.Add(2 * time.Hour)
	s.as("acme", http.MethodPost, path, "").want(t, 201)
	s.as("acme", http.MethodPost, path, `{"overlap":"0s"}`).want(t, 201)
	if e := s.kept("acme", id); len(e.Secrets) != 1 {
		t.Errorf("kept %+v", e.Secrets)
	}
	for _, body := range []string{`{"overlap":"-1h"}`, `{"overlap":"soon"}`, `{"overlap":"1000h"}`} {
		s.as("acme", http.MethodPost, path, body).want(t, 422, "/overlap")
	}
	s.as("acme", http.MethodPost, path, `{"overlap":1}`).want(t, 400, "/overlap")
	none := s.create("acme", `{"signature":"none"}`).text("id")
	s.as("acme", http.MethodPost, "/endpoints/"+none+"/secrets", "").want(t, 422, "/signature")
}

// Policies are kept to, also by many at once.
func TestPolicies(t *testing.T) {
	s := newStage(t, func(o *Options) {
		o.Policy, o.Require = subscribers.Policy{Limit: 3, OnePerType: true}, []string{"label", "events"}
	})
	s.as("acme", http.MethodPost, "/endpoints", `{"url":"https://erp.example/"}`).want(t, 422, `"/label"`, `"/events"`)
	made := s.create("acme", simple)
	s.as("acme", http.MethodPatch, "/endpoints/"+made.text("id"), `{"label":null}`).want(t, 422, `"/label"`)
	s.as("acme", http.MethodPost, "/endpoints", simple).want(t, 422, "/events", "one enabled endpoint for each type")
	if len(s.prober.urls) != 1 {
		t.Errorf("tested %q", s.prober.urls)
	}
	s.create("umbrella", simple)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got := s.as("acme", http.MethodPost, "/endpoints", `{"label":"x","events":["x"],"status":"paused"}`)
			if got.status != 201 && got.status != 422 {
				t.Errorf("got %d: %s", got.status, got.body)
			}
		})
	}
	group.Wait()
	if got := s.as("acme", http.MethodGet, "/endpoints", "").json["data"].([]any); len(got) != 3 {
		t.Errorf("%d endpoints", len(got))
	}
}
