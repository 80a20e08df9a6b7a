// SPDX-License-Identifier: Apache-2.0

package password

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// Lengths of passwords: in characters at least, and in bytes at most.
const (
	MinLength = 12
	MaxLength = 256
)

// minDifferent is how many different characters a password has at least.
const minDifferent = 5

// ErrUnusable is wrapped by the errors of [Normal] and [Choose].
var ErrUnusable = errors.New("the password cannot be used")

// Normal returns a password in the form that is hashed: however a keyboard writes an
// accent, it is the same password (RFC 8265, OpaqueString).
func Normal(password string) (string, error) {
	if len(password) > MaxLength {
		return "", fmt.Errorf("%w: it has more than %d bytes; use a shorter one", ErrUnusable, MaxLength)
	}
	normal, err := precis.OpaqueString.String(password)
	if err != nil || len(normal) > MaxLength {
		return "", fmt.Errorf("%w: it is empty, or has a character that no keyboard writes; leave that out", ErrUnusable)
	}
	return normal, nil
}

// Choose returns a new password of somebody's in the form that is hashed, or says why it
// is too easy to guess. There are no rules of digits and signs: people keep them in
// ways that all know.
func Choose(password, name string) (string, error) {
	normal, err := Normal(password)
	if err != nil {
		return "", err
	}
	if n := utf8.RuneCountInString(normal); n < MinLength {
		return "", fmt.Errorf("%w: it has %d characters; use at least %d, as a few words that do not belong together", ErrUnusable, n, MinLength)
	}
	different := make(map[rune]bool)
	for _, r := range normal {
		different[r] = true
	}
	if len(different) < minDifferent {
		return "", fmt.Errorf("%w: it repeats a few characters; use more different ones", ErrUnusable)
	}
	if name != "" && strings.Contains(strings.ToLower(normal), strings.ToLower(name)) {
		return "", fmt.Errorf("%w: your username is in it; leave that out", ErrUnusable)
	}
	return normal, nil
}
