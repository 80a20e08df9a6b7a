// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Records keeps small values that mean nothing to the queue itself, such as
// endpoints that subscribers have made and the states of endpoints. Other
// processes may change them: a copy has to be read again, see Await.
//
// An expired record is as if it was not there, for every verb. Its room is freed
// by and by.
type Records interface {
	// Change applies changes of up to [MaxChanges] records, all or none, and
	// returns when they are durable. It returns the version of the records that
	// it has written: greater than every one that any record had before, so that
	// no version comes back, not even of a record that is deleted and made again.
	//
	// It fails with a [ConflictError] that names the first record that is not as
	// its change expects. Deleting what is not there changes nothing; with
	// Version 0 it is a condition on the other changes. If nothing has changed,
	// the version is 0.
	Change(ctx context.Context, changes ...Record) (version uint64, err error)

	// Record returns one record, or [ErrNotFound].
	Record(ctx context.Context, kind, id string) (Record, error)

	// Records lists the records of a kind, of all owners, by id. A page ends at
	// its limit, or before that when its values have [MaxRecordsPage] bytes.
	Records(ctx context.Context, kind string, page Page) ([]Record, Cursor, error)

	// RecordsOf lists one owner's records of a kind as Records does. The owner ""
	// is the operator, and never everybody.
	RecordsOf(ctx context.Context, kind, owner string, page Page) ([]Record, Cursor, error)

	// RecordIDsOf lists the ids of one owner's records of a kind, in their order, and reads
	// none of the records: one that cannot be read, or has just expired, may be among them.
	RecordIDsOf(ctx context.Context, kind, owner string, page Page) ([]string, Cursor, error)

	// Epoch returns the version of the last change of any record of a kind, 0 if
	// there was none. All that was changed until then is seen by whoever reads
	// afterwards. That a record expires changes no epoch.
	Epoch(ctx context.Context, kind string) (uint64, error)

	// Changed returns the ids of the records of a kind that were changed after an epoch,
	// made and deleted ones among them, and perhaps some more, each once. Known is false
	// if that was too much or too long ago, as before the queue was opened: then all have
	// to be read. What is returned holds until the epoch that was there before the call.
	Changed(ctx context.Context, kind string, after uint64) (ids []string, known bool, err error)

	// Await waits until a kind's epoch is above after, and returns it.
	Await(ctx context.Context, kind string, after uint64) (uint64, error)
}

// Record is a value under a name.
type Record struct {
	// Kind says what it is, as [KindEndpoint]; with ID it names the record.
	Kind, ID string
	// Owner is the tenant whose record it is; "" is the operator.
	Owner string
	// Version tells the states of a record apart. In Change it is the version
	// that is expected to be there: 0 for none, [AnyVersion] for whatever is.
	Version uint64
	// Expires is when the record is gone; zero for never.
	Expires time.Time
	// Value is opaque, and sealed by whoever keeps secrets in it. In Change, nil
	// deletes the record. A stored value is never nil, though it may be empty.
	Value []byte
}

// Expired reports whether a record is as if it was not there.
func (r *Record) Expired(now time.Time) bool {
	return !r.Expires.IsZero() && !r.Expires.After(now)
}

// Deletes reports whether a change leaves no record.
func (r *Record) Deletes(now time.Time) bool {
	return r.Value == nil || r.Expired(now)
}

// AnyVersion is the version of a change that expects nothing.
const AnyVersion = math.MaxUint64

// KindEndpoint is the kind of the endpoints that subscribers have made. Events are
// routed by its epoch, see [Reconciled.Epoch].
const KindEndpoint = "endpoint"

// Limits of records and their changes, in bytes where they do not count.
const (
	// MaxChanges is how many records one Change may have.
	MaxChanges = 16
	// MaxRecord limits a value.
	MaxRecord = 64 << 10
	// MaxRecordsPage is when a page of values ends before its limit.
	MaxRecordsPage = 4 << 20

	// MaxRecordKind, MaxRecordID and MaxRecordOwner limit the names of a record.
	MaxRecordKind  = 64
	MaxRecordID    = 1024
	MaxRecordOwner = 512
)

var (
	// ErrConflict is wrapped by a [ConflictError].
	ErrConflict = errors.New("it was changed meanwhile")
	// ErrBadRecord is wrapped by the error of a Change that no engine takes.
	ErrBadRecord = errors.New("not a record")
)

// ConflictError is returned by a Change that has done nothing, as a record is not
// what the change expects.
type ConflictError struct {
	Kind, ID string
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s %q: %v", e.Kind, e.ID, ErrConflict)
}

// Unwrap returns [ErrConflict].
func (e *ConflictError) Unwrap() error { return ErrConflict }

// Meets returns a [ConflictError] if a change does not expect what is there, nil
// for no record or an expired one.
func (r *Record) Meets(current *Record) error {
	switch {
	case r.Version == AnyVersion, r.Version == 0 && current == nil:
		return nil
	case current != nil && r.Version != 0 && r.Version == current.Version:
		return nil
	}
	return &ConflictError{Kind: r.Kind, ID: r.ID}
}

// Stale returns [ErrStale] if the record of a [Reconciled.Guard] is not as it has to be.
// Current is what is there, nil for none or an expired one. It is for engines.
func (r *Record) Stale(current *Record) error {
	if r.Kind == "" || r.Meets(current) == nil {
		return nil
	}
	return ErrStale
}

// ChangedIDs returns the ids of the records of a kind among some changes. It is for engines.
func ChangedIDs(changes []Record, kind string) (ids []string) {
	for i := range changes {
		if changes[i].Kind == kind {
			ids = append(ids, changes[i].ID)
		}
	}
	return ids
}

// CheckChanges reports changes that no engine takes: [ErrTooLarge] for too much in
// one step, [ErrBadRecord] otherwise.
func CheckChanges(changes []Record) error {
	if len(changes) > MaxChanges {
		return fmt.Errorf("%w: %d changes of records, and %d are possible", ErrTooLarge, len(changes), MaxChanges)
	}
	for i := range changes {
		if err := changes[i].check(); err != nil {
			return err
		}
		for j := range i {
			if changes[i].Kind == changes[j].Kind && changes[i].ID == changes[j].ID {
				return fmt.Errorf("%w: two changes of %s %q in one step", ErrBadRecord, changes[i].Kind, changes[i].ID)
			}
		}
	}
	return nil
}

func (r *Record) check() error {
	for _, name := range []struct {
		what, text string
		least, max int
	}{{"kind", r.Kind, 1, MaxRecordKind}, {"id", r.ID, 1, MaxRecordID}, {"owner", r.Owner, 0, MaxRecordOwner}} {
		if n := len(name.text); n < name.least || n > name.max {
			return fmt.Errorf("%w: its %s has %d bytes, not %d to %d", ErrBadRecord, name.what, n, name.least, name.max)
		}
	}
	if len(r.Value) > MaxRecord {
		return fmt.Errorf("%w: the value of a record (%s) has %d bytes, and %d are possible", ErrTooLarge, r.Kind, len(r.Value), MaxRecord)
	}
	return nil
}
