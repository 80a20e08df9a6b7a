// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/factor"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// stage has sessions, and a clock.
type stage struct {
	*testing.T
	*Sessions
	records *memory.Store
	at      time.Time
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t, at: epoch}
	clock := func() time.Time { return s.at }
	ring, err := seal.NewKeyring(seal.NewKey())
	must(t, err)
	s.records = memory.New(clock)
	s.Sessions = New(s.records, ring, clock)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// of returns the session of a browser that has a cookie, or none with "".
func (s *stage) of(token string) *Current {
	s.Helper()
	r := httptest.NewRequestWithContext(s.Context(), http.MethodGet, "/", http.NoBody)
	if token != "" {
		r.AddCookie(&http.Cookie{Name: CookieName, Value: token, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	c, err := s.Of(r)
	must(s.T, err)
	return c
}

// written returns the token that an answer sets.
func written(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies are set", len(cookies))
	}
	return cookies[0].Value
}

// begin begins a session of a user in a browser that has a cookie.
func (s *stage) begin(token, user string) string {
	s.Helper()
	w := httptest.NewRecorder()
	must(s.T, s.of(token).Begin(w, Session{User: user, Full: true, Device: "Firefox", Address: "192.0.2.1"}))
	return written(s.T, w)
}

func TestBegin(t *testing.T) {
	s := newStage(t)
	w := httptest.NewRecorder()
	must(t, s.of("").Begin(w, Session{User: "usr_1", Full: true}))
	cookie := w.Result().Cookies()[0]
	if cookie.Name != "__Host-webhooks" || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" ||
		cookie.MaxAge != 0 || len(cookie.Value) < 40 {
		t.Errorf("the cookie is %s", w.Header().Get("Set-Cookie"))
	}
	got := s.of(cookie.Value).Session
	if got == nil || got.User != "usr_1" || !got.Full || got.Began != epoch || got.SteppedUp != epoch || got.ID == "" || got.ID == cookie.Value {
		t.Errorf("got %+v", got)
	}
}

// A session never takes a token that somebody else has chosen, and a new one comes with
// each step: what was seen before opens nothing after.
func TestFixation(t *testing.T) {
	s := newStage(t)
	chosen := strings.Repeat("A", 43)
	if s.of(chosen).Session != nil {
		t.Error("a token that nobody made is known")
	}
	first := s.begin(chosen, "usr_1")
	if first == chosen || s.of(chosen).Session != nil {
		t.Error("the session has the token that was chosen")
	}
	// A thief's session, put into the browser of whoever logs in, is not that of the user.
	thief := s.begin("", "usr_thief")
	second := s.begin(thief, "usr_1")
	if second == thief || s.of(thief).Session != nil {
		t.Error("the session that was there goes on")
	}
	c := s.of(second)
	w := httptest.NewRecorder()
	must(t, c.Rotate(w))
	third := written(t, w)
	if got := s.of(third).Session; third == second || s.of(second).Session != nil || got == nil || got.User != "usr_1" {
		t.Errorf("after a rotation: %+v", got)
	}
}

// A session that has ended stays so, whatever requests of it are under way.
func TestEndedStaysSo(t *testing.T) {
	s := newStage(t)
	for name, act := range map[string]func(c *Current) error{
		"saving":   func(c *Current) error { return c.Save() },
		"rotating": func(c *Current) error { return c.Rotate(httptest.NewRecorder()) },
		"noting":   func(c *Current) error { s.at = s.at.Add(seenEvery); return c.Used("192.0.2.9") },
		"again":    func(c *Current) error { return c.Begin(httptest.NewRecorder(), *c.Session) },
	} {
		token := s.begin("", "usr_1")
		underWay := s.of(token)
		w := httptest.NewRecorder()
		must(t, s.of(token).End(w))
		if got := w.Result().Cookies()[0]; got.MaxAge >= 0 || got.Value != "" {
			t.Errorf("the cookie stays: %v", got)
		}
		if err := act(underWay); err != nil && !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v", name, err)
		}
		if all, err := s.List(t.Context(), "usr_1"); err != nil || len(all) != 0 || s.of(token).Session != nil {
			t.Errorf("%s brings it back: %+v, %v", name, all, err)
		}
	}
}

// What another request of the same session has changed meanwhile, noting its use does not
// take back, and a step does not fail by it.
func TestAtOnce(t *testing.T) {
	s := newStage(t)
	token := s.begin("", "usr_1")
	s.at = epoch.Add(seenEvery)
	one, two, three := s.of(token), s.of(token), s.of(token)
	two.Session.Codes = []string{"code"}
	must(t, two.Save())
	must(t, one.Used("192.0.2.2"))
	if got := s.of(token).Session; len(got.Codes) != 1 {
		t.Errorf("it is taken back: %+v", got)
	}
	w := httptest.NewRecorder()
	must(t, three.Rotate(w))
	if s.of(written(t, w)).Session == nil {
		t.Error("the step has failed")
	}
}

func TestLimits(t *testing.T) {
	s := newStage(t)
	token := s.begin("", "usr_1")
	s.at = epoch.Add(Idle - time.Second)
	must(t, s.of(token).Used("2001:db8::1"))
	if got := s.of(token).Session; got == nil || got.Seen != s.at || got.Address != "2001:db8::1" {
		t.Fatalf("a session in use: %+v", got)
	}
	s.at = s.at.Add(Idle)
	if s.of(token).Session != nil {
		t.Error("an idle session goes on")
	}
	if all, err := s.List(t.Context(), "usr_1"); err != nil || len(all) != 0 {
		t.Errorf("it is listed: %+v, %v", all, err)
	}
	token = s.begin("", "usr_1")
	began := s.at
	for s.at.Sub(began) < Lifetime {
		c := s.of(token)
		if c.Session == nil {
			t.Fatalf("it has ended after %v", s.at.Sub(began))
		}
		must(t, c.Used("192.0.2.1"))
		s.at = s.at.Add(Idle / 2)
	}
	if s.of(token).Session != nil {
		t.Error("a session in use goes on for ever")
	}
}

// The use of a session is written once a minute, and not with each request.
func TestUsedIsSparing(t *testing.T) {
	s := newStage(t)
	token := s.begin("", "usr_1")
	was, err := s.records.Epoch(t.Context(), KindSession)
	must(t, err)
	for range 100 {
		must(t, s.of(token).Used("192.0.2.1"))
	}
	if got, err := s.records.Epoch(t.Context(), KindSession); err != nil || got != was {
		t.Errorf("%d writes, %v", got-was, err)
	}
}

func TestListAndEnd(t *testing.T) {
	s := newStage(t)
	var tokens []string
	for range MaxSessions + 3 {
		s.at = s.at.Add(time.Second)
		tokens = append(tokens, s.begin("", "usr_1"))
	}
	other := s.begin("", "usr_2")
	all, err := s.List(t.Context(), "usr_1")
	must(t, err)
	if len(all) != MaxSessions || all[0].Seen != s.at || all[0].Device != "Firefox" || all[0].Address != "192.0.2.1" {
		t.Errorf("%d are listed, first %+v", len(all), all[0])
	}
	if s.of(tokens[2]).Session != nil || s.of(tokens[3]).Session == nil {
		t.Error("it is not the oldest that have ended")
	}
	// Nobody ends another's.
	must(t, s.EndOne(t.Context(), "usr_1", s.of(other).Session.ID))
	must(t, s.EndOne(t.Context(), "usr_1", "nothing"))
	must(t, s.EndOne(t.Context(), "usr_1", all[0].ID))
	if s.of(other).Session == nil || s.of(tokens[len(tokens)-1]).Session != nil {
		t.Error("the wrong one has ended")
	}
}

// Who has no more than a password ends no session of who has a second factor, however many
// it begins; and what a second factor completes counts, too.
func TestBegunSessions(t *testing.T) {
	s := newStage(t)
	full := s.begin("", "usr_1")
	var last *Current
	for range 3 * MaxSessions {
		s.at = s.at.Add(time.Second)
		last = s.of("")
		must(t, last.Begin(httptest.NewRecorder(), Session{User: "usr_1"}))
	}
	if all, err := s.List(t.Context(), "usr_1"); err != nil || len(all) != maxBegun+1 || s.of(full).Session == nil {
		t.Errorf("%d sessions, %v", len(all), err)
	}
	for range 2 * MaxSessions {
		s.at = s.at.Add(time.Second)
		last = s.of("")
		must(t, last.Begin(httptest.NewRecorder(), Session{User: "usr_1"}))
		last.Session.Full = true
		must(t, last.Rotate(httptest.NewRecorder()))
	}
	if all, err := s.List(t.Context(), "usr_1"); err != nil || len(all) > MaxSessions+maxBegun || s.of(full).Session != nil {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}

// Neither a token nor what a session holds can be read in the store, and a record opens
// nothing in another's place.
func TestAtRest(t *testing.T) {
	s := newStage(t)
	token := s.begin("", "usr_1")
	c := s.of(token)
	c.Session.App, c.Session.Codes = &factor.App{Secret: "JBSWY3DPEHPK3PXP"}, []string{"k7mqa-4x2dz"}
	must(t, c.Save())
	record, err := s.records.Record(t.Context(), KindSession, c.Session.ID)
	must(t, err)
	for _, secret := range []string{token, "JBSWY3DPEHPK3PXP", "k7mqa", "Firefox", "192.0.2.1"} {
		if bytes.Contains(record.Value, []byte(secret)) || strings.Contains(record.ID, secret) {
			t.Errorf("the record holds %s", secret)
		}
	}
	forged := record
	forged.Owner, forged.Version = "usr_2", queue.AnyVersion
	_, err = s.records.Change(t.Context(), forged)
	must(t, err)
	if s.of(token).Session != nil {
		t.Error("a session opens as another user's")
	}
}

func TestWith(t *testing.T) {
	s := newStage(t)
	note := queue.Record{Kind: "note", ID: "1", Value: []byte("x")}
	w := httptest.NewRecorder()
	must(t, s.of("").Begin(w, Session{User: "usr_1"}, note))
	if _, err := s.records.Record(t.Context(), "note", "1"); err != nil {
		t.Error(err)
	}
	// If it cannot be written, neither is the session.
	w = httptest.NewRecorder()
	if err := s.of("").Begin(w, Session{User: "usr_2"}, note); !errors.Is(err, queue.ErrConflict) || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("%v, %s", err, fmt.Sprint(w.Header()))
	}
	if all, err := s.List(t.Context(), "usr_2"); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
