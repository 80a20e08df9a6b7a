// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"os"
	"path/filepath"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Engine is the [queue.Engine] of a directory.
type Engine struct {
	// Directory is where the queue is, see [Options.Dir].
	Directory string
	// FreeSpace is as in [Options].
	FreeSpace FreeSpace
	// Probe is as in [Options].
	Probe func(dir string, lock *os.File) error
}

// Interface guards
var (
	_ queue.Engine = Engine{}
	_ queue.Filer  = Engine{}
)

// Name implements [queue.Engine]. It is the absolute directory.
func (e Engine) Name() string {
	name, err := filepath.Abs(e.Directory)
	if err != nil {
		return filepath.Clean(e.Directory)
	}
	return name
}

// Dir implements [queue.Engine].
func (e Engine) Dir() string { return e.Directory }

// Open implements [queue.Engine]. It fails as [Open] does.
func (e Engine) Open(options queue.OpenOptions) (queue.Store, error) {
	s, err := Open(Options{
		Dir:        e.Directory,
		Durability: options.Durability,
		Retention:  options.Retention,
		Space:      options.Space,
		Place:      options.Place,
		FreeSpace:  e.FreeSpace,
		Probe:      e.Probe,
		Owned:      options.Owned,
		Logger:     options.Logger,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// DiskUsage implements [queue.Filer].
func (e Engine) DiskUsage() (tables, logs, others int64) {
	return DiskUsage(e.Directory)
}

// Room implements [queue.Filer]. There is room when the volume has come halfway
// from [queue.Space.Critical] to [queue.Space.Low].
func (e Engine) Room(space queue.Space) (enough bool, free, needed uint64) {
	return Room(Options{Dir: e.Directory, Space: space, FreeSpace: e.FreeSpace})
}

// ReleaseReserve implements [queue.Filer].
func (e Engine) ReleaseReserve() error {
	return ReleaseReserve(e.Directory)
}

// SetAside implements [queue.Filer].
func (e Engine) SetAside() ([]string, error) {
	return SetAside(e.Directory)
}
