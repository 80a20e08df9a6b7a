// SPDX-License-Identifier: Apache-2.0

// Package sign makes the signatures by which a receiver distinguishes our
// deliveries from forged ones: those of Standard Webhooks 1.0.0, the
// X-Signature headers that many APIs have made up for themselves, and HTTP
// Message Signatures (RFC 9421). Each attempt is signed anew, with its own
// time, over the exact bytes that are sent.
package sign

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Message is the signed part of one attempt's request.
type Message struct {
	// ID is the value of webhook-id.
	ID string
	// At is the attempt's time; signatures only use its seconds.
	At time.Time
	// URL is where the request goes. It must not be changed.
	URL *url.URL
	// ContentType is the header of that name, "" if there is none.
	ContentType string
	// Header holds the headers that tell what the event is, by their canonical
	// names.
	Header [][2]string
	// Body holds the bytes that are sent.
	Body []byte
}

// Scheme is one way of signing. Schemes are immutable and safe for concurrent
// use.
type Scheme interface {
	// Sign adds the scheme's headers. The secrets are the endpoint's; expired
	// ones sign nothing.
	Sign(m Message, secrets []Secret, header http.Header)
	// Check returns why deliveries of an endpoint with these secrets cannot be
	// signed.
	Check(secrets []Secret) error
	// Headers returns the names of the headers that Sign sets.
	Headers() []string
	// Form tells how it signs, without keys: two schemes with one form and the same keys
	// sign alike.
	Form() string
	// Keys returns the keys that it signs with, of which some may have ended. The secrets
	// are the endpoint's.
	Keys(secrets []Secret) []Secret
	// Equal reports whether another scheme signs alike.
	Equal(other Scheme) bool
}

// checkSecrets is the Check of schemes that use the endpoint's secrets.
func checkSecrets(secrets []Secret) error {
	if len(secrets) == 0 || slices.ContainsFunc(secrets, Secret.IsZero) {
		return ErrNoSecret
	}
	if !secrets[0].until.IsZero() {
		return fmt.Errorf("its current secret ends on %s, and nothing would sign then", secrets[0].until.Format(time.RFC3339))
	}
	return nil
}

// EqualSchemes reports whether two lists sign alike.
func EqualSchemes(a, b []Scheme) bool {
	return slices.EqualFunc(a, b, Scheme.Equal)
}
