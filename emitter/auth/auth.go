// SPDX-License-Identifier: Apache-2.0

// Package auth adds credentials to deliveries, for receivers that authenticate
// their callers: fixed headers, HTTP Basic and Bearer credentials, and tokens
// from an OAuth 2.0 server. It does not show whether a delivery is genuine;
// that is what signatures are for.
package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
)

// Authenticator puts credentials into requests. It is safe for concurrent use,
// and shows no credential, however it is printed.
type Authenticator interface {
	// Authenticate adds its headers. Requests for tokens go through the given
	// transport and take no longer than the context allows; errors show no
	// credential, and no URL's path.
	Authenticate(ctx context.Context, tokens http.RoundTripper, header http.Header) error
	// Rejected reports that a receiver answered 401 to a request with this
	// header.
	Rejected(header http.Header)
	// Headers returns the names of the headers that it sets.
	Headers() []string
	// Equal reports whether another authenticator adds the same headers.
	Equal(other Authenticator) bool
}

// ErrBadCredentials is returned for credentials that no request could carry.
var ErrBadCredentials = errors.New("not usable as credentials")

// maxValue limits a header's value, in bytes: receivers refuse longer ones.
const maxValue = 8 << 10

// Field is a header that the operator chooses.
type Field struct{ Name, Value string }

// fixed is a list of headers whose values never change.
type fixed struct {
	// A function, so that nothing prints the values.
	fields func() []Field
}

// Headers returns an authenticator that sets the given headers, or
// [ErrBadCredentials].
func Headers(fields ...Field) (Authenticator, error) {
	made := make([]Field, 0, len(fields))
	for _, field := range fields {
		field.Name = http.CanonicalHeaderKey(field.Name)
		if err := sign.CheckHeader(field.Name); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadCredentials, err)
		}
		if slices.ContainsFunc(made, func(f Field) bool { return f.Name == field.Name }) {
			return nil, fmt.Errorf("%w: the header %s stands twice", ErrBadCredentials, field.Name)
		}
		if err := checkValue("the header "+field.Name, field.Value); err != nil {
			return nil, err
		}
		made = append(made, field)
	}
	if len(made) == 0 {
		return nil, fmt.Errorf("%w: no header is given", ErrBadCredentials)
	}
	return &fixed{fields: func() []Field { return made }}, nil
}

// Basic returns an authenticator with a name and a password (RFC 7617), or
// [ErrBadCredentials]. The password may be empty.
func Basic(user, password string) (Authenticator, error) {
	if user == "" || strings.Contains(user, ":") {
		return nil, fmt.Errorf("%w: the user name of Basic authentication is empty or has a colon", ErrBadCredentials)
	}
	if strings.ContainsFunc(user+password, isControl) {
		return nil, fmt.Errorf("%w: the user name or password has a line end or another control character", ErrBadCredentials)
	}
	return Headers(Field{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))})
}

// Bearer returns an authenticator with a token (RFC 6750), or
// [ErrBadCredentials].
func Bearer(token string) (Authenticator, error) {
	if err := checkValue("the token", token); err != nil {
		return nil, err
	}
	return Headers(Field{"Authorization", "Bearer " + token})
}

// checkValue refuses a text that cannot be a header's value. Its error does not
// show the text.
func checkValue(what, value string) error {
	switch {
	case value == "":
		return fmt.Errorf("%w: %s is empty; is the variable that holds it set?", ErrBadCredentials, what)
	case len(value) > maxValue:
		return fmt.Errorf("%w: %s has %d bytes; at most %d are possible", ErrBadCredentials, what, len(value), maxValue)
	case strings.TrimSpace(value) != value || !httpguts.ValidHeaderFieldValue(value):
		return fmt.Errorf("%w: %s has a line end, another control character, or white space around it", ErrBadCredentials, what)
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Authenticate implements [Authenticator]. It sends no request.
func (f *fixed) Authenticate(_ context.Context, _ http.RoundTripper, header http.Header) error {
	for _, field := range f.fields() {
		header[field.Name] = []string{field.Value}
	}
	return nil
}

// Rejected implements [Authenticator]. Only the operator can help.
func (f *fixed) Rejected(http.Header) {}

// Headers implements [Authenticator].
func (f *fixed) Headers() []string {
	var names []string
	for _, field := range f.fields() {
		names = append(names, field.Name)
	}
	return names
}

// Equal implements [Authenticator].
func (f *fixed) Equal(other Authenticator) bool {
	o, ok := other.(*fixed)
	return ok && slices.EqualFunc(f.fields(), o.fields(), func(a, b Field) bool {
		return a.Name == b.Name && subtle.ConstantTimeCompare([]byte(a.Value), []byte(b.Value)) == 1
	})
}

// Equal reports whether two authenticators add the same headers; nil adds none.
func Equal(a, b Authenticator) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Equal(b)
}

// redacted stands for credentials wherever they are printed.
const redacted = "auth[redacted]"

// Format writes a constant in place of the credentials, whatever the verb.
func (f *fixed) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalText returns a constant in place of the credentials.
func (f *fixed) MarshalText() ([]byte, error) { return []byte(redacted), nil }
