// SPDX-License-Identifier: Apache-2.0

package account

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/session"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// From a link to the pages: each step is asked for before them.
func TestFromNothing(t *testing.T) {
	s := newStage(t)
	_, code, err := s.book.Add(t.Context(), "mara", "acme", users.LinkFor, nil)
	must(t, err)
	b := s.browser()
	if _, path := b.person(); path != "/account/login?back=%2Fwebhooks" {
		t.Errorf("nobody is sent to %s", path)
	}
	b.get("/account/welcome").has(200, "Set your password")
	for _, test := range []struct{ code, password, again, says string }{
		{code, "short", "short", "at least 12"},
		{code, "my name is mara", "my name is mara", "Your username is in it"},
		{code, secretWord, secretWord + "x", "not the same"},
		{code + "x", secretWord, secretWord, "code does not work"},
	} {
		if got := b.post("/account/welcome", "code", test.code, "password", test.password, "again", test.again); got.status == 303 || !strings.Contains(got.text(), test.says) {
			t.Errorf("%q is not said: %d %s", test.says, got.status, got.text())
		}
	}
	b.post("/account/welcome", "code", " "+code+" ", "password", secretWord, "again", secretWord).to("/account/enrol")
	if _, path := b.person(); path != "/account/enrol?back=%2Fwebhooks" {
		t.Errorf("without a second factor: %s", path)
	}
	page := b.get("/account/enrol?back=/webhooks").has(200, "Set up two-factor")
	if again := b.get("/account/enrol?back=/webhooks"); again.body != page.body {
		t.Error("a page that is loaded again shows another secret")
	}
	if qr := b.get("/account/qr.svg"); qr.status != 200 || qr.header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(qr.body, "<svg") {
		t.Errorf("the QR code: %d %.100s", qr.status, qr.body)
	}
	m := &member{secret: strings.ReplaceAll(shownSecret.FindStringSubmatch(page.body)[1], " ", "")}
	b.post("/account/enrol", "code", "000000").has(403, "The code is not right")
	b.post("/account/enrol", "code", s.code(m), "back", "/webhooks").to("/account/codes?back=%2Fwebhooks")
	if _, path := b.person(); path != "/account/codes?back=%2Fwebhooks" {
		t.Errorf("before the codes are kept: %s", path)
	}
	b.get("/account/").to("/account/codes")
	codes := b.get("/account/codes").has(200, "Keep these recovery codes")
	shown := shownCodes.FindAllStringSubmatch(codes.body, -1)
	saved := b.post("/account/codes", "as", "text")
	if len(shown) != 10 || strings.Count(saved.body, "\n") != 10 || !strings.HasPrefix(saved.body, shown[0][1]) || !strings.HasPrefix(saved.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d codes, saved as %q", len(shown), saved.body)
	}
	b.post("/account/codes").has(200, "Keep these")
	b.post("/account/codes", "kept", "yes", "back", "/webhooks").to("/webhooks")
	p, path := b.person()
	if p != (dashboard.Person{Tenant: "acme", Name: "mara", SteppedUp: true}) || path != "" {
		t.Errorf("it is %+v, %s", p, path)
	}
	b.get("/account/codes").to("/")
	b.get("/account/").has(200, "mara", "10 of 10 are left", "this one")
}

