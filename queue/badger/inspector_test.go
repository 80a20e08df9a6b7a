// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// idle is the pace of an inspector that reads nothing but what is due at once.
var idle = pace{rate: 1 << 40, every: time.Hour}

// never keeps an inspector from reading more than one table.
var never = pace{rate: 1, every: time.Hour}

// tabled makes a closed queue with a table of each of some runs, all of them
// inspected, and returns its directory.
func tabled(t *testing.T, runs int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range runs {
		s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, pace: never})
		publish(t, s, fmt.Sprint(i), "erp")
		// Enough for some blocks.
		var marks []queue.Mark
		for n := range 300 {
			marks = append(marks, queue.Mark{Key: item(fmt.Sprintf("%x", n*n*7919+i))})
		}
		must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: marks}, true))
		must(t, s.Close())
	}
	// The last table was made after the others were read.
	must(t, mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, pace: never}).Close())
	if left := unread(t, dir); len(left) > 0 {
		t.Fatalf("tables %v are still to be read", left)
	}
	return dir
}

// unread returns the tables of a closed queue that the next start reads to their end.
func unread(t *testing.T, dir string) []uint64 {
	t.Helper()
	i, err := inspect(dir, trustedTables(dir))
	must(t, err)
	if len(i.Findings) > 0 {
		t.Fatalf("found %v", i.Findings)
	}
	var ids []uint64
	for id := range i.whole {
		if !i.trusted[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

func tables(t *testing.T, dir string) []string {
	t.Helper()
	names, err := logFiles(dir, "*.sst")
	must(t, err)
	return names
}

// rot changes a byte of a file as a failing disk does: no time says so.
func rot(t *testing.T, name string, at int64) {
	t.Helper()
	info, err := os.Stat(name)
	must(t, err)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	must(t, err)
	b[0] ^= 0x40
	_, err = f.WriteAt(b, at)
	must(t, errors.Join(err, f.Close()))
	must(t, os.Chtimes(name, time.Time{}, info.ModTime()))
}

// Tables that were read once are not read again by the next start, after a clean stop
// and after a crash; those that are new are.
func TestInspectedTablesAreNotReadAgain(t *testing.T) {
	dir := tabled(t, 2)
	first, err := inspect(dir, trustedTables(dir))
	must(t, err)
	all, err := Inspect(dir)
	must(t, err)
	if first.Bytes >= all.Bytes || first.Tables != all.Tables || first.LastBatch != all.LastBatch {
		t.Errorf("got %+v, and all is %+v", first, all)
	}

	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, pace: never})
	publish(t, s, "new", "erp")
	must(t, s.Close())
	if left := unread(t, dir); len(left) != 1 {
		t.Errorf("after a run with one new table, %v are to be read", left)
	}

	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, pace: never})
	eventually(t, func() bool { return len(readInspected(dir)) == len(tables(t, dir)) })
	crashed := image(t, dir)
	for _, name := range tables(t, dir) {
		info, err := os.Stat(name)
		must(t, err)
		must(t, os.Chtimes(filepath.Join(crashed, filepath.Base(name)), time.Time{}, info.ModTime()))
	}
	must(t, s.Close())
	if left := unread(t, crashed); len(left) > 0 {
		t.Errorf("after a crash, %v are to be read", left)
	}
}

