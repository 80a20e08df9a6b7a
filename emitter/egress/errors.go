// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"fmt"
)

var (
	// ErrBadPolicy is returned for a policy that contradicts itself or says
	// what cannot be.
	ErrBadPolicy = errors.New("not an egress policy")
	// ErrBadURL is returned for a URL that nothing may be sent to, whatever
	// its name resolves to. The error never shows the URL's path or query.
	ErrBadURL = errors.New("not a usable URL")
	// ErrBlocked is returned for an address, host or scheme that the policy
	// does not permit. It is found with [errors.Is] in what a request fails
	// with, and never shows the URL's path or query.
	ErrBlocked = errors.New("blocked by the egress policy")
)

// BlockedError is an [ErrBlocked] with its reason. Errors of requests wrap it,
// so that its text can be told from theirs, which the standard library makes.
type BlockedError struct {
	// Reason says what is blocked and how the operator may permit it.
	Reason string
}

func blocked(format string, args ...any) error {
	return &BlockedError{Reason: fmt.Sprintf(format, args...)}
}

// Error returns the reason, and that it is the policy's.
func (e *BlockedError) Error() string {
	return ErrBlocked.Error() + ": " + e.Reason
}

// Unwrap returns [ErrBlocked].
func (e *BlockedError) Unwrap() error {
	return ErrBlocked
}
