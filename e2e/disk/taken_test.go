// SPDX-License-Identifier: Apache-2.0

//go:build linux

package disk

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// steady starts Caddy with a queue in a directory, and a load whose first changes
// have been told.
func steady(t *testing.T, dir string, body int, configure func(c *lab.Caddy)) (*lab.Caddy, *lab.Load) {
	t.Helper()
	a, r := lab.NewAPI(t), lab.NewReceiver(t)
	c := lab.New(t, binary, a, r, dir)
	if configure != nil {
		configure(c)
	}
	c.Start(t)
	load := lab.NewLoad(t.Context(), c, 4, 10, body)
	moment(t, c, load, 100)
	load.Stop()
	c.Told(t, patience)
	load = lab.NewLoad(t.Context(), c, 4, 10, body)
	t.Cleanup(load.Stop)
	return c, load
}

// closes waits until the queue is closed and health says why.
func closes(t *testing.T, c *lab.Caddy, why string) {
	t.Helper()
	c.Eventually(t, "health says "+why, patience, func() error {
		if !c.Alive() {
			t.Fatalf("Caddy has ended:\n%s", c.Tail())
		}
		status, problems, err := c.Health()
		if err == nil && (status == 200 || !strings.Contains(problems, why)) {
			err = fmt.Errorf("%d: %s", status, problems)
		}
		return err
	})
}

// opens waits until the queue is open.
func opens(t *testing.T, c *lab.Caddy) {
	t.Helper()
	c.Eventually(t, "the queue opens again", patience, func() error {
		open, answer, err := c.Queued()
		if err == nil && !open {
			err = fmt.Errorf("it is not: %v", answer["problem"])
		}
		return err
	})
}

// unharmed ends a test in which no request may have failed, and all changes must
// be told.
func unharmed(t *testing.T, c *lab.Caddy, load *lab.Load) {
	t.Helper()
	load.Stop()
	c.Told(t, patience)
	if failed := load.Failed.Load(); failed > 0 {
		t.Errorf("%d requests failed, the first: %s", failed, load.FirstFailure())
	}
	c.Eventually(t, "health is good again", patience, func() error {
		status, problems, err := c.Health()
		if err == nil && status != 200 {
			err = errors.New(problems)
		}
		return err
	})
	c.Stop(t)
}

