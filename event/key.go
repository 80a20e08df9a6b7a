// SPDX-License-Identifier: Apache-2.0

package event

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxPartLength is the longest part of a key that is accepted, in bytes. Real
// identifiers (UUIDs, URNs, e-mail addresses) stay far below it; the limit
// keeps a stranger who chooses ids from inflating the queue's keys.
const MaxPartLength = 512

// Key identifies one object: its resource and the values of the placeholders of
// the resource's show pattern. The zero Key identifies nothing.
//
// A Key is comparable, so it can be used in maps.
type Key struct {
	// Resource is the configured name, such as "items".
	Resource string

	// ID holds the parts of the key, each percent-encoded and joined by "/".
	// For most resources there is one part, and ID is the object's id.
	ID string
}

// NewKey returns the key of a resource's object. The parts are the values of
// its placeholders, in the order of the show pattern. Ids are strings taken
// from the path or the JSON text; they are never parsed as numbers.
//
// It refuses values that could make a path name another object or another
// resource once a server decodes it: empty ones, dot segments (also between
// encoded slashes), control characters and invalid UTF-8.
func NewKey(resource string, parts ...string) (Key, error) {
	if resource == "" || len(parts) == 0 {
		return Key{}, fmt.Errorf("%w: resource and id must not be empty", ErrBadKey)
	}
	if len(parts) == 1 {
		if err := checkPart(parts[0]); err != nil {
			return Key{}, err
		}
		return Key{Resource: resource, ID: url.PathEscape(parts[0])}, nil
	}
	escaped := make([]string, len(parts))
	for i, part := range parts {
		if err := checkPart(part); err != nil {
			return Key{}, err
		}
		escaped[i] = url.PathEscape(part)
	}
	return Key{Resource: resource, ID: strings.Join(escaped, "/")}, nil
}

// ParseKey is the inverse of [Key.String].
func ParseKey(s string) (Key, error) {
	resource, id, ok := strings.Cut(s, "/")
	if !ok {
		return Key{}, fmt.Errorf("%w: %q is not RESOURCE/ID", ErrBadKey, s)
	}
	parts := strings.Split(id, "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return Key{}, fmt.Errorf("%w: %w", ErrBadKey, err)
		}
		parts[i] = plain
	}
	return NewKey(resource, parts...)
}

// String returns the key as "items/42", the form in headers, logs and the admin
// API.
func (k Key) String() string {
	return k.Resource + "/" + k.ID
}

// IsZero reports whether the key identifies nothing.
func (k Key) IsZero() bool {
	return k == Key{}
}

// Parts returns the plain values of the key's placeholders.
func (k Key) Parts() []string {
	parts := strings.Split(k.ID, "/")
	for i, part := range parts {
		// NewKey made the escapes, so they are well-formed.
		if plain, err := url.PathUnescape(part); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

func checkPart(part string) error {
	switch {
	case part == "":
		return fmt.Errorf("%w: the id is empty", ErrBadKey)
	case len(part) > MaxPartLength:
		return fmt.Errorf("%w: the id has %d bytes, more than %d", ErrBadKey, len(part), MaxPartLength)
	case !utf8.ValidString(part):
		return fmt.Errorf("%w: the id is not valid UTF-8", ErrBadKey)
	case strings.ContainsFunc(part, unicode.IsControl):
		return fmt.Errorf("%w: the id has control characters", ErrBadKey)
	}
	// On "..", an API that decodes "%2F" or treats "\" as "/" would go to
	// another resource, with the operator's credential for Show.
	segments := strings.FieldsFunc(part, func(r rune) bool { return r == '/' || r == '\\' })
	for _, segment := range segments {
		if segment == "." || segment == ".." {
			return fmt.Errorf("%w: the id has a dot segment", ErrBadKey)
		}
	}
	return nil
}
