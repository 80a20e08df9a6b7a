// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

var (
	at    = time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	key   = event.Key{Resource: "items", ID: "42"}
	cause = event.Cause{
		Rule: "PATCH /items/:id", Outcome: event.OutcomeChanged, At: at,
		Method: "PATCH", Path: "/items/42", Resource: "carts", TraceParent: "00-a-b-01", Hops: "c:1",
	}
)

func noted(id queue.IntentID) queue.Intent {
	return queue.Intent{
		ID: id, Resource: "items", Kind: event.KindUpdate, Rule: "PATCH /items/:id", Key: key, Noted: at, Deadline: at.Add(time.Minute),
		Callback: []byte("sealed"), Touches: []event.Key{{Resource: "users", ID: "u1"}}, Hops: "c:1",
	}
}

// lossyDisk is a file that loses what is not synced when the power goes.
type lossyDisk struct {
	mu              sync.Mutex
	content, synced []byte
	fails           error
}

func (d *lossyDisk) ReadAt(p []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at >= int64(len(d.content)) {
		return 0, io.EOF
	}
	n := copy(p, d.content[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *lossyDisk) WriteAt(p []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails != nil {
		return 0, d.fails
	}
	if more := int(at) + len(p) - len(d.content); more > 0 {
		d.content = append(d.content, make([]byte, more)...)
	}
	return copy(d.content[at:], p), nil
}

func (d *lossyDisk) Truncate(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.content = d.content[:size]
	return nil
}

func (d *lossyDisk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.synced = slices.Clone(d.content)
	return nil
}

func (*lossyDisk) Close() error { return nil }

// crash returns the disk that the next process finds.
func (d *lossyDisk) crash(durability queue.Durability) *lossyDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := d.content
	if durability == queue.Power {
		left = d.synced
	}
	return &lossyDisk{content: slices.Clone(left), synced: slices.Clone(left)}
}

// reopenJournal opens the journal of a disk.
func reopenJournal(t fataler, d *lossyDisk, durability queue.Durability) *Journal {
	t.Helper()
	file := newFile(d, durability)
	left, err := file.read()
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return newJournal(file, left)
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// newLossyJournal returns a Journal on a new disk.
func newLossyJournal(t fataler, durability queue.Durability) (*Journal, *lossyDisk) {
	t.Helper()
	d := new(lossyDisk)
	file := newFile(d, durability)
	if err := file.acknowledge(0); err != nil {
		t.Fatalf("%v", err)
	}
	_ = d.Sync()
	return newJournal(file, nil), d
}

// refusing is a queue that fails now and then.
type refusing struct {
	queue.Store
	refuses func() bool
}

var errRefused = errors.New("refused")

func (r refusing) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	if r.refuses() {
		return 0, errRefused
	}
	id, err := r.Store.NoteIntent(ctx, intent)
	if err == nil && r.refuses() {
		// As if the caller had left before the disk answered.
		return id, context.DeadlineExceeded
	}
	return id, err
}

func (r refusing) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) error {
	if len(resolution.Marks) > 0 && r.refuses() {
		return errRefused
	}
	return r.Store.ResolveIntent(ctx, id, resolution, durable)
}

// journalModel is what must become of a journal's entries.
type journalModel struct {
	journal    *Journal
	disk       *lossyDisk
	durability queue.Durability
	store      queue.Store
	next       int

	// running has the exchanges under way, by number: the id of each one's
	// object. left has those that a crash has interrupted.
	running    map[queue.IntentID]string
	left       []string
	marked     []string
	unresolved []string
	// maybe has those whose resolution a crash may have lost.
	maybe []string
}

func (m *journalModel) note(t *rapid.T) {
	m.next++
	id := fmt.Sprint(m.next)
	intent := queue.Intent{Resource: "items", Kind: event.KindUpdate, Rule: id, Noted: at}
	number, err := m.journal.NoteIntent(t.Context(), intent)
	if errors.Is(err, ErrHandedOver) {
		t.Skip("handed over")
	}
	if err != nil || !Holds(number) {
		t.Fatalf("noting: %d, %v", number, err)
	}
	m.running[number] = id
}