// TestDirectoryDeleted deletes the directory of an open queue, and makes an empty
// one some time later. What was in the queue is gone, and what changes afterwards
// is told.
func TestDirectoryDeleted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "queue")
	c, load := steady(t, dir, 2000, nil)
	err := os.RemoveAll(dir)
	for errors.Is(err, syscall.ENOTEMPTY) { // a file was made meanwhile
		err = os.RemoveAll(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	closes(t, c, "gone")
	moment(t, c, load, 200)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a queue was begun in a directory that somebody has deleted: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	opens(t, c)
	moment(t, c, load, 200)
	unharmed(t, c, load)
}

// TestVolumeUnmounted unmounts the volume of an open queue, as `umount -l` or a
// detached disk does, and mounts it again.
func TestVolumeUnmounted(t *testing.T) {
	t.Parallel()
	volume, mounted := t.TempDir(), t.TempDir()
	if err := lab.TryMount(t, mounted, "--bind", volume); err != nil {
		lab.NotPermitted(t, err)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", mounted).Run() }) //nolint:gosec // a directory of the test
	dir := filepath.Join(mounted, "queue")
	c, load := steady(t, dir, 2000, nil)
	lab.UnmountLazily(t, mounted)
	closes(t, c, "gone")
	moment(t, c, load, 200)
	if left, err := os.ReadDir(mounted); err != nil || len(left) > 0 {
		t.Errorf("written where the volume was: %v, %v", left, err)
	}
	if err := lab.TryMount(t, mounted, "--bind", volume); err != nil {
		t.Fatal(err)
	}
	opens(t, c)
	moment(t, c, load, 200)
	unharmed(t, c, load)
}

// TestDescriptorsUsedUp lets slow clients use up the descriptors of the process
// while Badger needs new files. Requests of others may fail then, as they do
// without the module; the process lives, and what was confirmed is told.
func TestDescriptorsUsedUp(t *testing.T) {
	t.Parallel()
	c, load := steady(t, filepath.Join(t.TempDir(), "queue"), 100_000, func(c *lab.Caddy) { c.Descriptors = 300 })
	var slow []net.Conn
	leave := func() {
		for _, conn := range slow {
			_ = conn.Close()
		}
		slow = nil
	}
	t.Cleanup(leave)
	for range 500 {
		conn, err := net.DialTimeout("tcp", c.Site(), time.Second)
		if err != nil {
			break // the backlog of the listener is full
		}
		slow = append(slow, conn)
		_, _ = conn.Write([]byte("PUT /items/slow HTTP/1.1\r\nHost: x\r\n"))
	}
	// Long enough for Badger to need a file, whatever the machine: there is nothing to
	// wait for, as it is what does not happen that counts.
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // polling another process
		if !c.Alive() {
			t.Fatalf("Caddy has ended:\n%s", c.Tail())
		}
	}
	made := load.Requests.Load()
	leave()
	load.Stop()
	c.Eventually(t, "it answers again", patience, func() error { _, _, err := c.Queued(); return err })
	opens(t, c)
	load = lab.NewLoad(t.Context(), c, 4, 10, 2000)
	moment(t, c, load, 200)
	t.Logf("%d requests while there were no descriptors", made)
	unharmed(t, c, load)
}

// TestReadOnlyVolume lets a file system fail under an open queue: it takes no more
// writes, and whoever writes by a memory map is killed.
func TestReadOnlyVolume(t *testing.T) {
	t.Parallel()
	mounted := t.TempDir()
	mountImage(t, mounted, filepath.Join(t.TempDir(), "image"))
	source, err := exec.Command("findmnt", "-no", "SOURCE", mounted).Output() //nolint:gosec // a directory of the test
	if err != nil {
		lab.NotPermitted(t, err)
	}
	c, load := steady(t, filepath.Join(mounted, "queue"), 2000, nil)
	device := filepath.Base(strings.TrimSpace(string(source)))
	if err := os.WriteFile(filepath.Join("/sys/fs/ext4", device, "trigger_fs_error"), []byte("1"), 0); err != nil {
		lab.NotPermitted(t, err)
	}
	closes(t, c, "read-only")
	moment(t, c, load, 200)
	load.Stop()
	if failed := load.Failed.Load(); failed > 0 {
		t.Errorf("%d requests failed, the first: %s", failed, load.FirstFailure())
	}
	closes(t, c, "read-only")
	c.Kill() // the volume must be unmounted and checked before it takes writes
}

// mountImage makes a file system in a sparse file, and mounts it.
func mountImage(t *testing.T, mounted, image string) {
	t.Helper()
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 2<<30); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil { //nolint:gosec // a file of the test
		lab.NotPermitted(t, fmt.Errorf("%w: %s", err, output))
	}
	if err := lab.TryMount(t, mounted, "-o", "loop,errors=remount-ro", image); err != nil {
		lab.NotPermitted(t, err)
	}
	t.Cleanup(func() { lab.UnmountLazily(t, mounted) })
}

// TestDiskErrors has the disk fail with EIO, as a volume does that was promised more
// than there is: its file system has room, and the file that it is in has not.
func TestDiskErrors(t *testing.T) {
	t.Parallel()
	below, mounted := t.TempDir(), t.TempDir()
	lab.Mount(t, below, "-t", "tmpfs", "-o", "size=400m", "tmpfs")
	mountImage(t, mounted, filepath.Join(below, "image"))
	c, load := steady(t, filepath.Join(mounted, "queue"), 2000, nil)
	exhaust(t, below)
	closes(t, c, "disk")
	moment(t, c, load, 200)
	load.Stop()
	if failed := load.Failed.Load(); failed > 0 {
		t.Errorf("%d requests failed, the first: %s", failed, load.FirstFailure())
	}
	c.Kill() // the volume must be unmounted and checked before it takes writes
}
