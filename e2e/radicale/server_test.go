// SPDX-License-Identifier: Apache-2.0

package radicale

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

const config = `[server]
hosts = %[1]s
max_connections = 32
[auth]
type = htpasswd
htpasswd_filename = %[2]s/users
htpasswd_encryption = plain
delay = 0
[rights]
type = from_file
file = %[2]s/rights
[storage]
filesystem_folder = %[2]s/data
[logging]
level = critical
`

// rights let the operator read everything, and everybody write what is his own.
const rights = `[operator]
user: operator
collection: .*
permissions: Rr
[owner]
user: .+
collection: {user}(/[^/]+)?
permissions: RrWw
`

// startAPI starts Radicale with some users, whose passwords are their names, and returns
// its address.
func startAPI(t *testing.T, users ...string) string {
	t.Helper()
	program, err := exec.LookPath("radicale")
	if err != nil {
		t.Skip("NOT TESTED: Radicale is not installed; on Debian, `apt-get install radicale` does that")
	}
	dir, address := t.TempDir(), freeport.Address(t)
	passwords := "operator:operator\n"
	for _, user := range users {
		passwords += user + ":" + user + "\n"
	}
	for name, text := range map[string]string{"config": fmt.Sprintf(config, address, dir), "rights": rights, "users": passwords} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, program, "--config", filepath.Join(dir, "config")) //nolint:gosec // a configuration of the test's own
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = server.Wait() // it was killed
		if t.Failed() {
			t.Logf("Radicale's log:\n%s", log.String())
		}
	})
	err = witness.Eventually(witness.Within(t), func() error {
		response, err := http.Get("http://" + address + "/.web/")
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
	if err != nil {
		t.Fatalf("Radicale does not start: %v", err)
	}
	return address
}