func (m *journalModel) resolve(t *rapid.T) {
	if len(m.running) == 0 {
		t.Skip("nothing is under way")
	}
	numbers := make([]queue.IntentID, 0, len(m.running))
	for number := range m.running {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	number := rapid.SampledFrom(numbers).Draw(t, "exchange")
	id := m.running[number]
	delete(m.running, number)
	var resolution queue.Resolution
	durable := rapid.Bool().Draw(t, "durable")
	switch rapid.IntRange(0, 2).Draw(t, "outcome") {
	case 0:
		resolution.Marks = []queue.Mark{{Key: event.Key{Resource: "items", ID: id}, Hints: queue.HintUpdated, Callback: []byte("sealed")}}
	case 1:
		resolution.Unresolved = id
	}
	moved, err := m.journal.ResolveIntent(t.Context(), number, resolution, durable)
	if err != nil {
		t.Fatalf("resolving: %v", err)
	}
	if moved != 0 {
		if err := m.store.ResolveIntent(t.Context(), moved, resolution, durable); err != nil {
			t.Fatalf("%v", err)
		}
		durable = true // it is the queue's now
	}
	switch {
	case !durable:
		m.maybe = append(m.maybe, id)
	case resolution.Marks != nil:
		m.marked = append(m.marked, id)
	case resolution.Unresolved != "":
		m.unresolved = append(m.unresolved, id)
	}
}

// crash loses the memory, and of the disk what was not synced.
func (m *journalModel) crash(t *rapid.T) {
	for _, number := range sortedKeys(m.running) {
		m.left = append(m.left, m.running[number])
		if one := m.journal.entries[number]; one.moved != 0 {
			// The queue takes it for abandoned when it is opened.
			one.Abandoned = true
			if err := m.store.ResolveIntent(t.Context(), one.moved, queue.Resolution{}, true); err != nil {
				t.Fatalf("%v", err)
			}
			if _, err := m.store.NoteIntent(t.Context(), one.Intent); err != nil {
				t.Fatalf("%v", err)
			}
		}
	}
	clear(m.running)
	m.disk = m.disk.crash(m.durability)
	m.journal = reopenJournal(t, m.disk, m.durability)
}

// drain gives the queue what there is; the journal goes on.
func (m *journalModel) drain(t *rapid.T) {
	if err := m.journal.Drain(t.Context(), m.store); err != nil {
		t.Fatalf("draining: %v", err)
	}
	if n := m.journal.Waiting(); n != len(m.running) {
		t.Fatalf("%d exchanges wait still, and %d are under way", n, len(m.running))
	}
	m.flush(t)
}

// flush waits until the file says what the queue has. Nobody else waits for
// that: after a crash before it, the queue gets some entries again.
func (m *journalModel) flush(t *rapid.T) {
	if err := m.journal.file.writer.Flush(t.Context()); err != nil {
		t.Fatalf("%v", err)
	}
}

// handOver gives the queue all entries, with failures in between, after which
// an entry may be given again.
func (m *journalModel) handOver(t *rapid.T) {
	failures := rapid.Uint8().Draw(t, "failures") // one bit for each chance
	var mu sync.Mutex
	q := refusing{m.store, func() bool {
		mu.Lock()
		defer mu.Unlock()
		fails := failures & 1
		failures >>= 1
		return fails == 1
	}}
	for err := errRefused; err != nil; {
		if rapid.IntRange(0, 3).Draw(t, "crash") == 0 {
			m.flush(t)
			m.crash(t)
		}
		if err = m.journal.HandOver(t.Context(), q); err != nil && !errors.Is(err, errRefused) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("handing over: %v", err)
		}
	}
	if n := m.journal.Waiting(); n != 0 {
		t.Fatalf("%d exchanges wait still", n)
	}
	if len(m.disk.content) != headerSize {
		t.Fatalf("the file has %d bytes", len(m.disk.content))
	}
}

