// SPDX-License-Identifier: Apache-2.0

// Package sign makes the signatures by which a receiver tells our deliveries
// from forged ones: those of Standard Webhooks 1.0.0, the X-Signature headers
// that many APIs have made up for themselves, and HTTP Message Signatures (RFC
// 9421). Each attempt is signed anew, with its own time, over the exact bytes
// that are sent.
package sign

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Message is one attempt's request, as far as it is signed.
type Message struct {
	// ID is the event's.
	ID string
	// At is the attempt's time; a signature knows its second.
	At time.Time
	// URL is where the request goes. It must not be changed.
	URL *url.URL
	// ContentType is the header of that name, "" where there is none.
	ContentType string
	// Body holds the bytes that are sent.
	Body []byte
}

// Scheme is one way of signing. Schemes are immutable and may be used by many
// goroutines.
type Scheme interface {
	// Sign adds the scheme's headers. The secrets are the endpoint's; those
	// whose time has passed sign nothing.
	Sign(m Message, secrets []Secret, header http.Header)
	// Check tells why an endpoint with these secrets cannot be signed for.
	Check(secrets []Secret) error
	// Headers names the headers that Sign sets.
	Headers() []string
	// Equal tells whether another scheme signs alike.
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

// EqualSchemes tells whether two lists sign alike.
func EqualSchemes(a, b []Scheme) bool {
	return slices.EqualFunc(a, b, Scheme.Equal)
}
