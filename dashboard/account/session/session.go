// SPDX-License-Identifier: Apache-2.0

// Package session keeps who is logged in. A session is a random token in a cookie; what it
// stands for is kept on the server, sealed, under the token's hash.
package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/factor"
)

// CookieName is the name of the cookie. Browsers take one with this prefix only from the
// host itself, over HTTPS, for all paths: no other host below the same domain can set it.
const CookieName = "__Host-webhooks"

const (
	// Idle is how long a session lasts that is not used.
	Idle = 30 * time.Minute
	// Lifetime is how long a session lasts at most.
	Lifetime = 12 * time.Hour
	// seenEvery is how often it is noted that a session is used.
	seenEvery = time.Minute
	// MaxSessions is how many sessions a user has at once. With one more, the one that was
	// not used for longest ends.
	MaxSessions = 20
	// maxBegun is how many of them wait for a second factor, besides: who has no more than a
	// password must not end those of who has both.
	maxBegun = 5
)

// Session is what is known of whoever has its token.
type Session struct {
	// ID names the session, and is not its token. It is the hash of that.
	ID string `json:"-"`
	// User is whose it is, and Generation that of the user's sessions when it began.
	User       string `json:"user"`
	Generation uint64 `json:"generation"`
	// Full is true once a second factor was shown. Until then it opens nothing.
	Full bool `json:"full,omitempty"`
	// Began is when it began, Seen when it was last used, within a minute, and SteppedUp
	// when a second factor was last shown.
	Began     time.Time `json:"began"`
	Seen      time.Time `json:"seen"`
	SteppedUp time.Time `json:"stepped_up,omitzero"`
	// Device is what the browser calls itself, and Address where it was last seen.
	Device  string `json:"device,omitempty"`
	Address string `json:"address,omitempty"`
	// App is the authenticator app that is being set up.
	App *factor.App `json:"app,omitempty"`
	// Codes are new recovery codes, until their user says that they are kept.
	Codes []string `json:"codes,omitempty"`
}

// ends returns when a session ends if it is not used any more.
func (s *Session) ends() time.Time {
	idle, last := s.Seen.Add(Idle), s.Began.Add(Lifetime)
	if idle.Before(last) {
		return idle
	}
	return last
}

// ErrEnded is returned for a change of a session that has ended meanwhile, as its user
// logged out in another window.
var ErrEnded = errors.New("the session has ended")

// Sessions keeps the sessions of all users. Use [New].
type Sessions struct {
	store   *store
	manager *scs.SessionManager
	now     func() time.Time
}

// New returns sessions that are kept in a store, sealed.
func New(records Store, sealer Sealer, now func() time.Time) *Sessions {
	kept := &store{records, sealer}
	// Not by scs.New, which begins a goroutine that never ends, for a store that is not used.
	return &Sessions{kept, &scs.SessionManager{
		Store: kept, Codec: codec{}, Lifetime: Lifetime, HashTokenInStore: true,
		Cookie: scs.SessionCookie{Name: CookieName, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode},
	}, now}
}

// Current is the session of one request, if there is one. It is not for use by several
// goroutines.
type Current struct {
	*Sessions
	// Session is nil if there is none.
	Session *Session

	ctx context.Context
}

// Of returns the session of a request. A token that is not known is as good as none: a
// session never takes a token that somebody else has chosen.
func (s *Sessions) Of(r *http.Request) (*Current, error) {
	token := ""
	if cookie, err := r.Cookie(CookieName); err == nil {
		token = cookie.Value
	}
	ctx, err := s.manager.Load(withTurn(r.Context()), token)
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	c := &Current{Sessions: s, ctx: ctx}
	c.Session, _ = s.manager.Get(ctx, sessionKey).(*Session)
	if c.Session != nil {
		c.Session.ID = turnOf(ctx).id
	}
	return c, nil
}

// Used notes that the session is used from an address, once a minute.
func (c *Current) Used(address string) error {
	now := c.now()
	if now.Sub(c.Session.Seen) < seenEvery {
		return nil
	}
	c.Session.Seen, c.Session.Address = now.UTC(), address
	err := c.save(false, nil)
	if errors.Is(err, errChanged) {
		return nil // by another request, which notes it as well
	}
	return err
}

// Begin begins a session in place of the one that there was, with a new token. The
// records are written in the same step.
func (c *Current) Begin(w http.ResponseWriter, s Session, with ...Record) error {
	now := c.now().UTC()
	s.Began, s.Seen = now, now
	if s.Full {
		s.SteppedUp = now
	}
	c.Session = &s
	return c.Rotate(w, with...)
}

// Rotate keeps the session, as it is now, under a new token: the old one opens nothing any
// more. The records are written in the same step.
func (c *Current) Rotate(w http.ResponseWriter, with ...Record) error {
	turn := turnOf(c.ctx)
	over, err := c.store.oldest(c.ctx, c.Session, turn.id)
	if err != nil {
		return err
	}
	turn.with, turn.insists = slices.Concat(over, with), true
	if err := c.manager.RenewToken(c.ctx); err != nil {
		return err
	}
	c.manager.Put(c.ctx, sessionKey, c.Session)
	token, ends, err := c.manager.Commit(c.ctx)
	if err != nil {
		return err
	}
	c.Session.ID = turn.id
	c.manager.WriteSessionCookie(c.ctx, w, token, ends)
	return nil
}

// Save keeps the session as it is now. It fails with [ErrEnded] if it has ended meanwhile:
// no session that somebody has ended comes back.
func (c *Current) Save(with ...Record) error { return c.save(true, with) }

func (c *Current) save(insists bool, with []Record) error {
	turn := turnOf(c.ctx)
	turn.with, turn.insists = with, insists
	c.manager.Put(c.ctx, sessionKey, c.Session)
	_, _, err := c.manager.Commit(c.ctx)
	return err
}

// End ends the session, and has the browser forget its token.
func (c *Current) End(w http.ResponseWriter, with ...Record) error {
	turn := turnOf(c.ctx)
	if turn.id != "" {
		if err := c.store.end(c.ctx, turn.id, with); err != nil {
			return err
		}
	}
	turn.id, turn.version, c.Session = "", 0, nil
	c.manager.WriteSessionCookie(c.ctx, w, "", time.Time{})
	return nil
}

// List returns the sessions of a user, the one that was used last first.
func (s *Sessions) List(ctx context.Context, user string) ([]Session, error) {
	return s.store.of(ctx, user)
}

// EndOne ends a session of a user's. Another's, or one that is not there, it leaves as it is.
func (s *Sessions) EndOne(ctx context.Context, user, id string, with ...Record) error {
	record, err := s.store.records.Record(ctx, KindSession, id)
	if errors.Is(err, errNotFound) || err == nil && record.Owner != user {
		return nil
	}
	if err != nil {
		return err
	}
	return s.store.end(ctx, id, with)
}

// sessionKey is under which the manager has the session.
const sessionKey = "session"

// codec writes a session for the manager. The deadline follows from the session.
type codec struct{}

func (codec) Encode(_ time.Time, values map[string]any) ([]byte, error) {
	s, ok := values[sessionKey].(*Session)
	if !ok {
		return nil, errors.New("there is no session to keep")
	}
	return json.Marshal(s)
}

func (codec) Decode(value []byte) (time.Time, map[string]any, error) {
	var s Session
	if err := json.Unmarshal(value, &s); err != nil {
		return time.Time{}, nil, fmt.Errorf("reading a session: %w", err)
	}
	return s.Began.Add(Lifetime), map[string]any{sessionKey: &s}, nil
}
