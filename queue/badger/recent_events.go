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
	// all others out. That of an event for a thousand endpoints has some 50 KiB.
	maxRecentRecord = 64 << 10
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
	// shared is the event for more than one endpoint, once it was leased for the first:
	// its record names all of them, and to decode it for each would take a time that
	// grows with their square.
	shared *sharedEvent
	// cost is what it takes of the memory.
	cost int
	// unused is true for an event that was read ahead, until it is leased.
	unused bool
}

// sharedEvent is a decoded event that several leases have. It must not change.
type sharedEvent struct {
	eventRecord
	// formats has its form for each endpoint.
	formats map[string]string
}

func newSharedEvent(record *eventRecord) *sharedEvent {
	formats := make(map[string]string, len(record.Endpoints))
	for i, endpoint := range record.Endpoints {
		formats[endpoint] = record.Formats[i]
	}
	return &sharedEvent{*record, formats}
}

func newRecentEvents() *recentEvents {
	limit := min(debug.SetMemoryLimit(-1)/recentShare, maxRecentBytes)
	return &recentEvents{limit: int(limit), records: make(map[uint64]*recentEvent), ahead: maxReadAhead}
}

// get returns the event at a position, its record and what is shared of it. If it is not
// here, get returns how many of the positions behind it are worth reading, 0 for none.
func (r *recentEvents) get(position uint64) (record []byte, shared *sharedEvent, ahead int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kept, ok := r.records[position]; ok {
		if kept.unused {
			kept.unused = false
			r.used++
			r.adapt()
		}
		return kept.record, kept.shared, 0
	}
	if position >= r.expected && position-r.expected < maxReadAhead {
		ahead = r.ahead
	}
	r.expected = position + 1
	return nil, nil, ahead
}

// share keeps the decoded event of a record that is here.
func (r *recentEvents) share(position uint64, shared *sharedEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, ok := r.records[position]
	if !ok || kept.shared != nil {
		return
	}
	// Each endpoint's name and form have a string for the record, and a place in a map.
	more := len(kept.record) + len(shared.Endpoints)*recentCost
	kept.shared = shared
	kept.cost += more
	r.bytes += more
	r.drop()
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
	kept := &recentEvent{record: record, cost: len(record) + recentCost, unused: ahead}
	r.records[position] = kept
	r.order = append(r.order, position)
	r.bytes += kept.cost
	r.drop()
}

// drop forgets the oldest events until the others fit.
func (r *recentEvents) drop() {
	gone := 0
	for ; r.bytes > r.limit; gone++ {
		oldest := r.records[r.order[gone]]
		r.bytes -= oldest.cost
		delete(r.records, r.order[gone])
		if oldest.unused {
			r.wasted++
			r.adapt()
		}
	}
	r.order = r.order[gone:]
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

// eventToLease returns the event at a position with its payload, and its form for an
// endpoint, if there is room: it fails with [queue.ErrNotAdmitted] before it reads more
// than there is room for, and with [queue.ErrNotFound] if the event is no longer kept.
func (s *Store) eventToLease(l *lazyRead, position uint64, endpoint string, admit func(size int64) bool) (record eventRecord, format string, err error) {
	kept, shared, ahead := s.recent.get(position)
	switch {
	case kept == nil:
		if ahead > 0 {
			s.readEventsAhead(l.begun(), position+1, ahead)
		}
		record, err = s.readAdmitted(l, position, admit)
		format = record.format(endpoint)
		return record, format, err
	case admit != nil && !admit(int64(len(kept))):
		return eventRecord{}, "", queue.ErrNotAdmitted
	case shared == nil:
		if record, err = parseEvent(kept); err != nil {
			return eventRecord{}, "", err
		}
		if format = record.format(endpoint); len(record.Endpoints) > 1 {
			s.recent.share(position, newSharedEvent(&record))
		}
	default:
		record, format = shared.eventRecord, shared.formats[endpoint]
	}
	record, err = s.wholeEvent(l, record, len(kept), position, admit)
	return record, format, err
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
