// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	badgerdb "github.com/dgraph-io/badger/v4"
)

// ErrNotProbed is wrapped by errors of a probe that could not be made, or did
// not end in time: nothing is known of the queue then.
var ErrNotProbed = errors.New("the queue could not be probed")

// probe keeps a queue that killed the last process which opened it from killing
// this one.
func probe(options Options, lock *os.File) error {
	_, err := os.Stat(filepath.Join(options.Dir, openingFile))
	if errors.Is(err, os.ErrNotExist) || options.Probe == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if err := options.Probe(options.Dir, lock); err != nil {
		return fmt.Errorf("the process that opened it last has died, and so did another that tried: %w", err)
	}
	return nil
}

// beginOpening notes that the queue is being opened, and endOpening that this
// has not killed the process. A disk that is too full for the note does not
// keep the queue from being opened.
func beginOpening(dir string) {
	if f, err := os.OpenFile(filepath.Join(dir, openingFile), os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		_ = f.Close()
	}
}

func endOpening(dir string) {
	_ = os.Remove(filepath.Join(dir, openingFile))
}

// Probe opens the queue of a directory and closes it, in a process that may die
// of it. That process has inherited the lock on the directory from its parent:
// if the parent dies, nobody else may open the queue before this process is
// gone, too.
func Probe(dir string) error {
	options := Options{Dir: dir}.withDefaults()
	db, err := badgerdb.Open(engineOptions(options).WithBypassLockGuard(true))
	if err != nil {
		return err
	}
	return db.Close()
}
