// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/passkey/passkeytest"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/session"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

// Secrets ask for a second factor that was shown a short time ago.
func TestStepUp(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	s.at = s.at.Add(steppedUpFor)
	if p, path := b.person(); p.SteppedUp || path != "" {
		t.Errorf("later it is %+v, %s", p, path)
	}
	for _, path := range []string{"/account/password", "/account/app/delete", "/account/passkeys/delete", "/account/codes/new", "/account/passkeys", "/account/passkey/add"} {
		b.post(path, "old", secretWord).to("/account/step-up?back=%2Faccount%2F")
	}
	b.get("/account/enrol").to("/account/step-up?back=%2Faccount%2Fenrol")
	b.get("/account/step-up?back=/webhooks/new").has(200, "Confirm that it is you")
	b.post("/account/step-up", "code", "000000", "back", "/webhooks/new").has(403, "The code is not right")
	if p, _ := b.person(); p.SteppedUp {
		t.Error("a wrong code is a step up")
	}
	b.post("/account/step-up", "code", s.code(m), "back", "/webhooks/new").to("/webhooks/new")
	if p, _ := b.person(); !p.SteppedUp {
		t.Error("a right code is none")
	}
	s.at = s.at.Add(steppedUpFor - time.Second)
	if p, _ := b.person(); !p.SteppedUp {
		t.Error("it is over early")
	}
}

// Of two first factors at once, the second one has shown nothing.
func TestEnrolAtOnce(t *testing.T) {
	s := newStage(t)
	_, code, err := s.book.Add(t.Context(), "mara", "acme", users.LinkFor, nil)
	must(t, err)
	b := s.browser()
	b.post("/account/welcome", "code", code, "password", secretWord, "again", secretWord).to("/account/enrol")
	thief := s.browser()
	thief.post("/account/login", "user", "mara", "password", secretWord).to("/account/enrol")
	v, err := s.visit(nil, thief.request(http.MethodPost, "/account/enrol", nil))
	must(t, err)
	b.enrol(&member{})
	if err := v.enrolled("app", func(*users.User) error { return nil }); err != &meanwhile { //nolint:errorlint // it is this one
		t.Errorf("got %v", err)
	}
}

func TestChangePassword(t *testing.T) {
	s := newStage(t)
	b, other := s.browser(), s.browser()
	m := b.join("mara", "acme")
	other.logIn(m)
	const better = "another horse battery"
	for _, test := range []struct{ old, password, again, says string }{
		{"wrong", better, better, "not your password"},
		{"", better, better, "not your password"},
		{secretWord, "short", "short", "at least 12"},
		{secretWord, better, better + "x", "not the same"},
	} {
		if got := b.post("/account/password", "old", test.old, "password", test.password, "again", test.again); got.status == 303 || !strings.Contains(got.text(), test.says) {
			t.Errorf("%q is not said: %d", test.says, got.status)
		}
	}
	if _, path := other.person(); path != "" {
		t.Fatalf("the other session has ended: %s", path)
	}
	b.post("/account/password", "old", secretWord, "password", better, "again", better).to("/account/?done=password")
	b.get("/account/?done=password").has(200, "Your password is changed")
	if _, path := other.person(); path != "/account/login?back=%2Fwebhooks" {
		t.Errorf("the other session goes on: %s", path)
	}
	other.post("/account/login", "user", "mara", "password", secretWord).has(403, "not right")
	other.post("/account/login", "user", "mara", "password", better).to("/account/second")
}

var sessionIDs = regexp.MustCompile(`name="id" value="([^"]+)"`)

func TestSessions(t *testing.T) {
	s := newStage(t)
	b, phone, laptop, tom := s.browser(), s.browser(), s.browser(), s.browser()
	m := b.join("mara", "acme")
	phone.address, laptop.address = "198.51.100.7", "198.51.100.8"
	phone.header.Set("User-Agent", `<script>alert(1)</script> Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1`)
	phone.logIn(m)
	laptop.logIn(m)
	tom.join("tom", "acme")
	page := b.get("/account/").has(200, "Safari on iPhone", "198.51.100.7", "198.51.100.8")
	if strings.Contains(page.body, "alert(1)") {
		t.Error("a page has what a browser calls itself")
	}
	v, err := s.visit(nil, phone.request(http.MethodGet, "/", nil))
	must(t, err)
	id := v.current.Session.ID
	if !strings.Contains(page.body, `value="`+id+`"`) || strings.Contains(page.body, phone.token) {
		t.Errorf("the phone's session is not listed, or by its token: %s", sessionIDs.FindAllString(page.body, -1))
	}
	// Nobody ends another's, even of the same tenant.
	tom.post("/account/sessions/end", "id", id).to("/account/?done=session")
	if _, path := phone.person(); path != "" {
		t.Fatalf("another has ended it: %s", path)
	}
	b.post("/account/sessions/end", "id", id).to("/account/?done=session")
	if _, path := phone.person(); path == "" {
		t.Error("it goes on")
	}
	b.post("/account/sessions/end", "id", "").has(404, "no such page")
	b.post("/account/sessions/end-others", "sure", "yes").to("/account/?done=sessions")
	if _, path := laptop.person(); path == "" {
		t.Error("the others go on")
	}
	if got := sessionIDs.FindAllString(b.get("/account/").body, -1); len(got) != 1 {
		t.Errorf("%d are listed", len(got))
	}
	own, err := s.visit(nil, b.request(http.MethodGet, "/", nil))
	must(t, err)
	b.post("/account/sessions/end", "id", own.current.Session.ID).to("/account/login")
	// It ends by itself, idle or not.
	b.logIn(m)
	s.at = s.at.Add(session.Idle)
	if _, path := b.person(); path == "" {
		t.Error("an idle session goes on")
	}
}

