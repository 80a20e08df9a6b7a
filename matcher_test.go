// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// kinds is the Notes of a handler that keeps the kinds of intents.
type kinds []event.Kind

func (k *kinds) Note(_ context.Context, intent queue.Intent) (queue.IntentID, error) {
	*k = append(*k, intent.Kind)
	return queue.IntentID(len(*k)), nil
}

func (*kinds) Resolve(context.Context, string, queue.IntentID, queue.Resolution, bool) {}

// Two rules of one path may differ in their request matchers alone. Matchers are
// not loaded while a Caddyfile is adapted, and once such rules were refused then,
// as if they matched the same requests.
func TestRulesDifferByMatchers(t *testing.T) {
	const rules = `
resource items {
	update POST /items/:id {
		match header X-Action change
	}
	delete POST /items/:id {
		match header X-Action remove
	}
}`
	if _, err := adapt(t, ":80 {\nwebhooks {\nupstream localhost:9000"+rules+"\n}\n}\n"); err != nil {
		t.Fatal(err)
	}
	h := new(Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("webhooks {\nupstream localhost:9000" + rules + "\n}")); err != nil {
		t.Fatal(err)
	}
	h.setDefaults()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := h.provisionRules(ctx); err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]event.Kind{"change": event.KindUpdate, "remove": event.KindDelete, "look": ""} {
		noted := new(kinds)
		h.watch(zap.NewNop(), exchange.Options{Notes: noted, Metrics: counted})
		recorder := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/items/1", strings.NewReader("{}"))
		r.Header.Set("X-Action", action)
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
		next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusNoContent)
			return nil
		})
		if err := h.ServeHTTP(recorder, r, next); err != nil || recorder.Code != http.StatusNoContent {
			t.Errorf("%s: answered with %d, %v", action, recorder.Code, err)
		}
		if got := *noted; want == "" && len(got) > 0 || want != "" && (len(got) != 1 || got[0] != want) {
			t.Errorf("%s: noted %v, want %q", action, got, want)
		}
	}
}
