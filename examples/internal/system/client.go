// SPDX-License-Identifier: Apache-2.0

package system

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Answer is what a request was answered with.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Request sends a request with a body of JSON through Caddy, as the caller who has a
// key.
func (s *System) Request(t *testing.T, key, method, path, body string) Answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Site()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{response.StatusCode, response.Header, string(text)}
}

// Wants sends a request as [System.Request] does, which must be answered with a status,
// and reads the answer into a value unless that is nil.
func (s *System) Wants(t *testing.T, key, method, path, body string, status int, into any) Answer {
	t.Helper()
	got := s.Request(t, key, method, path, body)
	if got.Status != status {
		t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, got.Status, got.Body, status)
	}
	if into == nil {
		return got
	}
	if err := json.Unmarshal([]byte(got.Body), into); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, got.Body)
	}
	return got
}
