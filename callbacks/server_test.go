// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

func TestMethodsAndPaths(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", simple).text("id")
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/", 404, ""},
		{"GET", "/endpoint", 404, ""},
		{"GET", "/endpoints/" + id + "/", 200, ""},
		{"GET", "/endpoints//", 404, ""},
		{"GET", "//endpoints", 404, ""},
		{"GET", "/endpoints/" + id + "/pause/more", 404, ""},
		{"PUT", "/endpoints", 405, "GET, HEAD, OPTIONS, POST"},
		{"POST", "/endpoints/" + id, 405, "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"},
		{"GET", "/endpoints/" + id + "/pause", 405, "OPTIONS, POST"},
		{"HEAD", "/endpoints/" + id + "/pause", 405, "OPTIONS, POST"},
		{"BREW", "/me", 405, "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/me", 204, "GET, HEAD, OPTIONS"},
		{"GET", "/me", 200, ""},
	} {
		got := s.as("acme", test.method, test.path, "")
		if got.status != test.status || got.header.Get("Allow") != test.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", test.method, test.path, got.status, got.header.Get("Allow"), test.status, test.allow)
		}
	}
	// OPTIONS is asked without a credential, before a browser sends one.
	s.as("", http.MethodOptions, "/endpoints", "").want(t, 204)
	head, get := s.as("acme", http.MethodHead, "/endpoints/"+id, ""), s.as("acme", http.MethodGet, "/endpoints/"+id, "")
	if head.body != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") || head.header.Get("ETag") != get.header.Get("ETag") {
		t.Errorf("HEAD %v %q, GET %v", head.header, head.body, get.header)
	}
	if get.header.Get("Cache-Control") != "no-store" {
		t.Errorf("an answer may be kept: %v", get.header)
	}
}

// While the queue is not open, it says when to try again. Whoever asks learns no more.
func TestQueueNotOpen(t *testing.T) {
	s := newStage(t)
	none := func(o *Options) { o.Queue = func() queue.Store { return nil } }
	locked := func(o *Options) { o.Sealer = func() subscribers.Sealer { return nil } }
	for name, change := range map[string]func(*Options){"not open": none, "no key": locked, "closed": func(*Options) { must(t, s.store.Close()) }} {
		options := *s.options
		change(&options)
		s.server = New(options, NewLimits())
		got := s.as("acme", http.MethodGet, "/endpoints", "").want(t, http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") != "10" {
			t.Errorf("%s: %v", name, got.header)
		}
	}
}

// What the queue answers that nobody has foreseen is ours, and is noted without a
// word of it to the caller.
func TestOurErrors(t *testing.T) {
	s := newStage(t)
	s.options.Queue = func() queue.Store { return failing{s.store} }
	s.server = New(*s.options, NewLimits())
	got := s.as("acme", http.MethodGet, "/endpoints", "").want(t, http.StatusInternalServerError)
	if strings.Contains(got.body, errDisk.Error()) || !strings.Contains(s.log.String(), errDisk.Error()) {
		t.Errorf("told %q, noted %q", got.body, s.log)
	}
}

