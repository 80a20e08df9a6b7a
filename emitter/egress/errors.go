// SPDX-License-Identifier: Apache-2.0

package egress

import "errors"

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
