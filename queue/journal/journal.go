// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Interim keeps what exchanges tell while their queue is being opened, which
// takes seconds where millions of deliveries wait. It is a file beside the
// queue's: what it has acknowledged survives what the queue's own records do.
// When the queue is open, it is handed over, and takes nothing more.
//
// All methods may be called by several goroutines.
type Interim struct {
	file *interimFile

	mu   sync.Mutex
	last queue.IntentID
	// kept holds what the queue does not have yet, and the exchanges under way
	// whose intents it has under other numbers.
	kept map[queue.IntentID]*interimIntent
	// handedOver is true when the queue has all of it; emptied, when the file
	// has nothing any more.
	handedOver, emptied bool
}

// interimIntent is an intent, and what became of it.
type interimIntent struct {
	queue.Intent
	// resolution is nil while the exchange is under way. It does not change.
	resolution *queue.Resolution
	// moved is its number in the queue, 0 while it is not there.
	moved queue.IntentID
}

// interimBit is set in the numbers of intents that an Interim has noted, and in
// no other.
const interimBit queue.IntentID = 1 << 63

// IsInterim tells whether an intent was noted by an [Interim].
func IsInterim(id queue.IntentID) bool {
	return id&interimBit != 0
}

// Bounds of an Interim. A resolution must have room where its intent had.
const (
	// maxInterimIntents is what 2,000 writes a second fill in half a minute.
	maxInterimIntents = 1 << 16
	maxInterimNotes   = 32 << 20
	maxInterimBytes   = 64 << 20
)

var (
	// ErrInterimFull is returned when an [Interim] has as much as it may.
	ErrInterimFull = errors.New("too much has passed while the queue was being opened")
	// ErrDamaged is wrapped by errors of a file that cannot be read to its end.
	ErrDamaged = errors.New("the journal is damaged")
	// ErrHandedOver is returned when the queue is open, and has what passed.
	ErrHandedOver = errors.New("the queue is open")
)

// interimPatience is how long the disk may take for what others have given it
// before nobody who comes waits for it any more.
const interimPatience = 2 * time.Second

// OpenInterim opens what is kept beside the queue of a directory, which must be
// this process's (see [Options.Owned]), with what earlier processes have left
// in it.
//
// Where that is damaged, the error wraps [ErrDamaged] or
// [queue.ErrNewerFormat]: what could be read is kept, what exchanges have told
// beside it is not known, and the Interim can be used all the same.
func OpenInterim(dir string, durability queue.Durability) (*Interim, error) {
	file, left, err := openInterimFile(dir, durability)
	if file == nil {
		return nil, err
	}
	return newInterim(file, left), err
}

func newInterim(file *interimFile, left map[queue.IntentID]*interimIntent) *Interim {
	i := &Interim{file: file, last: interimBit, kept: make(map[queue.IntentID]*interimIntent)}
	for id, one := range left {
		// Whoever was about to resolve it is gone.
		one.Abandoned = one.resolution == nil
		i.kept[id] = one
		i.last = max(i.last, id)
	}
	return i
}

// NoteIntent does what [queue.Intents] says, until the queue has all of it:
// then it fails with [ErrHandedOver]. The number is for ResolveIntent.
func (i *Interim) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	one := &interimIntent{Intent: intent}
	one.Abandoned = false
	one.Callback, one.Touches = slices.Clone(intent.Callback), slices.Clone(intent.Touches)
	i.mu.Lock()
	if i.handedOver {
		i.mu.Unlock()
		return 0, ErrHandedOver
	}
	one.ID = i.last + 1
	frame := appendInterimIntent(nil, &one.Intent)
	if len(intent.Callback) > queue.MaxCallback || len(frame) > queue.MaxIntent {
		i.mu.Unlock()
		return 0, queue.ErrTooLarge
	}
	if len(i.kept) >= maxInterimIntents || !i.file.room(len(frame), maxInterimNotes) {
		i.mu.Unlock()
		return 0, ErrInterimFull
	}
	i.last = one.ID
	i.kept[one.ID] = one
	written := i.file.append(frame)
	i.mu.Unlock()
	return one.ID, i.file.wait(ctx, written)
}

// ResolveIntent does what [queue.Intents] says of an intent that NoteIntent has
// noted. Where the queue has that by now, it does nothing, and returns its
// number there.
//
// After an error, what became of it is known until the process ends: then the
// intent is open again, as one whose exchange was interrupted.
func (i *Interim) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) (moved queue.IntentID, err error) {
	i.mu.Lock()
	one := i.kept[id]
	switch {
	case one == nil || one.resolution != nil:
		i.mu.Unlock()
		return 0, nil
	case one.moved != 0:
		delete(i.kept, id)
		i.mu.Unlock()
		return one.moved, nil
	}
	resolution.Marks = slices.Clone(resolution.Marks)
	one.resolution = &resolution
	frame := appendInterimResolution(nil, id, &resolution)
	if !i.file.room(len(frame), maxInterimBytes) {
		i.mu.Unlock()
		return 0, ErrInterimFull
	}
	written := i.file.append(frame)
	i.mu.Unlock()
	if !durable {
		return 0, nil
	}
	return 0, i.file.wait(ctx, written)
}

// Waiting returns how many exchanges have told of themselves what the queue does
// not have yet.
func (i *Interim) Waiting() (n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, one := range i.kept {
		if one.moved == 0 || one.resolution != nil {
			n++
		}
	}
	return n
}

// Close lets go of the file, when it has taken what it was given. What the queue
// does not have stays in it for the next process. It is idempotent.
func (i *Interim) Close() error {
	return i.file.close()
}
