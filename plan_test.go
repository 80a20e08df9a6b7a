// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"testing"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
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
