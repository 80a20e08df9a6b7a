// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// rebuild reads the open intents and marks into memory, and finds out who has
// pending deliveries. Of history it reads no more than the number of the last event.
func (s *Store) rebuild() error {
	// Numbers follow the time, so that none is given out again whose records
	// have expired.
	first := uint64(max(0, schedule.Nanos(s.now())))
	s.lastPosition = first
	s.firstIntent = queue.IntentID(first)
	defer func() { s.lastIntent.Store(uint64(s.firstIntent)) }()
	return s.db.View(func(txn *badgerdb.Txn) error {
		return errors.Join(
			s.rebuildIntents(txn),
			s.rebuildUnresolved(txn),
			s.rebuildMarks(txn),
			s.rebuildShows(txn),
			s.rebuildFloors(txn),
			s.rebuildEpochs(txn),
			s.rebuildPosition(txn),
			s.findLanes(txn),
		)
	})
}

// each visits all records of a kind in their order.
func each(txn *badgerdb.Txn, kind byte, visit func(item *badgerdb.Item) error) error {
	return eachWith(txn, []byte{kind}, visit)
}

// eachWith visits all records whose keys have a prefix.
func eachWith(txn *badgerdb.Txn, prefix []byte, visit func(item *badgerdb.Item) error) error {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := visit(it.Item()); err != nil {
			return err
		}
	}
	return nil
}

// heed returns nil for an unreadable row without which the queue can be opened.
// Rows of a newer version must not be passed over.
func (s *Store) heed(kind string, err error) error {
	if errors.Is(err, errDamaged) {
		s.damaged(kind, err)
		return nil
	}
	return err
}

func (s *Store) rebuildIntents(txn *badgerdb.Txn) error {
	return each(txn, kindIntent, func(item *badgerdb.Item) error {
		number, err := lastNumber(item.Key())
		if err != nil {
			return s.heed("intent", err)
		}
		row := &intentRow{number: queue.IntentID(number)}
		s.firstIntent = max(s.firstIntent, row.number)
		return s.heed("intent", item.Value(func(value []byte) error {
			intents, err := record.ParseIntents(row.number, value)
			if err != nil {
				return err
			}
			for i := range intents {
				intent := &openIntent{
					id: intents[i].ID, fields: record.AppendIntent(nil, &intents[i]), abandoned: true, row: row,
				}
				s.firstIntent = max(s.firstIntent, intent.id)
				row.intents = append(row.intents, intent)
				s.intents.note(intent)
			}
			return nil
		}))
	})
}

func (s *Store) rebuildUnresolved(txn *badgerdb.Txn) error {
	var closed []int64
	err := each(txn, kindUnresolved, func(item *badgerdb.Item) error {
		number, err := lastNumber(item.Key())
		if err != nil {
			return s.heed("unresolved intent", err)
		}
		s.firstIntent = max(s.firstIntent, queue.IntentID(number))
		return s.heed("unresolved intent", item.Value(func(record []byte) error {
			u, err := parseUnresolved(queue.IntentID(number), record)
			if err == nil {
				closed = append(closed, schedule.Nanos(u.At))
			}
			return err
		}))
	})
	slices.Sort(closed)
	for _, at := range closed {
		s.intents.keep(at)
	}
	return err
}

func (s *Store) rebuildMarks(txn *badgerdb.Txn) error {
	type found struct {
		key             event.Key
		hints           queue.Hints
		markedAt, dueAt time.Time
		tries           int
	}
	var marks []found
	err := each(txn, kindMark, func(item *badgerdb.Item) error {
		key, err := parseObject(item.Key()[1:])
		if err != nil {
			return s.heed("mark", err)
		}
		return s.heed("mark", item.Value(func(value []byte) error {
			record, err := parseMark(key, value)
			if errors.Is(err, errDamaged) {
				// The mark's cause is lost, but not its object.
				s.damaged("mark", err)
				record = mark.New(queue.Mark{Key: key}, s.now())
			} else if err != nil {
				return err
			}
			if record.IsLook() {
				// Looks need no order, and there may be very many.
				s.marks.note(&record)
				return nil
			}
			marks = append(marks, found{key: key, hints: record.Hints, markedAt: record.MarkedAt, dueAt: record.DueAt, tries: record.Tries})
			return nil
		}))
	})
	slices.SortStableFunc(marks, func(a, b found) int { return a.markedAt.Compare(b.markedAt) })
	for _, m := range marks {
		s.marks.note(&mark.Record{
			Mark: queue.Mark{Key: m.key, Hints: m.hints}, Asked: 1, MarkedAt: m.markedAt, DueAt: m.dueAt, Tries: m.tries,
		})
	}
	return err
}

// rebuildShows finds out whether objects have callbacks, and the last number of
// previous Shows' parts.
func (s *Store) rebuildShows(txn *badgerdb.Txn) error {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindCallback}})
	it.Rewind()
	s.callbacks.Store(it.Valid())
	it.Close()

	it = txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindPrevious}, Reverse: true})
	defer it.Close()
	it.Seek(partKey(nil, kindPrevious, math.MaxUint64, math.MaxUint32))
	if key := it.Valid(); key && len(it.Item().Key()) == 13 {
		number, _ := lastNumber(it.Item().Key()[:9])
		s.firstIntent = max(s.firstIntent, queue.IntentID(number))
	}
	return nil
}

// rebuildPosition finds the last event's position.
func (s *Store) rebuildPosition(txn *badgerdb.Txn) error {
	stored, err := s.lastStored(txn)
	if err != nil {
		return err
	}
	defer func() {
		s.lastPosition = max(s.lastPosition, stored, s.events.last)
		s.events.opened = s.lastPosition
	}()
	return s.rebuildLog(txn, stored)
}

// lastStored returns the position of the last event that is stored.
func (s *Store) lastStored(txn *badgerdb.Txn) (uint64, error) {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindEvent}, Reverse: true})
	defer it.Close()
	it.Seek(numberKey(nil, kindEvent, math.MaxUint64))
	if !it.Valid() {
		return 0, nil
	}
	position, err := lastNumber(it.Item().Key())
	if err != nil {
		return 0, s.heed("event", err)
	}
	return position, nil
}

// rebuildLanes finds the head of each lane of an endpoint, and counts the deliveries
// behind it. There may be a million lanes, so names are compared before they are
// copied.
func (s *Store) rebuildLanes(txn *badgerdb.Txn, endpoint string) error {
	var (
		name  []byte
		head  = birth{endpoint: endpoint}
		state lane
	)
	flush := func() {
		if state.pending > 0 {
			s.lanes.due.Put(head.endpoint, head.object, head.due, state)
			s.lanes.count(head.endpoint, int(state.pending))
		}
		state = lane{}
	}
	err := eachWith(txn, endpointPrefix(nil, kindLane, endpoint), func(item *badgerdb.Item) error {
		if s.isClosing() {
			return queue.ErrClosed
		}
		_, object, position, err := parseLaneKey(item.Key())
		if err != nil {
			return s.heed("lane", err)
		}
		prefix := item.Key()[:len(item.Key())-8]
		if state.pending > 0 && bytes.Equal(prefix, name) {
			state.pending++
			return nil
		}
		flush()
		name = append(name[:0], prefix...)
		return s.heed("lane", item.Value(func(value []byte) error {
			record, err := parseLane(value)
			if err != nil {
				return err
			}
			head.object = string(object)
			head.due = schedule.Nanos(record.DueAt)
			state = lane{head: position, pending: 1, attempts: record.Attempts}
			return nil
		}))
	})
	flush()
	return err
}
