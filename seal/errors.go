// SPDX-License-Identifier: Apache-2.0

package seal

import "errors"

var (
	// ErrBadKey is returned for a text that is not a key. It never contains
	// any part of the text.
	ErrBadKey = errors.New("not a key")
	// ErrUnknownKey is returned on opening what was sealed with a key that the
	// keyring does not hold. The key may have been taken out of the
	// configuration too early.
	ErrUnknownKey = errors.New("sealed with a key that is not in the keyring")
	// ErrDamaged is returned on opening bytes that are not what was sealed,
	// or were sealed for something else.
	ErrDamaged = errors.New("the sealed bytes are damaged, or belong to something else")
	// ErrNewerFormat is returned on opening what a newer version of this
	// package has sealed.
	ErrNewerFormat = errors.New("sealed by a newer version")
)
