// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

// batchNumbers gives batches their numbers, and notes which of them were
// acknowledged. It belongs to the committer.
type batchNumbers struct {
	*acknowledger
	dir  string
	next uint64
	// log is the number of the log that Badger writes to, as far as is known.
	log int
}

// openNumbers goes on where the store ends.
func (s *Store) openNumbers(dir string) (*batchNumbers, error) {
	acknowledger, err := newAcknowledger(dir)
	if err != nil {
		return nil, err
	}
	n := &batchNumbers{acknowledger: acknowledger, dir: dir}
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
	// From here on, what is there counts.
	n.known = acknowledged{synced: min(n.known.synced, n.next), committed: n.next}
	n.next++
	if n.log, err = newestLog(dir); err != nil {
		return nil, errors.Join(err, acknowledger.close())
	}
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

// syncLogsBefore syncs the logs that Badger has left for a new one, and the
// name of the new one. Badger syncs the log that it writes to alone; what was
// written before must not be lost where what came after is there.
func (n *batchNumbers) syncLogsBefore() error {
	for {
		if _, err := os.Stat(logName(n.dir, n.log+1)); err != nil {
			return nil //nolint:nilerr // there is no newer log
		}
		if err := errors.Join(syncFile(logName(n.dir, n.log)), syncDir(n.dir)); err != nil {
			return fmt.Errorf("syncing a log that is full: %w", err)
		}
		n.log++
	}
}

func syncFile(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		// It is in a table already, which Badger has synced.
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// logName is how Badger names its logs.
func logName(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("%05d.mem", number))
}

// newestLog returns the number of the newest log.
func newestLog(dir string) (int, error) {
	names, err := logFiles(dir, "*.mem")
	if err != nil {
		return 0, err
	}
	newest := 0
	for _, name := range names {
		number, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(name), ".mem"))
		if err == nil {
			newest = max(newest, number)
		}
	}
	return newest, nil
}

// Lost returns how many acknowledged batches a power cut has taken, as
// `durability process` allows: they were missing when the queue was opened.
func (s *Store) Lost() uint64 {
	return s.inspection.lost()
}