// What changes something must come from a page of ours.
func TestForeignPosts(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	was, err := s.book.Get(t.Context(), m.ID)
	must(t, err)
	writes := s.store.writes.Load()
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}},
	} {
		b.header = header
		for _, path := range []string{
			"/account/login", "/account/second", "/account/welcome", "/account/enrol", "/account/codes", "/account/step-up", "/account/password", "/account/app/delete",
			"/account/passkeys", "/account/passkeys/delete", "/account/passkey/login", "/account/passkey/show", "/account/passkey/add", "/account/codes/new",
			"/account/sessions/end", "/account/sessions/end-others", "/account/logout",
		} {
			b.post(path, "user", "mara", "password", secretWord, "code", s.code(m), "old", secretWord, "again", secretWord).has(403, "another site")
		}
	}
	if is, err := s.book.Get(t.Context(), m.ID); err != nil || is.Version != was.Version || s.store.writes.Load() != writes {
		t.Errorf("something was changed: %v", err)
	}
	b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	b.post("/account/logout").to("/account/login")
}

// What somebody does is in the audit of whose webhooks they see.
func TestAudit(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	a := passkeytest.New(origin)
	b.post("/account/step-up", "code", "000000")
	b.post("/account/step-up", "recovery", m.codes[0]).to("/")
	b.add(a, "Phone").to("/account/")
	b.post("/account/app/delete", "sure", "yes").to("/account/?done=app")
	b.post("/account/codes/new", "sure", "yes").to("/account/codes?back=%2Faccount%2F")
	b.post("/account/codes", "kept", "yes").to("/")
	b.post("/account/password", "old", secretWord, "password", secretWord+"!", "again", secretWord+"!").to("/account/?done=password")
	b.post("/account/sessions/end-others", "sure", "yes").to("/account/?done=sessions")
	b.post("/account/logout").to("/account/login")
	b.post("/account/login", "user", "mara", "password", "wrong")
	b.post("/account/login", "credential", b.show(a, "/account/passkey/login")).to("/")
	seen := map[string]bool{}
	for _, one := range s.audited("acme") {
		if one.Who != "mara" || one.Object != m.ID || one.From != "192.0.2.1" {
			t.Errorf("noted %+v", one)
		}
		seen[one.Action+" "+strings.Join(one.Changed, ",")] = true
	}
	for _, want := range []string{
		"user.password ", "login.begin link", "user.enrol app", "step-up.refuse ", "step-up recovery", "user.enrol passkey", "user.unenrol app", "user.codes ",
		"user.sessions ", "logout ", "login.refuse ", "login passkey",
	} {
		if !seen[want] {
			t.Errorf("%q is not noted: %v", want, seen)
		}
	}
	if got := s.audited(""); len(got) != 0 {
		t.Errorf("the operator has %+v", got)
	}
}

// What destroys asks first.
func TestQuestions(t *testing.T) {
	s := newStage(t)
	b, other := s.browser(), s.browser()
	m := b.join("mara", "acme")
	a := passkeytest.New(origin)
	b.add(a, "Phone").to("/account/")
	other.logIn(m)
	was, err := s.book.Get(t.Context(), m.ID)
	must(t, err)
	id := hex.EncodeToString(a.ID)
	for path, says := range map[string]string{
		"/account/app/delete": "Remove the authenticator app?", "/account/passkeys/delete": "Remove the passkey?",
		"/account/codes/new": "Make new recovery codes?", "/account/sessions/end-others": "End all other sessions?",
	} {
		if page := b.post(path, "id", id).has(200, says); !strings.Contains(page.body, `action="`+path+`"`) || !strings.Contains(page.body, id) {
			t.Errorf("%s: %s", path, page.body)
		}
	}
	if is, err := s.book.Get(t.Context(), m.ID); err != nil || is.Version != was.Version {
		t.Errorf("something was changed: %v", err)
	}
}

func TestDevice(t *testing.T) {
	for agent, want := range map[string]string{
		"": "Unknown device", "<b>": "Unknown device", "curl/8.9": "curl",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0": "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":     "Safari on macOS",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":              "Chrome on Android",
	} {
		if got := device(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}

func TestPaths(t *testing.T) {
	s := newStage(t)
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/account/nothing", 404, ""}, {"DELETE", "/account/login", 405, "GET, HEAD, POST"}, {"GET", "/account/logout", 405, "POST"}, {"GET", "/account/sessions/end", 405, "POST"},
	} {
		if got := s.browser().do(test.method, test.path, url.Values{}); got.status != test.status || got.header.Get("Allow") != test.allow {
			t.Errorf("%s %s: %d %q", test.method, test.path, got.status, got.header.Get("Allow"))
		}
	}
	if got := s.browser().post("/account/login", "user", strings.Repeat("x", 10), "password", "%"); got.status != 403 {
		t.Errorf("%d", got.status)
	}
}
