// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

var rounds = flag.Uint64("rounds", 2, "how many damages TestDamage makes of each of 8 kinds of files of 3 installations")

// installation is a queue that is not open: its files, and all that can be seen
// of it when it is opened.
type installation struct {
	name  string
	files map[string][]byte
	want  string
}

// logSize is the size of logs; most of that is zeros.
const logSize = 2 * memTableSize

// load reads the files of a directory.
func load(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		if entry.IsDir() || entry.Name() == reserveFile || entry.Name() == penFile {
			continue
		}
		files[entry.Name()], err = readLog(filepath.Join(dir, entry.Name()))
		must(t, err)
	}
	return files
}

// store writes files into a new directory.
func store(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		must(t, os.WriteFile(file, content, 0o600))
		if len(content) == 1<<20 && strings.HasSuffix(name, ".mem") {
			must(t, os.Truncate(file, logSize))
		}
	}
	return dir
}

// noReserve keeps tests from filling the disk.
var noReserve = func(string) (free, total uint64, err error) { return 512 << 20, 1 << 40, nil }

// installations returns queues in all states in which a process can leave one. They are
// made once; a test may change what it gets.
func installations(t *testing.T) []installation {
	t.Helper()
	made.Do(func() { madeInstallations = makeInstallations(t) })
	all := slices.Clone(madeInstallations)
	if len(all) == 0 {
		t.Fatal("making the installations has failed before")
	}
	for i := range all {
		all[i].files = maps.Clone(all[i].files)
	}
	return all
}

var (
	made              sync.Once
	madeInstallations []installation
)

func makeInstallations(t *testing.T) []installation {
	t.Helper()
	var all []installation
	add := func(name, dir string) {
		files := load(t, dir)
		delete(files, lockFile)
		s := mustOpen(t, Options{Dir: store(t, files), FreeSpace: noReserve})
		all = append(all, installation{name: name, files: files, want: dump(t, s)})
		must(t, s.Close())
	}
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	populate(t, s)
	add("killed", image(t, dir))
	must(t, s.Close())
	add("closed", dir)
	// Tables of several runs, and a log behind them.
	for i := range 3 {
		s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
		publish(t, s, fmt.Sprint(200+i), "erp")
		if i == 2 {
			add("closed, and killed", image(t, dir))
		}
		must(t, s.Close())
	}
	return all
}

// fileKinds are the kinds of files. Each is damaged as often as the others.
var fileKinds = []string{".sst", ".mem", ".vlog", "MANIFEST", "KEYREGISTRY", "DISCARD", acknowledgedFile, inspectedFile}

