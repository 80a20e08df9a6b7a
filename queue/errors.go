// SPDX-License-Identifier: Apache-2.0

package queue

import "errors"

var (
	// ErrClosed is returned by every verb once the store is closed.
	ErrClosed = errors.New("the queue is closed")
	// ErrBusy is returned by a verb that has done nothing, because too many
	// callers wait for the disk already.
	ErrBusy = errors.New("too many wait for the queue's disk")
	// ErrLeaseLost is returned when a lease is no longer held: its time has
	// passed, or it was finished already.
	ErrLeaseLost = errors.New("the lease is no longer held")
	// ErrStale is returned by a commit that has done nothing, because the endpoints
	// of subscribers have changed since its events were routed, or what else was
	// looked at for that. The lease is still held: route the events again, and commit.
	ErrStale = errors.New("the endpoints have changed since the events were routed")
	// ErrMoved is returned by an introduction that has done nothing, because the object
	// is not as it was sighted.
	ErrMoved = errors.New("the object has moved since it was sighted")
	// ErrNotFound is returned for something that is not, or no longer, kept.
	ErrNotFound = errors.New("not found")
	// ErrBadCursor is returned for a cursor that is not one of the list.
	ErrBadCursor = errors.New("not a cursor of this list")
	// ErrExpired is wrapped by an [ExpiredError].
	ErrExpired = errors.New("the position is too old, or of another queue: events behind it may have been removed")
	// ErrTooLarge is returned by a verb that has done nothing, because its
	// arguments are more than one step can hold. Every engine takes, in one
	// step, 10,000 marks of up to 250 bytes each (key, version, and cause), or a
	// Show of 4 MiB as payload, previous Show and snapshot of one event. A caller with more marks
	// at once makes one mark that finds them again, such as a scan of their
	// resource.
	ErrTooLarge = errors.New("too large for one step of the queue")
	// ErrInUse is returned on opening a queue that another process holds.
	ErrInUse = errors.New("the queue is in use by another process")
	// ErrNewerFormat is returned on opening a queue, or reading a record, that
	// a newer version of this module has written.
	ErrNewerFormat = errors.New("written by a newer version of caddy-webhooks")
	// ErrFull is returned when the disk has too little free space for the queue
	// to be opened, or to take anything more.
	ErrFull = errors.New("the disk of the queue is full")
	// ErrDisk is wrapped by the reason why a queue has to be closed, or cannot be
	// opened, although its disk has room: its directory is gone, its volume has
	// become read-only, or this process has no more file descriptors.
	ErrDisk = errors.New("the disk of the queue cannot be used")
	// ErrAway is wrapped by the reason why the server of a queue, see [Remote], cannot
	// be reached. It may come back, and this process's own disk is not to blame.
	ErrAway = errors.New("the server of the queue is away")
	// ErrMisconfigured is wrapped by an engine's own errors that are final, see
	// [Misconfigured].
	ErrMisconfigured = errors.New("the queue is misconfigured")
	// ErrNotAdmitted is returned for a delivery that is due and has no room, as
	// [LeaseOptions.Admit] reports.
	ErrNotAdmitted = errors.New("there is no room for the payload")
)

// Misconfigured reports whether an error of opening a queue is final: only
// whoever has configured or started this process can put it right. It names the
// wrong directory, a queue that another process holds, or one that a newer
// version has written. All other errors may pass.
func Misconfigured(err error) bool {
	return errors.Is(err, ErrInUse) || errors.Is(err, ErrNewerFormat) || errors.Is(err, ErrMisconfigured)
}

// ErrNotOpen is returned while the queue is not open: because of its disk, or
// because opening it takes long. The API goes on without it.
var ErrNotOpen = errors.New("the queue is not open")
