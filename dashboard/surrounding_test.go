// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
)

func TestSurrounding(t *testing.T) {
	from := func(name string) func(*http.Request) string {
		return func(r *http.Request) string { return r.Header.Get(name) }
	}
	g := dashboard.Surrounding(from("X-Tenant"), from("X-Name"), func(r *http.Request) bool { return r.Header.Get("X-Role") == "ops" })
	for _, test := range []struct{ tenant, name, want string }{
		{"acme", "Mara", "acme Mara true"},
		{"acme", "", "acme tenant acme true"},
		{"", "Mara", "nobody"},
		{"a\x01b", "", "nobody"},
		{strings.Repeat("x", 5000), "", "nobody"},
		{"acme", "Mara\u202e", `acme Mara\u202e true`},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header["X-Tenant"], r.Header["X-Name"] = []string{test.tenant}, []string{test.name}
		person, err := g.Person(r)
		got := person.Tenant + " " + person.Name + " " + map[bool]string{true: "true", false: "false"}[person.SteppedUp]
		if errors.Is(err, dashboard.ErrNobody) {
			got = "nobody"
		} else if err != nil {
			t.Error(err)
		}
		if got != test.want {
			t.Errorf("%q %q: %s, want %s", test.tenant, test.name, got, test.want)
		}
	}
	// An operator has no tenant, whatever the server around says.
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for name, want := range map[string]string{"Olga": "Olga", "": "operator"} {
		r.Header["X-Tenant"], r.Header["X-Role"], r.Header["X-Name"] = []string{"acme"}, []string{"ops"}, []string{name}
		if person, err := g.Person(r); err != nil || person != (dashboard.Person{Operator: true, Name: want, SteppedUp: true}) {
			t.Errorf("%q: %+v, %v", name, person, err)
		}
	}
	if person, err := dashboard.Surrounding(from("X-Tenant"), from("X-Name"), nil).Person(r); err != nil || person.Operator || person.Tenant != "acme" {
		t.Errorf("without operators: %+v, %v", person, err)
	}
	if g.Pages() != nil {
		t.Error("it has pages")
	}
}