// damageSome changes some bytes in the used part of a file of a kind, and says
// where.
func damageSome(random *rand.Rand, files map[string][]byte, kind string) string {
	var names []string
	for name, content := range files {
		if strings.HasSuffix(name, kind) && len(content) > 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	name := names[random.IntN(len(names))]
	content := slices.Clone(files[name])
	used := len(strings.TrimRight(string(content), "\x00"))
	switch random.IntN(8) {
	case 0:
		// A file that was cut.
		files[name] = content[:random.IntN(used+1)]
		return fmt.Sprintf("%s: cut to %d bytes", name, len(files[name]))
	case 1:
		// A block that was not written.
		at := random.IntN(used + 1)
		end := min(at+512, len(content))
		clear(content[at:end])
		files[name] = content
		return fmt.Sprintf("%s: %d zeros at %d", name, end-at, at)
	}
	at, n := random.IntN(used+16), 1+random.IntN(8)
	for i := range n {
		if at+i < len(content) {
			content[at+i] ^= byte(1 + random.IntN(255))
		}
	}
	files[name] = content
	return fmt.Sprintf("%s: %d bytes of %d at %d", name, n, used, at)
}

// Bytes are flipped in every kind of file. The process always lives; and either
// nothing is lost, or the loss is reported and all files are kept unchanged.
func TestDamage(t *testing.T) {
	outcomes := make(map[string]int)
	for _, in := range installations(t) {
		for _, kind := range fileKinds {
			for seed := range *rounds {
				random := rand.New(rand.NewPCG(seed, uint64(len(kind))))
				files := make(map[string][]byte, len(in.files))
				for name, content := range in.files {
					files[name] = content
				}
				place := damageSome(random, files, kind)
				if place == "" {
					continue
				}
				outcome := openDamaged(t, store(t, files), files, in.want, in.name+", "+place)
				outcomes[kind+" "+outcome]++
			}
		}
	}
	t.Log(outcomes)
	for _, kind := range []string{".sst", ".mem", "MANIFEST"} {
		if outcomes[kind+" set aside"] == 0 {
			t.Errorf("no damage of %s was found", kind)
		}
	}
}

func openDamaged(t *testing.T, dir string, files map[string][]byte, want, place string) string {
	t.Helper()
	s, err := Open(Options{Dir: dir, FreeSpace: noReserve})
	if err == nil {
		got := dump(t, s)
		must(t, s.Close())
		if got != want {
			t.Errorf("%s: opens without a word, and has\n%s\ninstead of\n%s", place, got, want)
		}
		return "no loss"
	}
	var damage *DamageError
	if !errors.As(err, &damage) || len(damage.Report.Findings) == 0 {
		t.Errorf("%s: %v", place, err)
		return "error"
	}
	for name, content := range load(t, damage.Report.Kept) {
		if string(content) != string(files[name]) {
			t.Errorf("%s: of what was set aside, %s is not as it was", place, name)
		}
	}
	// The next start must not begin with an empty queue.
	if _, err := Open(Options{Dir: dir, FreeSpace: noReserve}); !errors.Is(err, ErrDamaged) {
		t.Errorf("%s: opened again: %v", place, err)
	}
	return "set aside"
}

// Files that are missing are damage, too.
func TestMissingFiles(t *testing.T) {
	for _, in := range installations(t) {
		for name := range in.files {
			switch name {
			case acknowledgedFile, inspectedFile, "DISCARD", "KEYREGISTRY":
				continue // they hold nothing that is needed
			}
			if strings.HasSuffix(name, ".vlog") || strings.HasSuffix(name, ".mem") && len(strings.Trim(string(in.files[name][logHeader:]), "\x00")) == 0 {
				continue
			}
			files := make(map[string][]byte, len(in.files))
			for name, content := range in.files {
				files[name] = content
			}
			delete(files, name)
			if _, err := Open(Options{Dir: store(t, files), FreeSpace: noReserve}); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, without %s: %v", in.name, name, err)
			}
		}
	}
}

// The torn end that a kill leaves is not damage.
func TestTornLog(t *testing.T) {
	all := installations(t)
	in := all[0]
	var name string
	for file := range in.files {
		if strings.HasSuffix(file, ".mem") {
			name = file
		}
	}
	_, end := scanLog(in.files[name])
	random := rand.New(rand.NewPCG(1, 1))
	for n := 0; n < 40; n += 3 {
		log := slices.Clone(in.files[name])
		for i := range n {
			log[end+i] = byte(random.Uint32())
		}
		files := map[string][]byte{}
		for file, content := range in.files {
			files[file] = content
		}
		files[name] = log
		s, err := Open(Options{Dir: store(t, files), FreeSpace: noReserve})
		if err != nil {
			t.Errorf("%d bytes: %v", n, err)
			continue
		}
		if got := dump(t, s); got != in.want {
			t.Errorf("%d bytes: got\n%s", n, got)
		}
		must(t, s.Close())
	}
}

// A kill between the making of a table and the deletion of its log leaves
// both, and nothing is lost.
func TestLogOfATable(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	populate(t, s)
	logs := load(t, image(t, dir))
	must(t, s.Close())
	files := load(t, dir)
	for name, log := range logs {
		if strings.HasSuffix(name, ".mem") {
			files[name] = log
		}
	}
	delete(files, lockFile)
	s = mustOpen(t, Options{Dir: store(t, files), FreeSpace: noReserve})
	if got := s.Lost(); got != 0 {
		t.Errorf("%d batches are lost", got)
	}
	markItem(t, s, "after")
	must(t, s.Close())
	inspection, err := Inspect(dir)
	if err != nil || len(inspection.Findings)+len(inspection.Notes) > 0 {
		t.Errorf("got %+v, %v", inspection, err)
	}
}

