// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"slices"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
)

// batch is one transaction in the making. The next one uses its memory again:
// Badger has no use for it once the commit has returned.
type batch struct {
	s   *Store
	txn *badgerdb.Txn
	// failed is the error of the first row that could not be written. The
	// transaction then holds half of a write, and all of it is given up.
	failed error

	writes  []write
	entries []badgerdb.Entry
	// rows counts those that are written or deleted.
	rows    int
	bytes   int
	arena   []byte
	durable bool

	// intents and marked are the changes of the transaction that memory does
	// not have yet.
	intents  stagedIntents
	versions versions
	marked   map[event.Key]pendingMark
	// recent holds marks as earlier transactions have written them. Objects
	// that change often are marked again before they are reconciled, and
	// reading the mark from the store would cost as much as writing it.
	recent map[event.Key]mark.Record
	// events are those that are to be kept in memory when they are committed.
	events []committedEvent
	// born are deliveries that become leasable when the batch is durable.
	born []birth
	// log is what changes of the log of events, and fed are those whose readers may
	// wait for them, until the batch is durable.
	log logChange
	fed []*routedEvent
}

// pendingMark is the state of a mark within the transaction.
type pendingMark struct {
	record mark.Record
	exists bool
}

func newBatch(s *Store) *batch {
	return &batch{
		s:       s,
		entries: make([]badgerdb.Entry, 0, 1024),
		intents: newStagedIntents(),
		marked:  make(map[event.Key]pendingMark),
		recent:  make(map[event.Key]mark.Record),
	}
}

// maxRecent limits how many marks are kept in memory: some 7 MB of them.
const maxRecent = 16 << 10

// remember keeps the marks and events of the transaction, once it is committed.
// Nobody but the batch writes marks, so memory has what is stored.
func (b *batch) remember() {
	b.s.events.apply(&b.log)
	if len(b.recent)+len(b.marked) > maxRecent {
		clear(b.recent)
	}
	for _, e := range b.events {
		b.s.recent.put(e.position, e.record, false)
	}
	for key, m := range b.marked {
		if m.exists {
			b.recent[key] = m.record
		} else {
			delete(b.recent, key)
		}
	}
}

// committedEvent is an event that the transaction has added to the log.
type committedEvent struct {
	position uint64
	record   []byte
}

func (b *batch) begin() {
	b.txn = b.s.db.NewTransaction(true)
	b.failed = nil
	clear(b.writes)
	b.writes = b.writes[:0]
	clear(b.entries)
	b.entries = b.entries[:0]
	b.rows, b.bytes = 0, 0
	b.arena = b.arena[:0]
	b.durable = false
	b.intents.reset()
	b.versions = b.s.versions
	clear(b.marked)
	b.born = b.born[:0]
	clear(b.events)
	b.events = b.events[:0]
	b.log.begin(&b.s.events)
	clear(b.fed)
	b.fed = b.fed[:0]
	if cap(b.arena) > maxBytes {
		b.arena = nil
	}
}

// fits reports whether a write can join those that are in the batch. Half
// of what Badger takes is left free, as a merged mark may need more than the
// mark itself; a write that needs more goes alone.
func (b *batch) fits(w *waiter) bool {
	return len(b.writes) == 0 ||
		b.bytes+w.bytes <= maxBytes/2 && b.rows+w.entries <= maxEntries/2
}

// add stages a write, or ends it if it fails.
func (b *batch) add(wr write) {
	w := wr.wait()
	if !w.take() {
		return
	}
	if err := b.stage(wr); err != nil {
		w.end(err)
		return
	}
	b.bytes += w.bytes
	b.durable = b.durable || w.durable
	b.writes = append(b.writes, wr)
}

// stage stages a write. If a disk fails under what the write reads, the whole
// batch fails.
func (b *batch) stage(wr write) (err error) {
	failed := error(nil)
	defer func() {
		if failed != nil && b.failed == nil {
			b.failed = failed
			err = failed
		}
	}()
	defer b.s.ground.recovered(&failed)
	return wr.stage(b)
}

// set writes a record. The key and the value must not change before the batch
// is committed.
func (b *batch) set(key, value []byte) {
	b.write(badgerdb.Entry{Key: key, Value: value})
}

// setUntil writes a record that expires.
func (b *batch) setUntil(key, value []byte, expires uint64) {
	b.write(badgerdb.Entry{Key: key, Value: value, ExpiresAt: expires})
}

func (b *batch) delete(key []byte) {
	b.rows++
	if err := b.txn.Delete(key); err != nil && b.failed == nil {
		b.failed = err
	}
}

func (b *batch) write(entry badgerdb.Entry) {
	b.rows++
	b.entries = append(b.entries, entry)
	if err := b.txn.SetEntry(&b.entries[len(b.entries)-1]); err != nil && b.failed == nil {
		b.failed = err
	}
}

// key keeps a key, or a value, in the batch's memory. The build function
// appends to what it is given.
func (b *batch) key(build func(b []byte) []byte) []byte {
	begin := len(b.arena)
	b.arena = build(b.arena)
	return b.arena[begin:len(b.arena):len(b.arena)]
}

// mark returns the state of an object's mark: as the transaction has it, else
// as it is stored.
func (b *batch) mark(key event.Key) pendingMark {
	if pending, ok := b.marked[key]; ok {
		return pending
	}
	if record, ok := b.recent[key]; ok {
		return b.s.marks.postponed(pendingMark{record: record, exists: true})
	}
	if !b.s.marks.has(key) {
		return pendingMark{}
	}
	var pending pendingMark
	item, err := b.txn.Get(b.key(func(b []byte) []byte { return objectKey(b, kindMark, key) }))
	if err == nil {
		err = item.Value(func(record []byte) error {
			var err error
			pending.record, err = parseMark(key, record)
			return err
		})
	}
	if err != nil {
		// The mark's cause is lost, but the object is still marked: whoever has
		// leased it has got the same, see readMark.
		b.s.damaged("mark", err)
		pending.record = mark.New(queue.Mark{Key: key}, b.s.now())
	}
	pending.exists = true
	return b.s.marks.postponed(pending)
}

// unpublished reports whether a delivery is not leasable yet, as its event waits
// for a sync.
func (b *batch) unpublished(endpoint string, position uint64) bool {
	same := func(n birth) bool { return n.position == position && n.endpoint == endpoint }
	return slices.ContainsFunc(b.born, same) || slices.ContainsFunc(b.s.committer.held, same)
}

func (b *batch) setMark(record *mark.Record) {
	b.marked[record.Key] = pendingMark{record: *record, exists: true}
	key := b.key(func(b []byte) []byte { return objectKey(b, kindMark, record.Key) })
	b.set(key, b.key(func(b []byte) []byte { return appendMark(b, record) }))
}

func (b *batch) clearMark(key event.Key) {
	b.marked[key] = pendingMark{}
	b.delete(b.key(func(b []byte) []byte { return objectKey(b, kindMark, key) }))
}
