// SPDX-License-Identifier: Apache-2.0

package endpoint

import "errors"

var (
	// ErrBadFilter is returned for a pattern that can match no event type, or
	// means something else than it seems to.
	ErrBadFilter = errors.New("not an event filter")
	// ErrBadEndpoint is returned for an endpoint that cannot be delivered to
	// as it is described.
	ErrBadEndpoint = errors.New("not a usable endpoint")
)
