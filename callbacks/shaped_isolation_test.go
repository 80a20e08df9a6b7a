// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Over every route, another's tenant, id and type are answered as what is not there: the
// same status, headers and words; and nothing is done.
func TestShapedTenantsAreApart(t *testing.T) {
	s := newStage(t, withShape(t, partner+strings.ReplaceAll(assembly, " /", " /:tenant/own/"), partnerShapes))
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://a.example/"}`).want(t, 200)
	kept, _, err := s.store.RecordsOf(t.Context(), queue.KindEndpoint, "acme", queue.Page{})
	must(t, err)
	id := kept[0].ID
	must(t, s.store.Announce(t.Context(), event.Event{
		Type: "process.completed", Key: event.Key{Resource: "items", ID: "1"}, Tenant: "acme", Time: s.now, Payload: []byte(`{}`), ContentType: "application/json",
	}, []string{id}))
	rows, _, err := s.store.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(t, err)
	nobodys := "ep_" + strings.Repeat("a", 26)
	acme := map[string]string{"tenant": "acme", "id": id, "type": "5", "delivery": rows[0].ID + "." + id, "event": rows[0].ID}
	guesses := []map[string]string{
		{"tenant": "nobody"},
		{"tenant": "umbrella"},
		{"tenant": "ACME"},
		{"tenant": "acme/"},
		{"tenant": "umbrella", "id": nobodys, "type": "6", "delivery": "evt_x." + nobodys, "event": "evt_x"},
		{"tenant": "nobody", "id": nobodys, "type": "unknown"},
	}
	before := s.snapshot()
	routes := 0
	for _, rt := range s.server.routes {
		for method := range rt.methods {
			ask := func(with map[string]string) reply {
				path := rt.path
				for _, name := range rt.parsed.Names() {
					value := acme[name]
					if other, differs := with[name]; differs {
						value = other
					}
					path = strings.Replace(path, ":"+name, url.PathEscape(value), 1)
				}
				body := ""
				if rt.shaped.does.Takes {
					body = `{"callbackUrl":"https://stolen.example/"}`
				}
				if strings.HasSuffix(path, "recover") || strings.HasSuffix(path, "replay") {
					path += "?since=1h"
				}
				return s.as("umbrella", method, path, body)
			}
			theirs := ask(nil)
			if theirs.status != 404 {
				t.Errorf("%s %s: acme's is %d %s", method, rt.path, theirs.status, theirs.body)
			}
			for _, guess := range guesses {
				mine := guess["tenant"] == "umbrella"
				if names := rt.parsed.Names(); mine && (len(names) == 1 || rt.shaped.does.Name == "put" || rt.shaped.does.Name == "create") {
					continue // it is the caller's own, and possible
				}
				routes++
				if none := ask(guess); none.status != theirs.status || none.body != theirs.body || !reflect.DeepEqual(none.header, theirs.header) {
					t.Errorf("%s %s: acme's is %d %s %v, %v is %d %s %v", method, rt.path, theirs.status, theirs.body, theirs.header, guess, none.status, none.body, none.header)
				}
			}
		}
	}
	if routes < 60 {
		t.Errorf("%d were tried", routes)
	}
	if after := s.snapshot(); after != before {
		t.Errorf("something was done:\n%s\n%s", before, after)
	}
}

// Whatever is sent to another shape, the answer is never that something is wrong on our
// side, and what is wrong has a pointer into what was sent.
func FuzzShapedRequests(f *testing.F) {
	for _, seed := range []string{
		`{"url":"https://erp.example/h","object_type":"items"}`, `{"callbacks":{"enabled":false}}`, `{"callbacks":[]}`, `[]`, `{"object_type":5e0}`, `{"extra":{"a":null}}`,
		"url=https%3A%2F%2Ferp.example&enabled=1", "extra=x&url=a&url=b", "%", "\xff",
	} {
		for method := range 5 {
			f.Add(uint8(method), "/callbacks/ep_x", seed, method%2 == 0)
			f.Add(uint8(method), "/callbacks", seed, method%2 == 1)
			f.Add(uint8(method), "/typed/5", seed, true)
		}
	}
	f.Add(uint8(0), "/callbacks/ep_x/responses/evt_x.ep_x", "", true)
	f.Add(uint8(1), "/typed/%00", "{}", false)
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	f.Fuzz(func(t *testing.T, method uint8, path, body string, form bool) {
		s := newStage(t, withShape(t, assembly+"put PUT /typed/:type\n", assemblyShapes))
		id := s.as("acme", "POST", "/callbacks", `{"url":"https://erp.example/h"}`).want(t, 201).json["callbacks"].(map[string]any)["id"].(string)
		r := httptest.NewRequest(methods[int(method)%len(methods)], "/", strings.NewReader(body))
		r.URL.Path = strings.ReplaceAll(path, "ep_x", id)
		r.Header = http.Header{"Authorization": {"Bearer " + s.keys["acme"]}, "Content-Type": {typeJSON}}
		if form {
			r.Header.Set("Content-Type", typeForm)
		}
		got := s.serve(r)
		if got.status >= 500 {
			t.Errorf("%s %q %q: %d %s, %s", r.Method, path, body, got.status, got.body, s.log)
		}
		if got.json["errors"] == nil {
			return
		}
		for _, pointer := range got.pointers() {
			if pointer != "" && !strings.HasPrefix(pointer, "/") && !strings.HasPrefix(pointer, "?") {
				t.Errorf("%q: the pointer is %q", body, pointer)
			}
		}
	})
}
