// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// makeDir makes the directory of the queue. If this process has had the queue open
// before, makeDir makes nothing: where a directory was deleted, or its volume
// unmounted, only whoever did that knows if a new queue is wanted.
func makeDir(options Options) error {
	if err := abandoned.in(options.Dir); err != nil {
		return err
	}
	if options.Place == "" {
		if err := os.MkdirAll(options.Dir, 0o700); err != nil {
			return fmt.Errorf("making the directory of the queue: %w", err)
		}
		return nil
	}
	info, err := os.Stat(options.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is gone: put it back or mount its volume, or make an empty directory for a new queue", queue.ErrDisk, options.Dir)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", queue.ErrDisk, err)
	}
	if volume(info) == options.Place {
		return nil
	}
	if _, err := os.Stat(filepath.Join(options.Dir, badgerdb.ManifestFilename)); err != nil {
		return fmt.Errorf("%w: %s is on another volume than before, and there is no queue in it: mount its volume, or restart Caddy for a new queue", queue.ErrDisk, options.Dir)
	}
	return nil
}

// Check implements [queue.Checker].
func (s *Store) Check() error {
	err := s.ground.look()
	if err != nil {
		s.rest()
	}
	return err
}

// Lacks implements [queue.Checker].
func (s *Store) Lacks() string { return s.ground.lacks() }

// Place implements [queue.Checker]. It is the volume.
func (s *Store) Place() string { return volume(s.ground.opened) }
