// SPDX-License-Identifier: Apache-2.0

package account

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

// The same code at the same time in many browsers opens one of them.
func TestCodeAtOnce(t *testing.T) {
	s := newStage(t)
	m := s.browser().join("mara", "acme")
	code := s.code(m)
	var group sync.WaitGroup
	var mu sync.Mutex
	opened := 0
	for range codeBurst {
		b := s.browser()
		b.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
		group.Go(func() {
			if got := b.post("/account/second", "code", code); got.status == http.StatusSeeOther {
				mu.Lock()
				defer mu.Unlock()
				opened++
			}
		})
	}
	group.Wait()
	if opened != 1 {
		t.Errorf("%d were opened", opened)
	}
}

func TestReusedCode(t *testing.T) {
	s := newStage(t)
	m := s.browser().join("mara", "acme")
	code := s.code(m)
	for i, b := range []*browser{s.browser(), s.browser()} {
		b.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
		if got := b.post("/account/second", "code", code); (got.status == 303) != (i == 0) {
			t.Errorf("browser %d: %d", i, got.status)
		}
	}
}

// Who has the password finds no code by trying: a few in a quarter of an hour, and after a
// hundred in a row none at all, until an operator makes a new link.
func TestBruteForcedCodes(t *testing.T) {
	s := newStage(t)
	m := s.browser().join("mara", "acme")
	thief := s.browser()
	thief.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
	n := 0
	for n < users.MaxMisses {
		got := thief.post("/account/second", "code", "000000")
		if got.status == 429 {
			break
		}
		got.has(403, "The code is not right")
		n++
	}
	if n != codeBurst {
		t.Errorf("%d codes were looked at", n)
	}
	// The limit is the user's, and not the session's or the address's.
	other := s.browser()
	other.address = "203.0.113.9"
	other.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
	other.post("/account/second", "code", s.code(m)).has(429, "Wait some minutes")
	other.post("/account/second", "recovery", m.codes[0]).has(429, "Wait some minutes")
	for ; n < users.MaxMisses; n++ {
		s.at = s.at.Add(codeEvery)
		b := s.browser()
		b.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
		b.post("/account/second", "recovery", "00000-0000"+string(rune('0'+n%10))).has(403, "That is no recovery code")
	}
	s.at = s.at.Add(time.Hour)
	b := s.browser()
	b.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
	b.post("/account/second", "code", s.code(m)).has(403, "none is taken any more")
	b.post("/account/second", "recovery", m.codes[0]).has(403, "none is taken any more")
	_, code, err := s.book.Reset(t.Context(), m.ID, users.LinkFor, nil)
	must(t, err)
	b.post("/account/welcome", "code", code, "password", secretWord, "again", secretWord).to("/account/enrol")
	b.enrol(m)
}

// A right code makes the wrong ones before forgotten.
func TestMissesAreForgotten(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	for range 3 {
		b.post("/account/step-up", "code", "000000").has(403, "The code is not right")
	}
	b.post("/account/step-up", "code", s.code(m)).to("/")
	if u, err := s.book.Get(t.Context(), m.ID); err != nil || u.Misses != 0 {
		t.Errorf("%d misses, %v", u.Misses, err)
	}
	s.tick()
	for range codeBurst {
		b.post("/account/step-up", "code", "000000").has(403, "The code is not right")
	}
}

func TestRecoveryCode(t *testing.T) {
	s := newStage(t)
	m := s.browser().join("mara", "acme")
	b := s.browser()
	b.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
	b.post("/account/second", "recovery", strings.ToUpper(m.codes[3]), "back", "/x?y=1").to("/x?y=1")
	b.get("/account/").has(200, "9 of 10 are left")
	again := s.browser()
	again.post("/account/login", "user", "mara", "password", secretWord).to("/account/second")
	again.post("/account/second", "recovery", m.codes[3]).has(403, "That is no recovery code")
}

// A link works once, and not when it has ended or another was made; nothing tells these
// apart, nor from a code that never was one.
func TestLinks(t *testing.T) {
	s := newStage(t)
	u, used, err := s.book.Add(t.Context(), "mara", "acme", users.LinkFor, nil)
	must(t, err)
	_, ended, err := s.book.Add(t.Context(), "tom", "acme", time.Hour, nil)
	must(t, err)
	eve, replaced, err := s.book.Add(t.Context(), "eve", "acme", users.LinkFor, nil)
	must(t, err)
	_, _, err = s.book.Reset(t.Context(), eve.ID, users.LinkFor, nil)
	must(t, err)
	s.browser().post("/account/welcome", "code", used, "password", secretWord, "again", secretWord).to("/account/enrol")
	s.at = s.at.Add(time.Hour)
	page := ""
	for _, code := range []string{used, ended, replaced, "nonsense", "", strings.TrimPrefix(u.ID, "usr_") + "-x"} {
		s.hashes.n.Store(0)
		got := s.browser().post("/account/welcome", "code", code, "password", "another "+secretWord, "again", "another "+secretWord)
		if page == "" {
			page = got.body
		}
		if got.status != 403 || got.body != page || s.hashes.n.Load() != 0 || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %d %s", code, got.status, got.text())
		}
	}
	n := 0
	for s.browser().post("/account/welcome", "code", "nonsense").status == 403 {
		if n++; n > 2*addressBurst {
			t.Fatal("codes are tried without end")
		}
	}
}

// The way back never leads to another site.
func TestWayBack(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	m := b.join("mara", "acme")
	for _, back := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "evil", "", "/\t/evil.example"} {
		b.post("/account/step-up", "code", s.code(m), "back", back).to("/")
		s.tick()
		if got := s.StepUp(back); got != "/account/step-up" {
			t.Errorf("%q leads to %s", back, got)
		}
	}
	if got := s.StepUp("/webhooks/ep_1?x=1&y=2"); got != "/account/step-up?back=%2Fwebhooks%2Fep_1%3Fx%3D1%26y%3D2" {
		t.Errorf("it leads to %s", got)
	}
	// What was sent by a form is not sent again.
	if _, err := s.Person(s.browser().request(http.MethodPost, "/webhooks/new", nil)); err == nil || err.(*dashboard.Elsewhere).Path != "/account/login" { //nolint:errorlint // it is ours
		t.Errorf("got %v", err)
	}
}
