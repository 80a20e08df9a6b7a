// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// A wrong directory is misconfigured, and the error reads as its cause.
func TestMisconfigured(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for dir, cause := range map[string]string{
		"":                           "opening the queue: no directory is given",
		filepath.Join(file, "queue"): "not a directory",
		filepath.Join(file+strings.Repeat("x", 300), "queue"): "file name too long",
	} {
		_, err := Open(Options{Dir: dir})
		if !queue.Misconfigured(err) || !strings.HasSuffix(err.Error(), cause) {
			t.Errorf("%q: %v, want it to be misconfigured: %s", dir, err, cause)
		}
	}
	if queue.Misconfigured(nil) || queue.Misconfigured(errors.New("input/output error")) {
		t.Error("an error of the disk is said to be final")
	}
}
