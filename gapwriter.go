// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
)

// gapWriter writes the file of gaps, in a goroutine that ends when there is
// nothing left to write. Requests come by here because the disk is slow or
// full, and a disk that hangs must not hang them: they wait for it only as long
// as they want to, and hold no lock meanwhile.
type gapWriter struct {
	log *zap.Logger
	// store makes content durable in the file; tests make it slow.
	store func(f gapFile, content []byte) error

	mu   sync.Mutex
	file gapFile
	// current is being written, next is what is to be written after it; last is
	// the later of both, and stays when it is done.
	current, next, last *gapWrite
}

// gapFile is what is needed of the file.
type gapFile interface {
	io.WriterAt
	io.Closer
	Sync() error
}

// gapWrite is a content of the file on its way to the disk.
type gapWrite struct {
	content []byte
	done    chan struct{}
	// begun is when the disk was asked to take it.
	begun time.Time
	// err is what became of it, once done is closed.
	err error
}

// errNoGapFile is returned where the file could not be opened.
var errNoGapFile = errors.New("the file of gaps is not open")

// errGapsStalled is returned while the disk has not taken the file for as long
// as an exchange waits for it.
var errGapsStalled = errors.New("the disk does not answer")

func newGapWriter(log *zap.Logger) *gapWriter {
	return &gapWriter{log: log, store: storeGaps}
}

// storeGaps writes the file in place: it has one size.
func storeGaps(f gapFile, content []byte) error {
	if _, err := f.WriteAt(content, 0); err != nil {
		return err
	}
	return f.Sync()
}

// open begins to write to a file.
func (w *gapWriter) open(f gapFile) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.file = f
}

// put has a content written. Of contents that wait, the last replaces the
// others.
func (w *gapWriter) put(content []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.file == nil:
	case w.next != nil:
		w.next.content = content
	default:
		w.last = &gapWrite{content: content, done: make(chan struct{})}
		if w.current != nil {
			w.next = w.last
			return
		}
		w.current = w.last
		w.current.begun = time.Now()
		go w.run(w.file, w.current)
	}
}

// run writes until nothing waits.
func (w *gapWriter) run(f gapFile, current *gapWrite) {
	for current != nil {
		if current.err = w.store(f, current.content); current.err != nil {
			w.log.Error("writing the file of gaps", zap.Error(current.err))
		}
		w.mu.Lock()
		close(current.done)
		current = w.next
		w.current, w.next = current, nil
		if current != nil {
			current.begun = time.Now()
		}
		w.mu.Unlock()
	}
}

// wait waits until what was put last is durable. The error says why it is not,
// or not yet.
func (w *gapWriter) wait(ctx context.Context) error {
	w.mu.Lock()
	last, open := w.last, w.file != nil
	stalled := w.current != nil && time.Since(w.current.begun) >= queuePatience
	w.mu.Unlock()
	switch {
	case !open:
		return errNoGapFile
	case last == nil:
		return nil
	}
	select {
	case <-last.done:
		return last.err
	default:
	}
	if _, bounded := ctx.Deadline(); stalled && bounded {
		// Whoever came before has waited long enough for all.
		return errGapsStalled
	}
	select {
	case <-last.done:
		return last.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close waits for what is being written, and lets go of the file. It is
// idempotent.
func (w *gapWriter) close() {
	_ = w.wait(context.Background()) // it was logged
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		_ = w.file.Close()
	}
	w.file, w.last = nil, nil
}
