// SPDX-License-Identifier: Apache-2.0

package sign

import "errors"

var (
	// ErrBadSecret is returned for a text that is not a secret.
	ErrBadSecret = errors.New("not a secret")
	// ErrBadScheme is returned for a way of signing that could not work.
	ErrBadScheme = errors.New("not a way of signing")
	// ErrNoSecret is returned if a scheme needs a secret and there is none.
	ErrNoSecret = errors.New("it has no secret, so its receiver could not tell our deliveries from forged ones; " +
		"add: secret {env.NAME}, holding whsec_ and the base64 of 24 to 64 random bytes")
)
