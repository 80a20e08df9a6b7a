// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Objects gives what is known of objects, apart from any mark.
type Objects interface {
	// Object returns what was last known of an object, or [ErrNotFound].
	Object(ctx context.Context, key event.Key) (event.Snapshot, error)

	// Objects lists what is known of a resource's objects, those that are gone
	// and not forgotten too, in the order of their ids' bytes, beginning after a
	// key. The zero key is before all others. It returns at most limit rows,
	// fewer only at the end.
	Objects(ctx context.Context, resource string, after event.Key, limit int) ([]event.Snapshot, error)

	// Unseen lists the marked objects of a resource that are not known to be
	// there: nothing is known of them, or they are gone. Objects that are only
	// to be looked at are not among them. Order and limit are those of Objects.
	Unseen(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error)

	// Callback returns an object's callback, or [ErrNotFound].
	Callback(ctx context.Context, key event.Key) (Callback, error)

	// PutCallback replaces the sealed part of an object's callback, as with
	// another encryption key. It fails with [ErrNotFound] and changes nothing
	// when the sealed part is not was: another callback may have been named
	// meanwhile.
	PutCallback(ctx context.Context, key event.Key, was, sealed []byte) error
}

// Callback is a receiver that a request named, for the events of the object
// that it made.
type Callback struct {
	// Sealed is the receiver, encrypted by whoever made the mark: opaque to
	// the queue.
	Sealed []byte
	// Closed is true when no further event goes to it.
	Closed bool
}

// TakesCallback reports whether an object takes the receiver that a mark names,
// where known is what is known of it, nil for nothing, and has its callback, nil
// for none. A receiver never takes another's place, and is only taken for an
// object that is new: an API may confirm the create of an object that it has
// had for long. An object that was deleted and made again is new, and so is one
// that was first seen while the exchange that made it was under way.
func TakesCallback(m *Mark, known *event.Snapshot, has *Callback) bool {
	switch {
	case has != nil && !has.Closed:
		return false
	case known == nil || known.Gone:
		return true
	}
	return has == nil && known.ChangedAt.IsZero() && !m.Cause.At.IsZero() && known.Time.After(m.Cause.At)
}
