// SPDX-License-Identifier: Apache-2.0

// Package system runs the example of a system as its README says: its API, a real Caddy
// with its Caddyfile, and receivers.
package system

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/internal/console"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// The addresses that the Caddyfiles and READMEs of the examples have.
const (
	siteAddress     = "localhost:8080"
	apiAddress      = "127.0.0.1:9000"
	receiverAddress = "http://127.0.0.1:9001"
)

// System is a running example.
type System struct {
	*lab.Caddy
	// Reader types what the README says.
	Reader *console.Reader
	// Receiver is what listens at port 9001 in the README.
	Receiver *Receiver

	api *httptest.Server
}

// Start runs the example in the directory of the test: its Caddyfile, with the
// addresses and the queue of this run, and other replacements, each after what it
// replaces.
func Start(t *testing.T, binary string, api http.Handler, replace ...string) *System {
	t.Helper()
	s := &System{Receiver: NewReceiver(t), api: httptest.NewServer(api)}
	t.Cleanup(s.api.Close)
	s.Caddy = lab.New(t, binary, nil, nil, filepath.Join(t.TempDir(), "queue"))
	text, err := os.ReadFile("Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	s.Config = s.config(t, string(text), replace)
	s.Caddy.Start(t)
	s.Reader = &console.Reader{
		Names:     []string{"http://" + siteAddress, "http://" + s.Site(), receiverAddress, s.Receiver.URL(), "http://localhost:2019", "http://" + s.Admin()},
		Meanwhile: func(what string) error { return s.Receiver.told(t, what) }, Logf: t.Logf,
	}
	return s
}

// config returns a Caddyfile with what is another in each run.
func (s *System) config(t *testing.T, text string, replace []string) string {
	t.Helper()
	replaced := text
	pairs := [][2]string{
		{"{\n\twebhooks {", "{\n\tadmin $ADMIN\n\tpersist_config off\n\twebhooks {"},
		{siteAddress, "$SITE"},
		{apiAddress, s.api.Listener.Addr().String()},
		{"queue badger ./data/" + name(t), "queue badger $QUEUE"},
	}
	for pair := range slices.Chunk(replace, 2) {
		pairs = append(pairs, [2]string{pair[0], pair[1]})
	}
	for _, pair := range pairs {
		if !strings.Contains(replaced, pair[0]) {
			t.Fatalf("the Caddyfile has no %q", pair[0])
		}
		replaced = strings.ReplaceAll(replaced, pair[0], pair[1])
	}
	return replaced
}

// name returns the name of the example, which is that of its directory.
func name(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(dir)
}

// Inside returns the address of the API behind Caddy.
func (s *System) Inside() string { return s.api.URL }

// ReadAlong types what the README says, and compares the answers with those it shows.
func (s *System) ReadAlong(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := console.Steps(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) == 0 {
		t.Fatal("the README has no commands")
	}
	for _, step := range steps {
		if err := s.Reader.Do(t.Context(), step); err != nil {
			t.Fatalf("README.md:%d: %s%s: %v", step.Line, step.Command, step.Meanwhile, err)
		}
	}
}
