// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// projected returns a projection that hides paths.
func projected(t *testing.T, paths ...string) event.Projection {
	t.Helper()
	p, err := event.NewProjection(paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A Show that is what is known is what is told; anything else is for reconciling to find
// out about.
func TestSights(t *testing.T) {
	hasher := event.NewHasher([32]byte{1})
	const body = `{"id":"42","owner":"acme","v":7,"secret":"x"}`
	redirected := answer(http.StatusOK, body)
	redirected.Redirect.Elsewhere = true
	page := answer(http.StatusOK, "<html>log in</html>")
	page.Header.Set("Content-Type", "text/html")
	for name, test := range map[string]struct {
		change func(*Resource)
		answer show.Show
		want   SightIs
		fails  bool
	}{
		"the same":                  {nil, answer(http.StatusOK, body), SightSame, false},
		"the same in another order": {nil, answer(http.StatusOK, `{"owner":"acme", "id":"42","v":7,"secret":"x"}`), SightSame, false},
		"another state":             {nil, answer(http.StatusOK, `{"id":"42","owner":"acme","v":8,"secret":"x"}`), SightMoved, false},
		"not there":                 {nil, answer(http.StatusNotFound, ""), SightGone, false},
		"not there any more":        {nil, answer(http.StatusGone, ""), SightGone, false},
		"elsewhere":                 {nil, answer(http.StatusFound, ""), SightMoved, false},
		"elsewhere, and followed":   {nil, redirected, SightMoved, false},
		"the API is in trouble":     {nil, answer(http.StatusBadGateway, body), 0, true},
		"nothing":                   {nil, answer(http.StatusOK, ""), 0, true},
		"a page to log in":          {nil, page, 0, true},
		"another tenant's, all the same": {
			func(r *Resource) { r.Comparison = Comparison{Volatile: projected(t, "owner", "v"), ID: "owner v"} },
			answer(http.StatusOK, `{"id":"42","owner":"umbrella","v":7,"secret":"x"}`), SightMoved, false,
		},
		"what does not count is different": {
			func(r *Resource) { r.Comparison = Comparison{Volatile: projected(t, "owner", "v"), ID: "owner v"} },
			answer(http.StatusOK, `{"id":"42","owner":"acme","v":8,"secret":"x"}`), SightSame, false,
		},
		"compared otherwise by now": {
			func(r *Resource) { r.Comparison = Comparison{Volatile: projected(t, "v"), ID: "v"} }, answer(http.StatusOK, body), SightSame, false,
		},
		"another name": {
			func(r *Resource) {
				r.Canonical = func(key event.Key, _ event.Document) event.Key { return event.Key{Resource: key.Resource, ID: "43"} }
			}, answer(http.StatusOK, body), SightMoved, false,
		},
		"moved": {
			func(r *Resource) {
				r.Moved = func(key event.Key, _ show.Show) (event.Key, bool) {
					return event.Key{Resource: key.Resource, ID: "43"}, true
				}
			}, answer(http.StatusOK, body), SightMoved, false,
		},
	} {
		r := testResource(t)
		r.Tenant = "owner"
		if test.change != nil {
			test.change(r)
		}
		known := event.Snapshot{
			Key: testKey, Tenant: "acme", Structured: true, Hash: r.Comparison.hash(hasher, event.NewDocument([]byte(body))),
		}
		if name == "compared otherwise by now" {
			known.Hash, test.want = Comparison{}.hash(hasher, event.NewDocument([]byte(body))), SightMoved
		}
		got, err := r.sights(hasher, &known, test.answer)
		if got != test.want || errors.Is(err, ErrUnsighted) != test.fails {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		resource := testResource(t)
		resource.Read = b.api.read
		resource.Projection = projected(t, "secret")
		b.r.Apply(Plan{Resources: []Resource{*resource}})
		b.api.set(`{"id":"42","v":1,"state":"new","secret":"x"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated})
		pass(time.Minute)
		ctx := context.Background()
		known, err := b.store.Object(ctx, testKey)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.r.Sight(ctx, known)
		if err != nil || got.Is != SightSame || string(got.Payload) != `{"id":"42","v":1,"state":"new"}` || got.Freshness != event.FreshnessVersion ||
			event.Text(got.Document.Field("secret")) != "" || event.Text(got.Document.Field("state")) != "new" {
			t.Errorf("got %+v, %v", got, err)
		}
		// What has changed is marked, and told of by its event.
		b.api.set(`{"id":"42","v":2,"state":"paid","secret":"x"}`)
		if got, err := b.r.Sight(ctx, known); err != nil || got.Is != SightMoved || got.Payload != nil {
			t.Errorf("changed: %+v, %v", got, err)
		}
		b.expect("items.created", "items.updated", "items.paid")
		// What is not there is looked at, and nobody is told that it was deleted.
		b.api.set("")
		if got, err := b.r.Sight(ctx, known); err != nil || got.Is != SightGone {
			t.Errorf("gone: %+v, %v", got, err)
		}
		b.expect("items.created", "items.updated", "items.paid")
		b.api.script = []func() (show.Show, error){func() (show.Show, error) { return show.Show{}, errors.New("refused") }}
		if _, err := b.r.Sight(ctx, known); !errors.Is(err, ErrUnsighted) {
			t.Errorf("no answer: %v", err)
		}
		known.Key.Resource = "users"
		if _, err := b.r.Sight(ctx, known); !errors.Is(err, ErrUnplanned) {
			t.Errorf("of a resource that is not there: %v", err)
		}
	})
}

// What is kept is told without asking the API, and without what is hidden by now.
func TestSightOfKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		resource := testResource(t)
		resource.Read, resource.KeepShow = b.api.read, true
		b.r.Apply(Plan{Resources: []Resource{*resource}})
		b.api.set(`{"id":"42","v":1,"secret":"x"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated})
		pass(time.Minute)
		ctx := context.Background()
		known, err := b.store.Object(ctx, testKey)
		if err != nil {
			t.Fatal(err)
		}
		reads := len(b.api.reads)
		for _, hidden := range []bool{false, true} {
			want := `{"id":"42","v":1,"secret":"x"}`
			if hidden {
				resource.Projection, want = projected(t, "secret"), `{"id":"42","v":1}`
				b.r.Apply(Plan{Resources: []Resource{*resource}})
			}
			got, err := b.r.Sight(ctx, known)
			if err != nil || got.Is != SightSame || string(got.Payload) != want || got.ContentType != known.ContentType {
				t.Errorf("got %s in %+v, %v", got.Payload, got, err)
			}
		}
		if more := len(b.api.reads) - reads; more != 0 {
			t.Errorf("the API was asked %d times", more)
		}
	})
}

// Sights take their turn with all looks.
func TestSightsHaveABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		resource := testResource(t)
		resource.Read, resource.Looks, resource.Limit = b.api.read, rate.NewLimiter(1, 1), NewLimit(1, nil)
		b.r.Apply(Plan{Resources: []Resource{*resource}})
		b.api.set(`{"id":"42"}`)
		began := time.Now()
		known := event.Snapshot{Key: testKey, Hash: b.r.hasher.Show(event.NewDocument([]byte(`{"id":"42"}`)))}
		for range 5 {
			if got, err := b.r.Sight(context.Background(), known); err != nil || got.Is != SightSame {
				t.Errorf("got %+v, %v", got, err)
			}
		}
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("it took %s", took)
		}
		if !resource.Limit.TryLook() {
			t.Error("a place was not given back")
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := b.r.Sight(ctx, known); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}
