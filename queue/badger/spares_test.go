// SPDX-License-Identifier: Apache-2.0

//go:build linux

package badger

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// limitDescriptors lets this process open only a few more files, until the test
// ends or the returned function is called.
func limitDescriptors(t *testing.T, more int) (restore func()) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	restore = func() { must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }
	t.Cleanup(restore)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(len(open) + more), Max: limit.Max}))
	return restore
}

// use opens files until there are no descriptors left.
func use(t *testing.T) {
	t.Helper()
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = f.Close() })
	}
}

// A queue makes its next log while clients hold all descriptors but its own.
func TestNoDescriptorsLeft(t *testing.T) {
	s := mustOpen(t, Options{})
	restore := limitDescriptors(t, 20)
	use(t)
	must(t, fillLog(s))
	markItem(t, s, "1") // syncs the new log
	use(t)
	must(t, s.Check())
	if s.Lacks() == "" {
		t.Error("health does not tell that there are no descriptors")
	}
	markItem(t, s, "2")
	restore()
	must(t, s.Check())
	eventually(t, func() bool { return s.Lacks() == "" })
}

// While there are too few descriptors, a queue is not opened, and whole files are
// not taken for damaged.
func TestTooFewDescriptors(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	must(t, err)
	markItem(t, s, "1")
	must(t, s.Close())
	for more := range 60 {
		restore := limitDescriptors(t, more)
		s, err := Open(Options{Dir: dir})
		restore()
		if err == nil {
			must(t, s.Close())
			continue
		}
		if queue.Misconfigured(err) || errors.Is(err, ErrDamaged) {
			t.Fatalf("with %d descriptors: %v", more, err)
		}
	}
	if aside, err := filepath.Glob(filepath.Join(dir, "set-aside-*")); err != nil || len(aside) > 0 {
		t.Errorf("whole files were set aside: %v, %v", aside, err)
	}
	// Nor are they by what is read while they run out.
	restore := limitDescriptors(t, 5)
	use(t)
	_, err = Inspect(dir)
	restore()
	if err == nil {
		t.Error("an inspection that could read nothing has found nothing")
	}
	s = mustOpen(t, Options{Dir: dir})
	if held := leaseMark(t, s); held.Key != item("1") {
		t.Errorf("the mark is of %v", held.Key)
	}
}
