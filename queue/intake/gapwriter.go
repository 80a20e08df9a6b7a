// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/internal/diskwriter"
)

// gapWriter writes the file of gaps. Requests come by here because the disk is
// slow or full, and one that hangs must not hang them.
type gapWriter struct {
	log *zap.Logger
	// timeout limits how long the disk is waited for.
	timeout time.Duration
	// store makes content durable in the file; tests make it slow.
	store func(f gapFile, content []byte) error

	mu     sync.Mutex
	file   gapFile
	writer *diskwriter.Writer // while there is a file
}

// gapFile is what is needed of the file.
type gapFile interface {
	io.WriterAt
	io.Closer
	Sync() error
}

// errNoGapFile is returned where the file could not be opened.
var errNoGapFile = errors.New("the file of gaps is not open")

func newGapWriter(timeout time.Duration, log *zap.Logger) *gapWriter {
	return &gapWriter{log: log, timeout: timeout, store: storeGaps}
}

// storeGaps writes the file in place: it has one size.
func storeGaps(f gapFile, content []byte) error {
	if _, err := f.WriteAt(content, 0); err != nil {
		return err
	}
	return f.Sync()
}

// open begins to write to a file. Of contents that wait for the disk, the last
// replaces the others.
func (w *gapWriter) open(f gapFile) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.file = f
	w.writer = diskwriter.New(func(content []byte) error {
		err := w.store(f, content)
		if err != nil {
			w.log.Error("writing the file of gaps", zap.Error(err))
		}
		return err
	}, func(_, content []byte) []byte { return content }, w.timeout)
}

// put has a content written.
func (w *gapWriter) put(content []byte) {
	if writer := w.opened(); writer != nil {
		writer.Put(content)
	}
}

// opened returns who writes the file, nil where it is not open.
func (w *gapWriter) opened() *diskwriter.Writer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writer
}

// wait waits until what was put last is durable. The error says why it is not,
// or not yet.
func (w *gapWriter) wait(ctx context.Context) error {
	writer := w.opened()
	if writer == nil {
		return errNoGapFile
	}
	return writer.Flush(ctx)
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
	w.file, w.writer = nil, nil
}
