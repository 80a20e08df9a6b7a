// SPDX-License-Identifier: Apache-2.0

package command

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The configuration says where the admin endpoint is, and which queue is meant; where
// it says neither, the error says what to do.
func TestConfiguration(t *testing.T) {
	api := newAdminAPI(t, func(*http.Request) (int, string) { return http.StatusOK, `{"items":[]}` })
	t.Setenv("TEST_ADMIN", api.Listener.Addr().String())
	dir := t.TempDir()
	t.Setenv("TEST_QUEUE", dir)
	for config, tc := range map[string]struct {
		args, want, err string
	}{
		`{"admin":{"listen":"{env.TEST_ADMIN}"}}`: {"events", "EVENT", ""},
		`{"admin":{"listen":"{env.TEST_NONE}"}}`:  {"events", "", "admin {env.TEST_NONE}: "},
		`{"admin":{"disabled":true}}`:             {"events", "", "has no admin endpoint (`admin off`), which this command asks; `admin unix//"},
		`{"admin":{"listen":"a:1-9"}}`:            {"status", "", `"a:1-9" is no address of an admin endpoint`},
		`{`:                                       {"status", "", "not valid JSON"},
		`{"apps":{"webhooks":{"queue":{"engine":"badger","dir":"{env.TEST_QUEUE}"}}}}`:   {"queue verify", "", "there is no queue in " + dir},
		`{"apps":{"webhooks":{"queue":{"engine":"badger","dir":"{env.TEST_QUEUE}/x"}}}}`: {"queue restore --empty", "an empty queue is in " + dir + "/x", ""},
		`{"apps":{"webhooks":{"queue":{"engine":"postgres"}}}}`:                          {"queue verify", "", "is of the engine postgres"},
		`{"apps":{"http":{}}}`: {"queue verify", "", "has no webhooks"},
	} {
		file := filepath.Join(dir, "caddy.json")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs(append(append([]string{"webhooks"}, strings.Fields(tc.args)...), "-c", file))
		err := root.Execute()
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) || !strings.Contains(out.String(), tc.want) {
			t.Errorf("%s with %s: %v, want %q\n%s", tc.args, config, err, tc.err, out.String())
		}
	}
	root := newRoot()
	root.SetArgs([]string{"webhooks", "status", "--adapter", "caddyfile"})
	if err := root.Execute(); err == nil || !strings.Contains(err.Error(), "name it with --config") {
		t.Errorf("an adapter of nothing: %v", err)
	}
}

// The admin endpoint may be a socket, with permissions after its path.
func TestSocket(t *testing.T) {
	api := newAdminAPI(t, func(r *http.Request) (int, string) {
		if r.Header.Get("Origin") != "" {
			return http.StatusForbidden, "a socket has no origin"
		}
		return http.StatusOK, `{"items":[]}`
	})
	dir, err := os.MkdirTemp("", "s") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "admin")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: api.Config.Handler}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	for _, address := range []string{"unix/" + path, "unix/" + path + "|0222"} {
		root := newRoot()
		root.SetOut(new(strings.Builder))
		root.SetArgs([]string{"webhooks", "events", "--address", address})
		if err := root.Execute(); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
