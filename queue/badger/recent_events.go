// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"sync"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// maxRecentEvents and maxRecentBytes limit the events in memory.
	maxRecentEvents = 1024
	maxRecentBytes  = 2 << 20
	// maxRecentRecord limits each record, so that a few large ones do not push
	// all others out.
	maxRecentRecord = 16 << 10
	// readAhead is how many events are read at once from a backlog, whose
	// events follow each other in the log.
	readAhead = 128
	// maxReadAhead limits their bytes.
	maxReadAhead = maxRecentBytes / 4
)

// recentEvents keeps the records of events that were committed last, or are
// about to be leased. Most events are delivered within milliseconds, and a
// look-up in the tables for each delivery would cost more than signing it.
//
// An event does not change once it is committed, and its position is used only
// once.
type recentEvents struct {
	mu      sync.Mutex
	records map[uint64][]byte
	// order has the positions in the order in which they came.
	order []uint64
	bytes int
	// expected is the position behind the last that was read ahead, or behind
	// the last that was not found here.
	expected uint64
}

func newRecentEvents() *recentEvents {
	return &recentEvents{records: make(map[uint64][]byte)}
}

// get returns the record of the event at a position. If it is not here, get
// reports whether the positions behind it are likely to follow.
func (r *recentEvents) get(position uint64) (record []byte, inOrder bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if record, ok := r.records[position]; ok {
		return record, false
	}
	inOrder = position >= r.expected && position-r.expected < readAhead
	r.expected = position + 1
	return nil, inOrder
}

// put keeps a record, if it is small. The record must not change any more.
func (r *recentEvents) put(position uint64, record []byte) {
	if len(record) > maxRecentRecord {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.records[position]; known {
		return
	}
	r.records[position] = record
	r.order = append(r.order, position)
	r.bytes += len(record)
	drop := 0
	for ; len(r.records) > maxRecentEvents || r.bytes > maxRecentBytes; drop++ {
		r.bytes -= len(r.records[r.order[drop]])
		delete(r.records, r.order[drop])
	}
	r.order = r.order[drop:]
}

// passed notes that events up to a position were read ahead.
func (r *recentEvents) passed(position uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expected = max(r.expected, position)
}

// eventToLease returns the event at a position with its payload, if there is
// room: it fails with [queue.ErrNotAdmitted] before it reads more than there is
// room for, and with [queue.ErrNotFound] if the event is no longer kept.
func (s *Store) eventToLease(l *lazyRead, position uint64, admit func(size int64) bool) (eventRecord, error) {
	record, inOrder := s.recent.get(position)
	if record != nil {
		if admit != nil && !admit(int64(len(record))) {
			return eventRecord{}, queue.ErrNotAdmitted
		}
		return s.wholeEvent(l, record, position, admit)
	}
	if inOrder {
		s.readEventsAhead(l.begun(), position+1)
	}
	return s.readAdmitted(l, position, admit)
}

// readEventsAhead reads events from a position on. It ignores errors: whoever
// needs an event reads it again, and sees them.
func (s *Store) readEventsAhead(txn *badgerdb.Txn, from uint64) {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindEvent}})
	defer it.Close()
	it.Seek(numberKey(nil, kindEvent, from))
	next := from
	size := 0
	for ; it.Valid() && next < from+readAhead && size < maxReadAhead; it.Next() {
		position, err := lastNumber(it.Item().Key())
		if err != nil {
			break
		}
		next = position + 1
		if it.Item().ValueSize() > maxRecentRecord {
			continue
		}
		if record, err := it.Item().ValueCopy(nil); err == nil {
			s.recent.put(position, record)
			size += len(record)
		}
	}
	s.recent.passed(next)
}
