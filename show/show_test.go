// SPDX-License-Identifier: Apache-2.0

package show

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func upstream(handler func(w http.ResponseWriter, r *http.Request) error) *Upstream {
	return &Upstream{Handler: caddyhttp.HandlerFunc(handler)}
}

func TestRead(t *testing.T) {
	u := upstream(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != "GET" || r.URL.EscapedPath() != "/items/a%2Fb" || r.RequestURI != "/items/a%2Fb" {
			t.Errorf("asked for %s %s", r.Method, r.RequestURI)
		}
		// A cache on the way must not answer with the state before the change.
		if r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("header %v", r.Header)
		}
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Content-Type", "text/x")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "one ")
		_, err := io.WriteString(w, "two")
		return err
	})
	got, err := u.Read(t.Context(), Request{Method: "GET", Path: "/items/a%2Fb"})
	if err != nil || got.Status != 202 || string(got.Body) != "one two" || got.Header.Get("Content-Type") != "text/x" {
		t.Errorf("Read = %+v, %v", got, err)
	}
}

// Whatever happens within the route, the process goes on and the error says
// what happened.
func TestReadFails(t *testing.T) {
	broken := errors.New("connection refused")
	for name, tc := range map[string]struct {
		handler func(w http.ResponseWriter, r *http.Request) error
		want    error
		text    string
	}{
		"the route fails": {func(http.ResponseWriter, *http.Request) error { return broken }, broken, ""},
		"the answer is cut": {func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		}, ErrCut, ""},
		"a module panics": {func(http.ResponseWriter, *http.Request) error { panic("oops") }, nil, "panic while reading Show: oops"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.Copy(w, io.LimitReader(endless{}, MaxBody+1))
			return err
		}, ErrTooLarge, ""},
		"too large, and aborted": {func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = io.Copy(w, io.LimitReader(endless{}, 2*MaxBody))
			panic(http.ErrAbortHandler)
		}, ErrTooLarge, ""},
	} {
		_, err := upstream(tc.handler).Read(t.Context(), Request{Method: "GET", Path: "/items/1"})
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: error %v, want %v %s", name, err, tc.want, tc.text)
		}
	}
	if _, err := upstream(nil).Read(t.Context(), Request{Method: "GET", Path: "no path"}); err == nil {
		t.Error("a bad path is accepted")
	}
}

func TestLargestShow(t *testing.T) {
	u := upstream(func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.Copy(w, io.LimitReader(endless{}, MaxBody))
		return err
	})
	if got, err := u.Read(t.Context(), Request{Method: "GET", Path: "/"}); err != nil || len(got.Body) != MaxBody {
		t.Errorf("%d bytes, %v", len(got.Body), err)
	}
}

// An API that does not answer holds up a reading no longer than its timeout.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := upstream(func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return nil
		})
		begin := time.Now()
		if _, err := u.Read(t.Context(), Request{Method: "GET", Path: "/"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(begin); took != DefaultTimeout {
			t.Errorf("it took %s", took)
		}
	})
}

// endless is a body of "x".
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
