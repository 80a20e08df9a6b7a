// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// lockTimeout is how long to wait for a lock that another process has: one that
// was killed a moment ago may not be gone, nor its child that probes the queue.
const (
	lockTimeout = time.Second
	lockEvery   = 20 * time.Millisecond
)

// ownership is the lock on the directory of a queue.
type ownership struct {
	dir string
	// lock is nil where this package cannot lock; there, Badger locks when it
	// opens.
	lock *os.File
}

// own locks the directory of a queue until release. Badger would take the same
// lock later, when it has read all files.
func own(options Options) (ownership, error) {
	o := ownership{dir: options.Dir}
	if !canLock {
		return o, nil
	}
	lock, ok := lockDir(o.dir)
	for deadline := time.Now().Add(lockTimeout); !ok && time.Now().Before(deadline); lock, ok = lockDir(o.dir) {
		time.Sleep(lockEvery)
	}
	if !ok {
		// Locking needs no more than reading the directory.
		f, err := os.Open(o.dir)
		if err != nil {
			return o, openError(o.dir, err)
		}
		_ = f.Close()
		return o, inUse(o.dir)
	}
	o.lock = lock
	// The file only says who has the lock: a disk that is too full for it does
	// not matter.
	_ = os.WriteFile(filepath.Join(o.dir, lockFile), strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o600)
	if options.Owned != nil {
		options.Owned()
	}
	return o, nil
}

// release unlocks the directory.
func (o ownership) release() error {
	if o.lock == nil || abandoned.has(o.lock) {
		return nil
	}
	_ = os.Remove(filepath.Join(o.dir, lockFile))
	return o.lock.Close()
}

// inUse returns an error that says who has a queue open.
func inUse(dir string) error {
	who := "another process"
	if holder, err := os.ReadFile(filepath.Join(dir, lockFile)); err == nil {
		switch number, err := strconv.Atoi(strings.TrimSpace(string(holder))); {
		case err != nil:
		case number == os.Getpid():
			who = fmt.Sprintf("this process, number %d, or one of another container,", number)
		default:
			who = fmt.Sprintf("another process, number %d,", number)
		}
	}
	return fmt.Errorf("%w: %s has %s open; stop it, or give this one its own `queue badger DIR`; use `caddy reload` to change a running server", queue.ErrInUse, who, dir)
}
