// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// DefaultTolerance is how far apart the clocks may be, as in the libraries of Standard
// Webhooks.
const DefaultTolerance = 5 * time.Minute

// maxSignatures is how many signatures of a delivery are looked at: each costs a little,
// and a stranger writes the header.
const maxSignatures = 32

// Verifier verifies deliveries. It may be used by several goroutines.
type Verifier struct {
	// Tolerance is how far apart the sender's clock and this one may be. Default:
	// [DefaultTolerance].
	Tolerance time.Duration
	// Now is the clock. Default: [time.Now].
	Now func() time.Time

	keys []key
}

// NewVerifier returns a verifier that accepts what one of the secrets has signed. While a
// secret is being replaced, give the old and the new one.
func NewVerifier(secrets ...string) (*Verifier, error) {
	if len(secrets) == 0 {
		return nil, errors.New("there is no secret to verify webhooks with")
	}
	v := new(Verifier)
	for _, secret := range secrets {
		k, err := newKey(secret)
		if err != nil {
			return nil, err
		}
		v.keys = append(v.keys, k)
	}
	return v, nil
}

// Verify returns the event of a delivery, or [ErrHeaders], [ErrTime], [ErrSignature] or
// [ErrClaims]. Body must be the bytes as they came.
func (v *Verifier) Verify(header http.Header, body []byte) (*Event, error) {
	sent, err := v.check(header)
	if err != nil {
		return nil, err
	}
	webhookID := header.Get("webhook-id")
	content := append([]byte(webhookID+"."+header.Get("webhook-timestamp")+"."), body...)
	signatures := strings.SplitN(header.Get("webhook-signature"), " ", maxSignatures+1)
	if len(signatures) > maxSignatures || !v.signed(content, signatures) {
		return nil, ErrSignature
	}
	return newEvent(header, body, sent)
}

// check checks what can be checked without the body: a stranger's is not read.
func (v *Verifier) check(header http.Header) (sent time.Time, err error) {
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	// A full stop would let parts of the signed content pass for others.
	if id == "" || strings.Contains(id, ".") || header.Get("webhook-signature") == "" || !isDigits(stamp) {
		return time.Time{}, ErrHeaders
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return time.Time{}, ErrHeaders
	}
	tolerance, now := v.Tolerance, time.Now()
	if tolerance <= 0 {
		tolerance = DefaultTolerance
	}
	if v.Now != nil {
		now = v.Now()
	}
	limit := int64(tolerance / time.Second)
	if apart := now.Unix() - seconds; apart > limit || apart < -limit {
		return time.Time{}, ErrTime
	}
	return time.Unix(seconds, 0), nil
}

func isDigits(text string) bool {
	return text != "" && len(text) <= 12 && strings.Trim(text, "0123456789") == ""
}

func (v *Verifier) signed(content []byte, signatures []string) bool {
	for _, k := range v.keys {
		if k.verifies(content, signatures) {
			return true
		}
	}
	return false
}

// newEvent returns the event of a delivery that is known to come from the sender.
func newEvent(header http.Header, body []byte, sent time.Time) (*Event, error) {
	e := &Event{Sent: sent, Header: header, Body: body}
	var hash string
	if e.ID, hash = split(header.Get("webhook-id")); hash == "" {
		return e, nil
	}
	// The hash is no secret, and has been signed: time tells nothing.
	if hash != commitment(e.ID, header) {
		return nil, ErrClaims
	}
	e.Committed = true
	if err := e.claim(header); err != nil {
		return nil, err
	}
	return e, nil
}
