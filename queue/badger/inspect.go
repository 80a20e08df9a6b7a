// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Finding is one thing that is wrong with the files of a queue.
type Finding struct {
	// File is the name of the file.
	File string `json:"file"`
	// Problem says what is wrong, in words.
	Problem string `json:"problem"`
}

// Inspection is the result of inspecting the files of a queue.
type Inspection struct {
	// Findings are what is damaged. Opening a queue with any of them would lose
	// acknowledged work silently, or end the process.
	Findings []Finding `json:"findings"`
	// Notes are what is odd and does no harm.
	Notes []Finding `json:"notes,omitempty"`
	// Tables, Logs and Bytes count what was read.
	Tables int   `json:"tables"`
	Logs   int   `json:"logs"`
	Bytes  int64 `json:"bytes"`
	// LastBatch is the number of the last batch in the store; Acknowledged the
	// last that it must hold.
	LastBatch    uint64 `json:"last_batch"`
	Acknowledged uint64 `json:"acknowledged"`

	mu sync.Mutex
	// unread is why a file could not be read that may well be whole.
	unread error
	// empty is true if there is no queue at all.
	empty bool
	// committed is the last batch that was acknowledged, synced or not;
	// missing counts batches between others that were not synced.
	committed, missing uint64
	// torn holds, of logs with a torn end, where the good part ends.
	torn map[string]int64
	// whole are the tables that were read to their end, and trusted those of them
	// that only an earlier process has read, as known says.
	whole, known inspectedTables
	trusted      map[uint64]bool
}

func (i *Inspection) found(file, format string, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, arg := range args {
		if err, ok := arg.(error); ok && scarce(err) {
			i.unread = fmt.Errorf("%w: %s cannot be read now: %w", queue.ErrDisk, filepath.Base(file), err)
			return
		}
	}
	i.Findings = append(i.Findings, Finding{File: filepath.Base(file), Problem: fmt.Sprintf(format, args...)})
}

// scarce reports whether an error is for want of something that has nothing to do
// with the file.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

func (i *Inspection) noted(file, format string, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.Notes = append(i.Notes, Finding{File: filepath.Base(file), Problem: fmt.Sprintf(format, args...)})
}

// batch takes note of a batch's number.
func (i *Inspection) batch(number uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.LastBatch = max(i.LastBatch, number)
}

func (i *Inspection) read(bytes int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.Bytes += bytes
}

// Inspect reads all files of a queue that nobody has open, and changes none. It
// checks every checksum that Badger would check late or never: Badger's
// compactions take an unreadable block for the end of a table, and its replay
// takes any damage for the torn end of a log.
//
// An error means that the files could not be read at all.
func Inspect(dir string) (*Inspection, error) { return inspect(dir, nil) }

func newInspection() *Inspection {
	return &Inspection{torn: make(map[string]int64), whole: make(inspectedTables), trusted: make(map[uint64]bool)}
}

// inspect is Inspect without reading to the end what is known to be whole.
func inspect(dir string, known inspectedTables) (*Inspection, error) {
	i := newInspection()
	i.known = known
	noted, err := readAcknowledged(dir)
	switch {
	case errors.Is(err, errDamaged):
		i.noted(acknowledgedFile, "it is damaged, so the end of the log cannot be checked")
	case err != nil:
		return nil, err
	}
	i.Acknowledged, i.committed = noted.synced, noted.committed
	logs, err := logFiles(dir, "*.mem")
	if err != nil {
		return nil, err
	}
	manifest := filepath.Join(dir, badgerdb.ManifestFilename)
	if _, err := os.Stat(manifest); errors.Is(err, os.ErrNotExist) {
		err := i.withoutManifest(dir, manifest, logs)
		return i, err
	}
	tables := i.inspectManifest(manifest)
	i.inspectTables(dir, tables, known)
	i.inspectLogs(logs)
	i.inspectRest(dir)
	if i.unread != nil {
		return nil, i.unread
	}
	if len(i.Findings) == 0 && i.LastBatch < i.Acknowledged {
		i.found(acknowledgedFile, "the store ends with batch %d, and batch %d was acknowledged", i.LastBatch, i.Acknowledged)
	}
	return i, nil
}

// withoutManifest inspects a directory that should have no files of a queue.
func (i *Inspection) withoutManifest(dir, manifest string, logs []string) error {
	tables, err := logFiles(dir, "*.sst")
	if err != nil {
		return err
	}
	i.empty = true
	for _, name := range logs {
		// Badger makes the first log after the manifest, but a kill in between
		// leaves an empty one.
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			i.empty = false
		}
	}
	if len(tables) > 0 || !i.empty || i.Acknowledged > 0 {
		i.empty = false
		i.found(manifest, "it is missing")
	}
	return nil
}

// lost returns how many acknowledged batches are missing from the store
// although nothing is damaged: those that `durability process` may lose in a
// power cut.
func (i *Inspection) lost() uint64 {
	return i.missing + max(i.committed, i.LastBatch) - i.LastBatch
}

// guarded runs a check of bytes that may be damaged, and returns whatever goes
// wrong in it as an error, memory faults included. Badger would do the same in
// goroutines of its own, and end the process.
func guarded(check func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: reading it fails: %s", errDamaged, firstLine(r))
		}
	}()
	return check()
}

// concurrently runs checks of many files, as many at a time as there are
// processors.
func concurrently(names []string, check func(name string)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, name := range names {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			check(name)
		})
	}
	running.Wait()
}

// logFiles returns the files of a directory that a pattern matches, sorted.
func logFiles(dir, pattern string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
	slices.Sort(names)
	return names, err
}

// inspectRest inspects files that hold nothing of ours, and without which
// Badger does not open.
func (i *Inspection) inspectRest(dir string) {
	i.inspectRegistry(dir, filepath.Join(dir, badgerdb.KeyRegistryFileName))
	values, err := logFiles(dir, "*.vlog")
	if err != nil {
		i.found(dir, "%v", err)
	}
	for _, name := range values {
		i.inspectValueLog(name)
	}
}