// A body that does not fit is refused, with the members that are wrong.
func TestBodies(t *testing.T) {
	s := newStage(t)
	for _, test := range []struct {
		name, body, contentType string
		status                  int
		pointers                string
	}{
		{"nothing", "", "application/json", 400, "-"},
		{"no JSON", "label=ERP", "application/json", 400, "-"},
		{"a form", "label=ERP", "application/x-www-form-urlencoded", 415, "-"},
		{"no type", simple, "", 415, "-"},
		{"a merge patch", simple, "application/merge-patch+json", 415, "-"},
		{"another charset", simple, "application/json; charset=utf-16", 415, "-"},
		{"a list", "[]", "application/json", 400, ""},
		{"a text", `"x"`, "application/json", 400, ""},
		{"more than one", `{}{}`, "application/json", 400, "-"},
		{"twice the same", `{"label":"a","label":"b"}`, "application/json", 400, "-"},
		{"twice, deep", `{"auth":{"scheme":"a","scheme":"b"}}`, "application/json", 400, "-"},
		{"deep", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), "application/json", 400, "-"},
		{"deep lists", strings.Repeat(`[`, 10000), "application/json", 400, "-"},
		{"half", `{"label":"a"`, "application/json", 400, "-"},
		{"no UTF-8", "{\"label\":\"\xff\"}", "application/json", 400, "-"},
		{"too long", `{"label":"` + strings.Repeat("a", maxBody) + `"}`, "application/json", 413, "-"},
		{"unknown", `{"lable":"a","filters":1}`, "application/json", 400, "/filters /lable"},
		{"unknown, deep", `{"auth":{"user":"x"},"payload":{"kind":"thin"}}`, "application/json", 400, "/auth/user /payload/kind"},
		{
			"wrong types", `{"label":1,"events":"items.*","headers":[],"metadata":{"a":1},"payload":"show","auth":true,"status":{}}`, "application/json", 400,
			"/auth /events /headers /label /metadata/a /payload /status",
		},
		{"wrong types, deep", `{"events":["a",1],"payload":{"format":"fields","fields":[1,{"name":2}]}}`, "application/json", 400, "/events/1 /payload/fields/0 /payload/fields/1/name"},
		{"what is ours", `{"id":"ep_1","secret":"whsec_x","created_at":"now"}`, "application/json", 400, "/created_at /id /secret"},
		{"a pointer to escape", `{"a/b~c":1}`, "application/json", 400, "/a~1b~0c"},
		{"no URL", `{"url":"erp.example"}`, "application/json", 422, "/url"},
		{"a blocked URL", `{"url":"https://inner.example/"}`, "application/json", 422, "/url"},
		{"no pattern", `{"events":["items.*","*x"]}`, "application/json", 422, "/events/1"},
		{"no format", `{"payload":{"format":"xml"}}`, "application/json", 400, "/payload"},
		{"no signature", `{"signature":"md5"}`, "application/json", 422, "/signature"},
		{"no style", `{"signature":"x-signature own"}`, "application/json", 422, "/signature"},
		{"no status", `{"status":"disabled"}`, "application/json", 422, "/status"},
		{"no order", `{"order":"random"}`, "application/json", 422, "/order"},
		{"no rate", `{"rate":"often"}`, "application/json", 422, "/rate"},
		{"no credential", `{"auth":{"scheme":"basic","name":"x"}}`, "application/json", 422, "/auth/credential"},
		{"a header of ours", `{"headers":{"Webhook-Id":"x"}}`, "application/json", 422, "/headers/Webhook-Id"},
		{"a filter", `{"filter":"object.amount >"}`, "application/json", 422, "/filter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.as("acme", http.MethodPost, "/endpoints", test.body, "Content-Type", test.contentType).want(t, test.status)
			pointers := "-"
			if got.json["errors"] != nil {
				pointers = strings.Join(got.pointers(), " ")
			}
			if pointers != test.pointers {
				t.Errorf("got %q, want %q: %s", pointers, test.pointers, got.body)
			}
		})
	}
	if got := s.as("acme", http.MethodGet, "/endpoints", ""); got.body != "{\"data\":[]}\n" {
		t.Errorf("something was made: %s", got.body)
	}
}

func TestPages(t *testing.T) {
	s := newStage(t)
	want := map[string]bool{}
	for range 5 {
		want[s.create("acme", `{}`).text("id")] = true
		s.create("umbrella", `{}`)
	}
	got, path := map[string]bool{}, "/endpoints?limit=2"
	var cursors []string
	for range 3 {
		page := s.as("acme", http.MethodGet, path, "").want(t, 200)
		for _, of := range page.json["data"].([]any) {
			got[of.(map[string]any)["id"].(string)] = true
		}
		cursors = append(cursors, page.text("next"))
		path = "/endpoints?limit=2&cursor=" + page.text("next")
	}
	if len(got) != 5 || cursors[0] == "" || cursors[1] == "" || cursors[2] != "" {
		t.Errorf("got %v by %q", got, cursors)
	}
	for id := range got {
		if !want[id] {
			t.Errorf("%s is not acme's", id)
		}
	}
	// Another tenant's cursor is a place in its own list.
	for _, of := range s.as("umbrella", http.MethodGet, "/endpoints?cursor="+cursors[0], "").want(t, 200).json["data"].([]any) {
		if want[of.(map[string]any)["id"].(string)] {
			t.Error("a cursor leads to another tenant's")
		}
	}
	for query, pointer := range map[string]string{
		"cursor=x": "?cursor", "limit=0": "?limit", "limit=201": "?limit", "limit=x": "?limit", "limit=": "?limit",
		"limit=1&limit=2": "?limit", "tenant=umbrella": "?tenant", "cursor=" + strings.Repeat("a", 3000): "?cursor",
	} {
		if got := s.as("acme", http.MethodGet, "/endpoints?"+query, "").want(t, 400); got.pointers()[0] != pointer {
			t.Errorf("%s: %s", query, got.body)
		}
	}
	s.as("acme", http.MethodGet, "/endpoints?%zz", "").want(t, 400)
	s.as("acme", http.MethodPost, "/endpoints?dry=1", simple).want(t, 400)
}

