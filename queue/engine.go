// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"time"

	"go.uber.org/zap"
)

// Engine opens one queue. An engine with files of its own is also a [Filer].
type Engine interface {
	// Name identifies the queue: configurations whose engines have the same
	// name share it.
	Name() string

	// Dir returns a local directory for the files beside the queue: the journal,
	// the file of gaps, the key of secrets. The engine leaves those files alone;
	// see [JournalFile].
	Dir() string

	// Open opens the queue, and makes it if there is none. It fails with
	// [ErrFull] while there is no room. [Misconfigured] reports which errors are
	// final. All others may pass.
	Open(options OpenOptions) (Store, error)
}

// OpenOptions say how a queue is opened.
type OpenOptions struct {
	Settings

	// Space says how much of its disk an engine leaves alone.
	Space Space
	// Place is where the queue was when this process had it open before, as
	// [Checker] tells; "" if it had not. An engine makes no new queue in another
	// place: the volume of the first may only not be mounted.
	Place string
	// Owned, if not nil, is called once Dir belongs to this process until the
	// queue is closed, before the slow part of opening.
	Owned func()
	// Logger gets the engine's messages. The default is to log nothing.
	Logger *zap.Logger
}

// Settings say how a queue is kept. They may change while it is open.
type Settings struct {
	// Durability says what acknowledged work survives. The default is [Power].
	Durability Durability
	// Retention is how long events, attempts, decided deliveries and
	// unresolved intents are kept. The default is [DefaultRetention]. Pending
	// work is kept until it is done, and objects until [Forgets] forgets them.
	Retention time.Duration
}

// DefaultRetention is how long history is kept by default.
const DefaultRetention = 30 * 24 * time.Hour

// WithDefaults fills in what is not given.
func (s Settings) WithDefaults() Settings {
	if s.Retention <= 0 {
		s.Retention = DefaultRetention
	}
	return s
}

// Filer is an [Engine] that keeps its queue in files of a local disk. All
// methods may be called whether or not the queue is open.
type Filer interface {
	// DiskUsage returns how much the queue takes of its disk, in bytes: its
	// tables, its logs as far as they are written, and all else.
	DiskUsage() (tables, logs, others int64)

	// Room reports whether the disk has room again for a queue that was closed
	// for want of it. It also returns how much is free and how much is needed,
	// in bytes.
	Room(space Space) (enough bool, free, needed uint64)

	// ReleaseReserve gives the room of [Space.Reserve] back to the disk, so that
	// a queue on a full disk can be closed.
	ReleaseReserve() error

	// SetAside returns the directories in which queues that were damaged are
	// kept, oldest first.
	SetAside() ([]string, error)
}
