// SPDX-License-Identifier: Apache-2.0

// Package diskwriter writes to a disk that may hang, for callers who wait only
// for a limited time.
package diskwriter

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrStalled is returned if the disk has already been busy with an earlier
// content for longer than anybody waits.
var ErrStalled = errors.New("the disk does not answer")

// Writer writes one content after the other, in a goroutine that ends when
// there is nothing left to write. Use [New].
type Writer struct {
	write   func(content []byte) error
	merge   func(waiting, content []byte) []byte
	timeout time.Duration

	mu sync.Mutex
	// current is being written, next is to be written after it. last is the
	// later of both, and stays when it is done.
	current, next, last *Write
}

// Write is a content on its way to the disk.
type Write struct {
	content []byte
	done    chan struct{}
	// begun is when writing it began.
	begun time.Time
	// err is its result, once done is closed.
	err error
}

// New returns a writer. Write makes a content durable, and merge merges a
// waiting content with the one after it. After the disk has been busy for the
// timeout, new callers no longer wait for it.
func New(write func(content []byte) error, merge func(waiting, content []byte) []byte, timeout time.Duration) *Writer {
	return &Writer{write: write, merge: merge, timeout: timeout}
}

// Put schedules the writing of a content, and does not wait for it. The writer
// owns the content from then on.
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

// Wait waits until a content is written, and returns the result. It fails with
// [ErrStalled], or with ctx's error, if the result does not come in time. With
// a ctx without a deadline it waits as long as it takes.
func (w *Writer) Wait(ctx context.Context, content *Write) error {
	select {
	case <-content.done:
		return content.err
	default:
	}
	if _, bounded := ctx.Deadline(); bounded && w.stalled() {
		// An earlier caller has already waited as long as anybody should.
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
	return w.current != nil && time.Since(w.current.begun) >= w.timeout
}

// Flush waits, as Wait does, for the content that was put last, if there is
// any.
func (w *Writer) Flush(ctx context.Context) error {
	w.mu.Lock()
	last := w.last
	w.mu.Unlock()
	if last == nil {
		return nil
	}
	return w.Wait(ctx, last)
}
