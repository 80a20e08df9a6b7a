// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

func TestKeys(t *testing.T) {
	s := newStage(t)
	made := s.as("acme", http.MethodPost, "/keys", `{"name":"ci","expires":"2026-11-28T14:00:00Z"}`).want(t, 201)
	if made.header.Get("Location") != "/webhooks/keys/"+made.text("id") || !strings.HasPrefix(made.text("key"), "whk_") {
		t.Errorf("got %s %v", made.body, made.header)
	}
	s.keys["ci"] = made.text("key")
	s.as("ci", http.MethodGet, "/me", "").want(t, 200, `"tenant":"acme"`, "(ci)")
	list := s.as("acme", http.MethodGet, "/keys", "").want(t, 200, `"used_at":"2026-11-28T12:00:00Z"`, `"created_by":"key_`)
	if strings.Contains(list.body, s.keys["ci"]) {
		t.Errorf("told %s", list.body)
	}
	// A key makes none that outlives it.
	s.as("ci", http.MethodPost, "/keys", `{"expires":"2026-11-28T14:00:01Z"}`).want(t, 422, "/expires")
	s.as("ci", http.MethodPost, "/keys", ``).want(t, 201, `"expires":"2026-11-28T14:00:00Z"`)
	for _, body := range []string{`{"expires":"tomorrow"}`, `{"expires":"2026-11-28T11:00:00Z"}`, `{"name":"a\u0000"}`} {
		s.as("acme", http.MethodPost, "/keys", body).want(t, 422)
	}
	s.as("acme", http.MethodPost, "/keys", `{"tenant":"umbrella"}`).want(t, 400, "/tenant")
	// It ends at its time, or when it is deleted.
	s.now = s.now.Add(2 * time.Hour)
	s.as("ci", http.MethodGet, "/me", "").want(t, 401)
	second := s.as("acme", http.MethodPost, "/keys", "").want(t, 201)
	s.keys["second"] = second.text("key")
	s.as("second", http.MethodGet, "/me", "").want(t, 200)
	if shown := s.as("acme", http.MethodGet, "/keys/"+second.text("id"), "").want(t, 200, `"used_at"`); strings.Contains(shown.body, s.keys["second"]) {
		t.Errorf("told %s", shown.body)
	}
	s.as("acme", http.MethodDelete, "/keys/"+second.text("id"), "").want(t, 204)
	s.as("second", http.MethodGet, "/me", "").want(t, 401)
	s.as("acme", http.MethodDelete, "/keys/"+second.text("id"), "").want(t, 404)
	for range subscribers.MaxKeys {
		if s.now = s.now.Add(time.Second); s.as("acme", http.MethodPost, "/keys", "").status == 422 {
			return
		}
	}
	t.Error("there is no limit")
}

// That a key was used is noted once an hour.
func TestLastUse(t *testing.T) {
	s := newStage(t)
	version := func() uint64 {
		kept, _, err := s.store.RecordsOf(t.Context(), subscribers.KindKey, "acme", queue.Page{})
		must(t, err)
		return kept[0].Version
	}
	made := version()
	s.as("acme", http.MethodGet, "/me", "").want(t, 200)
	first := version()
	s.now = s.now.Add(59 * time.Minute)
	s.as("acme", http.MethodGet, "/me", "").want(t, 200)
	if again := version(); first == made || again != first {
		t.Errorf("versions %d, %d, %d", made, first, again)
	}
	s.now = s.now.Add(time.Minute)
	s.as("acme", http.MethodGet, "/me", "").want(t, 200, "acme")
	if version() == first {
		t.Error("an hour later it is not noted")
	}
}

