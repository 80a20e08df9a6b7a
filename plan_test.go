// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// What a resource says reaches those who reconcile it.
func TestPlanOfResource(t *testing.T) {
	set, err := rules.Compile([]*syntax.Resource{{
		Name: "items", Show: &syntax.Request{Method: "POST", Path: "/rpc", Body: `{"id":{id}}`}, Volatile: []string{"viewed"},
		ID: []string{"id"}, Rules: []*syntax.Rule{{Kind: event.KindUpdate, Path: "/rpc"}},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &Handler{MaxShows: 1, LookRate: 3}
	made := new(App).planResource(h, set.Resources[0], newBudgets(h))
	key := event.Key{Resource: "items", ID: "x"}
	// A queue of an earlier version may have such a key.
	if _, err := made.Read(t.Context(), queue.MarkLease{Mark: queue.Mark{Key: key}}); !errors.Is(err, reconcile.ErrNever) {
		t.Errorf("a Show that nobody can ask for: %v", err)
	}
	if own, said := made.Own(key, event.NewDocument([]byte(`{"id":7}`))); !said || own.ID != "7" {
		t.Errorf("the Show's own key is %v, %v", own, said)
	}
	if made.Comparison.ID != "viewed" || made.Comparison.Volatile.IsZero() {
		t.Errorf("compared by %+v", made.Comparison)
	}
	if made.Unconfirmed == nil || made.Unconfirmed == made.Looks || made.Unconfirmed.Limit() != rate.Limit(3) {
		t.Error("what only clients ask for has no budget of its own")
	}
}

// nobody takes the intents of a test that looks elsewhere.
type nobody struct{}

func (nobody) Note(context.Context, queue.Intent) (queue.IntentID, error) { return 1, nil }

func (nobody) Resolve(context.Context, string, queue.IntentID, queue.Resolution, bool) {}

// What an exchange has lent is for the mark that it made, and not for whoever reads the
// object meanwhile.
func TestLoanIsTheMarks(t *testing.T) {
	set, err := rules.Compile([]*syntax.Resource{{
		Name: "items", ShowFrom: syntax.ShowFromResponse, Rules: []*syntax.Rule{{Kind: event.KindUpdate, Path: "/items/:id"}},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	answers := func(from string) caddyhttp.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "application/json")
			_, err := w.Write([]byte(`{"id":"1","from":"` + from + `"}`))
			return err
		}
	}
	const capture = 1 << 20
	h := &Handler{MaxShows: 1, LookRate: 3, upstream: &show.Upstream{Fronts: show.NewFronts(), Handler: answers("api")}}
	h.watcher = exchange.New(exchange.Options{
		Rules: set, UpstreamTimeout: time.Second, Capture: capture, NoteTimeout: time.Minute, Notes: nobody{}, Metrics: counted,
	})
	r := httptest.NewRequest(http.MethodPut, "/items/1", strings.NewReader("{}"))
	recorder := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
	if err := h.watcher.Serve(recorder, rules.Request{HTTP: r, Method: http.MethodPut, Limit: capture}, answers("response")); err != nil {
		t.Fatal(err)
	}
	read := new(App).planResource(h, set.Resources[0], newBudgets(h)).Read
	for _, test := range []struct {
		generation uint64
		want       string
	}{{0, "api"}, {1, "response"}, {1, "api"}} {
		lease := queue.MarkLease{Mark: queue.Mark{Key: event.Key{Resource: "items", ID: "1"}}, Generation: test.generation, Look: test.generation == 0}
		got, err := read(t.Context(), lease)
		if from := event.Text(got.Document().Field("from")); err != nil || from != test.want {
			t.Errorf("generation %d: from the %s, %v; want it from the %s", test.generation, from, err, test.want)
		}
	}
}
