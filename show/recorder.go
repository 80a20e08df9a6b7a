// SPDX-License-Identifier: Apache-2.0

package show

import (
	"net/http"
)

// recorder records an answer, up to MaxBody bytes of body.
type recorder struct {
	header   http.Header
	status   int
	body     []byte
	tooLarge bool
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter. It fails once the body is too large,
// which makes the proxy give up on the rest.
func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if len(w.body)+len(p) > MaxBody {
		w.tooLarge = true
		return 0, ErrTooLarge
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// Flush implements http.Flusher. There is nothing to flush.
func (w *recorder) Flush() {}