func TestAudit(t *testing.T) {
	s := newStage(t, func(o *Options) { o.AuditFor = time.Hour })
	id := s.create("acme", simple).text("id")
	s.create("umbrella", simple)
	for _, request := range [][3]string{
		{http.MethodPatch, "/endpoints/" + id, `{"label":"canary-label","auth":{"scheme":"bearer","credential":"canary-token"}}`},
		{http.MethodPost, "/endpoints/" + id + "/pause", ""},
		{http.MethodPost, "/endpoints/" + id + "/resume", ""},
		{http.MethodPost, "/endpoints/" + id + "/secrets", ""},
		{http.MethodDelete, "/endpoints/" + id, ""},
		{http.MethodPost, "/keys", ""},
		{http.MethodPatch, "/endpoints/" + id, `{}`},
		{http.MethodPost, "/endpoints", `{"url":"x"}`},
	} {
		s.now = s.now.Add(time.Second)
		s.as("acme", request[0], request[1], request[2])
	}
	got := s.as("acme", http.MethodGet, "/audit", "").want(t, 200, `"changed":["auth","label"]`, `"from":"192.0.2.1"`, `(first)`)
	var actions []string
	for _, of := range got.json["data"].([]any) {
		actions = append(actions, of.(map[string]any)["action"].(string))
	}
	if want := "key.create endpoint.delete endpoint.rotate endpoint.resume endpoint.pause endpoint.change endpoint.create"; strings.Join(actions, " ") != want {
		t.Errorf("got %q, want %q", actions, want)
	}
	if strings.Contains(got.body, "canary") {
		t.Errorf("it tells %s", got.body)
	}
	page := s.as("acme", http.MethodGet, "/audit?limit=3", "").want(t, 200, "key.create")
	s.as("acme", http.MethodGet, "/audit?limit=3&cursor="+page.text("next"), "").want(t, 200, "endpoint.pause")
	s.now = s.now.Add(time.Hour)
	s.as("acme", http.MethodGet, "/audit", "").want(t, 200, `{"data":[]}`)
}

// What cannot be noted is not done.
func TestWithoutAuditNothing(t *testing.T) {
	s := newStage(t)
	s.options.Queue = func() queue.Store { return noAudit{s.store} }
	s.server = New(*s.options, NewLimits())
	s.as("acme", http.MethodPost, "/endpoints", simple).want(t, 500)
	s.as("acme", http.MethodPost, "/keys", "").want(t, 500)
	s.options.Queue = func() queue.Store { return s.store }
	s.server = New(*s.options, NewLimits())
	s.as("acme", http.MethodGet, "/endpoints", "").want(t, 200, `{"data":[]}`)
}

// noAudit is a queue that takes no records of who changed what.
type noAudit struct{ queue.Store }

func (q noAudit) Change(ctx context.Context, changes ...queue.Record) (uint64, error) {
	for i := range changes {
		if changes[i].Kind == subscribers.KindAudit {
			return 0, errDisk
		}
	}
	return q.Store.Change(ctx, changes...)
}

// The API says who its callers are, by their own credential.
func TestAsking(t *testing.T) {
	answers := map[string]Answered{
		"Bearer acme":     {Status: 200, Body: []byte(`{"brand":{"id":"acme"}}`)},
		"Bearer number":   {Status: 200, Body: []byte(`{"brand":{"id":12345678901234567890}}`)},
		"Bearer none":     {Status: 200, Body: []byte(`{"brand":{}}`)},
		"Bearer empty":    {Status: 200, Body: []byte(`{"brand":{"id":""}}`)},
		"Bearer object":   {Status: 200, Body: []byte(`{"brand":{"id":{}}}`)},
		"Bearer true":     {Status: 200, Body: []byte(`{"brand":{"id":true}}`)},
		"Bearer html":     {Status: 200, Body: []byte(`<html>{"brand":{"id":"acme"}}`)},
		"Bearer long":     {Status: 200, Body: []byte(`{"brand":{"id":"` + strings.Repeat("a", 1000) + `"}}`)},
		"Bearer control":  {Status: 200, Body: []byte(`{"brand":{"id":"a\u0000"}}`)},
		"Bearer wrong":    {Status: 401, Header: http.Header{"Www-Authenticate": {`Basic realm="api"`}}},
		"Bearer bare":     {Status: 401},
		"Bearer no":       {Status: 403},
		"Bearer away":     {Status: 302},
		"Bearer broken":   {Status: 500},
		"Bearer too-many": {Status: 429},
	}
	asked := 0
	s := newStage(t)
	asker := &Asker{Tenant: "brand.id", Now: s.options.Now, Path: "/me", Ask: func(_ context.Context, _ *http.Request, _ string, credential http.Header) (Answered, error) {
		asked++
		if len(credential) > 2 || credential.Get("X-Other") != "" {
			t.Errorf("passed on %v", credential)
		}
		answer, known := answers[credential.Get("Authorization")]
		if !known {
			return Answered{}, errors.New("canary-error")
		}
		return answer, nil
	}}
	s.options.Authorize = []Authorize{asker.Authorize}
	s.server = New(*s.options, NewLimits())
	ask := func(credential, cookie string) reply {
		s.now = s.now.Add(time.Minute) // so that nobody is held back, and nothing is remembered
		r := httptest.NewRequest(http.MethodGet, "/me", http.NoBody)
		r.Header.Set("Authorization", credential)
		r.Header.Set("X-Other", "x")
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		return s.serve(r)
	}
	for credential, want := range map[string]int{
		"acme": 200, "number": 200, "none": 404, "empty": 404, "object": 404, "true": 404, "html": 404, "long": 404, "control": 404,
		"wrong": 401, "bare": 401, "no": 404, "away": 404, "broken": 503, "too-many": 503, "unreachable": 503,
	} {
		if got := ask("Bearer "+credential, ""); got.status != want || strings.Contains(got.body, "canary") {
			t.Errorf("%s: %d %s, want %d", credential, got.status, got.body, want)
		}
	}
	if got := ask("Bearer wrong", ""); got.header.Get("WWW-Authenticate") != `Basic realm="api"` {
		t.Errorf("got %v", got.header)
	}
	if got := ask("Bearer number", ""); got.text("tenant") != "12345678901234567890" {
		t.Errorf("got %s", got.body)
	}
	// An answer is remembered for ten seconds, for the whole credential.
	before := asked
	ask("Bearer acme", "session=1")
	again := func(cookie string, wait time.Duration) int {
		s.now = s.now.Add(wait - time.Minute)
		ask("Bearer acme", cookie)
		return asked - before
	}
	for i, step := range []struct {
		cookie string
		wait   time.Duration
		want   int
	}{{"session=1", 9 * time.Second, 1}, {"session=2", 0, 2}, {"session=1", time.Second, 3}} {
		if n := again(step.cookie, step.wait); n != step.want {
			t.Errorf("step %d: asked %d times, want %d", i, n, step.want)
		}
	}
	for hash := range asker.known {
		if strings.Contains(fmt.Sprintf("%s", hash), "acme") {
			t.Error("a credential is remembered")
		}
	}
	// Without a credential nobody is asked.
	before = asked
	s.serve(httptest.NewRequest(http.MethodGet, "/me", http.NoBody)).want(t, 401)
	if asked != before {
		t.Error("the API was asked for nobody")
	}
}

