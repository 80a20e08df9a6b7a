// SPDX-License-Identifier: Apache-2.0

package passkey_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/passkey"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/passkey/passkeytest"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const origin = "https://hooks.example.com"

var site = passkey.Site{Origin: origin, Name: "Webhooks"}

// stage is a user with one passkey.
type stage struct {
	*testing.T
	*passkey.Keys
	now time.Time
	u   users.User
	a   *passkeytest.Authenticator
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t, now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), u: users.User{ID: "usr_1", Name: "mara"}, a: passkeytest.New(origin)}
	s.Keys = &passkey.Keys{Now: func() time.Time { return s.now }}
	p, err := s.Registered(site, &s.u, s.registering(s.a), "Phone")
	if err != nil {
		t.Fatal(err)
	}
	s.u.Passkeys = []users.Passkey{p}
	return s
}

func (s *stage) registering(a *passkeytest.Authenticator) []byte {
	s.Helper()
	return s.must(a.Register(s.must(s.Register(site, &s.u))))
}

func (s *stage) must(b []byte, err error) []byte {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	return b
}

func (s *stage) find(id string) (users.User, error) {
	if id != s.u.ID {
		return users.User{}, queue.ErrNotFound
	}
	return s.u, nil
}

func TestConfirm(t *testing.T) {
	s := newStage(t)
	if p := s.u.Passkeys[0]; p.Name != "Phone" || !bytes.Equal(p.ID, s.a.ID) || p.Created != s.now {
		t.Errorf("registered %+v", p)
	}
	for range 2 {
		s.now = s.now.Add(time.Hour)
		p, err := s.Confirmed(site, &s.u, s.must(s.a.Show(s.must(s.Confirm(site, &s.u)))))
		if err != nil || p.Used != s.now || bytes.Equal(p.Credential, s.u.Passkeys[0].Credential) {
			t.Fatalf("%+v, %v", p, err)
		}
		s.u.Passkeys[0] = p
	}
}

func TestLogIn(t *testing.T) {
	s := newStage(t)
	u, p, err := s.LoggedIn(site, s.must(s.a.Show(s.must(s.LogIn(site)))), s.find)
	if err != nil || u.ID != "usr_1" || p.Used != s.now {
		t.Errorf("%+v, %+v, %v", u, p, err)
	}
}

// What must not be accepted, each beside an answer that is.
func TestRefused(t *testing.T) {
	for name, spoil := range map[string]func(s *stage) []byte{
		"an answer to another challenge": func(s *stage) []byte {
			other := &passkey.Keys{Now: func() time.Time { return s.now }}
			return s.must(s.a.Show(s.must(other.LogIn(site))))
		},
		"an answer that comes late": func(s *stage) []byte {
			answer := s.must(s.a.Show(s.must(s.LogIn(site))))
			s.now = s.now.Add(5 * time.Minute)
			return answer
		},
		"an answer that comes twice": func(s *stage) []byte {
			answer := s.must(s.a.Show(s.must(s.LogIn(site))))
			if _, _, err := s.LoggedIn(site, answer, s.find); err != nil {
				s.Fatal(err)
			}
			return answer
		},
		"an answer from another site": func(s *stage) []byte {
			s.a.Origin = "https://hooks.example.com.evil.example"
			return s.must(s.a.Show(s.must(s.LogIn(site))))
		},
		"an answer for another site": func(s *stage) []byte {
			options := bytes.Replace(s.must(s.LogIn(site)), []byte(`"rpId":"hooks.example.com"`), []byte(`"rpId":"evil.example"`), 1)
			return s.must(s.a.Show(options))
		},
		"another key": func(s *stage) []byte {
			thief := passkeytest.New(origin)
			thief.ID, thief.User = s.a.ID, s.a.User
			return s.must(thief.Show(s.must(s.LogIn(site))))
		},
		"a key that is not known": func(s *stage) []byte {
			s.a.ID = []byte("another")
			return s.must(s.a.Show(s.must(s.LogIn(site))))
		},
		"a user who is not known": func(s *stage) []byte {
			s.a.User = []byte("usr_2")
			return s.must(s.a.Show(s.must(s.LogIn(site))))
		},
		"an authenticator that did not ask its user": func(s *stage) []byte {
			s.a.Verifies = false
			return s.must(s.a.Show(s.must(s.LogIn(site))))
		},
		"a copy of an authenticator": func(s *stage) []byte {
			_, p, err := s.LoggedIn(site, s.must(s.a.Show(s.must(s.LogIn(site)))), s.find)
			if err != nil {
				s.Fatal(err)
			}
			s.u.Passkeys[0], s.a.Count = p, 0
			return s.must(s.a.Show(s.must(s.LogIn(site))))
		},
		"an answer to a second factor": func(s *stage) []byte { return s.must(s.a.Show(s.must(s.Confirm(site, &s.u)))) },
		"nothing":                      func(*stage) []byte { return nil },
		"no answer":                    func(*stage) []byte { return []byte(`{"id":"x"}`) },
	} {
		s := newStage(t)
		answer := spoil(s)
		if u, _, err := s.LoggedIn(site, answer, s.find); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}

// A second factor is of the user whose password was right.
func TestConfirmedIsTheUsers(t *testing.T) {
	s := newStage(t)
	answer := s.must(s.a.Show(s.must(s.Confirm(site, &s.u))))
	thief := users.User{ID: "usr_2", Name: "thief", Passkeys: s.u.Passkeys}
	if _, err := s.Confirmed(site, &thief, answer); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("another's: %v", err)
	}
	if _, err := s.Confirmed(site, &s.u, answer); err != nil {
		t.Errorf("its own: %v", err)
	}
	// The challenge of a registration, too, is none to confirm.
	options := bytes.Replace(s.must(s.Register(site, &s.u)), []byte(`{`), []byte(`{"rpId":"hooks.example.com",`), 1)
	if _, err := s.Confirmed(site, &s.u, s.must(s.a.Show(options))); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("of a registration: %v", err)
	}
	answer = s.must(s.a.Show(s.must(s.LogIn(site))))
	if _, err := s.Confirmed(site, &s.u, answer); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("of another purpose: %v", err)
	}
	if _, err := s.Confirm(site, &users.User{ID: "usr_3"}); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("without a passkey: %v", err)
	}
}

func TestRegistrationIsTheUsers(t *testing.T) {
	s := newStage(t)
	answer := s.registering(passkeytest.New(origin))
	if _, err := s.Registered(site, &users.User{ID: "usr_2"}, answer, ""); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("another's: %v", err)
	}
	options := s.must(s.Register(site, &s.u))
	if !strings.Contains(string(options), `"excludeCredentials":[{`) {
		t.Errorf("one authenticator can be registered twice: %s", options)
	}
}

func TestSites(t *testing.T) {
	s := newStage(t)
	for origin, ok := range map[string]bool{"https://example.com": true, "https://example.com:8443": true, "http://localhost:8080": true, "": false, "example.com": false} {
		if _, err := s.LogIn(passkey.Site{Origin: origin, Name: "x"}); (err == nil) != ok || err != nil && !errors.Is(err, passkey.ErrSite) {
			t.Errorf("%q: %v", origin, err)
		}
	}
}
