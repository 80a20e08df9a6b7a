// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"os"
	"path/filepath"
	"testing"
)

// A directory has one name, whichever way leads there, before it is made and
// after.
func TestLocate(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Skip(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "volume"), 0o700); err != nil {
		t.Fatal(err)
	}
	link(filepath.Join(root, "volume"), "link")
	link("link", "relative")
	link("volume/queue", "dangling")
	link("../"+filepath.Base(root)+"/volume", "up")
	link("loop", "loop")
	want := filepath.Join(root, "volume", "queue")
	for _, made := range []bool{false, true} {
		for _, name := range []string{
			"volume/queue", "link/queue", "relative/queue", "dangling", "up/queue", "volume/../link/queue/", "link/./queue",
		} {
			if got, err := Locate(root + "/" + name); err != nil || got != want {
				t.Errorf("made %t: %s is at %s, want %s: %v", made, name, got, want, err)
			}
		}
		if err := os.MkdirAll(want, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"link/other": "volume/other", "new/deep/queue": "new/deep/queue", "loop/queue": "loop/queue"} {
		if got, err := Locate(filepath.Join(root, name)); err != nil || got != filepath.Join(root, want) {
			t.Errorf("%s is at %s: %v", name, got, err)
		}
	}
}

// One directory at two places, as with a mount, is one. A directory that was
// renamed is not taken for another that was made in its place.
func TestLocateTwoPlaces(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(root, "first"), filepath.Join(root, "second")
	locate := func(dir, want string) {
		t.Helper()
		if got, err := Locate(dir); err != nil || got != want {
			t.Errorf("%s is at %s, want %s: %v", dir, got, want, err)
		}
	}
	locate(first, first)
	if err := os.Mkdir(first, 0o700); err != nil {
		t.Fatal(err)
	}
	locate(first, first)
	if err := os.Rename(first, second); err != nil {
		t.Fatal(err)
	}
	locate(second, second)
	// Two names of one directory; a link stands in for the mount.
	if err := os.Symlink(second, first); err != nil {
		t.Skip(err)
	}
	known.Lock()
	known.dirs = []string{first}
	known.Unlock()
	locate(second, first)
}
