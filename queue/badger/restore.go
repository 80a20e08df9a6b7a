// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/disk"
)

// restoringDir is the directory in which a queue is built before it takes its
// place.
const restoringDir = "restoring"

// restoredName is the name of the meta record of a restored queue: what has
// happened since the backup is still to be looked at.
const restoredName = "restored"

var restoredKey = append([]byte{kindMeta}, restoredName...)

// Restored is the result of a restore.
type Restored struct {
	// Rows counts the keys that were written, Dropped those that were left out
	// because they are done with, or cannot be read.
	Rows    int `json:"rows"`
	Dropped int `json:"dropped"`
	// Until is the version of the last backup.
	Until uint64 `json:"until,omitempty"`
	// Findings are what could not be salvaged.
	Findings []Finding `json:"findings,omitempty"`
}

// Restore makes the queue of a directory from backups: a full one, and then
// incremental ones in their order. There must be no queue in the directory. A
// report that one was set aside is removed. The restored queue has a new
// identity, so that no event of it has the id of one that was sent after the
// backup.
func Restore(ctx context.Context, dir string, backups ...string) (Restored, error) {
	var restored Restored
	fill := func(db *badgerdb.DB) error {
		batch := db.NewWriteBatch()
		defer batch.Cancel()
		var instance string
		for i, name := range backups {
			begin := func(header BackupHeader) error {
				switch {
				case i == 0 && header.Since != 0:
					return fmt.Errorf("%w: it is incremental; give the full backup first", ErrBadBackup)
				case i > 0 && header.Instance != instance:
					return fmt.Errorf("%w: it is of another queue than the one before", ErrBadBackup)
				case i > 0 && header.Since != restored.Until:
					return fmt.Errorf("%w: it begins after version %d, and the one before ends with %d; is one missing between?", ErrBadBackup, header.Since, restored.Until)
				}
				instance = header.Instance
				return nil
			}
			end, err := restoreFile(name, begin, func(one row) error {
				restored.Rows++
				if err := ctx.Err(); err != nil {
					return err
				}
				if one.deleted {
					return batch.Delete(one.key)
				}
				return batch.SetEntry(&badgerdb.Entry{Key: one.key, Value: one.value, ExpiresAt: one.expires})
			})
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			restored.Until = end.Until
		}
		return batch.Flush()
	}
	err := build(dir, func(options badgerdb.Options) error { return with(badgerdb.Open, options, fill) }, &restored)
	return restored, err
}

func restoreFile(name string, begin func(BackupHeader) error, visit func(row) error) (BackupEnd, error) {
	f, err := os.Open(name)
	if err != nil {
		return BackupEnd{}, err
	}
	defer func() { _ = f.Close() }()
	return readBackup(f, begin, visit)
}

// build makes a queue beside its place, and moves it there when it is complete.
func build(dir string, fill func(options badgerdb.Options) error, restored *Restored) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of the queue: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, badgerdb.ManifestFilename)); err == nil {
		return fmt.Errorf("there is a queue in %s: stop Caddy and move it away first", dir)
	}
	lock, ok := lockDir(dir)
	if ok {
		defer func() { _ = lock.Close() }()
	}
	making := filepath.Join(dir, restoringDir)
	if err := os.RemoveAll(making); err != nil {
		return err
	}
	if err := os.Mkdir(making, 0o700); err != nil {
		return err
	}
	// Where that is not possible, opening the queue makes up for it.
	_ = makePrivate(making)
	options := engineOptions(Options{Dir: making}.withDefaults())
	err := fill(options)
	if err == nil {
		err = with(badgerdb.Open, options, func(db *badgerdb.DB) error { return settle(db, restored) })
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(making))
	}
	return takePlace(making, dir)
}

// with opens a database, uses it, and closes it.
func with(open func(badgerdb.Options) (*badgerdb.DB, error), options badgerdb.Options, do func(db *badgerdb.DB) error) error {
	db, err := open(options)
	if err != nil {
		return fmt.Errorf("making the queue: %w", err)
	}
	return errors.Join(do(db), db.Close())
}

// settle drops what a restored queue has too much of, and gives it a new
// identity.
func settle(db *badgerdb.DB, restored *Restored) error {
	var stale [][]byte
	err := db.View(func(txn *badgerdb.Txn) error {
		return each(txn, kindLane, func(item *badgerdb.Item) error {
			endpoint, _, position, err := parseLaneKey(item.Key())
			if err == nil {
				var d queue.Delivery
				if d, err = readDelivery(txn, string(endpoint), position); err == nil && d.Status == queue.StatusPending {
					return nil
				}
			}
			// It was decided after the backup that has its row.
			stale = append(stale, item.KeyCopy(nil))
			return nil
		})
	})
	if err != nil {
		return err
	}
	batch := db.NewWriteBatch()
	defer batch.Cancel()
	for _, key := range stale {
		if err := batch.Delete(key); err != nil {
			return err
		}
	}
	restored.Dropped += len(stale)
	if err := batch.Flush(); err != nil {
		return err
	}
	return db.Update(func(txn *badgerdb.Txn) error {
		meta := metaRecord{Format: storeFormat}
		key := append([]byte{kindMeta}, metaName...)
		item, err := txn.Get(key)
		switch {
		case err == nil:
			err = item.Value(func(record []byte) error {
				meta, err = parseMeta(record)
				return err
			})
			if err != nil {
				return err
			}
		case errors.Is(err, badgerdb.ErrKeyNotFound):
			// Without the key of its hashes, every object looks changed once.
			_, _ = rand.Read(meta.Instance.HashKey[:])
		default:
			return err
		}
		// crypto/rand.Read never fails.
		_, _ = rand.Read(meta.Instance.ID[:])
		at, err := time.Now().UTC().MarshalText()
		return errors.Join(err, raiseEpochs(txn), txn.Set(key, appendMeta(nil, &meta)), txn.Set(restoredKey, at))
	})
}

// restoredVersions is how far the versions of records are raised: further than they
// can have come between the backup and the restore, so that none of them is given
// to another state of its record.
const restoredVersions = 1 << 32

func raiseEpochs(txn *badgerdb.Txn) error {
	epochs := make(map[string]uint64)
	err := each(txn, kindEpoch, func(item *badgerdb.Item) error {
		return item.Value(func(row []byte) error {
			// Of one that cannot be read, opening the queue makes one.
			if version, err := parseEpoch(row); err == nil {
				epochs[string(item.Key()[1:])] = version + restoredVersions
			}
			return nil
		})
	})
	for kind, version := range epochs {
		err = errors.Join(err, txn.Set(epochKey(nil, kind), appendEpoch(nil, version)))
	}
	return err
}

// takePlace moves the files of a queue to their place. The manifest is last:
// without it there is no queue.
func takePlace(making, dir string) error {
	entries, err := os.ReadDir(making)
	if err != nil {
		return err
	}
	for _, manifest := range []bool{false, true} {
		for _, entry := range entries {
			name := entry.Name()
			if name == lockFile || (name == badgerdb.ManifestFilename) != manifest {
				continue
			}
			if err := os.Rename(filepath.Join(making, name), filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	err = os.Remove(filepath.Join(dir, reportFile))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(making), disk.SyncDir(dir))
}

// RestoreEmpty makes an empty queue in a directory whose queue was set aside,
// for operators without a backup who want nothing of the old one.
func RestoreEmpty(dir string) error {
	return build(dir, func(options badgerdb.Options) error {
		return with(badgerdb.Open, options, func(*badgerdb.DB) error { return nil })
	}, new(Restored))
}
