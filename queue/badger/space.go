// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Badger writes through memory maps. If the disk has no block for a page,
// SIGBUS kills the process, and nothing recovers that. So a queue must stop
// writing while there is still room for what Badger has yet to write by itself:
// its memtables, and the compactions under way.

// The defaults and least values of [queue.Space]. Before it has closed, Badger
// may write two memtables and finish its compactions.
const (
	defaultLow      = 1 << 30
	defaultCritical = 384 << 20
	defaultReserve  = 128 << 20
	minReserve      = 64 << 20
)

// spaceOf fills in the values that are not given, for a volume of a size.
func spaceOf(s queue.Space, total uint64) queue.Space {
	if s.Critical == 0 {
		s.Critical = max(min(defaultCritical, total/8), queue.MinCritical)
	}
	if s.Low == 0 {
		s.Low = max(min(defaultLow, total/5), s.Critical+s.Critical/2)
	}
	if s.Reserve == 0 {
		s.Reserve = max(min(defaultReserve, total/16), minReserve)
	}
	return s
}

// levelOf returns the level of an amount of free space. A low level is enough
// again only a tenth later, so that it does not change with every batch.
func levelOf(s queue.Space, free uint64, before queue.SpaceLevel) queue.SpaceLevel {
	low := s.Low
	if before != queue.SpaceEnough {
		low += low / 10
	}
	switch {
	case free < s.Critical:
		return queue.SpaceCritical
	case free < low:
		return queue.SpaceLow
	default:
		return queue.SpaceEnough
	}
}

// FreeSpace returns how much space a volume has and how much of it this user
// can still have, in bytes.
type FreeSpace func(dir string) (free, total uint64, err error)

// spaceWatch knows how much free space the queue's volume has.
type spaceWatch struct {
	dir   string
	space queue.Space
	ask   FreeSpace
	log   *zap.Logger

	level atomic.Int32
	free  atomic.Uint64

	mu     sync.Mutex
	failed time.Time // when an error was last logged
}

// newSpaceWatch checks a volume for the first time. Where the free space cannot
// be known, as on systems that this package does not support, there always is
// enough.
func newSpaceWatch(options Options) *spaceWatch {
	w := &spaceWatch{dir: options.Dir, space: options.Space, ask: options.FreeSpace, log: options.Logger}
	_, total, err := w.ask(w.dir)
	if err != nil {
		w.unknown(err)
	}
	w.space = spaceOf(w.space, total)
	w.check()
	return w
}

// check checks the free space and returns its level. It takes about a
// microsecond, so it is done for every batch.
func (w *spaceWatch) check() queue.SpaceLevel {
	free, _, err := w.ask(w.dir)
	if err != nil {
		w.unknown(err)
		return queue.SpaceLevel(w.level.Load())
	}
	w.free.Store(free)
	level := levelOf(w.space, free, queue.SpaceLevel(w.level.Load()))
	w.level.Store(int32(level))
	return level
}

func (w *spaceWatch) unknown(err error) {
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.failed) > time.Minute {
		w.failed = time.Now()
		w.log.Warn("the free space of the queue's disk is not known", zap.Error(err))
	}
}

// CheckSpace implements [queue.Spacer].
func (s *Store) CheckSpace() queue.SpaceLevel {
	level := s.space.check()
	s.private.look()
	if level == queue.SpaceCritical {
		s.rest()
	}
	return level
}

// rest gives out no more work: its results could not be recorded, and it would
// be done again and again.
func (s *Store) rest() {
	s.marks.due.Close()
	s.lanes.due.Close()
}

// Level implements [queue.Spacer].
func (s *Store) Level() queue.SpaceLevel {
	return queue.SpaceLevel(s.space.level.Load())
}

// FreeSpace implements [queue.Spacer].
func (s *Store) FreeSpace() (free uint64, space queue.Space) {
	return s.space.free.Load(), s.space.space
}

// Room reports whether a queue that was closed for want of space can be opened
// again: whether the volume has come halfway from Space.Critical to Space.Low.
// It also returns how much is free and how much is needed, in bytes.
func Room(options Options) (enough bool, free, needed uint64) {
	options = options.withDefaults()
	free, total, err := options.FreeSpace(options.Dir)
	if err != nil {
		// The directory is not there yet, or the system does not say.
		return true, 0, 0
	}
	space := spaceOf(options.Space, total)
	needed = space.Critical + (space.Low-space.Critical)/2
	return free >= needed, free, needed
}

// makeRoom prepares a volume for opening the queue. It gives up the reserve if
// there is no other room.
func makeRoom(options Options) error {
	free, total, err := options.FreeSpace(options.Dir)
	if err != nil {
		return nil //nolint:nilerr // where nothing is known of it, there always is enough
	}
	space := spaceOf(options.Space, total)
	if free >= space.Critical {
		return nil
	}
	if held := reserved(options.Dir); free+held < space.Critical {
		return fmt.Errorf("%w: %d MiB are free, and %d MiB are needed to open it", queue.ErrFull, free>>20, (space.Critical-held)>>20)
	}
	return ReleaseReserve(options.Dir)
}

// DiskUsage returns how much a queue takes of its disk, in bytes: its tables,
// its logs as far as they are written, and all else.
func DiskUsage(dir string) (tables, logs, others int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, 0
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		size := blocks(info)
		switch name := entry.Name(); {
		case strings.HasSuffix(name, ".sst"):
			tables += size
		case strings.HasSuffix(name, ".mem"), strings.HasSuffix(name, ".vlog"):
			logs += size
		default:
			others += size
		}
	}
	return tables, logs, others
}