// Where opening the queue has killed a process, another has to try first.
func TestProbe(t *testing.T) {
	in := installations(t)[1]
	in.files[openingFile] = nil
	dir := store(t, in.files)
	probed := ""
	deadly := func(dir string, lock *os.File) error {
		probed = dir
		if other, ok := lockDir(dir); ok || lock == nil {
			t.Errorf("while it is probed: the lock is %v, and another %v, %v", lock, other, ok)
		}
		return errors.New("signal: bus error")
	}
	_, err := Open(Options{Dir: dir, FreeSpace: noReserve, Probe: func(string, *os.File) error {
		return fmt.Errorf("%w: fork: out of memory", ErrNotProbed)
	}})
	if kept, _ := SetAside(dir); !errors.Is(err, ErrNotProbed) || len(kept) > 0 {
		t.Errorf("not probed: %v; set aside: %v", err, kept)
	}
	_, err = Open(Options{Dir: dir, FreeSpace: noReserve, Probe: deadly})
	var damage *DamageError
	if !errors.As(err, &damage) || probed != dir || !strings.Contains(err.Error(), "bus error") {
		t.Fatalf("got %v", err)
	}
	kept, err := SetAside(dir)
	if err != nil || len(kept) != 1 || kept[0] != damage.Report.Kept {
		t.Errorf("kept in %v, %v", kept, err)
	}

	// The note of another process that opens the queue does not count.
	delete(in.files, openingFile)
	must(t, mustOpen(t, Options{Dir: store(t, in.files), FreeSpace: noReserve, Probe: deadly}).Close())

	in.files[openingFile] = nil
	dir = store(t, in.files)
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, Probe: func(dir string, _ *os.File) error { return Probe(dir) }})
	if got := dump(t, s); got != in.want {
		t.Errorf("got\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, openingFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the queue is open, and the note that it is being opened: %v", err)
	}
}

// While Badger opens the queue there is a note of it, for the next process if
// this one dies of it.
func TestOpeningIsNoted(t *testing.T) {
	dir := t.TempDir()
	must(t, mustOpen(t, Options{Dir: dir, FreeSpace: noReserve}).Close())
	noted := false
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(io.Discard), zapcore.DebugLevel),
		zap.Hooks(func(zapcore.Entry) error {
			_, err := os.Stat(filepath.Join(dir, openingFile))
			noted = noted || err == nil
			return nil
		}))
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, Logger: logger})
	if !noted {
		t.Error("nothing was noted when Badger had something to say")
	}
	if _, err := os.Stat(filepath.Join(dir, openingFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the queue is open, and the note is still there: %v", err)
	}
	must(t, s.Close())
}

// A power cut may take what `durability process` has not synced; the number of
// lost batches is reported.
func TestLostUnsynced(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, Durability: queue.Process})
	markItem(t, s, "1", "2", "3")
	files := load(t, image(t, dir))
	for name, log := range files {
		if !strings.HasSuffix(name, ".mem") {
			continue
		}
		_, end := scanLog(log)
		clear(log[end-20:])
	}
	s = mustOpen(t, Options{Dir: store(t, files), FreeSpace: noReserve, Durability: queue.Process})
	if got := s.Lost(); got != 1 {
		t.Errorf("%d batches are lost, want 1", got)
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Marks != 2 {
		t.Errorf("got %+v, %v", stats, err)
	}
}

// Numbers of batches go on over logs, over tables, and after a batch that
// failed.
func TestBatchNumbers(t *testing.T) {
	dir := t.TempDir()
	for run := range 3 {
		s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
		markItem(t, s, "1", "2")
		commit := s.committer.commitTxn
		s.committer.commitTxn = func(*batch) error { return errors.New("no") }
		if err := s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: item("3")}}}, true); err == nil {
			t.Error("the batch did not fail")
		}
		s.committer.commitTxn = commit
		markItem(t, s, "3")
		must(t, s.Close())
		inspection, err := Inspect(dir)
		must(t, err)
		want := uint64(3 * (run + 1))
		if inspection.LastBatch != want || inspection.Acknowledged != want || len(inspection.Findings) > 0 {
			t.Errorf("run %d: got %+v, want batch %d", run, inspection, want)
		}
	}
}

