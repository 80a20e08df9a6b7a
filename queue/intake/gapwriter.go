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

// gapWriter writes the file of gaps. Exchanges come here because the disk is slow
// or full; if it hangs, they must not.
type gapWriter struct {
	log *zap.Logger
	// timeout limits how long a write may take before nobody waits for later
	// ones.
	timeout time.Duration
	// store makes content durable in the file; tests slow it down.
	store func(f gapFile, content []byte) error

	mu     sync.Mutex
	file   gapFile
	writer *diskwriter.Writer // while there is a file
}

// gapFile is the file as far as it is used.
type gapFile interface {
	io.WriterAt
	io.Closer
	Sync() error
}

// errNoGapFile is returned while the file is not open.
var errNoGapFile = errors.New("the file of gaps is not open")

func newGapWriter(timeout time.Duration, log *zap.Logger) *gapWriter {
	return &gapWriter{log: log, timeout: timeout, store: storeGaps}
}

// storeGaps writes the file in place, since it has one size.
func storeGaps(f gapFile, content []byte) error {
	if _, err := f.WriteAt(content, 0); err != nil {
		return err
	}
	return f.Sync()
}

// open begins to write to a file. Of several contents that wait for the disk, only
// the last is written.
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

// put has content written, if the file is open.
func (w *gapWriter) put(content []byte) {
	if writer := w.opened(); writer != nil {
		writer.Put(content)
	}
}

// opened returns the writer of the file, nil while the file is not open.
func (w *gapWriter) opened() *diskwriter.Writer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writer
}

// wait waits until the last content is durable. The error says why it is not, or not
// yet.
func (w *gapWriter) wait(ctx context.Context) error {
	writer := w.opened()
	if writer == nil {
		return errNoGapFile
	}
	return writer.Flush(ctx)
}

// close waits for the write under way, and closes the file. It is idempotent.
func (w *gapWriter) close() {
	_ = w.wait(context.Background()) // it was logged
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		_ = w.file.Close()
	}
	w.file, w.writer = nil, nil
}
