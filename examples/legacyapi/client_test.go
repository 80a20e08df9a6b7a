// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// client talks to an API whose clock only moves when the test moves it.
type client struct {
	t   *testing.T
	api http.Handler
	now time.Time
}

func newClient(t *testing.T) *client {
	t.Helper()
	c := &client{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	ids := 0
	c.api = New(Options{
		Now:         func() time.Time { return c.now },
		SettleAfter: 3 * time.Second,
		NewID: func() string {
			ids++
			return fmt.Sprintf("id-%d", ids)
		},
	})
	return c
}

// do sends a request and fails the test on another status.
func (c *client) do(method, path, body string, wantStatus int) gjson.Result {
	c.t.Helper()
	_, result := c.response(method, path, body, wantStatus)
	return result
}

func (c *client) response(method, path, body string, wantStatus int) (http.Header, gjson.Result) {
	c.t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(c.t.Context(), method, path, strings.NewReader(body))
	c.api.ServeHTTP(recorder, request)
	if recorder.Code != wantStatus {
		c.t.Fatalf("%s %s %s: status %d, want %d; body %s", method, path, body, recorder.Code, wantStatus, recorder.Body)
	}
	text := recorder.Body.Bytes()
	if len(text) > 0 && !json.Valid(text) {
		c.t.Fatalf("%s %s: the body is not JSON: %s", method, path, text)
	}
	return recorder.Header(), gjson.ParseBytes(text)
}

// wants compares the values at paths.
func (c *client) wants(got gjson.Result, want map[string]string) {
	c.t.Helper()
	for path, value := range want {
		if at := got.Get(path).String(); at != value {
			c.t.Errorf("%s is %q, want %q in %s", path, at, value, got.Raw)
		}
	}
}
