// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// `caddy webhooks listen` verifies what a real Caddy sends, and ends with success when it
// is interrupted.
func TestListen(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := exec.CommandContext(t.Context(), binary, "webhooks", "listen", "--address", "127.0.0.1:0", "--secret-file", file, "--json") //nolint:gosec // the binary is our own
	notes, err := listen.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := listen.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := listen.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listen.Process.Kill() })
	note, err := bufio.NewReader(notes).ReadString('\n')
	at := regexp.MustCompile(`http://\S+/`).FindString(note)
	if err != nil || at == "" {
		t.Fatalf("%v, said %s", err, note)
	}
	api := lab.NewAPI(t)
	caddy := lab.New(t, binary, api, nil, t.TempDir())
	caddy.Config = fmt.Sprintf(config, at, secret, api.Address(), api.Address())
	caddy.Start(t)
	printed := bufio.NewScanner(lines)
	for i, order := range []string{"first", "next", "next"} {
		if status, err := caddy.Do(t.Context(), http.MethodPut, "/items/bicycle-1", fmt.Sprint(i)); err != nil || status > 299 {
			t.Fatal(status, err)
		}
		var d struct {
			Object, Verdict, Order string
			Sequence               int
			Answer                 int
		}
		if !printed.Scan() || json.Unmarshal(printed.Bytes(), &d) != nil {
			t.Fatalf("%v, printed %s", printed.Err(), printed.Bytes())
		}
		if d.Object != "items/bicycle-1" || d.Verdict != "verified" || d.Sequence != i+1 || d.Order != order || d.Answer != http.StatusNoContent {
			t.Errorf("printed %s", printed.Bytes())
		}
	}
	if err := listen.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if printed.Scan() {
		t.Errorf("printed more: %s", printed.Bytes())
	}
	if err := listen.Wait(); err != nil {
		t.Error(err)
	}
}
