// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// An API builds its links with the name that it sees. A link to anywhere else shows
// no object of this API, and the record says so.
func TestHostOfLocation(t *testing.T) {
	for location, want := range map[string]string{
		"/items/5":                              "items/5",
		"http://client.example/items/5":         "items/5",
		"https://Client.example.:443/items/5":   "items/5",
		"//client.example:80/items/5":           "items/5",
		"https://api.internal:8443/items/5":     "items/5",
		"http://api.internal/items/5":           "items/5",
		"https://named.example/items/5":         "items/5",
		"https://public.example/items/5":        "items/5",
		"https://evil.example/items/5":          "evil.example",
		"https://client.example:8443/items/5":   "client.example:8443",
		"https://api.internal.evil.tld/items/5": "api.internal.evil.tld",
		"https://[::1/items/5":                  "no URL",
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
		watcher.opts.Hosts = []string{"named.example"}
		api := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
			repl.Set("http.reverse_proxy.upstream.hostport", "api.internal:8443")
			repl.Set("http.reverse_proxy.upstream.host", "api.internal")
			return answers(201, map[string]string{"Location": location}, "")(w, r)
		})
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://client.example/items", strings.NewReader("{}"))
		r.Header.Set("X-Forwarded-Host", "public.example")
		recorder := httptest.NewRecorder()
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true)
		if err := watcher.serve(recorder, r, api); err != nil {
			t.Fatal(err)
		}
		got := q.only(t).resolution
		switch {
		case strings.HasPrefix(want, "items/"):
			if len(got.Marks) != 1 || got.Marks[0].Key.String() != want || got.Unresolved != "" {
				t.Errorf("%s: %+v", location, got)
			}
		case len(got.Marks) > 0 || !strings.Contains(got.Unresolved, want):
			t.Errorf("%s: %+v, want a record with %q", location, got, want)
		}
	}
}
