// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// readEvent returns the event at a position, or [queue.ErrNotFound].
func (s *Store) readEvent(txn *badgerdb.Txn, position uint64, withPayload bool) (eventRecord, error) {
	item, err := txn.Get(numberKey(nil, kindEvent, position))
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return eventRecord{}, queue.ErrNotFound
	}
	if err != nil {
		return eventRecord{}, err
	}
	return s.eventOf(txn, item, position, withPayload)
}

// eventOf decodes an event and checks its retention: Badger forgets to the
// second, and knows nothing of a retention that was shortened.
func (s *Store) eventOf(txn *badgerdb.Txn, item *badgerdb.Item, position uint64, withPayload bool) (eventRecord, error) {
	return s.admittedEvent(&lazyRead{txn: txn}, item, position, withPayload, nil)
}

// readAdmitted is readEvent with the payload, if there is room for it: it fails
// with [queue.ErrNotAdmitted] before it reads more than there is room for.
func (s *Store) readAdmitted(l *lazyRead, position uint64, admit func(size int64) bool) (eventRecord, error) {
	item, err := l.begun().Get(numberKey(nil, kindEvent, position))
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return eventRecord{}, queue.ErrNotFound
	}
	if err != nil {
		return eventRecord{}, err
	}
	return s.admittedEvent(l, item, position, true, admit)
}

func (s *Store) admittedEvent(
	l *lazyRead, item *badgerdb.Item, position uint64, withPayload bool, admit func(size int64) bool,
) (eventRecord, error) {
	if admit != nil && !admit(item.ValueSize()) {
		return eventRecord{}, queue.ErrNotAdmitted
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return eventRecord{}, err
	}
	record, err := parseEvent(value)
	if err != nil {
		return eventRecord{}, err
	}
	if withPayload {
		return s.wholeEvent(l, record, len(value), position, admit)
	}
	record.Payload = nil
	return s.keptEvent(record)
}

// keptEvent returns an event, or [queue.ErrNotFound] if its retention has passed.
func (s *Store) keptEvent(record eventRecord) (eventRecord, error) {
	if !s.kept(record.CreatedAt) {
		return eventRecord{}, queue.ErrNotFound
	}
	return record, nil
}

// wholeEvent reads the parts of an event whose record has a size. It returns
// [queue.ErrNotFound] if the event's retention has passed.
func (s *Store) wholeEvent(l *lazyRead, record eventRecord, size int, position uint64, admit func(size int64) bool) (eventRecord, error) {
	record, err := s.keptEvent(record)
	if err != nil {
		return eventRecord{}, err
	}
	if parts := int64(record.Parts + record.PreviousParts); parts > 0 && admit != nil && !admit(int64(size)+parts*partSize) {
		return eventRecord{}, queue.ErrNotAdmitted
	}
	err = s.readShows(l, &record, position)
	return record, err
}

// readShows reads the parts of an event's Shows.
func (s *Store) readShows(l *lazyRead, record *eventRecord, position uint64) (err error) {
	if record.Parts > 0 {
		at := position - record.Back
		record.Payload, err = readParts(l.begun(), record.Parts, func(part int) []byte { return partKey(nil, kindPart, at, part) })
		if err != nil {
			return err
		}
	}
	if record.PreviousParts > 0 {
		record.PreviousShow, err = readParts(l.begun(), record.PreviousParts, func(part int) []byte {
			return partKey(nil, kindPrevious, record.PreviousAt, part)
		})
		if errors.Is(err, errDamaged) {
			// The part may have expired a moment before the event, which is
			// whole without it.
			err = nil
		}
	}
	return err
}

// eachEvent visits the events that a filter may mean, newest first, from a position on and
// without their payloads, until visit returns false.
func (s *Store) eachEvent(
	ctx context.Context, txn *badgerdb.Txn, filter queue.Filter, from uint64,
	visit func(position uint64, record eventRecord) (bool, error),
) error {
	if filter.EventID != "" {
		return s.oneEvent(txn, filter.EventID, from, visit)
	}
	return s.eachKey(ctx, txn, []byte{kindEvent}, numberKey(nil, kindEvent, from), func(item *badgerdb.Item) (bool, error) {
		position, err := lastNumber(item.Key())
		if err != nil {
			return true, s.skip("event", err)
		}
		record, err := s.eventOf(txn, item, position, false)
		if err != nil {
			return true, s.skip("event", err)
		}
		return visit(position, record)
	})
}

func (s *Store) oneEvent(
	txn *badgerdb.Txn, id string, from uint64,
	visit func(position uint64, record eventRecord) (bool, error),
) error {
	position, err := s.positionOf(txn, id)
	if errors.Is(err, queue.ErrNotFound) || err == nil && position > from {
		return nil
	}
	if err != nil {
		return err
	}
	record, err := s.readEvent(txn, position, false)
	if err != nil {
		return s.skip("event", err)
	}
	_, err = visit(position, record)
	return err
}

func matches(filter queue.Filter, record *eventRecord) bool {
	return (filter.Type == "" || filter.Type == record.Type) &&
		(filter.Key.IsZero() || filter.Key == record.Key)
}
