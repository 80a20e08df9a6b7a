// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package disk fills the queue's disk under load. Badger by itself would end
// the process: it writes through memory maps.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
	"github.com/caddy-webhooks/caddy-webhooks/internal/testflags"
)

var binary string

// patience is how long the tests wait for what must come, on the slowest of machines.
const patience = 3 * time.Minute

func TestMain(m *testing.M) {
	// Each test has a disk of its own, and waits for it.
	testflags.AtOnce(4)
	lab.Main(m, &binary)
}

// The size of the volume, and the space that the queue leaves free on it.
const (
	volume    = "900m"
	freeSpace = "free_space 320MiB 200MiB 64MiB"
)

// TestFullDisk fills the disk under load, twice, frees it, and lets a process
// start on a full disk. Whatever happens, clients get the API's answers, the
// process lives, and every change ends as an event.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	mounted := t.TempDir()
	lab.Mount(t, mounted, "-t", "tmpfs", "-o", "size="+volume, "tmpfs")
	a, r := lab.NewAPI(t), lab.NewReceiver(t)
	c := lab.New(t, binary, a, r, filepath.Join(mounted, "queue"))
	c.Global = freeSpace
	c.Start(t)
	load := lab.NewLoad(t.Context(), c, 8, 20, 2000)
	defer load.Stop()
	moment(t, c, load, 200)
	before := int64(0) // requests of earlier loads

	for round := range 2 {
		ballast := fill(t, mounted, 190<<20)
		c.Eventually(t, "the queue closes", patience, func() error {
			open, answer, err := c.Queued()
			switch {
			case err != nil:
				return err
			case open:
				return errors.New("it is open")
			case answer["closing"] == true:
				return errors.New("it still writes")
			}
			return nil
		})
		// Now the disk is full to the last byte.
		rest := exhaust(t, mounted)
		moment(t, c, load, 300)
		if status, problems, err := c.Health(); err != nil || status == 200 || !strings.Contains(problems, "full") {
			t.Errorf("round %d: health is %d, %s, %v", round, status, problems, err)
		}
		if round == 1 {
			// A process that starts now must not die of it either.
			load.Stop()
			before += load.Requests.Load()
			c.Stop(t)
			c.Start(t)
			load = restart(t, c, load)
			moment(t, c, load, 200)
			if open, _, err := c.Queued(); err != nil || open {
				t.Errorf("the queue is open on a full disk: %v", err)
			}
		}
		remove(t, rest, ballast)
		c.Eventually(t, "the queue opens again", patience, func() error {
			open, answer, err := c.Queued()
			if err == nil && !open {
				err = fmt.Errorf("it is not: %v", answer["problem"])
			}
			return err
		})
		moment(t, c, load, 200)
	}
	load.Stop()
	c.Told(t, patience)
	if failed := load.Failed.Load(); failed > 0 {
		t.Errorf("%d requests failed, the first: %s", failed, load.FirstFailure())
	}
	for _, bad := range []string{"SIGBUS", "fatal error", "panic:"} {
		if strings.Contains(c.Log(), bad) {
			t.Errorf("the log has %q", bad)
		}
	}
	c.Eventually(t, "health is good again", patience, func() error {
		status, problems, err := c.Health()
		if err == nil && status != 200 {
			err = errors.New(problems)
		}
		return err
	})
	// What could not be recorded is delivered again, but not endlessly.
	if again := r.Again(); again > 1000 {
		t.Errorf("%d of %d deliveries were made again", again, r.Total())
	}
	t.Logf("%d requests, none failed; %d deliveries, %d of them again; opened again %d times", before+load.Requests.Load(), r.Total(), r.Again(), strings.Count(c.Log(), "is open again"))
	c.Stop(t)
}

// TestLoadFillsTheDisk lets the queue itself fill the last of its disk, with as many
// requests as that takes, however slow the machine is.
func TestLoadFillsTheDisk(t *testing.T) {
	t.Parallel()
	mounted := t.TempDir()
	lab.Mount(t, mounted, "-t", "tmpfs", "-o", "size=480m", "tmpfs")
	a, r := lab.NewAPI(t), lab.NewReceiver(t)
	c := lab.New(t, binary, a, r, filepath.Join(mounted, "queue"))
	c.Global = freeSpace
	c.Start(t)
	load := lab.NewLoad(t.Context(), c, 16, 50, 60_000)
	defer load.Stop()
	// The queue has the files that it begins with.
	moment(t, c, load, 50)
	began := load.Requests.Load()
	defer remove(t, fill(t, mounted, 340<<20))
	for hasSpace(t, c) {
		if load.Requests.Load()-began > 5000 {
			t.Fatal("5,000 requests did not fill the disk")
		}
		moment(t, c, load, 20)
	}
	t.Logf("the queue filled its disk with %d requests", load.Requests.Load()-began)
	moment(t, c, load, 300)
	load.Stop()
	if failed := load.Failed.Load(); failed > 0 {
		t.Errorf("%d requests failed, the first: %s", failed, load.FirstFailure())
	}
	// More room: tmpfs can grow.
	if err := lab.TryMount(t, mounted, "-o", "remount,size=3g"); err != nil {
		t.Fatal(err)
	}
	c.Told(t, patience)
	t.Logf("%d requests, none failed; %d deliveries, %d of them again; opened again %d times", load.Requests.Load(), r.Total(), r.Again(), strings.Count(c.Log(), "is open again"))
	c.Stop(t)
}

// hasSpace reports whether the queue is open and has enough space.
func hasSpace(t *testing.T, c *lab.Caddy) (enough bool) {
	t.Helper()
	c.Eventually(t, "the queue says how much space it has", patience, func() error {
		open, answer, err := c.Queued()
		enough = open && answer["space"] == "enough"
		return err
	})
	return enough
}

// restart starts a load again, and carries over the previous count.
func restart(t *testing.T, c *lab.Caddy, before *lab.Load) *lab.Load {
	t.Helper()
	if failed := before.Failed.Load(); failed > 0 {
		t.Errorf("%d requests failed, the first: %s", failed, before.FirstFailure())
	}
	return lab.NewLoad(t.Context(), c, 8, 20, 2000)
}

// moment waits until the load has made some more requests.
func moment(t *testing.T, c *lab.Caddy, load *lab.Load, requests int64) {
	t.Helper()
	target := load.Requests.Load() + requests
	c.Eventually(t, "requests go on", patience, func() error {
		if !c.Alive() {
			t.Fatalf("Caddy has ended:\n%s", c.Tail())
		}
		if got := load.Requests.Load(); got < target {
			return fmt.Errorf("%d of %d", got, target)
		}
		return nil
	})
}

// fill takes the disk's space, as another program would, until less is left than stated.
func fill(t *testing.T, dir string, left int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	const step = 8 << 20
	for size := int64(step); ; size += step {
		var stat syscall.Statfs_t
		if err := syscall.Statfs(dir, &stat); err != nil {
			t.Fatal(err)
		}
		if int64(stat.Bavail)*stat.Bsize < left {
			return f
		}
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // 1.6 GB/s, faster than most disks
	}
}

// exhaust takes all the remaining space.
func exhaust(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "rest"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); err != nil {
			if errors.Is(err, syscall.ENOSPC) {
				return f
			}
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, files ...*os.File) {
	t.Helper()
	for _, f := range files {
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			t.Fatal(err)
		}
	}
}
