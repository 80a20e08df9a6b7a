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

// By which deliveries a request has come stands in its intent, too: an exchange
// whose end nobody sees would else begin a loop anew.
func TestIntentHasHops(t *testing.T) {
	q := new(recordingQueue)
	watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
	watcher.opts.Hops = func(header http.Header) string {
		if header.Get("Webhook-Hops") == "" {
			return ""
		}
		return "verified " + header.Get("Webhook-Hops")
	}
	for _, header := range []string{"a:1", ""} {
		r := httptest.NewRequest("PATCH", "/items/42", strings.NewReader("{}"))
		if header != "" {
			r.Header.Set("Webhook-Hops", header)
		}
		w := httptest.NewRecorder()
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
		if err := watcher.serve(w, r, answers(200, nil, "{}")); err != nil {
			t.Fatal(err)
		}
	}
	if len(q.intents) != 2 || q.intents[0].Hops != "verified a:1" || q.intents[1].Hops != "" {
		t.Errorf("intents are %+v", q.intents)
	}
	if got := q.resolved[0].resolution.Marks[0].Cause.Hops; got != "verified a:1" {
		t.Errorf("the mark has %q", got)
	}
}