// All tables are read where the file says nothing of them.
func TestAllTablesAreReadWithoutTheFile(t *testing.T) {
	pristine := tabled(t, 3)
	n := len(tables(t, pristine))
	other := tabled(t, 3)
	for _, test := range []struct {
		name   string
		change func(dir, file string) error
	}{
		{"missing", func(_, file string) error { return os.Remove(file) }},
		{"damaged", func(_, file string) error { rot(t, file, 9); return nil }},
		{"of another queue", func(_, file string) error {
			return os.Rename(filepath.Join(other, inspectedFile), file)
		}},
		{"of another version", func(_, file string) error {
			return os.WriteFile(file, append([]byte{inspectedVersion + 1}, someInspected.encode()[1:]...), 0o600)
		}},
		{"of tables that were touched since", func(dir, _ string) error {
			for _, name := range tables(t, dir) {
				if err := os.Chtimes(name, time.Time{}, time.Now()); err != nil {
					return err
				}
			}
			return nil
		}},
		{"and opening killed the last process", func(dir, _ string) error {
			return os.WriteFile(filepath.Join(dir, openingFile), nil, 0o600)
		}},
	} {
		dir := filepath.Join(t.TempDir(), "queue")
		must(t, os.CopyFS(dir, os.DirFS(pristine)))
		for _, name := range tables(t, pristine) {
			info, err := os.Stat(name)
			must(t, err)
			must(t, os.Chtimes(filepath.Join(dir, filepath.Base(name)), time.Time{}, info.ModTime()))
		}
		if left := unread(t, dir); len(left) > 0 {
			t.Fatalf("%s: before, %v are to be read", test.name, left)
		}
		must(t, test.change(dir, filepath.Join(dir, inspectedFile)))
		if left := unread(t, dir); len(left) != n {
			t.Errorf("%s: %d of %d tables are to be read", test.name, len(left), n)
		}
	}
}

// A table that takes the id of one that was read is another table.
func TestTableOfTheSameID(t *testing.T) {
	dir := tabled(t, 2)
	names := tables(t, dir)
	old, err := os.Stat(names[0])
	must(t, err)
	content, err := os.ReadFile(names[1])
	must(t, err)
	must(t, os.WriteFile(names[0], content, 0o600))
	must(t, os.Chtimes(names[0], time.Time{}, old.ModTime()))
	if left := unread(t, dir); len(left) != 1 {
		t.Errorf("%v are to be read", left)
	}
}

// A table that rots between two starts is found after the second, and everything is
// then as if it had been found while the queue was opened.
func TestRotBetweenStarts(t *testing.T) {
	dir := tabled(t, 2)
	rotten := tables(t, dir)[0]
	rot(t, rotten, 10)
	if all, err := Verify(dir); err != nil || len(all.Findings) != 1 {
		t.Errorf("Verify reads no table again: %+v, %v", all, err)
	}

	s, err := Open(Options{Dir: dir, FreeSpace: noReserve, pace: idle})
	must(t, err)
	eventually(t, func() bool { return s.Check() != nil })
	if err := s.Check(); !errors.Is(err, queue.ErrDisk) || !strings.Contains(err.Error(), filepath.Base(rotten)) {
		t.Errorf("Check: %v", err)
	}
	if err := s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: item("late")}}}, true); err == nil {
		t.Error("the queue takes more")
	}
	must(t, s.Close())
	if got := readInspected(dir); got != nil {
		t.Errorf("tables are still trusted: %v", got)
	}
	damage := new(DamageError)
	if _, err := Open(Options{Dir: dir, FreeSpace: noReserve}); !errors.As(err, &damage) || len(damage.Report.Findings) != 1 {
		t.Fatalf("opened again: %v", err)
	}
	if _, err := os.Stat(filepath.Join(damage.Report.Kept, filepath.Base(rotten))); err != nil {
		t.Error(err)
	}
}

// What Badger reads of a table when it opens it, in goroutines of its own, is read
// before also of tables that are trusted.
func TestRotThatBadgerReadsOnOpening(t *testing.T) {
	pristine := tabled(t, 2)
	size := int64(0)
	if info, err := os.Stat(tables(t, pristine)[0]); err == nil {
		size = info.Size()
	}
	// The last block, and the index with its lengths and checksums.
	for at := size / 2; at < size; at += size/60 + 1 {
		dir := filepath.Join(t.TempDir(), "queue")
		must(t, os.CopyFS(dir, os.DirFS(pristine)))
		for _, name := range tables(t, pristine) {
			info, err := os.Stat(name)
			must(t, err)
			must(t, os.Chtimes(filepath.Join(dir, filepath.Base(name)), time.Time{}, info.ModTime()))
		}
		rot(t, filepath.Join(dir, filepath.Base(tables(t, pristine)[0])), at)
		i, err := inspect(dir, trustedTables(dir))
		must(t, err)
		if len(i.Findings) > 0 {
			continue
		}
		// Badger opens it, and closes it.
		must(t, Probe(dir))
	}
}

