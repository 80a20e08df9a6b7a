// SPDX-License-Identifier: Apache-2.0

//go:build unix

package badger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// public returns the files below a directory that others may read.
func public(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // an open queue replaces files of its own
		case err == nil && info.Mode()&others != 0:
			found = append(found, entry.Name()+" "+info.Mode().String())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// openDir makes a directory as systemd, a volume or mkdir does.
func openDir(t *testing.T, mode os.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "queue")
	if err := os.Mkdir(dir, mode); err != nil {
		t.Fatal(err)
	}
	// The umask may have narrowed it.
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Whatever the mode of the directory, its files are this user's alone: those of
// a new queue, those of a queue that an older version has left, and those that
// Badger makes while it runs. Where lists do not work, sweeping does.
func TestFilesArePrivate(t *testing.T) {
	for _, mode := range []os.FileMode{0o755, 0o777, 0o750, 0o700} {
		dir := openDir(t, mode)
		if err := os.WriteFile(filepath.Join(dir, "gaps"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, "gaps"), 0o644); err != nil {
			t.Fatal(err)
		}
		core, logs := observer.New(zap.WarnLevel)
		s, err := Open(Options{Dir: dir, Logger: zap.New(core), FreeSpace: plenty})
		if err != nil {
			t.Fatal(err)
		}
		if !s.private.born {
			s.CheckSpace()
		}
		if found := public(t, dir); len(found) > 0 {
			t.Errorf("mode %o: %v", mode, found)
		}
		if warned := logs.FilterMessageSnippet("may enter the directory").Len() == 1; warned != (mode != 0o700) {
			t.Errorf("mode %o: %v", mode, logs.All())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		// Closing flushes what is in memory into a new table.
		if found := public(t, dir); len(found) > 0 && s.private.born {
			t.Errorf("mode %o, closed: %v", mode, found)
		}
		// An older version has left them readable.
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if err := os.Chmod(filepath.Join(dir, entry.Name()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if s, err = Open(Options{Dir: dir, FreeSpace: plenty}); err != nil {
			t.Fatal(err)
		}
		if found := public(t, dir); len(found) > 0 && s.private.born {
			t.Errorf("mode %o, opened again: %v", mode, found)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func plenty(string) (free, total uint64, err error) { return 1 << 40, 1 << 41, nil }

// Without access lists, what others could read is taken from them when it is
// seen; what is not a file of the queue's is left.
func TestSweep(t *testing.T) {
	dir, elsewhere := openDir(t, 0o755), filepath.Join(t.TempDir(), "elsewhere")
	for _, name := range []string{elsewhere, filepath.Join(dir, "00001.mem"), filepath.Join(dir, "000001.vlog"), filepath.Join(dir, "script")} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "00002.mem")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "theirs"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := &privacy{dir: dir, log: zap.NewNop()}
	p.look()
	var got []string
	for _, name := range []string{filepath.Join(dir, "00001.mem"), filepath.Join(dir, "000001.vlog"), filepath.Join(dir, "script"), filepath.Join(dir, "theirs"), elsewhere} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Mode().String())
	}
	if got := strings.Join(got, " "); got != "-rwx------ -rwx------ -rwx------ drwxr-xr-x -rwxr-xr-x" {
		t.Errorf("got %s", got)
	}
	if restrict(dir, "00002.mem") == nil {
		t.Error("followed a link")
	}
}

// A restored queue is as private as one that was made.
func TestRestoredFilesArePrivate(t *testing.T) {
	dir := openDir(t, 0o755)
	if makePrivate(t.TempDir()) != nil {
		t.Skip("this file system has no access lists; the files are made private when the queue is opened")
	}
	s, err := Open(Options{Dir: t.TempDir(), FreeSpace: plenty})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "backup")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(t.Context(), f, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), dir, name); err != nil {
		t.Fatal(err)
	}
	if found := public(t, dir); len(found) > 0 {
		t.Errorf("restored as %v", found)
	}
}
