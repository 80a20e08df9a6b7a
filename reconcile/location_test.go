// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/show"
)

func redirected(location string) show.Show {
	header := http.Header{}
	if location != "" {
		header.Set("Location", location)
	}
	return show.Show{Status: http.StatusFound, Header: header}
}

// TestWhereARedirectLeads tells the place of a redirect, and nothing that may be a
// credential or would spoil a log.
func TestWhereARedirectLeads(t *testing.T) {
	for location, want := range map[string]string{
		"/login": ` and Location "/login"`,
		"/login?return=%2Fitems%2F1&token=canary#canary": ` and Location "/login"`,
		"https://sso.example.com/auth?state=canary":      ` and Location "https://sso.example.com/auth"`,
		"https://canary:canary@sso.example.com:8443/a":   ` and Location "https://sso.example.com:8443/a"`,
		"/login;jsessionid=canary":                       ` and Location "/login"`,
		"/a;s=canary/b;t=canary":                         ` and Location "/a"`,
		"//other.example/x?canary":                       ` and Location "//other.example/x"`,
		"login":                                          ` and Location "login"`,
		"?page=canary":                                   ` and Location ""`,
		"/é\u2028x":                                      ` and Location "/%C3%A9%E2%80%A8x"`,
		"javascript:canary()":                            ` and Location "javascript:"`,
		"http://[canary":                                 " and Location that is no URL",
		"/a\nlevel=error canary":                         " and Location that is no URL",
		"":                                               " and no Location",
	} {
		if got := leadsTo(redirected(location)); got != want {
			t.Errorf("%q: got %s, want %s", location, got, want)
		}
	}
	long := leadsTo(redirected("https://a.example/" + strings.Repeat("x", 1<<20)))
	if len(long) > maxPlace+40 || !strings.HasPrefix(long, ` and Location "https://a.example/xxx`) {
		t.Errorf("got %d bytes: %.80s", len(long), long)
	}
	if got := leadsTo(show.Show{Status: 502, Header: http.Header{"Location": {"/x"}}}); got != "" {
		t.Errorf("of a 502: %s", got)
	}
	if got := foundAt(show.Show{Status: 200, Redirect: show.Redirect{Path: "/login;s=canary"}}); got != `, after a redirect to "/login"` {
		t.Errorf("got %s", got)
	}
	if got := foundAt(show.Show{Status: 200}); got != "" {
		t.Errorf("got %s", got)
	}
}

// FuzzPlace holds what is told of any Location to one short line of ASCII without a
// query.
func FuzzPlace(f *testing.F) {
	for _, seed := range []string{"/login?x", "https://u:p@h/p;s#f", "//h", "a\x00b", "%zz", "mailto:x", "/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, location string) {
		got := spot(location)
		if len(got) > 8*maxPlace || strings.ContainsAny(got, "?#") {
			t.Errorf("%q: %s", location, got)
		}
		for i := range len(got) {
			if got[i] < ' ' || got[i] > '~' {
				t.Errorf("%q: %q", location, got)
			}
		}
	})
}