// Damage that is met while the queue is open, or a disk that fails, has all tables
// read by the next start.
func TestDistrust(t *testing.T) {
	for name, harm := range map[string]func(s *Store){
		"a record":   func(s *Store) { s.damaged("delivery", errDamaged) },
		"its ground": func(s *Store) { _ = s.ground.fail(errors.New("input/output error")) },
	} {
		dir := tabled(t, 2)
		s, err := Open(Options{Dir: dir, FreeSpace: noReserve, pace: idle})
		must(t, err)
		harm(s)
		if _, err := os.Stat(filepath.Join(dir, inspectedFile)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the file is still there: %v", name, err)
		}
		must(t, s.Close())
		if got := readInspected(dir); got != nil {
			t.Errorf("%s: closing writes %v", name, got)
		}
	}
}

// Tables that Badger makes while the queue is open are read when they are old enough,
// and tables that are gone are forgotten.
func TestNewTablesAreInspected(t *testing.T) {
	dir := tabled(t, 1)
	g := &ground{dir: dir, bound: dir}
	inspection, err := inspect(dir, trustedTables(dir))
	must(t, err)
	options := Options{pace: idle}.withDefaults()
	n := newInspector(g, options, inspection)
	if !n.round() || len(n.trusted) > 0 || len(n.known) != 1 {
		t.Errorf("after a round: %+v", n)
	}
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, pace: never})
	publish(t, s, "new", "erp")
	must(t, s.Close())
	if n.round(); len(n.known) != 1 {
		t.Errorf("a young table is read: %+v", n.known)
	}
	names := tables(t, dir)
	must(t, os.Chtimes(names[len(names)-1], time.Time{}, time.Now().Add(-2*time.Hour)))
	if n.round(); len(n.known) != 2 || !maps.Equal(n.known, readInspected(dir)) {
		t.Errorf("got %+v, written %+v", n.known, readInspected(dir))
	}
	n.forget(map[uint64]badgerdb.TableManifest{})
	if len(n.known) != 0 {
		t.Errorf("got %+v", n.known)
	}
}

// A table that Badger deletes while it is read is no damage.
func TestDeletedTableIsNoDamage(t *testing.T) {
	dir := tabled(t, 2)
	g := &ground{dir: dir, bound: dir}
	inspection, err := inspect(dir, nil)
	must(t, err)
	n := newInspector(g, Options{pace: idle}.withDefaults(), inspection)
	const gone = 999
	must(t, os.WriteFile(table.NewFilename(gone, dir), nil, 0o600))
	if size, err := n.inspect(gone, badgerdb.TableManifest{}); err != nil || size != 0 || g.failure() != nil {
		t.Errorf("cut: got %d, %v", size, err)
	}
	must(t, os.Remove(table.NewFilename(gone, dir)))
	if _, err := n.inspect(gone, badgerdb.TableManifest{}); err != nil {
		t.Errorf("deleted: %v", err)
	}
	// One that the manifest names is.
	name := tables(t, dir)[0]
	id, _ := table.ParseFileID(filepath.Base(name))
	must(t, os.Remove(name))
	if _, err := n.inspect(id, badgerdb.TableManifest{}); err == nil {
		t.Error("a table that is missing is no damage")
	}
}

// Those that Badger compacts first come first, and those that an earlier process has
// read before those that no process has.
func TestOrderOfInspection(t *testing.T) {
	dir := t.TempDir()
	tables := make(map[uint64]badgerdb.TableManifest)
	for id, level := range map[uint64]uint8{1: 6, 2: 0, 3: 5, 4: 0, 5: 0} {
		tables[id] = badgerdb.TableManifest{Level: level}
		must(t, os.WriteFile(table.NewFilename(id, dir), nil, 0o600))
		must(t, os.Chtimes(table.NewFilename(id, dir), time.Time{}, time.Unix(1, 0)))
	}
	n := &inspector{dir: dir, pace: idle, known: inspectedTables{1: {}, 3: {}, 4: {}, 5: {}}, trusted: map[uint64]bool{1: true, 3: true, 4: true}}
	if got := fmt.Sprint(n.due(tables)); got != "[4 3 1 2]" {
		t.Errorf("got %v", got)
	}
}
