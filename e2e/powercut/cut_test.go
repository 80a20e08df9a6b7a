// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package powercut cuts the power: the queue is on its own file system, in an
// image. At a random moment the process is killed and the image is copied,
// without what the file system has not written to it yet. The copy is what a
// machine would find after losing its power at that moment, and the next
// process continues from it.
//
// Two things are not in the model. A disk may lose data that it was given but
// not told to flush, while the copy has it; and a disk may tear a block.
// Badger's checksums are for the latter.
package powercut

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var (
	binary string
	cuts   = flag.Int("cuts", 4, "how often the power is cut")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the moments")
)

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// volume is a file system in an image.
type volume struct {
	image, dir string
}

func newVolume(t *testing.T) *volume {
	t.Helper()
	v := &volume{image: filepath.Join(t.TempDir(), "image"), dir: t.TempDir()}
	f, err := os.Create(v.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 30); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if output, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", "-F", v.image).CombinedOutput(); err != nil { //nolint:gosec // the image is this test's
		lab.NotPermitted(t, fmt.Errorf("mkfs.ext4: %w: %s", err, output))
	}
	return v
}

// mount mounts the image. Its journal is committed only when a sync is
// requested, so that nothing else reaches the image.
func (v *volume) mount(t *testing.T) {
	t.Helper()
	if err := lab.TryMount(t, v.dir, "-o", "loop,commit=600,data=ordered", v.image); err != nil {
		lab.NotPermitted(t, err)
	}
}

// cut copies the image in its current state, and continues with the copy.
func (v *volume) cut(t *testing.T) {
	t.Helper()
	next := v.image + ".next"
	if err := copySparse(v.image, next); err != nil {
		t.Fatal(err)
	}
	// Unmounting writes what the copy does not have.
	lab.Unmount(t, v.dir)
	if err := os.Rename(next, v.image); err != nil {
		t.Fatal(err)
	}
}

// copySparse copies a file that is mostly zeros.
func copySparse(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	zeros := make([]byte, len(block))
	var at int64
	for {
		n, err := io.ReadFull(in, block)
		if n > 0 && string(block[:n]) != string(zeros[:n]) {
			if _, err := out.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if err != nil {
			break
		}
	}
	if err := out.Truncate(at); err != nil {
		return err
	}
	return out.Close()
}

// TestPowerCut cuts the power again and again under load. With `durability
// power`, every change that a client knows about is announced, and so is
// everything that the API did without an answer; the queue is never found
// damaged.
func TestPowerCut(t *testing.T) {
	t.Logf("seed %d", *seed)
	random := rand.New(rand.NewPCG(*seed, 1))
	v := newVolume(t)
	v.mount(t)
	a, r := lab.NewAPI(t), lab.NewReceiver(t)
	c := lab.New(t, binary, a, r, filepath.Join(v.dir, "queue"))
	c.Global = "free_space 260MiB 200MiB 64MiB"
	mounted := true
	defer func() {
		c.Kill()
		if mounted {
			lab.Unmount(t, v.dir)
		}
	}()
	requests := int64(0)
	// Large enough that logs fill up and tables are made, and small enough for
	// the volume: no process lives long enough to trim much.
	payload := min(20_000, 160_000 / *cuts)
	for range *cuts {
		c.Start(t)
		load := lab.NewLoad(t.Context(), c, 8, 30, payload)
		time.Sleep(time.Duration(200+random.IntN(1500)) * time.Millisecond) // the moment of the cut
		load.Cease()
		c.Kill()
		v.cut(t)
		mounted = false
		load.Stop()
		requests += load.Requests.Load()
		v.mount(t)
		mounted = true
	}
	c.Start(t)
	c.Told(t, 2*time.Minute)
	if status, problems, err := c.Health(); err != nil || status != 200 {
		t.Errorf("health: %d, %s, %v", status, problems, err)
	}
	for line := range strings.Lines(c.Log()) {
		if strings.Contains(line, "damaged") || strings.Contains(line, "missing from the queue") {
			t.Errorf("the queue was found damaged: %s", line)
		}
	}
	t.Logf("%d cuts, %d requests, %d deliveries", *cuts, requests, r.Total())
	c.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if output, err := c.Run(ctx, "webhooks", "queue", "verify", "--dir", c.Queue); err != nil {
		t.Errorf("verify: %v\n%s", err, output)
	}
}
