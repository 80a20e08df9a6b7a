// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// objectOf returns the name of the object of a leased lane, or part of one.
func objectOf(held schedule.Lease[lane]) string {
	object, _, _ := schedule.ParsePart(held.Key)
	return object
}

// errOthersFirst is returned for a lane whose head is not to be delivered now.
var errOthersFirst = errors.New("another delivery is first")

// findHead finds the first pending delivery of a leased lane, if it is not
// known. It returns when that is due, or the zero time if it was known.
func (s *Store) findHead(l *lazyRead, held *schedule.Lease[lane]) (time.Time, error) {
	if held.Value.attempts != finished {
		return time.Time{}, nil
	}
	head, row, err := s.nextInLane(l.begun(), held, held.Value.head+1)
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		// A search from the beginning is slow, but finds it.
		head, row, err = s.nextInLane(l.begun(), held, 0)
	}
	if err != nil {
		return time.Time{}, err
	}
	before := held.Value.head
	s.lanes.due.Update(held.Group, held.Key, func(lane *lane) {
		// The lease may have passed meanwhile, and the lane have moved on; or
		// the committer needed the head, and has found it.
		if lane.head == before && lane.attempts == finished {
			lane.head, lane.attempts = head, row.Attempts
		}
		held.Value = *lane
	})
	return row.DueAt, nil
}

// nextInLane finds a lane's first row from a position on that is not a part
// yet.
func (s *Store) nextInLane(txn *badgerdb.Txn, held *schedule.Lease[lane], from uint64) (uint64, laneRecord, error) {
	for {
		head, row, err := firstInLane(txn, held.Group, held.Key, from)
		if err != nil || held.Order != queue.OrderNone {
			return head, row, err
		}
		if !s.lanes.due.Has(held.Group, schedule.PartKey(held.Key, head)) && s.inLane(held, head) {
			return head, row, nil
		}
		from = head + 1
	}
}

// inLane reports whether a row is still there. A part that was decided leaves
// memory after its row is gone.
func (s *Store) inLane(held *schedule.Lease[lane], position uint64) bool {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	_, err := txn.Get(laneKey(nil, held.Group, held.Key, position))
	return err == nil
}

// firstInLane finds a lane's first row from a position on.
func firstInLane(txn *badgerdb.Txn, endpoint, object string, from uint64) (uint64, laneRecord, error) {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: lanePrefix(nil, endpoint, object)})
	defer it.Close()
	it.Seek(laneKey(nil, endpoint, object, from))
	if !it.Valid() {
		return 0, laneRecord{}, badgerdb.ErrKeyNotFound
	}
	position, err := lastNumber(it.Item().Key())
	if err != nil {
		return 0, laneRecord{}, err
	}
	var row laneRecord
	err = it.Item().Value(func(record []byte) error {
		var err error
		row, err = parseLane(record)
		return err
	})
	if errors.Is(err, errDamaged) {
		// The key is enough to go on.
		return position, laneRecord{}, nil
	}
	return position, row, err
}
