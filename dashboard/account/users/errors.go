// SPDX-License-Identifier: Apache-2.0

package users

import "errors"

var (
	// ErrExists is returned for a user whose name another one has.
	ErrExists = errors.New("there is a user of this name already")
	// ErrBadName is wrapped by the errors of names that no user can have.
	ErrBadName = errors.New("the name cannot be used")
	// ErrBadLink is returned for a link that does not work: it was used, has ended, was
	// followed by another, or never was one. They are not told apart.
	ErrBadLink = errors.New("the link does not work any more")
	// ErrUnreadable is returned for a change of a user that cannot be read, as the key that
	// sealed it is lost.
	ErrUnreadable = errors.New("what is kept of the user cannot be read, as the key that sealed it is not among secrets_key; reset the user")
)
