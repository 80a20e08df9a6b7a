// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

func newEndpoint(t testing.TB, secret sign.Secret, name string, patterns ...string) Endpoint {
	t.Helper()
	filter, err := event.ParseFilter(patterns...)
	if err != nil {
		t.Fatal(err)
	}
	return Endpoint{Name: name, URL: "https://" + name + ".example", Secrets: []sign.Secret{secret}, Events: filter}
}

func eventOf(eventType, tenant string) *event.Event {
	return &event.Event{Type: eventType, Tenant: tenant}
}

func drawType(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "aa"}), 1, 4).Draw(t, "type"), ".")
}

func drawPatterns(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"*", drawType(t), drawType(t) + ".*"}).Draw(t, "pattern")
	}), 0, 5).Draw(t, "patterns")
}

// TestSetMatchesLikeItsFilters compares the set's index with a search through
// every filter in turn.
func TestSetMatchesLikeItsFilters(t *testing.T) {
	secret := someSecret(t)
	rapid.Check(t, func(rt *rapid.T) {
		filters, tenants := map[string][]string{}, map[string]string{}
		var endpoints []Endpoint
		for i := range rapid.IntRange(0, 8).Draw(rt, "endpoints") {
			name := fmt.Sprintf("e%d", i)
			filters[name] = drawPatterns(rt)
			tenants[name] = rapid.SampledFrom([]string{"", "", "acme", "umbrella"}).Draw(rt, "tenant")
			endpoint := newEndpoint(t, secret, name, filters[name]...)
			endpoint.Tenant = tenants[name]
			endpoints = append(endpoints, endpoint)
		}
		set, err := NewSet(endpoints...)
		if err != nil {
			rt.Fatal(err)
		}
		for range 3 {
			eventType := drawType(rt)
			owner := rapid.SampledFrom([]string{"", "acme", "umbrella", "initech"}).Draw(rt, "owner")
			var want []string
			for name, patterns := range filters {
				filter, err := event.ParseFilter(patterns...)
				if err != nil {
					rt.Fatal(err)
				}
				if filter.Match(eventType) && (tenants[name] == "" || tenants[name] == owner) {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			got := set.Match(eventOf(eventType, owner))
			if !slices.Equal(got, set.Match(eventOf(eventType, owner))) {
				rt.Fatal("two results differ")
			}
			got = slices.Sorted(slices.Values(got))
			if !slices.Equal(got, want) {
				rt.Fatalf("%q: got %q, want %q of %v", eventType, got, want, filters)
			}
		}
	})
}

func TestSetLookUp(t *testing.T) {
	secret := someSecret(t)
	set, err := NewSet(newEndpoint(t, secret, "b"), newEndpoint(t, secret, "a", "items.*"))
	if err != nil {
		t.Fatal(err)
	}
	if endpoint, ok := set.Get("a"); !ok || endpoint.Name != "a" || endpoint.Timeout != DefaultTimeout {
		t.Errorf("Get: %v, %t", endpoint, ok)
	}
	if _, ok := set.Get("c"); ok {
		t.Error("Get found an endpoint that is not there")
	}
	var names []string
	for endpoint := range set.All() {
		names = append(names, endpoint.Name)
	}
	if strings.Join(names, " ") != "b a" || set.Len() != 2 {
		t.Errorf("All: %q, Len: %d", names, set.Len())
	}
}

func TestSetOfNone(t *testing.T) {
	var set *Set
	if set.Match(eventOf("items.created", "acme")) != nil || set.Len() != 0 {
		t.Error("the nil set matches")
	}
	if _, ok := set.Get("a"); ok {
		t.Error("the nil set has an endpoint")
	}
	for range set.All() {
		t.Error("the nil set lists an endpoint")
	}
}

func TestNewSetRefuses(t *testing.T) {
	secret := someSecret(t)
	_, err := NewSet(newEndpoint(t, secret, "erp"), newEndpoint(t, secret, "erp"))
	if !errors.Is(err, ErrBadEndpoint) || !strings.Contains(err.Error(), "two are named erp") {
		t.Errorf("got %v", err)
	}
	if _, err := NewSet(Endpoint{Name: "erp"}); !errors.Is(err, ErrBadEndpoint) {
		t.Errorf("got %v", err)
	}
}

// TestSetIsNotChangedByItsAnswers appends to a result, as a careless caller
// might, and calls Match again.
func TestSetIsNotChangedByItsAnswers(t *testing.T) {
	secret := someSecret(t)
	set, err := NewSet(newEndpoint(t, secret, "a"), newEndpoint(t, secret, "b"), newEndpoint(t, secret, "c"),
		newEndpoint(t, secret, "d", "items.*"), newEndpoint(t, secret, "e", "items.created"))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(set.Match(eventOf("users.created", "")), "x")
	_ = append(set.Match(eventOf("items.created", "")), "y")
	if got := strings.Join(set.Match(eventOf("items.created", "")), ""); got != "abcde" {
		t.Errorf("got %s", got)
	}
}

// TestSetMatchAllocates checks that Match allocates nothing but a joined
// result.
func TestSetMatchAllocates(t *testing.T) {
	secret := someSecret(t)
	var endpoints []Endpoint
	for i := range 1000 {
		endpoints = append(endpoints, newEndpoint(t, secret, fmt.Sprintf("r%d", i), fmt.Sprintf("resource%d.*", i)))
	}
	endpoints = append(endpoints, newEndpoint(t, secret, "exact", "resource7.state.paid"))
	set, err := NewSet(endpoints...)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		eventType string
		matches   int
		allocs    float64
	}{
		{"nobody.wants.this", 0, 0},
		{"resource7.created", 1, 0},
		{"resource7.state.paid", 2, 1},
	} {
		if n := len(set.Match(eventOf(test.eventType, "acme"))); n != test.matches {
			t.Errorf("%s: %d matches", test.eventType, n)
		}
		if n := testing.AllocsPerRun(100, func() { set.Match(eventOf(test.eventType, "acme")) }); n > test.allocs {
			t.Errorf("%s: %g allocations, want %g", test.eventType, n, test.allocs)
		}
	}
}

func BenchmarkSetMatch(b *testing.B) {
	secret := someSecret(b)
	var endpoints []Endpoint
	for i := range 10_000 {
		endpoints = append(endpoints, newEndpoint(b, secret, fmt.Sprintf("r%d", i), fmt.Sprintf("resource%d.*", i)))
	}
	set, err := NewSet(endpoints...)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		set.Match(eventOf("resource4711.state.paid", "acme"))
	}
}

