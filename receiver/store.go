// SPDX-License-Identifier: Apache-2.0

package receiver

import "context"

// Store remembers what was handled. [NewMemory] and [NewSQL] make one.
//
// It may be shared by several processes, if Take is atomic among them.
type Store interface {
	// Look tells what is remembered of an event and of its object. The object is empty for
	// events that have no place in an order.
	Look(ctx context.Context, id, object string, sequence uint64) (Seen, error)
	// Take calls handle, if it is not nil, and remembers the step: both or, where the store
	// can take back what handle has done, neither. If handle fails, nothing is remembered,
	// and its error is returned. ErrMoved says that the step's event is remembered
	// already, or its object not where the step begins.
	Take(ctx context.Context, step Step, handle func(context.Context) error) error
	// Cursor returns how far the feed was read, "" at first.
	Cursor(ctx context.Context) (string, error)
	// KeepCursor remembers how far the feed was read.
	KeepCursor(ctx context.Context, cursor string) error
	// Forget forgets how far each object and the feed are, but not which events were
	// handled.
	Forget(ctx context.Context) error
}

// Seen is what is remembered of an event and its object.
type Seen struct {
	// Handled reports whether the event was handled.
	Handled bool
	// Position is the number of the object's last event that was handled, or 0.
	Position uint64
	// Taken reports whether another event of the object with this number was handled.
	Taken bool
}

// Step is what is remembered of an event.
type Step struct {
	// ID is the event's.
	ID string
	// Object and Sequence are the event's place; Sequence is 0 if it takes none, as a
	// snapshot has the number of another event.
	Object   string
	Sequence uint64
	// From and To are the object's position before and after. They are equal if it does not
	// move.
	From, To uint64
}
