// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"runtime/debug"
	"sync"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// maxRecentBytes limits the events in memory, and recentShare their part of the
	// memory that Go may use, if that is limited (GOMEMLIMIT).
	maxRecentBytes = 32 << 20
	recentShare    = 16
	// recentCost is about what a record costs besides its bytes.
	recentCost = 128
	// maxRecentRecord limits each record, so that a few large ones do not push
	// all others out.
	maxRecentRecord = 16 << 10
	// maxReadAhead and minReadAhead limit how many events are read at once from a
	// backlog, whose events follow each other in the log.
	maxReadAhead = 128
	minReadAhead = 2
	// maxReadAheadBytes limits their bytes.
	maxReadAheadBytes = 512 << 10
)

// recentEvents keeps the records of events that were committed last, or are
// about to be leased. Most events are delivered within milliseconds, and a
// look-up in the tables for each delivery would cost more than signing it.
//
// An event does not change once it is committed, and its position is used only
// once.
type recentEvents struct {
	mu      sync.Mutex
	limit   int // of bytes
	records map[uint64]*recentEvent
	// order has the positions in the order in which they came.
	order []uint64
	bytes int
	// expected is the position behind the last that was read ahead, or behind
	// the last that was not found here.
	expected uint64

	// ahead is how many events are read at once. Where many endpoints have a backlog,
	// each event is some endpoint's, but it may be gone before that endpoint is there.
	ahead int
	// used counts the events read ahead that were leased since ahead was set last, and
	// wasted those that were not.
	used, wasted int
}

// recentEvent is the record of an event.
type recentEvent struct {
	record []byte
	// unused is true for an event that was read ahead, until it is leased.
	unused bool
}

func newRecentEvents() *recentEvents {
	limit := min(debug.SetMemoryLimit(-1)/recentShare, maxRecentBytes)
	return &recentEvents{limit: int(limit), records: make(map[uint64]*recentEvent), ahead: maxReadAhead}
}

// get returns the record of the event at a position. If it is not here, get returns how
// many of the positions behind it are worth reading, 0 for none.
func (r *recentEvents) get(position uint64) (record []byte, ahead int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kept, ok := r.records[position]; ok {
		if kept.unused {
			kept.unused = false
			r.used++
			r.adapt()
		}
		return kept.record, 0
	}
	if position >= r.expected && position-r.expected < maxReadAhead {
		ahead = r.ahead
	}
	r.expected = position + 1
	return nil, ahead
}

// put keeps a record, if it is small. The record must not change any more. Ahead means
// that nobody has asked for it yet.
func (r *recentEvents) put(position uint64, record []byte, ahead bool) {
	if len(record) > maxRecentRecord {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.records[position]; known {
		return
	}
	r.records[position] = &recentEvent{record, ahead}
	r.order = append(r.order, position)
	r.bytes += len(record) + recentCost
	drop := 0
	for ; r.bytes > r.limit; drop++ {
		oldest := r.records[r.order[drop]]
		r.bytes -= len(oldest.record) + recentCost
		delete(r.records, r.order[drop])
		if oldest.unused {
			r.wasted++
			r.adapt()
		}
	}
	r.order = r.order[drop:]
}

// adapt reads more ahead if nearly all of it is used, and less if half of it is not.
func (r *recentEvents) adapt() {
	switch all := r.used + r.wasted; {
	case all < maxReadAhead:
		return
	case 2*r.wasted > all:
		r.ahead = max(r.ahead/2, minReadAhead)
	case 8*r.wasted < all:
		r.ahead = min(2*r.ahead, maxReadAhead)
	}
	r.used, r.wasted = 0, 0
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
	record, ahead := s.recent.get(position)
	if record != nil {
		if admit != nil && !admit(int64(len(record))) {
			return eventRecord{}, queue.ErrNotAdmitted
		}
		return s.wholeEvent(l, record, position, admit)
	}
	if ahead > 0 {
		s.readEventsAhead(l.begun(), position+1, ahead)
	}
	return s.readAdmitted(l, position, admit)
}

// readEventsAhead reads some events from a position on. It ignores errors: whoever
// needs an event reads it again, and sees them.
func (s *Store) readEventsAhead(txn *badgerdb.Txn, from uint64, ahead int) {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindEvent}})
	defer it.Close()
	it.Seek(numberKey(nil, kindEvent, from))
	next := from
	size := 0
	for ; it.Valid() && next < from+uint64(ahead) && size < maxReadAheadBytes; it.Next() {
		position, err := lastNumber(it.Item().Key())
		if err != nil {
			break
		}
		next = position + 1
		if it.Item().ValueSize() > maxRecentRecord {
			continue
		}
		if record, err := it.Item().ValueCopy(nil); err == nil {
			s.recent.put(position, record, true)
			size += len(record)
		}
	}
	s.recent.passed(next)
}
