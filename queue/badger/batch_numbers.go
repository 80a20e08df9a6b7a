// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

// batchNumbers gives batches their numbers, and notes which of them were
// acknowledged. It belongs to the committer.
type batchNumbers struct {
	*acknowledger
	next uint64
}

// openNumbers goes on where the store ends.
func (s *Store) openNumbers(dir string) (*batchNumbers, error) {
	acknowledger, err := newAcknowledger(dir)
	if err != nil {
		return nil, err
	}
	n := &batchNumbers{acknowledger: acknowledger}
	err = s.db.View(func(txn *badgerdb.Txn) error {
		item, err := txn.Get(batchKey)
		if errors.Is(err, badgerdb.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return item.Value(func(record []byte) error {
			var err error
			n.next, err = parseBatchNumber(record)
			return err
		})
	})
	if err != nil && !errors.Is(err, errDamaged) {
		return nil, errors.Join(err, acknowledger.close())
	}
	if lost := s.inspection.lost(); lost > 0 {
		s.log.Error("acknowledged work is missing from the queue: the machine has lost power, and durability is process",
			zap.Uint64("batches", lost))
	}
	// From here on, the store's last batch counts as committed.
	n.known = acknowledged{synced: min(n.known.synced, n.next), committed: n.next}
	n.next++
	return n, nil
}

// number writes the number of a batch into it. A number whose batch fails is
// used again.
func (n *batchNumbers) number(b *batch) {
	b.set(batchKey, b.key(func(b []byte) []byte { return appendBatchNumber(b, n.next) }))
}

// committed notes that the last batch survives a crash of the process.
func (n *batchNumbers) committed() {
	n.note(n.next-1, false)
}

// synced notes that the last batch survives a power cut.
func (n *batchNumbers) synced() {
	n.note(n.next-1, true)
}
