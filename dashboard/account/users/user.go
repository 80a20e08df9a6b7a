// SPDX-License-Identifier: Apache-2.0

// Package users keeps those who may log in to the dashboard: their passwords and second
// factors, hashed or sealed, and the one-time links by which they set a password.
package users

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/secure/precis"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/factor"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// KindUser is the kind of the records of users. Those of the kind kindName lead from a
// name to a user's id, so that no two users have one name.
const (
	KindUser = "user"
	kindName = "username"
)

const (
	// maxName limits a name, in bytes.
	maxName = 64
	// idPrefix begins every id of a user, and no name.
	idPrefix = "usr_"
	// MaxPasskeys limits the passkeys of a user.
	MaxPasskeys = 10
	// MaxPasskeyName limits the name of a passkey, in bytes.
	MaxPasskeyName = 64
	// MaxMisses is how many codes may be wrong in a row before none is looked at any more:
	// who has a password must not find a code by patience.
	MaxMisses = 100
)

// User is somebody who may log in.
type User struct {
	// ID names the user for good: who is removed and made again is another.
	ID string `json:"-"`
	// Name is what the user types to log in.
	Name string `json:"-"`
	// Tenant is whose webhooks the user sees; "" is the operator.
	Tenant string `json:"-"`
	// Version tells the states of a user apart.
	Version uint64 `json:"-"`
	// Unreadable is true if what is kept of the user was sealed with a key that is lost.
	// The user can only be reset or removed.
	Unreadable bool `json:"-"`

	Created time.Time `json:"created"`
	// Login is when the user last logged in.
	Login time.Time `json:"login,omitzero"`
	// Password is a hash, "" before the user has set one.
	Password string `json:"password,omitempty"`
	// Link is the link to set a password, if one was not used yet.
	Link *Link `json:"link,omitempty"`
	// App is the authenticator app, nil for none.
	App *factor.App `json:"app,omitempty"`
	// Passkeys are second factors, or log in alone.
	Passkeys []Passkey `json:"passkeys,omitempty"`
	// Recovery holds the hashes of the recovery codes that are left.
	Recovery []string `json:"recovery,omitempty"`
	// Misses counts the codes that were wrong since the last right one.
	Misses int `json:"misses,omitempty"`
	// Generation is that of the sessions that are valid: those of an earlier one have ended.
	Generation uint64 `json:"generation"`
}

// Passkey is a credential of WebAuthn.
type Passkey struct {
	ID      []byte    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
	// Credential is the credential as the library for it keeps it.
	Credential json.RawMessage `json:"credential"`
}

// Enrolled reports whether a user has a second factor.
func (u *User) Enrolled() bool { return u.App != nil || len(u.Passkeys) > 0 }

// Operator reports whether a user is an operator, and no tenant's.
func (u *User) Operator() bool { return u.Tenant == "" }

// Locked reports whether so many codes were wrong that none is looked at any more.
func (u *User) Locked() bool { return u.Misses >= MaxMisses }

// Revoke ends all sessions of a user.
func (u *User) Revoke() { u.Generation++ }

// Passkey returns the passkey of an id, nil if there is none.
func (u *User) Passkey(id []byte) *Passkey {
	for i := range u.Passkeys {
		if slices.Equal(u.Passkeys[i].ID, id) {
			return &u.Passkeys[i]
		}
	}
	return nil
}

// clone returns a copy of a user that shares nothing with it that changes.
func (u *User) clone() User {
	c := *u
	if u.App != nil {
		app := *u.App
		c.App = &app
	}
	if u.Link != nil {
		link := *u.Link
		c.Link = &link
	}
	c.Passkeys, c.Recovery = slices.Clone(u.Passkeys), slices.Clone(u.Recovery)
	return c
}

// NormalName returns a name as it is compared: names that differ in case alone are one
// (RFC 8265, UsernameCaseMapped).
func NormalName(name string) (string, error) {
	normal, err := precis.UsernameCaseMapped.String(name)
	switch {
	case len(name) > maxName, len(normal) > maxName:
		return "", fmt.Errorf("%w: it has more than %d bytes", ErrBadName, maxName)
	case err != nil, normal == "":
		return "", fmt.Errorf("%w: it is empty, or has a space or a sign that names do not have", ErrBadName)
	case strings.HasPrefix(normal, idPrefix):
		return "", fmt.Errorf("%w: %s begins the ids of users", ErrBadName, idPrefix)
	}
	return normal, nil
}

func newID() string { return idPrefix + strings.ToLower(rand.Text()[:20]) }

// kept is a user's record. The name stands outside of what is sealed, so that a user can
// be listed, reset and removed when the key is lost.
type kept struct {
	Name   string `json:"name"`
	Sealed []byte `json:"sealed"`
}

// record returns a user as it is stored.
func (u *User) record(sealer Sealer) (queue.Record, error) {
	plain, err := json.Marshal(u) //nolint:gosec // the password is a hash, and all is sealed
	if err != nil {
		return queue.Record{}, fmt.Errorf("encoding user %s: %w", u.ID, err)
	}
	value, err := json.Marshal(kept{u.Name, sealer.Seal(plain, u.bound())})
	return queue.Record{Kind: KindUser, ID: u.ID, Owner: u.Tenant, Version: u.Version, Value: value}, err
}

// nameRecord returns the record that leads from a user's name to it.
func (u *User) nameRecord() queue.Record {
	return queue.Record{Kind: kindName, ID: u.Name, Owner: u.Tenant, Value: []byte(u.ID)}
}

// userOf returns the user that a record stores. One whose key is lost is unreadable, and
// no error.
func userOf(record queue.Record, sealer Sealer) (User, error) {
	var k kept
	u := User{ID: record.ID, Tenant: record.Owner, Version: record.Version}
	if err := json.Unmarshal(record.Value, &k); err != nil {
		return User{}, fmt.Errorf("reading user %s: %w", record.ID, err)
	}
	u.Name = k.Name
	plain, _, err := sealer.Open(k.Sealed, u.bound())
	if err != nil {
		u.Unreadable = true
		return u, nil //nolint:nilerr // it is said by Unreadable
	}
	if err := json.Unmarshal(plain, &u); err != nil {
		return User{}, fmt.Errorf("reading user %s: %w", record.ID, err)
	}
	return u, nil
}

// bound is what a sealed user opens with: nobody can put it in the place of another, nor
// give it another name or tenant.
func (u *User) bound() []byte {
	return fmt.Appendf(nil, "user\x00%s\x00%d:%s\x00%s", u.ID, len(u.Name), u.Name, u.Tenant)
}
