// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Badger ends the process at the first write after one for which it could not
// make a log, and waits for ever to write a table into a directory that is gone.
// So nothing is committed unless the ground holds, and nothing at all once a
// commit has failed: the queue is closed then, and opened again.

// ground is what an open queue stands on: its directory, and descriptors for the
// files that Badger opens.
type ground struct {
	// dir is the directory as configured, and bound a name under which Badger
	// finds the same directory even if another one takes its place.
	dir, bound string
	// lock is the open directory; nil where this package cannot lock.
	lock   *os.File
	opened os.FileInfo
	log    *zap.Logger
	spares spares
	// pen writes to a file of the directory what it holds already.
	pen *os.File
	// checked is when the committer last checked.
	checked time.Time

	// writing is held by every commit. failed is why there must be no more.
	writing sync.Mutex
	failed  atomic.Pointer[error]
	// unsynced is why the last sync failed, nil if it did not.
	unsynced atomic.Pointer[error]
	// distrusted is true once something was found damaged, see distrust.
	distrusted atomic.Bool
	// struggling is what Badger's own goroutines last failed to write.
	struggling atomic.Pointer[struggle]
}

// struggle is a failure of Badger's to write, which it repeats.
type struggle struct {
	text string
	at   time.Time
}

// strugglesFor is how long Badger counts as struggling after a failure. It tries
// again after a second.
const strugglesFor = 5 * time.Second

// newGround takes the ground of a directory that this process owns.
func newGround(options Options, owned ownership) (*ground, error) {
	g := &ground{dir: options.Dir, bound: options.Dir, lock: owned.lock, log: options.Logger}
	var err error
	if g.lock == nil {
		g.opened, err = os.Stat(g.dir)
	} else {
		g.opened, err = g.lock.Stat()
		g.bound = boundName(g.lock, g.dir)
	}
	if err != nil {
		return nil, err
	}
	if readOnly(g.dir) {
		return nil, fmt.Errorf("%w: %w", queue.ErrDisk, errReadOnly)
	}
	if err := g.roomToOpen(); err != nil {
		return nil, err
	}
	if g.pen, err = os.OpenFile(filepath.Join(g.dir, penFile), os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		g.spares.give(0)
		return nil, fmt.Errorf("%w: %w", queue.ErrDisk, err)
	}
	return g, nil
}

// penFile is written before every batch, to see that the volume takes writes.
const penFile = "writable"

// leave gives back what newGround has taken, but for the lock.
func (g *ground) leave() {
	g.spares.give(0)
	_ = g.pen.Close() // nothing depends on what was written to it
}

// roomToOpen makes sure that there are descriptors for all files of the queue:
// Badger gives none back if it runs out of them halfway.
func (g *ground) roomToOpen() error {
	entries, err := os.ReadDir(g.dir)
	if err == nil {
		err = g.spares.hold(len(entries) + 4*spareCount)
	}
	g.spares.give(0)
	if err == nil {
		err = g.spares.hold(spareCount)
	}
	if err != nil {
		return fmt.Errorf("%w: there are too few file descriptors to open it; raise their limit (LimitNOFILE, ulimit -n): %w", queue.ErrDisk, err)
	}
	return nil
}

var (
	errGone     = errors.New("its directory is gone or has been replaced")
	errNoFiles  = errors.New("its files have been deleted")
	errReadOnly = errors.New("its volume is read-only")
)

// fail notes why there must be no more commits. The first reason counts.
func (g *ground) fail(reason error) error {
	reason = fmt.Errorf("%w: %w", queue.ErrDisk, reason)
	if g.failed.CompareAndSwap(nil, &reason) {
		g.distrust()
		g.log.Error("the queue must be closed", zap.Error(reason))
	}
	return *g.failed.Load()
}

// failure returns why there must be no more commits, nil if there may be.
func (g *ground) failure() error {
	if failed := g.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

// checkEvery is how long a check is good for: a process that commits tens of
// thousands of batches a second would spend a tenth of its time on checking.
const checkEvery = time.Millisecond

// checkBatch is check before a batch. The committer calls it.
func (g *ground) checkBatch() error {
	if now := time.Now(); now.Sub(g.checked) >= checkEvery {
		g.checked = now
		return g.check()
	}
	return g.failure()
}

// check makes sure that the queue's files are where Badger will look for them,
// and that their volume takes writes.
func (g *ground) check() error {
	if err := g.failure(); err != nil {
		return err
	}
	info, err := os.Stat(g.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !os.SameFile(info, g.opened):
		return g.fail(errGone)
	case err != nil:
		return g.fail(err)
	case readOnly(g.dir):
		return g.fail(errReadOnly)
	}
	// A file system that has failed may say that it takes writes, and kill
	// whoever writes by a memory map.
	if _, err := g.pen.WriteAt([]byte{'\n'}, 0); err != nil {
		return g.fail(err)
	}
	return nil
}

// look is check and more, for a few times a second. It also takes up again the
// descriptors that were given up, and fails after a sync has.
func (g *ground) look() error {
	if err := g.check(); err != nil {
		return err
	}
	if unsynced := g.unsynced.Load(); unsynced != nil {
		// What is in a log that could not be synced may be lost. Badger
		// writes all of it into a table when it closes.
		return g.fail(*unsynced)
	}
	if _, err := os.Stat(filepath.Join(g.bound, badgerdb.ManifestFilename)); errors.Is(err, fs.ErrNotExist) {
		return g.fail(errNoFiles)
	}
	_ = g.spares.hold(spareCount) // if that fails, lacks tells
	return nil
}

// lacks says what the queue works without.
func (g *ground) lacks() string {
	if err := g.spares.hold(spareCount); err != nil {
		return "the process has no file descriptors left, and the queue closes when it needs one: raise their limit (LimitNOFILE, ulimit -n)"
	}
	if s := g.struggling.Load(); s != nil && time.Since(s.at) < strugglesFor {
		return "its disk takes no tables, which is tried again: " + s.text
	}
	return ""
}

// struggle notes that Badger could not write by itself, and reports whether that
// is worth a line of the log: it repeats itself every second.
func (g *ground) struggle(text string) bool {
	before := g.struggling.Swap(&struggle{text, time.Now()})
	return before == nil || before.text != text || time.Since(before.at) > strugglesFor
}

// commit does one commit, unless one before has failed. After that Badger may
// have no log to write to, and asserts that it has.
func (g *ground) commit(commit func() error) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	if err := g.failure(); err != nil {
		return err
	}
	err := commit()
	if err != nil && !errors.Is(err, badgerdb.ErrTxnTooBig) {
		err = g.fail(err)
	}
	return err
}

// sync syncs, with spare descriptors if there are no others, and notes whether
// that has failed.
func (g *ground) sync(sync func() error) error {
	err := sync()
	if scarce(err) {
		g.spares.give(0)
		err = sync()
	}
	if err != nil {
		g.unsynced.CompareAndSwap(nil, &err)
	}
	return err
}

// recovered ends a use of the database that has panicked, with an error. It is
// deferred. Badger has no log after it failed to make one, and memory maps have
// no bytes where the disk fails: neither must end the process.
func (g *ground) recovered(err *error) {
	if r := recover(); r != nil {
		*err = g.fail(fmt.Errorf("using its files fails: %s", firstLine(r)))
	}
}
