// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// fillLog writes into the current log until Badger makes the next, or fails to.
func fillLog(s *Store) error {
	value := make([]byte, 400<<10)
	_, _ = rand.Read(value) // so that it cannot be compressed
	for i := range memTableSize/len(value) + 3 {
		err := s.ground.commit(func() error {
			return s.db.Update(func(txn *badgerdb.Txn) error { return txn.Set(fmt.Append(nil, "~fill", i), value) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Badger is held where it makes its next log, and finds it made. This depends on
// the words that Badger logs there.
func TestNextLog(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	first, err := newestLog(dir)
	must(t, err)
	must(t, fillLog(s))
	next, err := newestLog(dir)
	must(t, err)
	if next == first {
		t.Fatal("there is no new log")
	}
	info, err := os.Stat(logName(dir, next))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the log was made with mode %v: not by us", info.Mode())
	}
	if len(s.ground.spares.held) == spareCount {
		t.Error("no spare descriptors were given up")
	}
	must(t, s.Check())
	if lacks := s.Lacks(); lacks != "" {
		t.Errorf("it lacks %q", lacks)
	}
	markItem(t, s, "1")
}

// If Badger cannot make its next log, it asserts at the next write, which ends
// the process, and every read panics. Neither comes to that: the queue fails,
// closes, and opens again with all that was acknowledged.
func TestLogCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	markItem(t, s, "before")
	newest, err := newestLog(dir)
	must(t, err)
	obstacle := logName(dir, newest+1)
	must(t, os.Mkdir(obstacle, 0o700))
	if err := fillLog(s); !errors.Is(err, queue.ErrDisk) {
		t.Fatalf("the commit that needs the next log: %v", err)
	}
	uses := map[string]func() error{
		"write":        func() error { return s.ResolveIntent(t.Context(), 0, marksOf("after"), true) },
		"other writer": s.ForgetRestored,
		"read":         func() error { _, err := s.Object(t.Context(), item("before")); return err },
		"backup":       func() error { _, err := s.Backup(t.Context(), new(strings.Builder), 0); return err },
		"check":        s.Check,
	}
	for name, use := range uses {
		if err := use(); !errors.Is(err, queue.ErrDisk) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.LeaseMark(ctx, "items", time.Hour); err == nil {
		t.Error("a queue that fails leases work")
	}
	must(t, os.Remove(obstacle))
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir})
	if held := leaseMark(t, s); held.Key != item("before") {
		t.Errorf("the mark is of %v", held.Key)
	}
}

func marksOf(ids ...string) (r queue.Resolution) {
	for _, id := range ids {
		r.Marks = append(r.Marks, queue.Mark{Key: item(id)})
	}
	return r
}

// What is done to the directory of an open queue is noticed before Badger
// notices it.
func TestDirectoryTakenAway(t *testing.T) {
	for name, c := range map[string]struct {
		take func(t *testing.T, dir string)
		want error
		// soon is true where the next batch need not notice it.
		soon bool
	}{
		"deleted": {func(t *testing.T, dir string) { deleteAll(t, dir) }, errGone, false},
		"renamed": {func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".old")) }, errGone, false},
		"replaced": {func(t *testing.T, dir string) {
			must(t, os.Rename(dir, dir+".old"))
			must(t, os.Mkdir(dir, 0o700))
		}, errGone, false},
		"deleted and made again": {func(t *testing.T, dir string) {
			deleteAll(t, dir)
			must(t, os.Mkdir(dir, 0o700))
		}, errGone, false},
		"a file in its place": {func(t *testing.T, dir string) {
			deleteAll(t, dir)
			must(t, os.WriteFile(dir, nil, 0o600))
		}, errGone, false},
		"emptied": {func(t *testing.T, dir string) {
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			must(t, err)
			for _, name := range names {
				must(t, os.Remove(name))
			}
		}, errNoFiles, true},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "queue")
			s, err := Open(Options{Dir: dir})
			must(t, err)
			markItem(t, s, "1")
			c.take(t, dir)
			if c.soon {
				_ = s.Check()
			}
			eventually(t, func() bool {
				err = s.ResolveIntent(t.Context(), 0, marksOf("2"), true)
				return err != nil
			})
			if !errors.Is(err, c.want) || !errors.Is(err, queue.ErrDisk) {
				t.Errorf("the next write: %v", err)
			}
			if err := s.Check(); !errors.Is(err, c.want) {
				t.Errorf("Check: %v", err)
			}
			// Closing neither hangs nor leaves anything behind.
			must(t, s.Close())
			if left, err := filepath.Glob(filepath.Join(parent, ".*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// deleteAll deletes the directory of an open queue, in which files may be made meanwhile.
func deleteAll(t *testing.T, dir string) {
	t.Helper()
	err := os.RemoveAll(dir)
	for errors.Is(err, syscall.ENOTEMPTY) {
		err = os.RemoveAll(dir)
	}
	must(t, err)
}

// A queue whose directory was renamed is closed in that directory, and nothing is
// written into the one that took its place.
func TestClosedWhereItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queue")
	s, err := Open(Options{Dir: dir})
	must(t, err)
	if s.ground.bound == dir {
		t.Skip("NOT TESTED: directories have only one name here")
	}
	markItem(t, s, "1")
	must(t, os.Rename(dir, dir+".old"))
	must(t, os.Mkdir(dir, 0o700))
	must(t, s.Close())
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("written into another's directory: %v, %v", entries, err)
	}
	s = mustOpen(t, Options{Dir: dir + ".old"})
	if held := leaseMark(t, s); held.Key != item("1") {
		t.Errorf("the mark is of %v", held.Key)
	}
}

// A queue that was open before is not begun anew because its directory, or the
// volume of it, is gone for a while.
func TestPlace(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "queue")
	s, err := Open(Options{Dir: dir})
	must(t, err)
	place := s.Place()
	must(t, s.Close())
	saved := dir + ".saved"
	for _, c := range []struct {
		name  string
		make  func()
		place string
		opens bool
	}{
		{"as it was", func() {}, place, true},
		{"gone", func() { must(t, os.Rename(dir, saved)) }, place, false},
		{"a mount point without its volume", func() { must(t, os.Mkdir(dir, 0o700)) }, "another volume", false},
		{"an empty directory on the same volume", func() {}, place, true},
		{"back on another volume", func() { must(t, os.RemoveAll(dir)); must(t, os.Rename(saved, dir)) }, "another volume", true},
		{"never open before", func() { must(t, os.RemoveAll(dir)) }, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.make()
			s, err := Open(Options{Dir: dir, Place: c.place})
			if c.opens {
				must(t, err)
				must(t, s.Close())
				return
			}
			if !errors.Is(err, queue.ErrDisk) || queue.Misconfigured(err) {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

// What Badger fails to write by itself is in health, and once in the log. This
// depends on the words that Badger logs.
func TestStruggle(t *testing.T) {
	dir := t.TempDir()
	core, logs := observer.New(zap.ErrorLevel)
	s := mustOpen(t, Options{Dir: dir, Logger: zap.New(core)})
	for id := range 2 { // Badger tries again with the next
		must(t, os.Mkdir(filepath.Join(dir, fmt.Sprintf("%06d.sst", id+1)), 0o700))
	}
	must(t, fillLog(s))
	eventually(t, func() bool { return strings.Contains(s.Lacks(), "000001.sst") })
	if lacks := s.Lacks(); strings.Contains(lacks, "/proc/") {
		t.Errorf("health names the directory as nobody knows it: %s", lacks)
	}
	eventually(t, func() bool { tables, _ := logFiles(dir, "000003.sst"); return len(tables) == 1 })
	if n := logs.Len(); n > 2 {
		t.Errorf("%d lines in the log", n)
	}
	for id := range 2 {
		must(t, os.Remove(filepath.Join(dir, fmt.Sprintf("%06d.sst", id+1))))
	}
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within ", testTimeout)
		}
	}
}

// A sync that fails closes the queue: what was written before it may be lost, and
// Badger writes all of it again when it closes.
func TestFailedSyncCloses(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	must(t, err)
	_ = s.ground.sync(func() error { return errors.New("input/output error") })
	if err := s.Check(); !errors.Is(err, queue.ErrDisk) || !strings.Contains(err.Error(), "input/output") {
		t.Errorf("Check: %v", err)
	}
	must(t, s.Close())
}

// A directory that is deleted file by file is still there when the queue begins to
// close, and gone when Badger writes its last tables.
func TestDeletedWhileClosing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queue")
	s, err := Open(Options{Dir: dir})
	must(t, err)
	if s.ground.bound == dir {
		t.Skip("NOT TESTED: directories have only one name here")
	}
	markItem(t, s, "1")
	obstacles := 3 // Badger tries a name for a table each second
	for id := range obstacles {
		must(t, os.Mkdir(filepath.Join(dir, fmt.Sprintf("%06d.sst", id+1)), 0o700))
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	eventually(t, func() bool { return s.ground.struggling.Load() != nil })
	deleteAll(t, dir)
	select {
	case err := <-closed:
		must(t, err)
	case <-time.After(testTimeout):
		t.Fatal("closing hangs")
	}
}