// A password alone opens nothing, and changes nothing.
func TestStolenPassword(t *testing.T) {
	s := newStage(t)
	m := s.browser().join("mara", "acme")
	was, err := s.book.Get(t.Context(), m.ID)
	must(t, err)
	thief := s.browser()
	thief.address = "203.0.113.66"
	thief.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
	if _, path := thief.person(); path != "/account/second?back=%2Fwebhooks" {
		t.Errorf("a thief is sent to %s", path)
	}
	for _, path := range []string{"/account/", "/account/enrol", "/account/qr.svg", "/account/codes", "/account/step-up"} {
		thief.get(path).to("/account/second")
	}
	for _, path := range []string{
		"/account/enrol", "/account/passkeys", "/account/passkey/add", "/account/codes", "/account/step-up", "/account/password", "/account/app/delete",
		"/account/passkeys/delete", "/account/codes/new", "/account/sessions/end", "/account/sessions/end-others",
	} {
		thief.post(path, "code", s.code(m), "kept", "yes", "id", "x", "credential", "{}").to("/account/second")
	}
	if is, err := s.book.Get(t.Context(), m.ID); err != nil || is.Version != was.Version {
		t.Errorf("something was changed: %v", err)
	}
	// Who has the password sees in the audit that somebody knows it.
	if got := s.audited("acme")[0]; got.Action != "login.begin" || got.From != "203.0.113.66" || got.Who != "mara" {
		t.Errorf("noted %+v", got)
	}
}

// A session is under another token after each step, those before open nothing, and one that
// somebody has planted is never taken.
func TestTokensRotate(t *testing.T) {
	s := newStage(t)
	m := s.browser().join("mara", "acme")
	b := s.browser()
	planted := strings.Repeat("A", 43)
	b.token = planted
	tokens := []string{planted}
	for _, step := range []func() answer{
		func() answer {
			return b.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
		},
		func() answer { return b.post("/account/second", "code", s.code(m)).to("/") },
		func() answer { s.tick(); return b.post("/account/step-up", "code", s.code(m), "back", "/x").to("/x") },
		func() answer {
			return b.post("/account/sessions/end-others", "sure", "yes").to("/account/?done=sessions")
		},
	} {
		step()
		if slices.Contains(tokens, b.token) {
			t.Error("the token stays the same")
		}
		for _, old := range tokens {
			other := s.browser()
			other.token = old
			if _, path := other.person(); !strings.HasPrefix(path, "/account/login") {
				t.Errorf("a token of before leads to %q", path)
			}
		}
		tokens = append(tokens, b.token)
	}
	if _, path := b.person(); path != "" {
		t.Errorf("the last leads to %s", path)
	}
}

// A thief's own session, planted in a browser, does not become that of who logs in there.
func TestPlantedSession(t *testing.T) {
	s := newStage(t)
	thief, b := s.browser(), s.browser()
	thief.join("thief", "umbrella")
	m := s.browser().join("mara", "acme")
	b.token = thief.token
	b.logIn(m)
	if p, path := thief.person(); path != "/account/login?back=%2Fwebhooks" {
		t.Errorf("the thief is %+v, %s", p, path)
	}
}

func TestStolenCookieAfterLogout(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	b.join("mara", "acme")
	thief := s.browser()
	thief.token = b.token
	if p, _ := thief.person(); p.Tenant != "acme" {
		t.Fatalf("the cookie is not that of a session: %+v", p)
	}
	b.post("/account/logout").to("/account/login")
	if b.token != "" {
		t.Error("the browser keeps the cookie")
	}
	if _, path := thief.person(); path != "/account/login?back=%2Fwebhooks" {
		t.Errorf("the thief is sent to %s", path)
	}
	thief.get("/account/").to("/account/login?ended=yes")
	thief.get("/account/login?ended=yes").has(200, "your session has ended")
}