func TestWhoMay(t *testing.T) {
	s := newStage(t)
	ask := func(values ...string) reply {
		r := httptest.NewRequest(http.MethodGet, "/me", http.NoBody)
		for _, value := range values {
			r.Header.Add("Authorization", value)
		}
		return s.serve(r)
	}
	for _, values := range [][]string{nil, {"Basic dTpw"}, {"Bearer other"}, {"Bearer"}, {s.keys["acme"]}} {
		if got := ask(values...).want(t, 401); got.header.Get("WWW-Authenticate") != `Bearer realm="webhooks"` {
			t.Errorf("%q: %v", values, got.header)
		}
	}
	if got := ask("bearer "+s.keys["acme"]).want(t, 200); got.text("tenant") != "acme" || !strings.HasSuffix(got.text("name"), " (first)") {
		t.Errorf("got %s", got.body)
	}
	// Who guesses is held back, and nobody who has a key, at the same address or another.
	for range failuresBurst {
		ask("Bearer whk_guess").want(t, 401)
	}
	ask("Bearer "+s.keys["acme"]).want(t, 200)
	if got := ask("Bearer whk_guess").want(t, 429); got.header.Get("Retry-After") == "" {
		t.Error("it does not say when")
	}
	r := httptest.NewRequest(http.MethodGet, "/me", http.NoBody)
	r.RemoteAddr = "198.51.100.7:1"
	r.Header.Set("Authorization", "Bearer "+s.keys["acme"])
	s.serve(r).want(t, 200)
	s.now = s.now.Add(failuresEvery)
	ask("Bearer whk_guess").want(t, 401)
	ask("Bearer whk_guess").want(t, 429)
}

func TestCallersAreLimited(t *testing.T) {
	s := newStage(t)
	for range callsBurst {
		s.as("acme", http.MethodGet, "/me", "").want(t, 200)
	}
	s.as("acme", http.MethodGet, "/me", "").want(t, 429)
	s.as("umbrella", http.MethodGet, "/me", "").want(t, 200)
	s.now = s.now.Add(time.Second)
	s.as("acme", http.MethodGet, "/me", "").want(t, 200)
}

// What changes something is limited by itself, and reading goes on.
func TestChangesAreLimited(t *testing.T) {
	s := newStage(t)
	path := "/endpoints/" + s.create("acme", simple).text("id")
	for range changesBurst - 1 {
		s.as("acme", http.MethodPatch, path, `{}`).want(t, 200)
	}
	if got := s.as("acme", http.MethodPatch, path, `{}`).want(t, 429); got.header.Get("Retry-After") != "10" {
		t.Errorf("it is to wait for %q", got.header.Get("Retry-After"))
	}
	s.as("acme", http.MethodDelete, path, "").want(t, 429)
	s.as("acme", http.MethodGet, path, "").want(t, 200)
	s.create("umbrella", simple)
	s.now = s.now.Add(changesEvery)
	s.as("acme", http.MethodDelete, path, "").want(t, 204)
}

// failing is a queue whose endpoints cannot be read.
type failing struct{ queue.Store }

func (f failing) RecordsOf(ctx context.Context, kind, owner string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	if kind == queue.KindEndpoint {
		return nil, "", errDisk
	}
	return f.Store.RecordsOf(ctx, kind, owner, page)
}
