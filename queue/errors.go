// SPDX-License-Identifier: Apache-2.0

package queue

import "errors"

var (
	// ErrClosed is returned by every verb once the store is closed.
	ErrClosed = errors.New("the queue is closed")
	// ErrLeaseLost is returned when a lease is no longer held: its time has
	// passed, or it was finished already.
	ErrLeaseLost = errors.New("the lease is no longer held")
	// ErrNotFound is returned for an event that is not, or no longer, kept.
	ErrNotFound = errors.New("not found")
	// ErrBadCursor is returned for a cursor that no list has given out.
	ErrBadCursor = errors.New("not a cursor of this list")
	// ErrInUse is returned on opening a queue that another process holds.
	ErrInUse = errors.New("the queue is in use by another process")
	// ErrNewerFormat is returned on opening a queue, or reading a record, that
	// a newer version of this module has written.
	ErrNewerFormat = errors.New("written by a newer version of caddy-webhooks")
)
