// SPDX-License-Identifier: Apache-2.0

// Package journal holds intents until their queue is open, or its server is back.
//
// Opening takes seconds where millions of deliveries wait. Exchanges pass
// meanwhile: their intents, and what becomes of these, are appended to a file
// beside the queue. When the queue is open, it is given all of them.
package journal

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Journal holds intents and resolutions on a file. What it has acknowledged
// survives what the queue's own records do. When the queue is open, the journal
// is handed over, and takes nothing more, unless it is told to [Journal.Resume].
//
// All methods may be called by several goroutines.
type Journal struct {
	file *file

	mu   sync.Mutex
	last queue.IntentID
	// entries holds what the queue does not have yet, and the exchanges under
	// way whose intents it has under other numbers.
	entries map[queue.IntentID]*entry
	// handedOver is true when the queue has all entries; emptied, when the file
	// is empty, too.
	handedOver, emptied bool
}

// entry is an intent, and what became of it.
type entry struct {
	queue.Intent
	// resolution is nil while the exchange is under way. It does not change.
	resolution *queue.Resolution
	// moved is the intent's number in the queue, 0 while it is not there.
	moved queue.IntentID
}

// numberBit is set in the numbers of a journal's intents, and in no other.
const numberBit queue.IntentID = 1 << 63

// Holds reports whether a number is that of an intent which a [Journal] has
// noted.
func Holds(id queue.IntentID) bool {
	return id&numberBit != 0
}

// Limits of a [Journal]. A resolution must have room where its intent had.
const (
	// maxEntries is what 2,000 writes a second fill in half a minute.
	maxEntries = 1 << 16
	maxNotes   = 32 << 20
	maxBytes   = 64 << 20
)

var (
	// ErrFull is returned when a [Journal] has as much as it may.
	ErrFull = errors.New("too much has passed while the queue was being opened")
	// ErrHandedOver is returned when the queue is open, and has all entries.
	ErrHandedOver = errors.New("the queue is open")
	// ErrDamaged is wrapped by errors of a file that cannot be read to its end.
	ErrDamaged = errors.New("the journal is damaged")
)

// writeTimeout is how long the disk may take for earlier writes before nobody
// waits for later ones.
const writeTimeout = 2 * time.Second

// Open opens the journal in a directory, which must belong to this process (see
// [queue.OpenOptions.Owned]), with the entries left by earlier processes.
//
// Where the file is damaged, the error wraps [ErrDamaged] or
// [queue.ErrNewerFormat]. The journal then has the entries that could be read,
// and works; the others are lost.
func Open(dir string, durability queue.Durability) (*Journal, error) {
	f, left, err := openFile(dir, durability)
	if f == nil {
		return nil, err
	}
	return newJournal(f, left), err
}

func newJournal(f *file, left map[queue.IntentID]*entry) *Journal {
	j := &Journal{file: f, last: numberBit, entries: make(map[queue.IntentID]*entry)}
	for id, one := range left {
		// Its owner is gone.
		one.Abandoned = one.resolution == nil
		j.entries[id] = one
		j.last = max(j.last, id)
	}
	return j
}

// Resume has a journal that is handed over take intents again, and reports whether it
// takes any: not while its file is being emptied.
func (j *Journal) Resume() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.handedOver && j.emptied {
		j.handedOver, j.emptied = false, false
		j.file.given = 0
	}
	return !j.handedOver
}

// NoteIntent does what [queue.Intents] says, until the journal is handed over:
// then it fails with [ErrHandedOver]. The number is for [Journal.ResolveIntent].
func (j *Journal) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	one := &entry{Intent: intent}
	one.Abandoned = false
	one.Callback, one.Touches = slices.Clone(intent.Callback), slices.Clone(intent.Touches)
	j.mu.Lock()
	if j.handedOver {
		j.mu.Unlock()
		return 0, ErrHandedOver
	}
	one.ID = j.last + 1
	frame := appendIntent(nil, &one.Intent)
	if len(intent.Callback) > queue.MaxCallback || len(frame) > queue.MaxIntent {
		j.mu.Unlock()
		return 0, queue.ErrTooLarge
	}
	if len(j.entries) >= maxEntries || !j.file.room(len(frame), maxNotes) {
		j.mu.Unlock()
		return 0, ErrFull
	}
	j.last = one.ID
	j.entries[one.ID] = one
	written := j.file.append(frame)
	j.mu.Unlock()
	return one.ID, j.file.wait(ctx, written)
}

// ResolveIntent does what [queue.Intents] says of an intent of the journal. If
// the queue has that intent by now, ResolveIntent does nothing and returns its
// number there.
//
// After an error, the resolution is known until the process ends. The next
// process finds the intent open, and its exchange interrupted.
func (j *Journal) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) (moved queue.IntentID, err error) {
	j.mu.Lock()
	one := j.entries[id]
	switch {
	case one == nil || one.resolution != nil:
		j.mu.Unlock()
		return 0, nil
	case one.moved != 0:
		delete(j.entries, id)
		j.mu.Unlock()
		return one.moved, nil
	}
	resolution.Marks = slices.Clone(resolution.Marks)
	one.resolution = &resolution
	frame := appendResolution(nil, id, &resolution)
	if !j.file.room(len(frame), maxBytes) {
		j.mu.Unlock()
		return 0, ErrFull
	}
	written := j.file.append(frame)
	j.mu.Unlock()
	if !durable {
		return 0, nil
	}
	return 0, j.file.wait(ctx, written)
}

// Waiting returns how many exchanges have intents or resolutions that the queue
// does not have yet.
func (j *Journal) Waiting() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range j.entries {
		if one.moved == 0 || one.resolution != nil {
			n++
		}
	}
	return n
}

// Close waits for the writes under way and closes the file. Entries that the
// queue does not have stay in the file for the next process. Close is
// idempotent.
func (j *Journal) Close() error {
	return j.file.close()
}