func sortedKeys(m map[queue.IntentID]string) []queue.IntentID {
	keys := make([]queue.IntentID, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// check compares the content of the queue with the model.
func (m *journalModel) check(t *rapid.T) {
	got := make(map[string][]string) // what became of each exchange
	stats, err := m.store.Stats(t.Context())
	if err != nil {
		t.Fatalf("%v", err)
	}
	for range stats.Marks {
		lease, err := m.store.LeaseMark(t.Context(), "items", time.Hour)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if lease.Hints != queue.HintUpdated || lease.Callback == nil || string(lease.Callback.Sealed) != "sealed" {
			t.Fatalf("the mark of %s is %+v", lease.Key, lease)
		}
		got[lease.Key.ID] = append(got[lease.Key.ID], "marked")
	}
	kept, _, err := m.store.Unresolved(t.Context(), queue.Page{Limit: 1000})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, one := range kept {
		if one.Reason != one.Rule {
			t.Fatalf("%+v", one)
		}
		got[one.Rule] = append(got[one.Rule], "unresolved")
	}
	stale, err := m.store.StaleIntents(t.Context(), 1000)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, one := range stale {
		got[one.Rule] = append(got[one.Rule], "left")
	}
	for what, ids := range map[string][]string{"marked": m.marked, "unresolved": m.unresolved, "left": m.left} {
		for _, id := range ids {
			if !slices.Equal(got[id], []string{what}) {
				t.Fatalf("%s is %v, want %s, once", id, got[id], what)
			}
			delete(got, id)
		}
	}
	for _, id := range m.maybe {
		delete(got, id)
	}
	if len(got) > 0 {
		t.Fatalf("the queue has more: %v", got)
	}
}

// Whatever a journal has acknowledged ends in the queue, over crashes and power
// cuts, and with a queue that fails now and then.
func TestJournal(t *testing.T) {
	for _, durability := range []queue.Durability{queue.Power, queue.Process} {
		t.Run(durability.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := &journalModel{durability: durability, store: memory.New(time.Now), running: make(map[queue.IntentID]string)}
				defer m.store.Close()
				m.journal, m.disk = newLossyJournal(t, durability)
				t.Repeat(map[string]func(*rapid.T){
					"note": m.note, "resolve": m.resolve, "resolve another": m.resolve, "crash": m.crash, "drain": m.drain,
				})
				m.handOver(t)
				for len(m.running) > 0 {
					m.resolve(t)
				}
				m.check(t)
			})
		})
	}
}

