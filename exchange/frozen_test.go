// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// rewriting is an API behind handlers that change the request where it is, as
// `handle_path`, `method` and `request_header` do, and that reads its body.
func rewriting(status int, body string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		rewrite.Rewrite{StripPathPrefix: "/api", Method: http.MethodGet}.Rewrite(r, repl)
		r.URL.RawQuery = ""
		r.Header.Del("X-Tenant")
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		r.Body = http.NoBody
		w.WriteHeader(status)
		_, err := io.WriteString(w, body)
		return err
	}
}

// What a rule sees of a request is fixed when the exchange begins, whatever handlers
// that come later make of it.
func TestRequestIsFixed(t *testing.T) {
	touching := func(touch *syntax.Touch) *syntax.Resource {
		return &syntax.Resource{Name: "orders", Show: &syntax.Request{Path: "/api/orders/:id"}, Rules: []*syntax.Rule{{
			Kind: event.KindCreate, Path: "/api/orders", Touches: []*syntax.Touch{touch},
		}}}
	}
	for name, tc := range map[string]struct {
		orders *syntax.Resource
		status int
		answer string
		want   string
	}{
		"touches in the response": {touching(&syntax.Touch{Resource: "users", IDs: "user_id"}), 201, `{"id":1,"user_id":"u1"}`, "1 u1"},
		"touches in the query":    {touching(&syntax.Touch{Resource: "users", IDs: "query:user"}), 201, `{"id":1}`, "1 u2"},
		"touches in the header":   {touching(&syntax.Touch{Resource: "users", IDs: "header:X-Tenant"}), 201, `{"id":1}`, "1 u3"},
		"touches by the new object and the body": {touching(&syntax.Touch{Resource: "users", Via: &syntax.Query{
			Request: syntax.Request{Path: "/users?order={id}&by={request:by}"}, IDs: "#.id",
		}}), 201, `{"id":1}`, "1 1/u4"},
		"a key of response and body": {&syntax.Resource{
			Name: "orders", Show: &syntax.Request{Path: "/api/shops/:shop/orders/:id"}, ID: []string{"request:by"}, Keys: map[string][]string{"shop": {"shop"}},
			Rules: []*syntax.Rule{{Kind: event.KindCreate, Path: "/api/orders"}},
		}, 201, `{"shop":"s1"}`, "s1/u4"},
		"a query for what is done later": {&syntax.Resource{
			Name: "orders", Show: &syntax.Request{Path: "/api/orders/:id"},
			Rules: []*syntax.Rule{{Kind: event.KindCreate, Path: "/api/orders", Later: &syntax.Later{Query: syntax.Query{
				Request: syntax.Request{Path: "/jobs?by={request:by}&user={query:user}"}, IDs: "id",
			}}}},
		}, 202, `{}`, "u4/u2"},
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, tc.orders, &syntax.Resource{Name: "users"})
		r := httptest.NewRequest(http.MethodPost, "/api/orders?user=u2", strings.NewReader(`{"by":"u4"}`))
		r.Header.Set("X-Tenant", "u3")
		recorder := httptest.NewRecorder()
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
		if err := watcher.serve(recorder, r, rewriting(tc.status, tc.answer)); err != nil {
			t.Fatal(err)
		}
		marks := q.only(t).resolution.Marks
		var got []string
		for _, mark := range marks {
			got = append(got, mark.Key.ID)
			if mark.Cause.Method != http.MethodPost || mark.Cause.Path != "/api/orders" {
				t.Errorf("%s: the cause is %s %s", name, mark.Cause.Method, mark.Cause.Path)
			}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: marks of %q (%+v), want %q", name, got, q.only(t).resolution, tc.want)
		}
	}
}

// The loan of `show as caller` has the credential that the client sent.
func TestCredentialIsFixed(t *testing.T) {
	q := new(recordingQueue)
	watcher := watcherFor(t, q, &syntax.Resource{Name: "items", ShowFrom: syntax.ShowFromCaller, CallerHeaders: []string{"X-Tenant"}})
	r := httptest.NewRequest(http.MethodPut, "/items/1", nil)
	r.Header.Set("X-Tenant", "u3")
	recorder := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
	if err := watcher.serve(recorder, r, rewriting(200, "{}")); err != nil {
		t.Fatal(err)
	}
	if got := watcher.Remembered.Take(event.Key{Resource: "items", ID: "1"}).Header.Get("X-Tenant"); got != "u3" {
		t.Errorf("lent %q", got)
	}
}

// A rule narrowed by one of Caddy's matchers touches what it touches, although the
// matcher would not match any more when the exchange has ended.
func TestMatchersAreAskedOnce(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	var sets caddyhttp.RawMatcherSets
	if err := json.Unmarshal([]byte(`[{"path":["/api/*"],"expression":"{http.request.uri.path}.startsWith('/api') && {http.request.method} == 'POST'"}]`), &sets); err != nil {
		t.Fatal(err)
	}
	rule := &syntax.Rule{Kind: event.KindCreate, Path: "/api/orders", MatchRaw: sets, Touches: []*syntax.Touch{{Resource: "users", IDs: "user_id"}}}
	loaded, err := ctx.LoadModule(rule, "MatchRaw")
	if err != nil {
		t.Fatal(err)
	}
	var matchers caddyhttp.MatcherSets
	if err := matchers.FromInterface(loaded); err != nil {
		t.Fatal(err)
	}
	set, err := rules.Compile([]*syntax.Resource{
		{Name: "orders", Show: &syntax.Request{Path: "/api/orders/:id"}, Rules: []*syntax.Rule{rule}}, {Name: "users"},
	}, rules.Matchers{rule: matchers})
	if err != nil {
		t.Fatal(err)
	}
	q := new(recordingQueue)
	watcher := New(Options{Rules: set, Capture: 1 << 20, Notes: q, Metrics: uncounted{}})
	if _, err := send(watcher, http.MethodPost, "/api/orders", "", rewriting(201, `{"id":1,"user_id":"u1"}`)); err != nil {
		t.Fatal(err)
	}
	marks := q.only(t).resolution.Marks
	if len(marks) != 2 || marks[1].Key != (event.Key{Resource: "users", ID: "u1"}) || marks[1].Hints != queue.HintUpdated {
		t.Errorf("marks %+v", marks)
	}
}