// TestOperationalEvents checks that nobody learns of other subscribers'
// troubles without subscribing to them, or of another tenant's at all.
func TestOperationalEvents(t *testing.T) {
	secret := someSecret(t)
	of := func(name, tenant string, patterns ...string) Endpoint {
		endpoint := newEndpoint(t, secret, name, patterns...)
		endpoint.Tenant = tenant
		return endpoint
	}
	set, err := NewSet(
		of("all", ""), of("star", "", "*"), of("both", "", "*", "endpoint.failing"), of("prefix", "", "endpoint.*"),
		of("other", "", "delivery.exhausted"), of("acme", "acme", "endpoint.*"), of("umbrella", "umbrella", "endpoint.*"),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ about, want string }{
		{"all", "both prefix"},
		{"prefix", "both"},
		{"acme", "both prefix"},
		{"umbrella", "both prefix"},
	} {
		about, _ := set.Get(test.about)
		if got := strings.Join(set.MatchOperational("endpoint.failing", about), " "); got != test.want {
			t.Errorf("about %s: got %q, want %q", test.about, got, test.want)
		}
	}
	if got := set.MatchOperational("endpoint.failing", of("second", "acme")); strings.Join(got, " ") != "both prefix acme" {
		t.Errorf("about another of acme's: %q", got)
	}
}

