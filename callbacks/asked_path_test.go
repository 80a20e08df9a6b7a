// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// The API says whose a tenant in a path is: by the caller's own credential, for ten
// seconds, and for this tenant alone.
func TestAskingAboutATenant(t *testing.T) {
	s := newStage(t, withShape(t, partner, partnerShapes))
	var asked []string
	answers := map[string]Answered{
		"Bearer a /partners/acme": {Status: 200}, "Bearer a /partners/umbrella": {Status: 403}, "Bearer u /partners/umbrella": {Status: 204},
		"Bearer wrong /partners/acme": {Status: 401, Header: http.Header{"Www-Authenticate": {`Basic realm="api"`}}}, "Bearer broken /partners/acme": {Status: 500},
	}
	asker := &Asker{Path: "/partners/:tenant", Now: s.options.Now, Ask: func(_ context.Context, _ *http.Request, path string, credential http.Header) (Answered, error) {
		asked = append(asked, credential.Get("Authorization")+" "+path)
		if answer, known := answers[asked[len(asked)-1]]; known {
			return answer, nil
		}
		return Answered{Status: 404}, nil
	}}
	s.options.Authorize = []Authorize{asker.Authorize}
	s.server = New(*s.options, NewLimits())
	ask := func(credential, method, path string) reply {
		r := httptest.NewRequest(method, path, http.NoBody)
		if method == "PUT" {
			r = httptest.NewRequest(method, path, strings.NewReader(`{"callbackUrl":"https://a.example/"}`))
			r.Header.Set("Content-Type", "application/json")
		}
		if credential != "" {
			r.Header.Set("Authorization", "Bearer "+credential)
		}
		return s.serve(r)
	}
	ask("a", "PUT", "/acme/callbacks/5").want(t, 200)
	ask("a", "GET", "/acme/callbacks").want(t, 200, "a.example")
	ask("u", "GET", "/umbrella/callbacks").want(t, 200, "[]")
	if got := strings.Join(asked, ", "); got != "Bearer a /partners/acme, Bearer u /partners/umbrella" {
		t.Errorf("asked %s", got)
	}
	// What the API has said of one tenant holds for no other.
	refused := ask("a", "GET", "/umbrella/callbacks").want(t, 404)
	missing := ask("a", "GET", "/acme/callbacks/6").want(t, 404)
	if refused.body != missing.body || !reflect.DeepEqual(refused.header, missing.header) {
		t.Errorf("refused is %s %v, missing is %s %v", refused.body, refused.header, missing.body, missing.header)
	}
	if got := ask("wrong", "GET", "/acme/callbacks").want(t, 401); got.header.Get("WWW-Authenticate") != `Basic realm="api"` {
		t.Errorf("got %v", got.header)
	}
	ask("broken", "GET", "/acme/callbacks").want(t, 503)
	ask("", "GET", "/acme/callbacks").want(t, 401)
	before := len(asked)
	for _, odd := range []string{"..", "%2e%2e", "acme%2F..%2Fumbrella", "acme%3Fx", "acme%00", "acme%252f"} {
		ask("a", "GET", "/"+odd+"/callbacks").want(t, 404)
	}
	if len(asked) != before {
		t.Errorf("asked %v", asked[before:])
	}
	s.now = s.now.Add(rememberFor)
	answers["Bearer a /partners/acme"] = Answered{Status: 403}
	ask("a", "GET", "/acme/callbacks").want(t, 404)
}

// What the API has said of one object holds for no other, also where all callers are one
// tenant.
func TestAskingAboutAnObject(t *testing.T) {
	s := newStage(t)
	asker := &Asker{Path: "/dossiers/:dossier", Shared: true, Now: s.options.Now, Ask: func(_ context.Context, _ *http.Request, path string, _ http.Header) (Answered, error) {
		if path == "/dossiers/mine" {
			return Answered{Status: 200}, nil
		}
		return Answered{Status: 404}, nil
	}}
	for _, test := range []struct {
		dossier string
		known   bool
	}{{"mine", true}, {"theirs", false}, {"mine", true}, {"", false}} {
		r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
		r.Header.Set("Authorization", "Bearer x")
		r.SetPathValue("dossier", test.dossier)
		if _, err := asker.Authorize(r, s.store); (err == nil) != test.known {
			t.Errorf("%q: %v", test.dossier, err)
		}
	}
}
