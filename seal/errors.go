// SPDX-License-Identifier: Apache-2.0

package seal

import "errors"

var (
	// ErrBadKey is returned for a text that is not a key. It never contains
	// any part of the text.
	ErrBadKey = errors.New("not a key")
	// ErrUnknownKey is returned on opening a text that was sealed with a key
	// that is not in the keyring. The key may have been removed from the
	// configuration too early.
	ErrUnknownKey = errors.New("sealed with a key that is not in the keyring")
	// ErrDamaged is returned on opening bytes that were changed after sealing,
	// or were sealed with other associated data.
	ErrDamaged = errors.New("the sealed bytes are damaged, or belong to something else")
	// ErrNewerFormat is returned on opening a text that a newer version of this
	// package sealed.
	ErrNewerFormat = errors.New("sealed by a newer version")
)
