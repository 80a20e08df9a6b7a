// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// Record implements [queue.Records].
func (s *Store) Record(ctx context.Context, kind, id string) (found queue.Record, err error) {
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		found, err = s.readRecord(txn, kind, id)
		return err
	})
	if err != nil {
		return queue.Record{}, err
	}
	return found, nil
}

// readRecord returns a record, or [queue.ErrNotFound]: Badger forgets to the
// second, and knows nothing of the caller's clock.
func (s *Store) readRecord(txn *badgerdb.Txn, kind, id string) (queue.Record, error) {
	found, err := storedRecord(txn, kind, id)
	if err == nil && found.Expired(s.now()) {
		return queue.Record{}, queue.ErrNotFound
	}
	return found, err
}

// storedRecord returns a record, be it expired or not, or [queue.ErrNotFound].
func storedRecord(txn *badgerdb.Txn, kind, id string) (found queue.Record, err error) {
	if len(kind)+len(id) > maxKey {
		return queue.Record{}, queue.ErrNotFound
	}
	item, err := txn.Get(recordKey(nil, kind, id))
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return queue.Record{}, queue.ErrNotFound
	}
	if err != nil {
		return queue.Record{}, err
	}
	err = item.Value(func(row []byte) error {
		found, err = parseRecord(kind, id, row)
		return err
	})
	return found, err
}

// Records implements [queue.Records].
func (s *Store) Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	return s.listRecords(ctx, recordPrefix(nil, kind), page, func(txn *badgerdb.Txn, id string) (queue.Record, error) {
		return s.readRecord(txn, kind, id)
	})
}

// RecordsOf implements [queue.Records].
func (s *Store) RecordsOf(ctx context.Context, kind, owner string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	return s.listRecords(ctx, ownedPrefix(nil, kind, owner), page, func(txn *badgerdb.Txn, id string) (queue.Record, error) {
		found, err := s.readRecord(txn, kind, id)
		if err == nil && found.Owner != owner {
			// Its row could not be read when it went to another owner.
			err = queue.ErrNotFound
		}
		return found, err
	})
}

// RecordIDsOf implements [queue.Records].
func (s *Store) RecordIDsOf(ctx context.Context, kind, owner string, page queue.Page) (ids []string, next queue.Cursor, err error) {
	err = s.eachRecordID(ctx, ownedPrefix(nil, kind, owner), page, func(_ *badgerdb.Txn, id string) (bool, error) {
		if len(ids) == cursor.Limit(page) {
			next = cursor.Encode(cursor.Records, cursor.Place{Endpoint: ids[len(ids)-1]})
			return false, nil
		}
		ids = append(ids, id)
		return true, nil
	})
	if err != nil {
		return nil, "", err
	}
	return ids, next, nil
}

// listRecords lists the records whose ids follow a prefix.
func (s *Store) listRecords(
	ctx context.Context, prefix []byte, page queue.Page, read func(txn *badgerdb.Txn, id string) (queue.Record, error),
) (listed []queue.Record, next queue.Cursor, err error) {
	size := 0
	err = s.eachRecordID(ctx, prefix, page, func(txn *badgerdb.Txn, id string) (bool, error) {
		found, err := read(txn, id)
		if err != nil {
			return true, s.skip("record", err)
		}
		if len(listed) == cursor.Limit(page) || size > 0 && size+len(found.Value) > queue.MaxRecordsPage {
			next = cursor.Encode(cursor.Records, cursor.Place{Endpoint: listed[len(listed)-1].ID})
			return false, nil
		}
		size += len(found.Value)
		listed = append(listed, found)
		return true, nil
	})
	if err != nil {
		return nil, "", err
	}
	return listed, next, nil
}

// eachRecordID visits the ids that follow a prefix, from a page's cursor on, until visit
// returns false.
func (s *Store) eachRecordID(ctx context.Context, prefix []byte, page queue.Page, visit func(txn *badgerdb.Txn, id string) (bool, error)) error {
	after, begun, err := cursor.Decode(cursor.Records, page.Cursor)
	if err != nil {
		return err
	}
	if len(prefix)+len(after.Endpoint) > maxKey {
		return queue.ErrBadCursor
	}
	from := prefix
	if begun {
		from = append(append(from[:len(from):len(from)], after.Endpoint...), 0)
	}
	return s.view(ctx, func(txn *badgerdb.Txn) error {
		return s.eachFrom(ctx, txn, prefix, from, func(item *badgerdb.Item) (bool, error) {
			return visit(txn, string(item.Key()[len(prefix):]))
		})
	})
}

// Epoch implements [queue.Records].
func (s *Store) Epoch(ctx context.Context, kind string) (uint64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	return s.epochs.Get(kind), nil
}

// Changed implements [queue.Records].
func (s *Store) Changed(ctx context.Context, kind string, after uint64) (ids []string, known bool, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, false, err
	}
	defer s.leave()
	ids, known = s.epochs.Changed(kind, after)
	return ids, known, nil
}

// Await implements [queue.Records]. Nobody waits with the gate held: Close would
// wait for that.
func (s *Store) Await(ctx context.Context, kind string, after uint64) (uint64, error) {
	return s.epochs.Await(ctx, kind, after)
}

// rebuildEpochs reads the epochs. The time stands in for one that cannot be read:
// no kind has had as many changes as nanoseconds have passed since 1970.
func (s *Store) rebuildEpochs(txn *badgerdb.Txn) error {
	err := each(txn, kindEpoch, func(item *badgerdb.Item) error {
		kind := string(item.Key()[1:])
		return s.heed("epoch", item.Value(func(row []byte) error {
			version, err := parseEpoch(row)
			if errors.Is(err, errDamaged) {
				version = uint64(max(0, s.now().UnixNano()))
			}
			s.epochs.Begin(kind, version)
			return err
		}))
	})
	s.versions.last, s.versions.routing = s.epochs.Last(), s.epochs.Get(queue.KindEndpoint)
	return err
}
