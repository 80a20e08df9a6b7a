// SPDX-License-Identifier: Apache-2.0

package event

import "errors"

var (
	// ErrBadKey is returned for a value that cannot be part of an object's key.
	ErrBadKey = errors.New("not an object key")
	// ErrBadFilter is returned for a pattern that can match no event type, or
	// does not mean what it seems to mean.
	ErrBadFilter = errors.New("not an event filter")
)
