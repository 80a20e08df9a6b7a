// SPDX-License-Identifier: Apache-2.0

package endpoint

import "errors"

var (
	// ErrBadFilter is returned for a pattern that can match no event type, or
	// does not mean what it seems to mean.
	ErrBadFilter = errors.New("not an event filter")
	// ErrBadEndpoint is returned for an endpoint that cannot receive deliveries
	// as it is configured.
	ErrBadEndpoint = errors.New("not a usable endpoint")
)
