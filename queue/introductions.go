// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"context"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Introductions has an endpoint get the state of objects that it has never heard of: as
// events that are its alone, see [event.OpSnapshot].
type Introductions interface {
	// Sighted returns what is known of an object, to be noted before its Show is read
	// for [Introductions.Introduce]. It fails with [ErrNotFound] if nothing is.
	Sighted(ctx context.Context, key event.Key) (Sighting, error)

	// Introduce commits an object's state as an event, its delivery to one endpoint, and
	// the record of how far the snapshot is, in one step, durably. It returns the version
	// of that record.
	//
	// The event comes behind all that was committed before, and nothing of the object was
	// since the sighting. So whatever is newer comes behind it, in the endpoint's lane and
	// in its feed, with a higher sequence. No feed of a tenant has it.
	//
	// It fails, and changes nothing, with [ErrStale] as CommitReconciled does; with
	// [ErrMoved] if the object is not as it was sighted, gone, another name of an object,
	// or not the record's owner's: then it is to be sighted again; and with a
	// [ConflictError] if the record has changed: then the snapshot is not the caller's any
	// more.
	Introduce(ctx context.Context, introduction Introduction) (version uint64, err error)

	// Unread lists the objects of a resource of which nothing is known, and that are
	// only to be looked at: what the first list of a resource has found and nobody has
	// read. Order and limit are those of [Objects].
	Unread(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error)
}

// Sighting is what is known of an object at a moment.
type Sighting struct {
	Snapshot event.Snapshot
	// Generation is that of the object's mark, 0 if it has none. It tells whether somebody
	// may have changed the object since.
	Generation uint64
}

// Introduction is the state of an object, for one endpoint.
type Introduction struct {
	// Sighting is the object as it was known before its Show was read.
	Sighting Sighting
	// Event has the object's key, tenant and sequence, and is [event.OpSnapshot].
	Event event.Event
	// Endpoint is whom the event goes to, in the form of Format.
	Endpoint, Format string
	// Epoch is the epoch of [KindEndpoint] by which it was decided that it goes there.
	Epoch uint64
	// Progress is the record of how far the snapshot is. It must be there, in the version
	// that is expected. Its owner may have nothing of other tenants; the operator, "", may
	// have everything.
	Progress Record
}

// Check reports an introduction that no engine takes, as [CheckChanges] does.
func (i *Introduction) Check() error {
	e, known := &i.Event, &i.Sighting.Snapshot
	switch {
	case e.Op != event.OpSnapshot || e.Key != known.Key || e.Sequence != known.Sequence || e.Tenant != known.Tenant:
		return fmt.Errorf("%w: the event of an introduction is not of the object as it was sighted", ErrBadRecord)
	case i.Progress.Value == nil || i.Progress.Version == 0 || i.Progress.Version == AnyVersion:
		return fmt.Errorf("%w: an introduction changes a record that is there", ErrBadRecord)
	}
	return CheckChanges([]Record{i.Progress})
}

// Meets returns [ErrMoved] if an object is not as it was sighted, or must not be
// introduced. Known is what is known of it now, nil for nothing, and generation that of
// its mark.
func (i *Introduction) Meets(known *event.Snapshot, generation uint64) error {
	was := &i.Sighting
	switch {
	case known == nil || known.Gone || known.Alias != "",
		known.Sequence != was.Snapshot.Sequence || generation != was.Generation,
		// It may have changed without an event.
		!bytes.Equal(known.Hash, was.Snapshot.Hash),
		known.Tenant != was.Snapshot.Tenant || i.Progress.Owner != "" && i.Progress.Owner != known.Tenant:
		return ErrMoved
	}
	return nil
}
