// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"os"
	"path/filepath"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

// Files beside those of the database.
const (
	// openingFile is there while a queue is being opened. If it is there
	// before, the last process that opened the queue has died of it, or was
	// killed.
	openingFile = "opening"
	// lockFile holds the id of the process that has the queue open, for people.
	// The lock itself is on the directory.
	lockFile = "LOCK"
)

// openDatabase inspects the files of a directory and opens its database.
// Damaged files are set aside, unchanged.
//
// So Badger is not opened before the inspection has ended. From the moment it is open,
// it makes tables of its logs, cuts and deletes the logs, and compacts: a damaged table
// would be merged with others as far as it can be read, and its files would no longer
// be as they were. Nor can it be opened for reading only after a crash, as it refuses
// logs whose end it would have to cut. What is to be read after it need not begin
// earlier: the inspection reads as many tables at once as there are processors, and
// lanes, which are most of the rest, hold nobody up that they do not concern.
//
// Tables that an earlier process has read to their end are the exception. Their
// damage is found later, by the inspector, and their files are not as they were then.
func openDatabase(options Options, owned ownership, g *ground) (*badgerdb.DB, *Inspection, error) {
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
		db, err = badgerdb.Open(engineOptions(options).
			WithDir(g.bound).WithValueDir(g.bound).
			WithLogger(engineLogger{options.Logger.Sugar(), g}).
			WithBypassLockGuard(owned.lock != nil))
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

// trustedTables returns the tables that need not be read to their end before the
// queue is opened: none where opening it may have killed the last process.
func trustedTables(dir string) inspectedTables {
	if _, err := os.Stat(filepath.Join(dir, openingFile)); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return readInspected(dir)
}

// examine inspects the files of a queue that no other process has open.
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
	inspection, err := inspect(dir, trustedTables(dir))
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
