// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const (
	ownKey   = "gateway-source-key-0001"
	ownWhsec = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// A subscriber may send what signs, if the operator lets it, and never sees it again.
func TestOwnSecret(t *testing.T) {
	s := newStage(t)
	s.server.options.Policy.Offer.OwnSecret = true
	body := func(members string) string {
		return `{"url":"https://erp.example/h","events":["items.*"]` + members + `}`
	}
	for _, test := range []struct {
		members, kept string
	}{
		{`,"secret":"` + ownWhsec + `"`, ownWhsec},
		{`,"signature":"x-signature","secret":"` + ownKey + `"`, ownKey},
		{`,"signature":"none"`, ""},
	} {
		made := s.create("acme", body(test.members))
		if made.text("secret") != "" || strings.Contains(made.body, ownKey) || strings.Contains(made.body, ownWhsec) {
			t.Errorf("%s: %s", test.members, made.body)
		}
		e := s.kept("acme", made.text("id"))
		if test.kept == "" && len(e.Secrets) > 0 || test.kept != "" && (len(e.Secrets) != 1 || e.Secrets[0].Text != test.kept) {
			t.Errorf("%s: %+v", test.members, e.Secrets)
		}
	}
	id := s.create("acme", body(`,"signature":"x-signature"`)).text("id")
	first := s.kept("acme", id).Secrets[0].Text
	if !strings.HasPrefix(first, "whsec_") {
		t.Errorf("without a word it is %q", first)
	}
	path := "/endpoints/" + id
	s.as("acme", http.MethodPatch, path, `{"secret":"`+ownKey+`"}`).want(t, 200)
	s.as("acme", http.MethodPut, path, body(`,"signature":"x-signature"`)).want(t, 200)
	if e := s.kept("acme", id); len(e.Secrets) != 1 || e.Secrets[0].Text != ownKey {
		t.Errorf("changed, and kept by PUT: %+v", e.Secrets)
	}
	// It does not fit another way of signing, and then there is one of ours.
	if got := s.as("acme", http.MethodPatch, path, `{"signature":"standard"}`).want(t, 422, "/secret"); strings.Contains(got.body, ownKey) {
		t.Error(got.body)
	}
	made := s.as("acme", http.MethodPatch, path, `{"signature":"standard","secret":null}`).want(t, 200)
	if made.text("secret") != s.kept("acme", id).Secrets[0].Text || !strings.HasPrefix(made.text("secret"), "whsec_") || made.text("secret") == first {
		t.Errorf("removed: %s", made.body)
	}
	for members, status := range map[string]int{
		`,"secret":"brief"`:                           422,
		`,"secret":"` + ownKey + `"`:                  422, // not for this signature
		`,"signature":"x-signature","secret":"brief"`: 422,
		`,"secret":["` + ownWhsec + `"]`:              400,
		fmt.Sprintf(`,"signature":"x-signature","secret":%q`, strings.Repeat("k", 600)): 422,
	} {
		got := s.as("acme", http.MethodPost, "/endpoints", body(members)).want(t, status, "/secret")
		if strings.Contains(got.body, ownKey) || strings.Contains(got.body, ownWhsec) || strings.Contains(got.body, "brief") {
			t.Errorf("%s: %s", members, got.body)
		}
	}
	// What signs is checked of what only reads its feed, too.
	s.as("acme", http.MethodPost, "/endpoints", `{"secret":"brief"}`).want(t, 422, "/secret")
	s.as("acme", http.MethodGet, "/openapi.json", "").want(t, 200, `"writeOnly":true`)
	if text := s.log.String(); strings.Contains(text, ownKey) {
		t.Error("the log has it")
	}

	s.server.options.Policy.Offer.OwnSecret = false
	s.as("acme", http.MethodPost, "/endpoints", body(`,"secret":"`+ownWhsec+`"`)).want(t, 400, "/secret", "not yours to set")
	if got := s.as("acme", http.MethodGet, "/openapi.json", "").want(t, 200); strings.Contains(got.body, "writeOnly") {
		t.Error("the document has it")
	}
}
