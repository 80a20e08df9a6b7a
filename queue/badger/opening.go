// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Files beside those of the database.
const (
	// openingFile is there while a queue is being opened. Where it is there
	// before that, the process that opened the queue last has died of it, or
	// was killed.
	openingFile = "opening"
	// lockFile holds the id of the process that has the queue open, for who
	// wants to know. What counts is the lock on the directory.
	lockFile = "LOCK"
)

// openDatabase opens a directory's database, after a look at its files. What
// is damaged is set aside, and nothing of it is changed.
func openDatabase(options Options, owned ownership) (*badgerdb.DB, *Inspection, error) {
	inspection := new(Inspection)
	if owned.lock != nil {
		var err error
		if inspection, err = examine(options, owned.lock); err == nil {
			err = makeRoom(options)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	beginOpening(options.Dir)
	var db *badgerdb.DB
	err := guarded(func() error {
		var err error
		db, err = badgerdb.Open(engineOptions(options).WithBypassLockGuard(owned.lock != nil))
		return err
	})
	if err != nil {
		endOpening(options.Dir)
		return nil, nil, openError(options.Dir, err)
	}
	if owned.lock == nil && options.Owned != nil {
		options.Owned()
	}
	return db, inspection, nil
}

// examine looks at the files of a queue that nobody else has open.
func examine(options Options, lock *os.File) (*Inspection, error) {
	dir := options.Dir
	report, err := ReadReport(dir)
	if err != nil {
		return nil, err
	}
	if report != nil {
		if _, err := os.Stat(filepath.Join(dir, badgerdb.ManifestFilename)); errors.Is(err, os.ErrNotExist) {
			return nil, &DamageError{Dir: dir, Report: *report}
		}
	}
	if err := removeEmptyLogs(dir); err != nil {
		return nil, err
	}
	inspection, err := Inspect(dir)
	if err != nil {
		return nil, err
	}
	for _, note := range inspection.Notes {
		options.Logger.Info("a file of the queue", zap.String("file", note.File), zap.String("note", note.Problem))
	}
	if len(inspection.Findings) > 0 {
		return nil, setAside(dir, options.Now(), inspection.describe(), inspection.Findings)
	}
	err = probe(options, lock)
	if errors.Is(err, ErrNotProbed) {
		return nil, err
	}
	if err != nil {
		return nil, setAside(dir, options.Now(), err.Error(), nil)
	}
	err = inspection.trimLogs()
	return inspection, err
}

// ErrNotProbed is wrapped by what a probe returns that could not be made, or did
// not end in time: nothing is known of the queue then.
var ErrNotProbed = errors.New("the queue could not be probed")

// probe sees to it that a queue which killed the last process that opened it
// does not kill this one, too.
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
// has not killed the process. A disk that is too full for a note is no reason
// not to open it.
func beginOpening(dir string) {
	if f, err := os.OpenFile(filepath.Join(dir, openingFile), os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		_ = f.Close()
	}
}

func endOpening(dir string) {
	_ = os.Remove(filepath.Join(dir, openingFile))
}

// Probe opens the queue of a directory and closes it, in a process that may
// die of it. That process has inherited the lock on the directory from the one
// that asks for it: if that dies, nobody else may open the queue before this
// one is gone, too.
func Probe(dir string) error {
	options := Options{Dir: dir}.withDefaults()
	db, err := badgerdb.Open(engineOptions(options).WithBypassLockGuard(true))
	if err != nil {
		return err
	}
	return db.Close()
}

// misconfigured wraps an error of Open with [queue.ErrMisconfigured] where the
// directory is the wrong one.
func misconfigured(err error) error {
	for _, cause := range []error{errNoDir, os.ErrPermission, syscall.ENOTDIR, syscall.ENAMETOOLONG} {
		if errors.Is(err, cause) {
			return misconfiguredError{err}
		}
	}
	return err
}

// misconfiguredError reads as the error that it wraps.
type misconfiguredError struct{ error }

// Unwrap returns the error and [queue.ErrMisconfigured].
func (e misconfiguredError) Unwrap() []error { return []error{e.error, queue.ErrMisconfigured} }