func TestSpace(t *testing.T) {
	small := spaceOf(queue.Space{}, 1<<30)
	large := spaceOf(queue.Space{}, 1<<40)
	for _, s := range []queue.Space{small, large} {
		if err := s.Check(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if large.Low != defaultLow || large.Critical != defaultCritical || large.Reserve != defaultReserve {
		t.Errorf("got %+v", large)
	}
	for _, test := range []struct {
		free   uint64
		before queue.SpaceLevel
		want   queue.SpaceLevel
	}{
		{2 << 30, queue.SpaceEnough, queue.SpaceEnough},
		{defaultLow, queue.SpaceEnough, queue.SpaceEnough},
		{defaultLow - 1, queue.SpaceEnough, queue.SpaceLow},
		{defaultLow, queue.SpaceLow, queue.SpaceLow},
		{defaultLow + defaultLow/10, queue.SpaceLow, queue.SpaceEnough},
		{defaultCritical, queue.SpaceLow, queue.SpaceLow},
		{defaultCritical - 1, queue.SpaceEnough, queue.SpaceCritical},
		{0, queue.SpaceEnough, queue.SpaceCritical},
	} {
		if got := levelOf(large, test.free, test.before); got != test.want {
			t.Errorf("%d bytes after %v: %v, want %v", test.free, test.before, got, test.want)
		}
	}
	for _, bad := range []queue.Space{{Critical: 1}, {Low: 1 << 20}, {Low: 1 << 30, Critical: 1 << 30}} {
		if bad.Check() == nil {
			t.Errorf("%+v fits together", bad)
		}
	}
}

// A queue whose disk is full takes nothing more, closes, and opens again when
// there is room.
func TestFull(t *testing.T) {
	var free uint64 = 1 << 40
	options := Options{Dir: t.TempDir(), FreeSpace: func(string) (uint64, uint64, error) { return free, 1 << 40, nil }}
	options.Space.Reserve = 1 << 20
	s := mustOpen(t, options)
	if reserved(options.Dir) != 1<<20 {
		t.Error("there is no reserve")
	}
	markItem(t, s, "1")
	free = defaultLow - 1
	if got := s.CheckSpace(); got != queue.SpaceLow {
		t.Errorf("the free space is %v", got)
	}
	markItem(t, s, "2")
	free = defaultCritical - 1
	err := s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: item("3")}}}, true)
	// The results of more work could not be recorded.
	if _, err := s.LeaseMark(t.Context(), "items", time.Hour); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("work is given out on a full disk: %v", err)
	}
	if !errors.Is(err, queue.ErrFull) || s.CheckSpace() != queue.SpaceCritical {
		t.Errorf("got %v and %v", err, s.CheckSpace())
	}
	must(t, s.Close())
	free = 1 << 20
	if enough, _, _ := Room(options); enough {
		t.Error("there is room on a full disk")
	}
	if _, err := Open(options); !errors.Is(err, queue.ErrFull) || queue.Misconfigured(err) {
		t.Errorf("opens on a full disk: %v", err)
	}
	// With its reserve, there is just enough.
	free = defaultCritical - 1
	s = mustOpen(t, options)
	if reserved(options.Dir) != 0 {
		t.Error("the reserve is still held")
	}
	must(t, s.Close())
	free = 1 << 40
	if enough, _, _ := Room(options); !enough {
		t.Error("there is no room on an empty disk")
	}
	s = mustOpen(t, options)
	markItem(t, s, "3")
	if stats, err := s.Stats(t.Context()); err != nil || stats.Marks != 3 {
		t.Errorf("got %+v, %v", stats, err)
	}
	if got := s.CheckSpace(); got != queue.SpaceEnough {
		t.Errorf("the free space is %v", got)
	}
}

func TestReportSurvives(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, reportFile), []byte("{"), 0o600))
	if _, err := Open(Options{Dir: dir, FreeSpace: noReserve}); !errors.Is(err, ErrDamaged) {
		t.Errorf("with a damaged report: %v", err)
	}
}
