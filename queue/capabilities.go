// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"io"
	"time"
)

// Spacer is a [Store] whose disk may fill.
type Spacer interface {
	// CheckSpace checks how much free space there is. From [SpaceCritical] on
	// the queue refuses all work with [ErrFull], and is to be closed.
	CheckSpace() SpaceLevel

	// Level returns the last result of CheckSpace.
	Level() SpaceLevel

	// FreeSpace returns how much space is free, in bytes, and how much the queue
	// leaves alone.
	FreeSpace() (free uint64, space Space)
}

// Checker is a [Store] whose disk may be taken away while it is open.
type Checker interface {
	// Check returns why the queue has to be closed, nil while it can work. The
	// reason wraps [ErrDisk].
	Check() error

	// Lacks says in words what the queue works without; "" for nothing.
	Lacks() string

	// Place tells the places apart at which a queue may be, such as volumes
	// that are mounted at the same directory in turn.
	Place() string
}

// Trimmer is a [Store] whose history can be removed before its retention has
// passed. Trimming is work for one process, see [Store.LeaseMaintenance].
type Trimmer interface {
	// Trim removes the oldest events without pending deliveries, with their
	// deliveries and attempts. It removes some thousand events at most, and
	// returns how many it has removed, and whether there may be more.
	Trim(ctx context.Context) (removed int, more bool, err error)
}

// Backuper is a [Store] that can be copied while it is at work.
type Backuper interface {
	// Backup writes the changes since a version, or everything since 0. It is a
	// picture of one moment, without changes that are committed meanwhile. It
	// returns the version after which the next backup begins.
	Backup(ctx context.Context, w io.Writer, since uint64) (until uint64, err error)
}

// Staller is a [Store] whose disk or server may stop answering.
type Staller interface {
	// Stalled returns for how long the writes under way have not been taken.
	// Later writes wait for them.
	Stalled() time.Duration
}

// Remote is a [Store] on a server, which may be away while the store is open. What
// passes meanwhile is kept beside the queue, and given to it when the server is back.
type Remote interface {
	// Away reports whether the server does not answer, as far as is known. It waits
	// for nothing.
	Away() bool
}

// Recoverer is a [Store] that may be damaged or incomplete after it was
// recovered.
type Recoverer interface {
	// Damaged returns how many records could not be used since the queue was
	// opened.
	Damaged() uint64

	// Lost returns how many acknowledged steps were missing when the queue was
	// opened, as [Process] allows after a power cut.
	Lost() uint64

	// WasRestored reports whether the queue was restored from a backup, and the
	// changes since then have still to be looked for.
	WasRestored() bool

	// ForgetRestored notes that they will be.
	ForgetRestored() error
}

// SpacerOf returns a store as a [Spacer]. A store without a disk always has
// enough space.
func SpacerOf(store Store) Spacer {
	if spacer, ok := store.(Spacer); ok {
		return spacer
	}
	return lacking{}
}

// LevelOf returns the level of a store's free space, [SpaceEnough] without a
// disk.
func LevelOf(store Store) SpaceLevel {
	return SpacerOf(store).Level()
}

// CheckerOf returns a store as a [Checker]. Any other store always works.
func CheckerOf(store Store) Checker {
	if checker, ok := store.(Checker); ok {
		return checker
	}
	return lacking{}
}

// TrimmerOf returns a store as a [Trimmer]. Any other store has nothing to trim.
func TrimmerOf(store Store) Trimmer {
	if trimmer, ok := store.(Trimmer); ok {
		return trimmer
	}
	return lacking{}
}

// StallerOf returns a store as a [Staller]. Any other store never stalls.
func StallerOf(store Store) Staller {
	if staller, ok := store.(Staller); ok {
		return staller
	}
	return lacking{}
}

// IsRemote reports whether a store is a [Remote].
func IsRemote(store Store) bool {
	_, ok := store.(Remote)
	return ok
}

// IsAway reports whether a store's server does not answer. A store that is no
// [Remote] has none.
func IsAway(store Store) bool {
	remote, ok := store.(Remote)
	return ok && remote.Away()
}

// RecovererOf returns a store as a [Recoverer]. Any other store is whole.
func RecovererOf(store Store) Recoverer {
	if recoverer, ok := store.(Recoverer); ok {
		return recoverer
	}
	return lacking{}
}

// FilerOf returns an engine as a [Filer]. Any other engine has no files, and
// always has room.
func FilerOf(engine Engine) Filer {
	if filer, ok := engine.(Filer); ok {
		return filer
	}
	return lacking{}
}

// lacking stands in for the capabilities that an engine or its store lacks.
type lacking struct{}

func (lacking) CheckSpace() SpaceLevel { return SpaceEnough }
func (lacking) Level() SpaceLevel      { return SpaceEnough }

func (lacking) FreeSpace() (free uint64, space Space) { return 0, Space{} }

func (lacking) Check() error  { return nil }
func (lacking) Lacks() string { return "" }
func (lacking) Place() string { return "" }

func (lacking) Trim(context.Context) (removed int, more bool, err error) { return 0, false, nil }

func (lacking) Stalled() time.Duration { return 0 }

func (lacking) Damaged() uint64       { return 0 }
func (lacking) Lost() uint64          { return 0 }
func (lacking) WasRestored() bool     { return false }
func (lacking) ForgetRestored() error { return nil }

func (lacking) DiskUsage() (tables, logs, others int64)       { return 0, 0, 0 }
func (lacking) Room(Space) (enough bool, free, needed uint64) { return true, 0, 0 }
func (lacking) ReleaseReserve() error                         { return nil }
func (lacking) SetAside() ([]string, error)                   { return nil, nil }

// Interface guards
var (
	_ Spacer    = lacking{}
	_ Checker   = lacking{}
	_ Trimmer   = lacking{}
	_ Staller   = lacking{}
	_ Recoverer = lacking{}
	_ Filer     = lacking{}
)