// Who is nobody is answered as who is, and with as much work: hashes, reads, writes.
func TestUnknownUsers(t *testing.T) {
	s := newStage(t)
	s.browser().join("mara", "acme")
	_, _, err := s.book.Add(t.Context(), "waiting", "acme", users.LinkFor, nil) // has no password yet
	must(t, err)
	type work struct{ status, hashes, reads, writes int64 }
	var want work
	var page string
	for i, name := range []string{"mara", "nobody", "waiting", "no name", strings.Repeat("x", 500)} {
		b := s.browser()
		s.hashes.n.Store(0)
		s.store.reads.Store(0)
		s.store.writes.Store(0)
		got := b.post("/account/login", "user", name, "password", "wrong horse battery")
		did := work{int64(got.status), s.hashes.n.Load(), s.store.reads.Load(), s.store.writes.Load()}
		body := strings.ReplaceAll(got.body, `value="`+name+`"`, `value="NAME"`)
		if i == 0 {
			want, page = did, body
		}
		if did != want || body != page || did.hashes != 1 || did.writes != 1 {
			t.Errorf("%q: %+v, want %+v", name, did, want)
		}
		if got.header.Get("Set-Cookie") != "" {
			t.Errorf("%q: a cookie is set", name)
		}
	}
	// What is no password is hashed, too.
	for _, secret := range []string{"", "a\x00b", strings.Repeat("x", 1000)} {
		s.hashes.n.Store(0)
		if got := s.browser().post("/account/login", "user", "mara", "password", secret); got.status != 403 || s.hashes.n.Load() != 1 {
			t.Errorf("%.10q: %d, %d hashes", secret, got.status, s.hashes.n.Load())
		}
	}
}

// Passwords are tried only so often, of one name from one address and from all, and of all
// names from one address; names that nobody has are no different.
func TestLoginIsLimited(t *testing.T) {
	tries := func(name string) (n int) {
		s := newStage(t)
		s.browser().join("mara", "acme")
		b := s.browser()
		b.address = "203.0.113.66"
		for n < 100 && b.post("/account/login", "user", name, "password", "wrong horse battery").status == 403 {
			n++
		}
		got := b.post("/account/login", "user", name, "password", secretWord)
		if got.status != 429 || got.header.Get("Retry-After") == "" || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
		// Nobody is locked out by somebody elsewhere, however often that one tries.
		for range 2 * accountBurst {
			b.post("/account/login", "user", name, "password", "wrong horse battery")
		}
		if name == "mara" {
			s.browser().post("/account/login", "user", "MARA", "password", secretWord).to("/account/second")
		}
		s.at = s.at.Add(accountFromEvery)
		if got := b.post("/account/login", "user", name, "password", "wrong horse battery"); got.status != 403 {
			t.Errorf("%s, later: %d", name, got.status)
		}
		return n
	}
	if known, unknown := tries("mara"), tries("nobody"); known != accountFromBurst || unknown != known {
		t.Errorf("%d tries of a name, %d of nobody's", known, unknown)
	}
	s := newStage(t)
	b := s.browser()
	n := 0
	for n < 100 && b.post("/account/login", "user", strings.Repeat("x", n%60+1), "password", "wrong").status == 403 {
		n++
	}
	if n != addressBurst {
		t.Errorf("%d tries from an address", n)
	}
	n = 0
	for n < 200 {
		b := s.browser()
		b.address = "198.51.100." + string(rune('0'+n/10%10)) + string(rune('0'+n%10))
		if n >= 100 {
			b.address = "203.0.113.7"
		}
		if b.post("/account/login", "user", "mara", "password", "wrong").status != 403 {
			break
		}
		n++
	}
	if n != accountBurst {
		t.Errorf("%d tries of a name from everywhere", n)
	}
}

// Whatever strangers send, the audit does not grow with it, and has nothing that they typed.
func TestRefusalsAreSparing(t *testing.T) {
	s := newStage(t)
	s.browser().join("mara", "acme")
	for i := range 600 {
		b := s.browser()
		b.address = "10.0." + string(rune('0'+i/100)) + "." + string(rune('0'+i%10))
		b.post("/account/login", "user", "hunter2-"+string(rune('a'+i%26))+string(rune('a'+i/26)), "password", secretWord)
	}
	all := s.audited("")
	if len(all) == 0 || len(all) > notedBurst {
		t.Errorf("%d are noted", len(all))
	}
	for _, a := range all {
		if a.Who != "nobody" || strings.Contains(a.Object, "hunter2") {
			t.Fatalf("noted %+v", a)
		}
	}
}

