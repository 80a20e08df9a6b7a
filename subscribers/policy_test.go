// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

func TestPolicy(t *testing.T) {
	got := func(status Status, events ...string) Endpoint {
		return Endpoint{ID: "ep_" + strings.Join(events, "+"), Status: status, Events: events}
	}
	three := []Endpoint{got(Active, "a.x"), got(Paused, "b.*"), got(Active, "c.*")}
	for i := range three {
		three[i].ID = fmt.Sprint("other", i)
	}
	one := Policy{OnePerType: true}
	for name, test := range map[string]struct {
		policy Policy
		e      Endpoint
		isNew  bool
		want   string
	}{
		"below the limit":                  {Policy{Limit: 4}, got(Active, "a.x"), true, ""},
		"at the limit":                     {Policy{Limit: 3}, got(Active, "d.x"), true, "3 endpoints"},
		"at the limit, paused":             {Policy{Limit: 3}, got(Paused, "d.x"), true, "3 endpoints"},
		"above a limit that was lowered":   {Policy{Limit: 1}, got(Active, "d.x"), false, ""},
		"no limit is the default":          {Policy{}, got(Active, "d.x"), true, ""},
		"the same type, of many":           {Policy{}, got(Active, "a.x"), true, ""},
		"the same type, of one":            {one, got(Active, "a.x"), true, "gets a.x already"},
		"the same type, as a change":       {one, got(Active, "q", "a.x"), false, "gets a.x already"},
		"the same type, paused":            {one, got(Paused, "a.x"), true, ""},
		"the type of one that is paused":   {one, got(Active, "b.x"), true, ""},
		"a type of a group":                {one, got(Active, "c.deep.er"), true, "gets c.deep.er already"},
		"a group of a type":                {one, got(Active, "a.*"), true, "gets a.x already"},
		"a group in a group":               {one, got(Active, "c.deep.*"), true, "gets c.deep.* already"},
		"what begins alike":                {one, got(Active, "a.xy", "cc.*", "c"), true, ""},
		"all":                              {one, got(Active), true, "gets a.x already"},
		"itself":                           {one, Endpoint{ID: "other0", Status: Active, Events: []string{"a.x"}}, false, ""},
		"the limit goes before the type":   {Policy{Limit: 3, OnePerType: true}, got(Active, "a.x"), true, "3 endpoints"},
		"what was stored and is no filter": {one, got(Active, "*x"), true, "*x"},
	} {
		err := test.policy.Admits(three, &test.e, test.isNew)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	if err := (Policy{}).Admits(make([]Endpoint, DefaultLimit), &Endpoint{}, true); err == nil {
		t.Error("the default limits nothing")
	}
	var field *FieldError
	if err := one.Admits([]Endpoint{got(Active)}, &Endpoint{Status: Active}, true); !errors.As(err, &field) || field.Pointer != "/events" {
		t.Errorf("all, and all: %v", err)
	}
}

// Two lists of patterns overlap if and only if some type matches both.
func TestOverlap(t *testing.T) {
	letters := rapid.SampledFrom([]string{"a", "b"})
	pattern := rapid.Custom(func(t *rapid.T) string {
		text := strings.Join(rapid.SliceOfN(letters, 1, 3).Draw(t, "parts"), ".")
		return text + rapid.SampledFrom([]string{"", ".*"}).Draw(t, "end")
	})
	var types []string
	for _, a := range []string{"a", "b"} {
		types = append(types, a)
		for _, b := range []string{"a", "b"} {
			types = append(types, a+"."+b)
			for _, c := range []string{"a", "b"} {
				types = append(types, a+"."+b+"."+c, a+"."+b+"."+c+".z")
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(pattern, 0, 3).Draw(t, "a"), rapid.SliceOfN(pattern, 0, 3).Draw(t, "b")
		fa, errA := event.ParseFilter(a...)
		fb, errB := event.ParseFilter(b...)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		want := false
		for _, name := range types {
			want = want || fa.Match(name) && fb.Match(name)
		}
		shared, got, err := overlap(a, b)
		if err != nil || got != want || got == (shared == "") {
			t.Errorf("%q and %q: %q, %v, want %v: %v", a, b, shared, got, want, err)
		}
		if back, _, _ := overlap(b, a); got == (back == "") {
			t.Errorf("%q and %q: another answer the other way round", a, b)
		}
	})
}
