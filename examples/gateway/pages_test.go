// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
)

// page shows whoever is signed in a page.
func (s *stage) page(path string) system.Answer {
	s.t.Helper()
	return s.browse(http.MethodGet, path, nil)
}

// fill sends a form of a page.
func (s *stage) fill(path string, fields ...string) system.Answer {
	s.t.Helper()
	form := url.Values{}
	for pair := range slices.Chunk(fields, 2) {
		form.Add(pair[0], pair[1])
	}
	return s.browse(http.MethodPost, path, form)
}

// browse makes a request as a browser does, which keeps the session.
func (s *stage) browse(method, path string, form url.Values) system.Answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.settings+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	request.Header.Set("Cookie", "__Host-webhooks="+s.session)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, cookie := range response.Cookies() {
		if cookie.Name == "__Host-webhooks" {
			s.session = cookie.Value
		}
	}
	return system.Answer{Status: response.StatusCode, Header: response.Header, Body: string(text)}
}

// leads checks where an answer sends a browser.
func (s *stage) leads(got system.Answer, to string) {
	s.t.Helper()
	if got.Status != http.StatusSeeOther || got.Header.Get("Location") != to {
		s.t.Fatalf("got %d to %q, want %q: %s", got.Status, got.Header.Get("Location"), to, got.Body)
	}
}

// signIn makes a user of the merchant, who sets a password and a second factor by the
// operator's link. Before both, no page opens.
func (s *stage) signIn() {
	s.t.Helper()
	const password = "marzipan-drawbridge-otter"
	s.leads(s.page("/"), "/account/login")
	printed, err := s.Run(s.t.Context(), "webhooks", "users", "add", "mara", "--tenant", Merchant, "--dashboard", "http://"+s.settings, "--quiet", "--address", s.Admin())
	if err != nil {
		s.t.Fatalf("%v: %s", err, printed)
	}
	_, code, _ := strings.Cut(strings.TrimSpace(printed), "#")
	s.leads(s.fill("/account/welcome", "code", code, "password", password, "again", password), "/account/enrol")
	s.leads(s.page("/"), "/account/enrol")
	enrol := s.page("/account/enrol").Body
	_, secret, _ := strings.Cut(enrol, `<code tabindex="0">`)
	secret, _, _ = strings.Cut(secret, "<")
	shown, err := totp.GenerateCode(strings.ReplaceAll(secret, " ", ""), time.Now())
	if err != nil {
		s.t.Fatalf("%v: %s", err, enrol)
	}
	s.leads(s.fill("/account/enrol", "code", shown), "/account/codes")
	s.fill("/account/codes", "kept", "yes")
}

// shows checks a page.
func (s *stage) shows(got system.Answer, status int, texts ...string) {
	s.t.Helper()
	if got.Status != status {
		s.t.Fatalf("got %d, want %d: %s", got.Status, status, got.Body)
	}
	for _, text := range texts {
		if !strings.Contains(got.Body, text) {
			s.t.Errorf("the page lacks %q: %s", text, got.Body)
		}
	}
}

// A merchant sets up a webhook on the pages alone, without a script.
func TestPages(t *testing.T) {
	s := newStage(t)
	s.parts.Run("two factors", func() {
		s.signIn()
		s.shows(s.page("/"), 200, "No webhook yet", "mara", Merchant)
	})
	if t.Failed() {
		return // nothing else opens
	}
	form := []string{
		"label", "Shopping cart", "url", s.Receiver.URL() + "/cart", "events", "transaction.sale.success", "events", "product.inventory.*", "signature", "signature-key", "scheme", "x-signature",
		"payload", "gateway", "order", "object",
	}
	with := func(more ...string) []string { return append(append([]string{}, form...), more...) }
	s.parts.Run("form", func() {
		got := s.page("/webhooks/new")
		s.shows(got, 200, "Webhook Label", "Hook URL", "Source Key", "Signature Key", "Add Hook", "A batch could not be settled", "Basic <span")
		if events := regexp.MustCompile(`"Sample of [a-z_.]+ `).FindAllString(got.Body, -1); len(events) != 23 {
			s.t.Errorf("%q can be chosen", events)
		}
		for _, other := range []string{"Bearer", `value="standard"`, "CloudEvents"} {
			if strings.Contains(got.Body, other) {
				s.t.Errorf("it offers %s", other)
			}
		}
	})
	hook := ""
	s.parts.Run("add", func() {
		s.shows(s.fill("/webhooks/new", "action", "save", "label", "Shopping cart"), 422, `id="url-error"`, `id="events-error"`)
		made := s.fill("/webhooks/new", with("action", "save", "authentication", "basic", "username", "shop", "password", "s3cret", "begin", "now")...)
		s.shows(made, 201, "Shopping cart was added", "whsec_", "shown only now")
		_, rest, _ := strings.Cut(made.Body, `href="/webhooks/`)
		hook, _, _ = strings.Cut(rest, "/")
		got, _ := s.told("/cart", "transaction.sale.success", s.sale())
		if user, password, _ := credential(got); user != "shop" || password != "s3cret" || got.Header.Get("X-Signature") == "" {
			s.t.Errorf("got %v", got.Header)
		}
		s.shows(s.page("/"), 200, "Shopping cart", "Delivering")
	})
	edit := "/webhooks/" + hook + "/edit"
	s.parts.Run("abandon", func() {
		if got := s.fill(edit, with("action", "close")...); got.Status != http.StatusSeeOther {
			s.t.Errorf("nothing was changed: %d %s", got.Status, got.Body)
		}
		s.shows(s.fill(edit, with("action", "close", "events", "ach.failed")...), 200, "Abandon Changes", `value="ach.failed"`)
	})
	s.parts.Run("reset", func() {
		s.shows(s.page(edit), 200, "Reset Webhook Authentication", "Basic, as <code>shop</code>")
		s.shows(s.fill(edit, with("action", "reset-authentication")...), 200, "Keep Current Configuration", `name="password"`)
		s.shows(s.fill(edit, with("action", "keep-authentication", "resetting", "yes", "authentication", "none")...), 200, "Reset Webhook Authentication")
	})
	s.parts.Run("save", func() {
		form[1] = "Cart"
		if got := s.fill(edit, with("action", "save")...); got.Status != http.StatusSeeOther {
			s.t.Fatalf("got %d %s", got.Status, got.Body)
		}
		is := s.ask("GET", "/webhooks/endpoints/"+hook, "", http.StatusOK)
		if auth, _ := is["auth"].(map[string]any); is["label"] != "Cart" || auth["name"] != "shop" {
			s.t.Errorf("it is %v", is)
		}
	})
	s.parts.Run("delete", func() {
		s.shows(s.page("/webhooks/"+hook+"/delete"), 200, "Delete <q>Cart</q>?")
		if got := s.fill("/webhooks/"+hook+"/delete", "action", "delete"); got.Status != http.StatusSeeOther {
			s.t.Fatalf("got %d %s", got.Status, got.Body)
		}
		s.shows(s.page("/"), 200, "No webhook yet")
	})
}

// credential returns what a delivery authenticates with.
func credential(of system.Delivery) (user, password string, ok bool) {
	return (&http.Request{Header: of.Header}).BasicAuth()
}
