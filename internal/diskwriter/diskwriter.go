// SPDX-License-Identifier: Apache-2.0

// Package diskwriter writes to a disk that may hang, for callers who wait for it
// only as long as they want to.
package diskwriter

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrStalled is returned while the disk has not taken what it was given before
// for as long as anybody is to wait for it.
var ErrStalled = errors.New("the disk does not answer")

// Writer writes one content after the other, in a goroutine that ends when there
// is nothing left to write. Use [New].
type Writer struct {
	write    func(content []byte) error
	merge    func(waiting, content []byte) []byte
	patience time.Duration

	mu sync.Mutex
	// current is being written, next is what is to be written after it; last is
	// the later of both, and stays when it is done.
	current, next, last *Write
}

// Write is a content on its way to the disk.
type Write struct {
	content []byte
	done    chan struct{}
	// begun is when the disk was asked to take it.
	begun time.Time
	// err is what became of it, once done is closed.
	err error
}

// New returns a writer. Write makes a content durable, and merge makes one of
// what waits and what comes after it. Patience is how long the disk may take
// before nobody who comes waits for it any more.
func New(write func(content []byte) error, merge func(waiting, content []byte) []byte, patience time.Duration) *Writer {
	return &Writer{write: write, merge: merge, patience: patience}
}

// Put has a content written, and does not wait for it. The content is the
// writer's then.
func (w *Writer) Put(content []byte) *Write {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next != nil {
		w.next.content = w.merge(w.next.content, content)
		return w.next
	}
	w.last = &Write{content: content, done: make(chan struct{})}
	if w.current != nil {
		w.next = w.last
		return w.last
	}
	w.current = w.last
	w.current.begun = time.Now()
	go w.run(w.current)
	return w.last
}

// run writes until nothing waits.
func (w *Writer) run(current *Write) {
	for current != nil {
		current.err = w.write(current.content)
		w.mu.Lock()
		current.content = nil
		close(current.done)
		current = w.next
		w.current, w.next = current, nil
		if current != nil {
			current.begun = time.Now()
		}
		w.mu.Unlock()
	}
}

// Wait waits until a content is written, and returns what came of that. It fails
// with [ErrStalled], or as ctx does, if it is not known in time. A ctx without
// a deadline waits for as long as it takes.
func (w *Writer) Wait(ctx context.Context, content *Write) error {
	select {
	case <-content.done:
		return content.err
	default:
	}
	if _, bounded := ctx.Deadline(); bounded && w.stalled() {
		// Whoever came before has waited long enough for all.
		return ErrStalled
	}
	select {
	case <-content.done:
		return content.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Writer) stalled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current != nil && time.Since(w.current.begun) >= w.patience
}

// Flush waits, as Wait does, for what was put last. There may be nothing.
func (w *Writer) Flush(ctx context.Context) error {
	w.mu.Lock()
	last := w.last
	w.mu.Unlock()
	if last == nil {
		return nil
	}
	return w.Wait(ctx, last)
}