// Damage is reported wherever it is, and the entries before it are kept.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	if err := Check(dir); err != nil {
		t.Errorf("without a file: %v", err)
	}
	j, err := Open(dir, queue.Process)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		id, err := j.NoteIntent(t.Context(), noted(0))
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			if _, err := j.ResolveIntent(t.Context(), id, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(j.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, queue.JournalFile)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := decode(whole)
	if err != nil || len(all) != 3 || all[numberBit|2].resolution == nil {
		t.Fatalf("%+v, %v", all, err)
	}
	// Half-written bytes behind the end were never acknowledged.
	if torn, _, err := decode(append(slices.Clone(whole), 'I', 0, 0)); err != nil || len(torn) != 3 {
		t.Errorf("torn: %+v, %v", torn, err)
	}
	damaged := [][]byte{nil}
	for at := range whole {
		damaged = append(damaged, whole[:at])
		for _, bits := range []byte{1, 0x80, 0xff} {
			flipped := slices.Clone(whole)
			flipped[at] ^= bits
			damaged = append(damaged, flipped)
		}
	}
	for _, content := range damaged {
		left, good, err := decode(content)
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, queue.ErrNewerFormat) {
			t.Fatalf("%d bytes of %d: %v", len(content), len(whole), err)
		}
		for id, one := range left {
			// The last may have lost its resolution.
			if all[id] == nil || !reflect.DeepEqual(one.Intent, all[id].Intent) {
				t.Fatalf("%+v, want %+v", one, all[id])
			}
		}
		if good < 0 || good > int64(len(content)) {
			t.Fatalf("%d good bytes", good)
		}
	}
	// The journal works, and has the entries before the damage.
	whole[len(whole)-1] ^= 1
	if err := os.WriteFile(name, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("checked: %v", err)
	}
	j, err = Open(dir, queue.Power)
	if !errors.Is(err, ErrDamaged) || j == nil || j.Waiting() != 2 || !strings.Contains(err.Error(), name) {
		t.Fatalf("%+v, %v", j, err)
	}
	if _, err := j.NoteIntent(t.Context(), noted(0)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, queue.Power)
	if err != nil || again.Waiting() != 3 {
		t.Fatalf("%+v, %v", again, err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLimits(t *testing.T) {
	j, disk := newLossyJournal(t, queue.Process)
	large := noted(0)
	large.Callback = make([]byte, queue.MaxCallback+1)
	if _, err := j.NoteIntent(t.Context(), large); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("a large callback: %v", err)
	}
	large.Callback, large.Touches = nil, []event.Key{{Resource: "items", ID: strings.Repeat("x", queue.MaxIntent)}}
	if _, err := j.NoteIntent(t.Context(), large); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("a large intent: %v", err)
	}
	large.Touches[0].ID = strings.Repeat("x", 1<<20)
	var ids []queue.IntentID
	for {
		id, err := j.NoteIntent(t.Context(), large)
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil || len(disk.content) > maxNotes+headerSize {
			t.Fatalf("%v, with %d bytes", err, len(disk.content))
		}
		ids = append(ids, id)
	}
	// A resolution has room where its intent had, and is known even without.
	resolution := queue.Resolution{Marks: []queue.Mark{{Key: large.Touches[0]}, {Key: large.Touches[0]}}}
	full := 0
	for n, id := range ids {
		_, err := j.ResolveIntent(t.Context(), id, resolution, true)
		if n == 0 && err != nil {
			t.Fatal(err)
		}
		if errors.Is(err, ErrFull) {
			full++
		}
	}
	if full == 0 || len(disk.content) > maxBytes+headerSize {
		t.Errorf("%d had no room, with %d bytes", full, len(disk.content))
	}
	for _, one := range j.entries {
		if one.resolution == nil {
			t.Error("a resolution was lost")
		}
	}

	j, _ = newLossyJournal(t, queue.Process)
	for range maxEntries {
		j.entries[queue.IntentID(len(j.entries))] = new(entry)
	}
	if _, err := j.NoteIntent(t.Context(), noted(0)); !errors.Is(err, ErrFull) {
		t.Errorf("too many: %v", err)
	}
}