// Operators see no tenant's pages, and tenants see their own.
func TestWhose(t *testing.T) {
	s := newStage(t)
	operator, tom := s.browser(), s.browser()
	operator.join("root", "")
	tom.join("tom", "umbrella")
	if p, path := operator.person(); path != "" || p != (dashboard.Person{Operator: true, Name: "root", SteppedUp: true}) {
		t.Errorf("an operator is %+v, %s", p, path)
	}
	operator.get("/account/").has(200, "root, an operator")
	if p, _ := tom.person(); p.Tenant != "umbrella" {
		t.Errorf("tom is %+v", p)
	}
}

// A user who is removed or reset has no session any more, and neither has one whose key is
// lost.
func TestGoneUsers(t *testing.T) {
	s := newStage(t)
	for name, end := range map[string]func(m *member) error{
		"removed": func(m *member) error { return s.book.Remove(t.Context(), m.ID, nil) },
		"reset":   func(m *member) error { _, _, err := s.book.Reset(t.Context(), m.ID, users.LinkFor, nil); return err },
	} {
		b := s.browser()
		m := b.join(name, "acme")
		must(t, end(m))
		if _, path := b.person(); path != "/account/login?back=%2Fwebhooks" {
			t.Errorf("%s: sent to %s", name, path)
		}
		b.get("/account/").to("/account/login?ended=yes")
	}
}

// Nothing that opens an account can be read in the queue or in the audit.
func TestAtRest(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	b.post("/account/password", "old", secretWord, "password", secretWord+" staple", "again", secretWord+" staple").to("/account/?done=password")
	b.post("/account/codes/new", "sure", "yes").to("/account/codes?back=%2Faccount%2F")
	for _, shown := range shownCodes.FindAllStringSubmatch(b.get("/account/codes").body, -1) {
		m.codes = append(m.codes, shown[1])
	}
	secrets := append([]string{secretWord, "staple", m.secret, b.token, "argon2id"}, m.codes...)
	n := 0
	for _, kind := range []string{users.KindUser, "username", session.KindSession, subscribers.KindAudit} {
		records, _, err := s.store.Records(t.Context(), kind, queue.Page{Limit: queue.MaxLimit})
		must(t, err)
		for _, record := range records {
			n++
			for _, secret := range secrets {
				if bytes.Contains(record.Value, []byte(secret)) || strings.Contains(record.ID, secret) {
					t.Errorf("%s %s holds %s: %s", kind, record.ID, secret, record.Value)
				}
			}
		}
	}
	if n < 6 {
		t.Errorf("%d records were looked at", n)
	}
}

// While nothing can be written, those who are signed in see their pages, and nobody else
// gets in.
func TestFullDisk(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	s.store.full.Store(true)
	s.at = s.at.Add(5 * time.Minute)
	if p, path := b.person(); p.Tenant != "acme" || path != "" {
		t.Errorf("it is %+v, %s", p, path)
	}
	b.get("/account/").has(200, "mara")
	b.post("/account/step-up", "code", s.code(m)).has(503, "The queue does not answer")
	other := s.browser()
	if got := other.post("/account/login", "user", "mara", "password", secretWord).has(503, "The queue does not answer"); got.header.Get("Set-Cookie") != "" {
		t.Error("a cookie is set for a session that is not kept")
	}
}

// A session that ends while a request is under way leads to the page to log in.
func TestEndedMeanwhile(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	b.join("mara", "acme")
	s.at = s.at.Add(5 * time.Minute)
	v, err := s.visit(nil, b.request(http.MethodGet, "/", nil))
	must(t, err)
	b.post("/account/logout").to("/account/login")
	if err := v.used(); !errors.Is(err, session.ErrEnded) {
		t.Errorf("got %v", err)
	}
}

func TestQueueNotOpen(t *testing.T) {
	s := newStage(t)
	s.options.Queue = func() queue.Store { return nil }
	s.browser().get("/account/login").has(503, "The queue does not answer")
	if _, err := s.Person(s.browser().request(http.MethodGet, "/", nil)); err == nil {
		t.Error("somebody is known")
	}
}
