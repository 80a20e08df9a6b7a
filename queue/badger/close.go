// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// deletedEvery is how often a close that takes long looks if the directory is
// still there.
const deletedEvery = 50 * time.Millisecond

// close closes a database. Badger then writes what is only in its logs into
// tables, for as long as it takes until the disk takes them.
func (g *ground) close(db *badgerdb.DB) error {
	g.leave()
	ended := make(chan error, 1)
	look := time.NewTicker(deletedEvery)
	defer look.Stop()
	scratch := ""
	defer func() {
		if scratch != "" {
			_ = os.RemoveAll(scratch)
		}
	}()
	for begun := false; ; begun = true {
		// Its deletion may be under way.
		if scratch == "" && g.lock != nil && deleted(g.lock) {
			var err error
			if scratch, err = g.lend(); err != nil {
				// Closing would wait for ever.
				abandoned.leave(g)
				return fmt.Errorf("%w: its memory is free again when Caddy is restarted: %w", queue.ErrDisk, err)
			}
		}
		if !begun {
			go func() { ended <- g.end(db) }()
		}
		select {
		case err := <-ended:
			return err
		case <-look.C:
		}
	}
}

func (g *ground) end(db *badgerdb.DB) (err error) {
	if g.failure() == nil {
		err = db.Sync()
	}
	if closeErr := db.Close(); closeErr != nil {
		err = closeErr
	}
	return err
}

// lend gives a database whose directory was deleted another one to write its last
// tables into, which nobody will read.
func (g *ground) lend() (scratch string, err error) {
	parent := filepath.Dir(g.dir)
	if free, _, err := freeSpace(parent); err == nil && free < defaultCritical {
		return "", queue.ErrFull
	}
	scratch, err = os.MkdirTemp(parent, ".webhooks-closing-")
	if err != nil {
		return "", err
	}
	f, err := os.Open(scratch)
	if err == nil {
		err = rebind(g.lock, f)
		_ = f.Close()
	}
	if err != nil {
		_ = os.RemoveAll(scratch)
		return "", err
	}
	return scratch, nil
}

// abandoned are the databases of this process that could not be closed. Their
// goroutines go on trying to write.
var abandoned abandonment

type abandonment struct {
	mu sync.Mutex
	// locks stay open: what is opened next must not get the number that their
	// bound names lead to.
	locks []*os.File
	// unbound are the directories of databases that would write into a new
	// directory of the same name.
	unbound []string
}

func (a *abandonment) leave(g *ground) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.locks = append(a.locks, g.lock)
	if g.bound == g.dir {
		a.unbound = append(a.unbound, g.dir)
	}
}

// in returns an error if an abandoned database would write into a directory.
func (a *abandonment) in(dir string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Contains(a.unbound, dir) {
		return fmt.Errorf("%w: a queue that was in %s could not be closed: restart Caddy", queue.ErrDisk, dir)
	}
	return nil
}

// has reports whether the lock of an abandoned database must stay open.
func (a *abandonment) has(lock *os.File) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.locks, lock)
}