// A journal that is handed over can be told to go on, with all of its room. Its file has what
// comes then, and nothing of before.
func TestResume(t *testing.T) {
	store := memory.New(time.Now)
	defer store.Close()
	j, disk := newLossyJournal(t, queue.Power)
	large := noted(0)
	large.Touches = []event.Key{{Resource: "items", ID: strings.Repeat("x", 1<<20)}}
	for range 2 {
		if !j.Resume() {
			t.Fatal("it does not go on")
		}
		n := 0
		for ; ; n++ {
			if _, err := j.NoteIntent(t.Context(), large); errors.Is(err, ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if left, _, err := decode(disk.content); err != nil || len(left) != n || n < maxNotes/(2<<20) {
			t.Errorf("%d of %d are in the file, %v", len(left), n, err)
		}
		if err := j.HandOver(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		if _, err := j.NoteIntent(t.Context(), noted(0)); !errors.Is(err, ErrHandedOver) {
			t.Errorf("got %v", err)
		}
	}
	// While the file is being emptied, nothing may be appended.
	j.mu.Lock()
	j.emptied = false
	j.mu.Unlock()
	if j.Resume() {
		t.Error("it goes on too early")
	}
}

// After an error of the disk nothing is durable any more.
func TestDiskFails(t *testing.T) {
	j, disk := newLossyJournal(t, queue.Power)
	first, err := j.NoteIntent(t.Context(), noted(0))
	if err != nil {
		t.Fatal(err)
	}
	disk.mu.Lock()
	disk.fails = errRefused
	disk.mu.Unlock()
	if _, err := j.ResolveIntent(t.Context(), first, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); !errors.Is(err, errRefused) {
		t.Errorf("resolving: %v", err)
	}
	disk.mu.Lock()
	disk.fails = nil
	disk.mu.Unlock()
	if second, err := j.NoteIntent(t.Context(), noted(0)); second == 0 || !errors.Is(err, errRefused) {
		t.Errorf("noting: %d, %v", second, err)
	}
	if left := reopenJournal(t, disk.crash(queue.Power), queue.Power); left.Waiting() != 1 || !left.entries[first].Abandoned {
		t.Errorf("%+v is left", left.entries)
	}
}

var goldenFile = []struct{ name, golden string }{
	{"header", "4357514901000000000000010b7d730548"},
	{"intent", "49000000558000000000000007040100056974656d7306757064617465105041544348202f6974656d732f3a6964056974656d73023432bfe9e689ee0108fbe9e689ee0108067365616c65640105757365727302753103633a3113dbb069"},
	{"resolution", "520000006f800000000000000701056e6f20696401056974656d7302343214027631105041544348202f6974656d732f3a6964076368616e676564bfe9e689ee0108055041544348092f6974656d732f34320563617274730930302d612d622d303103633a31bfe9e689ee0108067365616c656470916f88"},
	{"handed", "480000000880000000000000076bc26529"},
}

func TestGoldenFile(t *testing.T) {
	intent := noted(numberBit | 7)
	resolution := queue.Resolution{Unresolved: "no id", Marks: []queue.Mark{{
		Key: key, Hints: queue.HintUpdated | queue.HintMayBeDeleted, Version: "v1", Cause: cause, SettleAt: at, Callback: []byte("sealed"),
	}}}
	encoded := [][]byte{
		appendHeader(nil, 267), appendIntent(nil, &intent), appendResolution(nil, intent.ID, &resolution),
		appendHanded(nil, []*entry{{Intent: intent}}),
	}
	for n, one := range goldenFile {
		if got := hex.EncodeToString(encoded[n]); got != one.golden {
			t.Errorf("%s is encoded as\n%s, want\n%s", one.name, got, one.golden)
		}
	}
	left, _, err := decode(append(appendHeader(nil, int64(len(encoded[1])+len(encoded[2]))), append(encoded[1], encoded[2]...)...))
	if err != nil || len(left) != 1 || !reflect.DeepEqual(left[intent.ID].Intent, intent) || !reflect.DeepEqual(*left[intent.ID].resolution, resolution) {
		t.Errorf("decoded as %+v, %v", left, err)
	}

	whole := append(append(append([]byte(nil), encoded[1]...), encoded[2]...), encoded[3]...)
	if left, _, err := decode(append(appendHeader(nil, int64(len(whole))), whole...)); err != nil || len(left) != 0 {
		t.Errorf("handed over, %+v is left, %v", left, err)
	}
	// What a newer version has written is reported as that.
	newer := appendHeader(nil, 0)
	newer[len(magic)]++
	sum := len(newer) - crc32.Size
	newer = binary.BigEndian.AppendUint32(newer[:sum], crc32.Checksum(newer[:sum], record.Castagnoli))
	another := record.AppendFrame(nil, 'X', make([]byte, numberSize))
	for name, content := range map[string][]byte{"file": newer, "frame": append(appendHeader(nil, int64(len(another))), another...)} {
		if _, _, err := decode(content); !errors.Is(err, queue.ErrNewerFormat) {
			t.Errorf("a newer %s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	intent := noted(numberBit | 7)
	frames := appendIntent(nil, &intent)
	frames = appendResolution(frames, intent.ID, &queue.Resolution{Marks: []queue.Mark{{Key: key, Cause: cause}}})
	f.Add(frames)
	f.Fuzz(func(t *testing.T, frames []byte) {
		left, good, _ := decode(append(appendHeader(nil, int64(len(frames))), frames...))
		if good > int64(len(frames)) || len(left) > len(frames) {
			t.Errorf("%d intents in %d good bytes of %d", len(left), good, len(frames))
		}
	})
}
