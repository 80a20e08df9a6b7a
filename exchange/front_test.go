// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Only what the API has confirmed tells under which name it can be asked.
func TestConfirmedFront(t *testing.T) {
	for status, want := range map[int]bool{200: true, 201: true, 302: true, 404: false, 500: false, 499: false} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
		told := false
		watcher.opts.Confirmed = func(front show.Front, marked []event.Key) {
			told = true
			if front != (show.Front{Host: "api.example", Scheme: "http"}) || len(marked) != 1 || marked[0].String() != "items/1" {
				t.Errorf("%d: %+v, %v", status, front, marked)
			}
		}
		if _, err := send(watcher, "PUT", "http://api.example/items/1", "{}", answers(status, nil, "{}")); err != nil {
			t.Fatal(err)
		}
		if told != want {
			t.Errorf("%d: told %v", status, told)
		}
	}
}

// What a proxy before Caddy says counts if Caddy trusts it.
func TestFrontOf(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://inner/items/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-Proto", "http, HTTPS")
		r.Header.Set("X-Forwarded-Host", "evil.example, api.example")
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, new(caddyhttp.Server))
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, trusted)
		want := show.Front{Host: "inner", Scheme: "http"}
		if trusted {
			want = show.Front{Host: "inner", Scheme: "https", ForwardedHost: "api.example"}
		}
		if got := frontOf(r); got != want {
			t.Errorf("trusted %v: %+v", trusted, got)
		}
	}
}
