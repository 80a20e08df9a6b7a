// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	typeStream = "text/event-stream"
	// streamFor is how long a stream lasts. The reader comes back with Last-Event-ID;
	// so who may not read any more does not for longer.
	streamFor = 10 * time.Minute
	// streamBeat is how often a stream in which nothing happens tells how far it is.
	streamBeat = 15 * time.Second
	// streamWrite is how long a reader may take for one event.
	streamWrite = 30 * time.Second
	streamPage  = 50
)

// wantsStream reports whether a request asks for Server-Sent Events (WHATWG HTML,
// section 9.2).
func wantsStream(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			if media, _, err := mime.ParseMediaType(part); err == nil && media == typeStream {
				return true
			}
		}
	}
	return false
}

// stream sends a feed as Server-Sent Events: each as one `data:` line with what a page has
// of it, and its cursor as `id:`. It returns an error as long as nothing was sent.
func (f *feed) stream(after queue.Position) error {
	c := f.call
	leave, err := c.limits.waits(c.caller.Tenant)
	if err != nil {
		return err
	}
	defer leave()
	lasts := streamFor
	if until := c.caller.Until; !until.IsZero() {
		lasts = min(lasts, until.Sub(c.now))
	}
	ctx, cancel := c.patience(lasts)
	defer cancel()
	page, next, err := f.page(ctx, after, streamPage)
	if err != nil {
		return feedProblem(err)
	}
	header := c.w.Header()
	header.Set("Content-Type", typeStream)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	// Caddy's own compression and proxies would gather what must go at once.
	header.Set("X-Accel-Buffering", "no")
	c.w.WriteHeader(http.StatusOK)
	for {
		if err := f.send(&page); err != nil {
			return nil // the reader has gone, or is too slow: it comes back
		}
		if ctx.Err() != nil {
			return nil
		}
		if !page.More {
			beat, cancel := context.WithTimeout(ctx, streamBeat)
			err = c.store.AwaitFeed(beat, f.scope, next)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return f.broken(err)
			}
		}
		if page, next, err = f.page(ctx, next, streamPage); err != nil {
			return f.broken(err)
		}
	}
}

// broken ends a stream that cannot go on. Its reader comes back, and is told then.
func (f *feed) broken(err error) error {
	if f.call.r.Context().Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
		f.call.options.Log.Debug("a stream of a feed has ended", zap.Error(err))
	}
	return nil
}

// send writes a page to a stream: its events, and then how far was looked. Without `data:`,
// a block dispatches nothing and moves the reader's Last-Event-ID.
func (f *feed) send(page *FeedPage) error {
	control := http.NewResponseController(f.call.w)
	var text bytes.Buffer
	for i := range page.Data {
		line, err := encode(&page.Data[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "id: %s\ndata: %s\n\n", page.Data[i].Cursor, bytes.TrimSpace(line))
	}
	fmt.Fprintf(&text, "id: %s\n\n", page.Next)
	if err := control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := f.call.w.Write(text.Bytes()); err != nil {
		return err
	}
	return control.Flush()
}
