// SPDX-License-Identifier: Apache-2.0

package show

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// The name of an object's own change goes before that of most changes, and that
// before the site's.
func TestFronts(t *testing.T) {
	key := func(id string) event.Key { return event.Key{Resource: "items", ID: id} }
	site, a, b := Front{Host: "site"}, Front{Host: "a", Scheme: "https"}, Front{Host: "b"}
	f := NewFronts()
	if got := f.Of(key("1")); got != (Front{}) {
		t.Errorf("at first: %v", got)
	}
	f.Configure(site, true)
	if got := f.Of(key("1")); got != site {
		t.Errorf("configured: %v", got)
	}
	f.Confirm(Front{}, []event.Key{key("1")})
	f.Confirm(Front{Host: string(make([]byte, maxHost+1))}, nil)
	if got := f.Of(key("1")); got != site {
		t.Errorf("after odd names: %v", got)
	}
	for range 3 {
		f.Confirm(a, []event.Key{key("1")})
	}
	f.Confirm(b, []event.Key{key("2")})
	for id, want := range map[string]Front{"1": a, "2": b, "3": a} {
		if got := f.Of(key(id)); got != want {
			t.Errorf("object %s: %v, want %v", id, got, want)
		}
	}
	for range 3 {
		f.Confirm(b, nil)
	}
	if got := f.Of(key("3")); got != b {
		t.Errorf("after most came as b: %v", got)
	}
	// Where any name is taken, nobody chooses that of one object.
	f.Configure(site, false)
	f.Confirm(a, []event.Key{key("1")})
	if got := f.Of(key("1")); got != b {
		t.Errorf("a client chose the name of an object: %v", got)
	}
	if got := (*Fronts)(nil).Of(key("1")); got != (Front{}) {
		t.Errorf("nil: %v", got)
	}
}

// Strangers can make up any number of names and objects.
func TestFrontsAreLimited(t *testing.T) {
	f := NewFronts()
	f.Configure(Front{}, true)
	usual := Front{Host: "usual"}
	for range 5 {
		f.Confirm(usual, nil)
	}
	for i := range 3 * maxObjects {
		f.Confirm(Front{Host: fmt.Sprint(i)}, []event.Key{{Resource: "items", ID: fmt.Sprint(i)}})
	}
	if len(f.counts) > maxFronts || len(f.objects) > maxObjects {
		t.Errorf("%d names of %d objects are kept", len(f.counts), len(f.objects))
	}
	if got := f.Of(event.Key{Resource: "items", ID: "other"}); got != usual {
		t.Errorf("most came as %v", got)
	}
	for range 2 * maxCount {
		f.Confirm(usual, nil)
	}
	if f.counts[usual] > maxCount {
		t.Errorf("a count of %d", f.counts[usual])
	}
}

// A Show carries what a client's request would, in the form in which a proxy reads it.
func TestFrontOfShow(t *testing.T) {
	for name, tc := range map[string]struct {
		front              Front
		header             http.Header
		host, via          string
		https, trustsProxy bool
	}{
		"unknown":               {},
		"a name":                {front: Front{Host: "api.example", Scheme: "http"}, host: "api.example"},
		"with TLS":              {front: Front{Host: "api.example", Scheme: "https"}, host: "api.example", https: true},
		"a proxy before":        {front: Front{Host: "inner", ForwardedHost: "api.example", Scheme: "https"}, host: "inner", via: "api.example", https: true, trustsProxy: true},
		"a Host of its own":     {front: Front{Host: "api.example"}, header: http.Header{"Host": {"t1.example"}}, host: "t1.example"},
		"its own forwarded one": {front: Front{ForwardedHost: "b"}, header: http.Header{"X-Forwarded-Host": {"a"}}, via: "a", trustsProxy: true},
	} {
		u := upstream(func(_ http.ResponseWriter, r *http.Request) error {
			trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
			if r.Host != tc.host || (r.TLS != nil) != tc.https || r.Header.Get("X-Forwarded-Host") != tc.via || trusted != tc.trustsProxy || r.Header.Get("Host") != "" {
				t.Errorf("%s: Host %q, TLS %v, header %v, trusted %v", name, r.Host, r.TLS != nil, r.Header, trusted)
			}
			return nil
		})
		u.Fronts = NewFronts()
		u.Fronts.Configure(tc.front, true)
		if _, err := u.Read(t.Context(), Request{Method: "GET", Path: "/", Header: tc.header}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
