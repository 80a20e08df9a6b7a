// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/passkey/passkeytest"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

const origin = "https://hooks.example.com"

// options returns what a browser is asked to do with a passkey.
func (b *browser) options(path string) []byte {
	b.Helper()
	got := b.post(path)
	if got.status != 200 || got.header.Get("Content-Type") != "application/json" || !json.Valid([]byte(got.body)) {
		b.Fatalf("%s: %d %s", path, got.status, got.text())
	}
	return []byte(got.body)
}

// show has an authenticator answer the options of a path.
func (b *browser) show(a *passkeytest.Authenticator, path string) string {
	b.Helper()
	answer, err := a.Show(b.options(path))
	must(b.T, err)
	return string(answer)
}

// add registers an authenticator.
func (b *browser) add(a *passkeytest.Authenticator, name string) answer {
	b.Helper()
	made, err := a.Register(b.options("/account/passkey/add"))
	must(b.T, err)
	return b.post("/account/passkeys", "credential", string(made), "name", name)
}

func TestPasskeys(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	phone, key := passkeytest.New(origin), passkeytest.New(origin)
	b.add(phone, "My phone").to("/account/")
	b.get("/account/").has(200, "My phone", "never")
	// Alone, it is two factors.
	other := s.browser()
	other.header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	answer := other.show(phone, "/account/passkey/login")
	other.post("/account/login", "credential", answer, "back", "/x").to("/x")
	if p, path := other.person(); p.Name != "mara" || !p.SteppedUp || path != "" {
		t.Errorf("it is %+v, %s", p, path)
	}
	other.get("/account/").has(200, "Firefox on Linux this one")
	s.browser().post("/account/login", "credential", answer).has(403, "The passkey was not accepted")
	// After a password, it is the second one.
	second := s.browser()
	second.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
	second.get("/account/second").has(200, "Use a passkey")
	second.post("/account/second", "credential", second.show(phone, "/account/passkey/show")).to("/")
	second.post("/account/step-up", "credential", second.show(phone, "/account/passkey/show")).to("/")
	second.post("/account/step-up", "credential", "{}").has(403, "The passkey was not accepted")
	// What is known by nobody's finger is no second factor of its own.
	key.Verifies = false
	b.add(key, "").to("/account/")
	b.get("/account/").has(200, "Unknown device")
	s.browser().post("/account/login", "credential", s.browser().show(key, "/account/passkey/login")).has(403, "was not accepted")
	// The last one stays.
	b.post("/account/app/delete", "sure", "yes").to("/account/?done=app")
	b.post("/account/passkeys/delete", "sure", "yes", "id", hex.EncodeToString(key.ID)).to("/account/?done=passkey")
	b.post("/account/passkeys/delete", "sure", "yes", "id", hex.EncodeToString(phone.ID)).has(409, "only second factor")
	b.post("/account/passkeys/delete", "sure", "yes", "id", hex.EncodeToString(key.ID)).has(404, "no such page")
	s.browser().post("/account/login", "credential", s.browser().show(key, "/account/passkey/login")).has(403, "was not accepted")
	if u, err := s.book.Get(t.Context(), m.ID); err != nil || u.App != nil || len(u.Passkeys) != 1 {
		t.Errorf("left %+v, %v", u, err)
	}
}

// A passkey that is removed while it is shown opens nothing.
func TestPasskeyRemovedMeanwhile(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	a := passkeytest.New(origin)
	b.add(a, "Phone").to("/account/")
	remove := func() {
		_, err := s.book.Change(t.Context(), m.ID, func(u *users.User) error { u.Passkeys = nil; return nil }, nil)
		must(t, err)
	}
	answer := b.show(a, "/account/passkey/show")
	s.store.meanwhile = remove
	b.post("/account/step-up", "credential", answer).has(403, "Confirm that it is you")
	b.add(a, "Phone").to("/account/")
	other := s.browser()
	answer = other.show(a, "/account/passkey/login")
	s.store.meanwhile = remove
	if got := other.post("/account/login", "credential", answer).has(409, "changed meanwhile"); got.header.Get("Set-Cookie") != "" {
		t.Error("it opens a session")
	}
}

// A copy of an authenticator, whose count has not grown, opens nothing.
func TestCopiedPasskey(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	b.join("mara", "acme")
	a := passkeytest.New(origin)
	b.add(a, "Phone").to("/account/")
	thief := *a
	for range 2 {
		b.post("/account/step-up", "credential", b.show(a, "/account/passkey/show")).to("/")
	}
	s.browser().post("/account/login", "credential", s.browser().show(&thief, "/account/passkey/login")).has(403, "was not accepted")
}

// A passkey instead of an app, and nobody's for another.
func TestPasskeyFirst(t *testing.T) {
	s := newStage(t)
	_, code, err := s.book.Add(t.Context(), "mara", "acme", users.LinkFor, nil)
	must(t, err)
	b := s.browser()
	b.post("/account/welcome", "code", code, "password", secretWord, "again", secretWord).to("/account/enrol")
	b.post("/account/passkeys", "credential", "{}").has(403, "The passkey was not accepted")
	a := passkeytest.New(origin)
	b.add(a, "").to("/account/codes")
	b.post("/account/codes", "kept", "yes").to("/")
	thief := s.browser()
	m := thief.join("thief", "umbrella")
	if got := thief.post("/account/passkey/show"); got.status != 409 {
		t.Errorf("one without passkeys is asked for one: %d", got.status)
	}
	thief.add(passkeytest.New(origin), "").to("/account/")
	login := s.browser()
	login.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
	answer := login.show(a, "/account/passkey/show")
	thief = s.browser()
	thief.post("/account/login", "user", m.Name, "password", secretWord).to("/account/second")
	thief.post("/account/second", "credential", answer).has(403, "The passkey was not accepted")
	login.post("/account/second", "credential", answer).to("/")
}

func TestPasskeysAreLimited(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	for range users.MaxPasskeys {
		b.add(passkeytest.New(origin), strings.Repeat("ü", 100)).to("/account/")
	}
	b.add(passkeytest.New(origin), "").has(409, "as many passkeys as are possible")
	u, err := s.book.Get(t.Context(), m.ID)
	if err != nil || len(u.Passkeys) != users.MaxPasskeys || len(u.Passkeys[0].Name) != users.MaxPasskeyName {
		t.Errorf("%d passkeys, %v", len(u.Passkeys), err)
	}
	for range addressBurst {
		s.browser().post("/account/passkey/login")
	}
	if got := s.browser().post("/account/passkey/login"); got.status != 429 {
		t.Errorf("challenges without end: %d", got.status)
	}
}
