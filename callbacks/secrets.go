// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// maxOverlap limits how long a replaced secret goes on signing.
const maxOverlap = 30 * 24 * time.Hour

// SecretView is a secret as its owner sees it: by the name of its key.
type SecretView struct {
	ID string `json:"id"`
	// Until is when it signs nothing more, absent for the current one.
	Until time.Time `json:"until,omitzero"`
}

// newSecret returns a secret of 32 random bytes.
func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return sign.Prefix + base64.StdEncoding.EncodeToString(key)
}

// giveSecret gives an endpoint that signs its first secret, and returns it; "" if it
// needs none.
func giveSecret(e *subscribers.Endpoint) string {
	if e.Signature == subscribers.SignatureNone || len(e.Secrets) > 0 {
		return ""
	}
	text := newSecret()
	e.Secrets = []subscribers.Secret{{Text: text}}
	return text
}

// secret takes a secret of the caller's own, which signs at once in the place of others:
// who has sent it knows when. Null is none, so that one is made here.
func (f *form) secret(pointer string, value any) []subscribers.Secret {
	var text string
	if f.text(&text)(pointer, value); text == "" {
		return nil
	}
	return []subscribers.Secret{{Text: text}}
}

// checkSecrets reports, as a [subscribers.FieldError], a secret that cannot sign as the
// endpoint is signed. It shows nothing of the secret.
func checkSecrets(e *subscribers.Endpoint) error {
	scheme, _, _ := strings.Cut(e.Signature, " ")
	parse, remedy := sign.ParseSecret, "send whsec_ and the base64 of 24 to 64 random bytes, or null for one of ours"
	switch scheme {
	case subscribers.SignatureNone:
		return nil
	case subscribers.SignatureX:
		parse, remedy = sign.ParseKey, "send a longer or shorter text, or null for one of ours"
	}
	for i := range e.Secrets {
		if _, err := parse(e.Secrets[i].Text); err != nil {
			return &subscribers.FieldError{Pointer: "/secret", Detail: cause(innermost(err)), Remedy: remedy}
		}
	}
	return nil
}

// secretID returns the name of a secret, which reveals nothing of it.
func secretID(text string) string {
	secret, err := sign.ParseSecret(text)
	if err != nil {
		secret, err = sign.ParseKey(text)
	}
	if err != nil {
		return ""
	}
	return secret.Fingerprint()
}

// secretsOf returns the secrets that still sign.
func secretsOf(e *subscribers.Endpoint, now time.Time) []SecretView {
	views := []SecretView{}
	for _, secret := range signing(e.Secrets, now) {
		views = append(views, SecretView{secretID(secret.Text), secret.Until})
	}
	return views
}

// signing returns the secrets that have not ended.
func signing(secrets []subscribers.Secret, now time.Time) []subscribers.Secret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s subscribers.Secret) bool { return !s.Until.IsZero() && !s.Until.After(now) })
}

// rotated returns secrets with a new current one, beside which the others go on signing
// for a time.
func rotated(secrets []subscribers.Secret, text string, overlap time.Duration, now time.Time) []subscribers.Secret {
	next := []subscribers.Secret{{Text: text}}
	until := now.Add(overlap).UTC()
	for _, old := range signing(secrets, now) {
		if old.Until.IsZero() || old.Until.After(until) {
			old.Until = until
		}
		if overlap > 0 {
			next = append(next, old)
		}
	}
	return next
}

// RotatedView is a new secret, which is shown this once, and those that sign from now on.
type RotatedView struct {
	Secret  string       `json:"secret"`
	Until   time.Time    `json:"previous_until,omitzero"`
	Secrets []SecretView `json:"secrets"`
	// Delayed is true if deliveries may be signed as before for some seconds.
	Delayed bool `json:"delayed,omitempty"`
}

// rotateSecret makes a new secret: {"overlap": "24h"}.
func rotateSecret(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	sent, err := body(c.w, c.r, false, typeJSON)
	if err != nil {
		return nil, err
	}
	overlap, err := overlapOf(sent.members)
	if err != nil {
		return nil, err
	}
	version, err := c.expected(&e)
	if err != nil {
		return nil, err
	}
	text, late := newSecret(), false
	c.doing = doing{"rotate", []string{"secret"}, func(e *subscribers.Endpoint) *answer {
		made := RotatedView{Secret: text, Secrets: secretsOf(e, c.now), Delayed: late}
		if len(e.Secrets) > 1 {
			made.Until = e.Secrets[1].Until
		}
		return &answer{status: http.StatusCreated, body: made}
	}}
	e, err = c.book.Change(c.r.Context(), c.caller.Tenant, e.ID, version, func(e *subscribers.Endpoint) error {
		if e.Signature == subscribers.SignatureNone {
			return &subscribers.FieldError{Pointer: "/signature", Detail: "its deliveries are not signed", Remedy: "choose a signature first"}
		}
		e.Secrets = rotated(e.Secrets, text, overlap, c.now)
		return c.options.Prober.Check(e)
	})
	if err == nil {
		late, err = c.appliedOnce(text)
	}
	if err != nil {
		return nil, err
	}
	return c.doing.answer(&e).set("ETag", c.etag(&e)), nil
}

// overlapOf reads how long a replaced secret goes on signing.
func overlapOf(members map[string]any) (time.Duration, error) {
	var f form
	text := ""
	f.members("", members, map[string]taker{"overlap": f.text(&text)})
	if err := f.err(); err != nil || text == "" {
		return sign.DefaultOverlap, err
	}
	overlap, err := time.ParseDuration(text)
	if err != nil || overlap < 0 || overlap > maxOverlap {
		return 0, invalid.in(FieldProblem{"/overlap", "it is no duration that is possible", fmt.Sprintf("say 0s to %.0fh, as 24h", maxOverlap.Hours())})
	}
	return overlap, nil
}

// revokeSecret has a replaced secret sign nothing more, at once.
func revokeSecret(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	version, err := c.expected(&e)
	if err != nil {
		return nil, err
	}
	c.doing = doing{action: "revoke", changed: []string{"secret"}}
	_, err = c.book.Change(c.r.Context(), c.caller.Tenant, e.ID, version, func(e *subscribers.Endpoint) error {
		kept := signing(e.Secrets, c.now)
		at := slices.IndexFunc(kept, func(s subscribers.Secret) bool { return secretID(s.Text) == c.values["secret"] })
		switch {
		case at < 0:
			return queue.ErrNotFound
		case at == 0:
			return conflicting.problem(`it is the current secret, and nothing would sign; replace it at once, as POST …/secrets {"overlap":"0s"}`)
		}
		e.Secrets = slices.Delete(kept, at, at+1)
		return nil
	})
	if err == nil {
		err = c.applied()
	}
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, nil
}
