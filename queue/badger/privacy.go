// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"os"
	"sync/atomic"

	"go.uber.org/zap"
)

// others are the bits of a mode that let others than the owner in.
const others os.FileMode = 0o077

// privacy keeps the files of a queue for its owner alone, whatever the mode of
// the directory and the process's umask. Badger makes files that anyone may
// read, and makes more of them at any time.
//
// Where the system can, files are private from the moment they are made, see
// makePrivate. Elsewhere they are made so within a moment, by sweep.
type privacy struct {
	dir string
	log *zap.Logger
	// born is true if new files are private already.
	born bool
	// failed is true once an error was logged.
	failed atomic.Bool
}

// newPrivacy makes the files of a directory private, and warns if others may
// enter it.
func newPrivacy(dir string, log *zap.Logger) *privacy {
	p := &privacy{dir: dir, log: log, born: makePrivate(dir) == nil}
	if info, err := os.Stat(dir); err == nil && hasModes && info.Mode()&others != 0 {
		log.Warn("others than this user may enter the directory of the queue; its files are for this user alone, but whoever can write there can remove them",
			zap.String("dir", dir), zap.Stringer("mode", info.Mode()), zap.String("remedy", "chmod 700 "+dir))
	}
	p.sweep()
	return p
}

// look makes files private that were made since the last look, if they were not
// made so.
func (p *privacy) look() {
	if !p.born {
		p.sweep()
	}
}

// sweep makes all files of the directory private.
func (p *privacy) sweep() {
	if !hasModes {
		return
	}
	entries, err := os.ReadDir(p.dir)
	for _, entry := range entries {
		info, broken := entry.Info()
		if broken == nil && info.Mode().IsRegular() && info.Mode()&others != 0 {
			broken = restrict(p.dir, entry.Name())
		}
		if !errors.Is(broken, os.ErrNotExist) {
			err = errors.Join(err, broken)
		}
	}
	if err != nil && !p.failed.Swap(true) {
		p.log.Error("others may read files of the queue", zap.String("dir", p.dir), zap.Error(err))
	}
}
