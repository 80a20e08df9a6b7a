// SPDX-License-Identifier: Apache-2.0

package regularfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(name, 5); err != nil || string(got) != "12345" {
		t.Errorf("a file as large as it may be: %q, %v", got, err)
	}
	if _, err := Read(name, 4); err == nil || !strings.HasSuffix(err.Error(), "file is larger than 4 bytes") {
		t.Errorf("a file that is too large: %v", err)
	}
	if _, err := Read(dir, 5); err == nil || !strings.HasSuffix(err.Error(), " is no regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Read(filepath.Join(dir, "none"), 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