// From an address from which too many credentials were not valid, the API is asked
// nothing more; whom it has just named goes on.
func TestAskingForGuesses(t *testing.T) {
	s := newStage(t)
	asked := 0
	asker := &Asker{Tenant: "id", Now: s.options.Now, Path: "/me", Ask: func(_ context.Context, _ *http.Request, _ string, credential http.Header) (Answered, error) {
		asked++
		if credential.Get("Authorization") == "Bearer right" {
			return Answered{Status: 200, Body: []byte(`{"id":"acme"}`)}, nil
		}
		return Answered{Status: 401}, nil
	}}
	s.options.Authorize = []Authorize{asker.Authorize}
	s.server = New(*s.options, NewLimits())
	ask := func(credential string) reply {
		r := httptest.NewRequest(http.MethodGet, "/me", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+credential)
		return s.serve(r)
	}
	ask("right").want(t, 200)
	for i := range failuresBurst {
		ask(fmt.Sprint("guess", i)).want(t, 401)
	}
	before := asked
	ask("guess").want(t, 429)
	ask("right").want(t, 200)
	if asked != before {
		t.Errorf("the API was asked %d times more", asked-before)
	}
	s.now = s.now.Add(failuresEvery)
	ask("guess").want(t, 401)
}

func TestAskedMemoryIsBounded(t *testing.T) {
	now := time.Now()
	a := &Asker{Now: func() time.Time { return now }}
	for i := range 3 * maxRemembered {
		a.remember(a.hash("h", "/me", http.Header{"Cookie": {fmt.Sprint(i)}}), "acme")
	}
	if len(a.known) > maxRemembered {
		t.Errorf("%d are remembered", len(a.known))
	}
}

func TestSurrounding(t *testing.T) {
	s := newStage(t)
	tenant, failure := "", error(nil)
	s.options.Authorize = []Authorize{Surrounding(func(*http.Request) (string, error) { return tenant, failure }), ByKey(s.options.Now)}
	s.server = New(*s.options, NewLimits())
	s.as("", http.MethodGet, "/me", "").want(t, 401)
	s.as("umbrella", http.MethodGet, "/me", "").want(t, 200, `"tenant":"umbrella"`)
	tenant = "acme"
	s.as("umbrella", http.MethodGet, "/me", "").want(t, 200, `"tenant":"acme"`)
	tenant = strings.Repeat("a", 1000)
	s.as("", http.MethodGet, "/me", "").want(t, 401)
	failure = errDisk
	s.as("", http.MethodGet, "/me", "").want(t, 500)
}
