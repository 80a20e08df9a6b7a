// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"slices"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
)

// filtered returns an endpoint with a filter, "" for none.
func filtered(t *testing.T, name, tenant, filter string) Endpoint {
	t.Helper()
	e := newEndpoint(t, someSecret(t), name)
	e.Tenant = tenant
	if filter != "" {
		var err error
		if e.Filter, err = when.CompileFilter(filter); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func TestRoute(t *testing.T) {
	set, err := NewSet(filtered(t, "all", "", ""), filtered(t, "large", "", "object.n > 10"), filtered(t, "wrong", "", "object.gone"))
	if err != nil {
		t.Fatal(err)
	}
	set = set.With(map[string][]Endpoint{"acme": {
		filtered(t, "small", "acme", "object.n < 10"), filtered(t, "was", "acme", "previous.n == 1"), filtered(t, "any", "acme", ""),
	}})
	e := &event.Event{
		Type: "items.updated", Op: event.OpChange, Tenant: "acme", PreviousTenant: "acme", Payload: []byte(`{"n":50}`), PreviousShow: []byte(`{"n":2}`),
	}
	var open []string
	route := func(set *Set) (to, left []string) {
		open = nil
		return set.Route(e, func() event.Document { return event.NewDocument(e.Payload) }, func(name string, err error) {
			if err == nil {
				t.Errorf("%s is undecided for no reason", name)
			}
			open = append(open, name)
		})
	}
	to, left := route(set)
	if !slices.Equal(to, []string{"all", "large", "wrong", "any"}) || !slices.Equal(left, []string{"small", "was"}) || !slices.Equal(open, []string{"wrong"}) {
		t.Errorf("to %v, left out %v, undecided %v", to, left, open)
	}
	// The state before was another tenant's: a filter must not tell anything of it.
	e.PreviousTenant = "umbrella"
	if to, left := route(set); slices.Contains(left, "was") || !slices.Contains(to, "was") || !slices.Contains(open, "was") {
		t.Errorf("handed over: to %v, left out %v, undecided %v", to, left, open)
	}
	e.Payload, e.PreviousTenant = []byte(`{"n":5,"gone":true}`), "acme"
	if to, left := route(set); !slices.Equal(to, []string{"all", "wrong", "small", "any"}) || !slices.Equal(left, []string{"large", "was"}) || len(open) > 0 {
		t.Errorf("to %v, left out %v, undecided %v", to, left, open)
	}
	// Without filters, nothing is read.
	without := set.With(map[string][]Endpoint{"acme": nil})
	if without.filtering != 2 {
		t.Errorf("%d filters are left, want 2", without.filtering)
	}
	none, err := NewSet(filtered(t, "all", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	if to, left := none.Route(e, nil, nil); len(to) != 1 || left != nil {
		t.Errorf("to %v, left out %v", to, left)
	}
	var nobody *Set
	if to, left := nobody.Route(e, nil, nil); to != nil || left != nil {
		t.Errorf("to %v, left out %v", to, left)
	}
}
