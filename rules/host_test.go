// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/http"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// However a client spells the name of the API, it is one.
func TestHostName(t *testing.T) {
	for host, want := range map[string]string{
		"a.example": "a.example", "A.Example:8443": "a.example", "a.example.": "a.example", "A.example.:80": "a.example",
		"[::1]:80": "[::1]", "127.0.0.1:9000": "127.0.0.1", "": "",
	} {
		if got := hostName(host); got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
}

// Where an object lives comes before its id, and the request goes there.
func TestHostInTheKey(t *testing.T) {
	for name, show := range map[string]syntax.Request{
		"a Host alone":    {Path: "/items/:id", Header: map[string]string{"Host": "{t}"}},
		"a part of it":    {Path: "/items/:id", Header: map[string]string{"host": "{t}.example"}},
		"and the query":   {Path: "/items/:id?t={t}", Header: map[string]string{"HOST": "{t}"}},
		"a part of paths": {Path: "/:t/items/:id", Header: map[string]string{"Host": "{t}"}},
	} {
		set, err := Compile([]*syntax.Resource{{
			Name: "items", Show: &show, Keys: map[string][]string{"t": {"header:Host"}}, CallerIDs: []string{"me"},
			Rules: []*syntax.Rule{{Kind: event.KindUpdate, Path: "/items/:id", Methods: []string{"PUT"}}},
		}}, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := set.Resources[0]
		key, err := r.NewKey("T1", "5")
		if err != nil || key.String() != "items/T1/5" || !r.TellsHosts() {
			t.Errorf("%s: %v %v", name, key, err)
		}
		request, err := r.Show.Build(key.Parts())
		if host := request.Header.Get("Host"); err != nil || host != "T1" && host != "T1.example" {
			t.Errorf("%s: %+v %v", name, request, err)
		}
		if _, err := r.NewKey("me", "5"); err == nil {
			// A caller's id stands nowhere in Show.
			t.Errorf("%s: the caller's name is accepted", name)
		}
		if _, err := r.NewKey("T1", "a/b"); err == nil {
			t.Errorf("%s: an id with a slash is accepted", name)
		}
	}
}

// A rule sees the Host that the server takes out of the header.
func TestHostAsValue(t *testing.T) {
	set, err := Compile([]*syntax.Resource{{
		Name: "items",
		Rules: []*syntax.Rule{{
			Kind: event.KindUpdate, Path: "/items/:id", Methods: []string{"PUT"},
			Where: []*syntax.Condition{{Value: "header:host", Is: []string{"a.example"}}},
		}},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"a.example": true, "A.example:80": true, "b.example": false, "": false} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://x/items/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		var found Match
		if got := set.Find(&Request{HTTP: r, Method: r.Method}, &found); got != want {
			t.Errorf("Host %q: matched %v", host, got)
		}
	}
}