// A set with stored endpoints routes like one that was made with all of them,
// whatever was stored before.
func TestSetWithStored(t *testing.T) {
	secret := someSecret(t)
	tenants := []string{"", "acme", "umbrella"}
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(prefix string) []Endpoint {
			var endpoints []Endpoint
			for i := range rapid.IntRange(0, 4).Draw(rt, prefix) {
				e := newEndpoint(t, secret, fmt.Sprint(prefix, i), drawPatterns(rt)...)
				e.Tenant = rapid.SampledFrom(tenants).Draw(rt, "tenant")
				endpoints = append(endpoints, e)
			}
			return endpoints
		}
		declared := draw("d")
		set, err := NewSet(declared...)
		if err != nil {
			rt.Fatal(err)
		}
		stored := map[string][]Endpoint{}
		for round := range 4 {
			next := map[string][]Endpoint{}
			for _, tenant := range rapid.SliceOfNDistinct(rapid.SampledFrom(tenants), 0, 3, rapid.ID).Draw(rt, "tenants") {
				next[tenant] = nil
			}
			for _, e := range draw(fmt.Sprint("s", round, "-")) {
				if _, of := next[e.Tenant]; of {
					next[e.Tenant] = append(next[e.Tenant], e)
				}
			}
			before, all := set, slices.Collect(set.All())
			set = set.With(next)
			if again := slices.Collect(before.All()); len(again) != len(all) {
				rt.Fatalf("a set has changed: %d endpoints, then %d", len(all), len(again))
			}
			maps.Copy(stored, next)
			want := slices.Clone(declared)
			for _, tenant := range tenants {
				want = append(want, stored[tenant]...)
			}
			whole, err := NewSet(want...)
			if err != nil {
				rt.Fatal(err)
			}
			requireSame(rt, set, whole)
		}
	})
}

func requireSame(t *rapid.T, got, want *Set) {
	if got.Len() != want.Len() || len(slices.Collect(got.All())) != want.Len() {
		t.Fatalf("it has %d endpoints, want %d", got.Len(), want.Len())
	}
	for e := range want.All() {
		if found, ok := got.Get(e.Name); !ok || found.Tenant != e.Tenant || found.Events.String() != e.Events.String() {
			t.Fatalf("%s is %+v", e.Name, found)
		}
	}
	for range 3 {
		e := eventOf(drawType(t), rapid.SampledFrom([]string{"", "acme", "umbrella", "other"}).Draw(t, "owner"))
		g, w := slices.Sorted(slices.Values(got.Match(e))), slices.Sorted(slices.Values(want.Match(e)))
		if !slices.Equal(g, w) {
			t.Fatalf("%s of %q goes to %v, want %v", e.Type, e.Tenant, g, w)
		}
	}
}

// A stored endpoint takes the place of no other, and none can be stored with another
// tenant.
func TestStoredTakesNoName(t *testing.T) {
	secret := someSecret(t)
	erp := newEndpoint(t, secret, "erp", "a")
	set, err := NewSet(erp)
	if err != nil {
		t.Fatal(err)
	}
	theirs := newEndpoint(t, secret, "ep_1", "a")
	theirs.Tenant = "acme"
	set = set.With(map[string][]Endpoint{"acme": {theirs}})
	twin, taken, foreign := theirs, newEndpoint(t, secret, "erp", "b"), newEndpoint(t, secret, "ep_2", "b")
	twin.Tenant, taken.Tenant, foreign.Tenant = "umbrella", "umbrella", "acme"
	set = set.With(map[string][]Endpoint{"umbrella": {twin, taken, foreign}})
	if got, _ := set.Get("ep_1"); got.Tenant != "acme" {
		t.Errorf("ep_1 is %q's", got.Tenant)
	}
	if got, _ := set.Get("erp"); got.Tenant != "" || set.Len() != 2 {
		t.Errorf("erp is %q's, of %d endpoints", got.Tenant, set.Len())
	}
	set = set.With(map[string][]Endpoint{"acme": nil})
	if _, ok := set.Get("ep_1"); ok || set.Len() != 1 || set.Match(eventOf("a", "acme")) == nil {
		t.Errorf("%d endpoints are left", set.Len())
	}
	var none *Set
	if got := none.With(map[string][]Endpoint{"acme": {theirs}}).Match(eventOf("a", "acme")); len(got) != 1 {
		t.Errorf("of no set: %v", got)
	}
}
