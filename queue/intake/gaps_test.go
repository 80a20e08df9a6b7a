// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// uncounted counts nothing.
type uncounted struct{}

func (uncounted) GapMarks(string, int) {}
func (uncounted) Repaired(string)      {}
func (uncounted) Unresolved(string)    {}

// hangingDisk is a disk that hangs until it is released.
type hangingDisk struct {
	hangs   atomic.Bool
	release chan struct{}
}

func (d *hangingDisk) wait() {
	if d.hangs.Load() {
		<-d.release
	}
}

func TestGaps(t *testing.T) {
	dir := t.TempDir()
	g := newGaps(dir, queue.Timeout, zap.NewNop(), uncounted{})
	g.adopt()
	if !g.passes(t.Context(), 0, event.KindUpdate, "items", "users") || !g.passes(t.Context(), 7, event.KindDelete, "items") {
		t.Fatal("not noted")
	}
	g.keep(t.Context(), kept{resource: "items", resolution: queue.Resolution{Unresolved: "no id"}})
	g.close()
	g.close()
	again := newGaps(dir, queue.Timeout, zap.NewNop(), uncounted{})
	again.adopt()
	defer again.close()
	all := again.list()
	if len(all) != 2 || all[0].Resource != "items" || !all[0].Deletes || !all[0].whole || all[1].Resource != "users" || all[1].Deletes {
		t.Errorf("got %+v", all)
	}
	if err := again.whole(t.Context(), allResources); err != nil {
		t.Error(err)
	}
	again.expand([]string{"orders", "users"})
	names := ""
	for _, one := range again.list() {
		names += one.Resource + " "
	}
	if names != "items orders users " {
		t.Errorf("got %s", names)
	}
}

// A gap is closed when the last exchange that passed has ended, some time later
// or with the queue; and much later in any case.
func TestGapsClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		open := func(g *gaps) int {
			t.Helper()
			g.repair(t.Context(), memory.New(time.Now), func(string) (Resource, bool) { return Resource{}, true })
			return len(g.list())
		}
		g := newGaps(dir, queue.Timeout, zap.NewNop(), uncounted{})
		g.adopt()
		g.passes(t.Context(), 0, event.KindUpdate, "items")
		g.passes(t.Context(), 7, event.KindDelete, "items")
		if !g.passed(0) || !g.passed(7) || g.passed(8) {
			t.Error("passed tells something else")
		}
		g.ended(0)
		time.Sleep(gapLingers)
		if n := open(g); n != 1 {
			t.Errorf("while an exchange passes: %d gaps", n)
		}
		g.passes(t.Context(), 0, event.KindUpdate, "items")
		g.ended(0)
		g.ended(7)
		if n := open(g); n != 1 || g.passed(7) {
			t.Errorf("at once: %d gaps, and 7 passed: %v", n, g.passed(7))
		}
		time.Sleep(gapLingers)
		if n := open(g); n != 0 {
			t.Errorf("later: %d gaps", n)
		}
		g.passes(t.Context(), 0, event.KindUpdate, "users")
		time.Sleep(gapOutlived + 1)
		if n := open(g); n != 0 {
			t.Errorf("much later: %d gaps", n)
		}
		g.ended(0)
		g.passes(t.Context(), 0, event.KindUpdate, "orders")
		g.ended(0)
		g.close()
		again := newGaps(dir, queue.Timeout, zap.NewNop(), uncounted{})
		again.adopt()
		defer again.close()
		if all := again.list(); len(all) != 0 {
			t.Errorf("the next process has %+v", all)
		}
	})
}

// Too many resources, or a file that is damaged, stand for all of them.
func TestGapFile(t *testing.T) {
	var many []Gap
	for i := range 5000 {
		many = append(many, Gap{Resource: fmt.Sprint("resource-", i)})
	}
	for name, all := range map[string][]Gap{"none": nil, "one": {{Resource: "items"}}, "many": many} {
		content := encodeGaps(all)
		got, err := decodeGaps(content)
		if err != nil || len(content) != gapsSize {
			t.Errorf("%s: %v", name, err)
		}
		switch {
		case name == "many" && (len(got) != 1 || got[0].Resource != allResources || !got[0].Deletes):
			t.Errorf("%s: got %v", name, got)
		case name != "many" && len(got) != len(all):
			t.Errorf("%s: got %v", name, got)
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 100 {
			changed := append([]byte(nil), content...)
			changed[random.IntN(len(changed))] ^= byte(1 + random.IntN(255))
			if _, err := decodeGaps(changed); err == nil {
				t.Errorf("%s: damage is not seen", name)
			}
		}
	}
}

// What cannot be kept one by one is kept by resource: memory does not grow with
// the time for which the queue is away.
func TestGapsAreBounded(t *testing.T) {
	g := newGaps(t.TempDir(), queue.Timeout, zap.NewNop(), uncounted{})
	g.adopt()
	defer g.close()
	for i := range maxKept + 1000 {
		g.keep(t.Context(), kept{resource: fmt.Sprint("r", i%2)})
	}
	if len(g.kept) != maxKept {
		t.Errorf("%d are kept, want %d", len(g.kept), maxKept)
	}
	if all := g.list(); len(all) != 2 || !all[0].whole || !all[1].whole {
		t.Errorf("the others: %+v", all)
	}
}

// syncedFile records what is done with it.
type syncedFile struct{ did []string }

func (f *syncedFile) WriteAt(content []byte, _ int64) (int, error) {
	f.did = append(f.did, "write")
	return len(content), nil
}

func (f *syncedFile) Sync() error {
	f.did = append(f.did, "sync")
	return nil
}

func (f *syncedFile) Close() error {
	f.did = append(f.did, "close")
	return nil
}

// What was noted survives a power cut, too.
func TestGapFileIsSynced(t *testing.T) {
	f, w := new(syncedFile), newGapWriter(queue.Timeout, zap.NewNop())
	w.open(f)
	w.put(encodeGaps(nil))
	if err := w.wait(t.Context()); err != nil || !slices.Equal(f.did, []string{"write", "sync"}) {
		t.Errorf("%v, %v", f.did, err)
	}
	w.close()
	w.close()
	if !slices.Equal(f.did, []string{"write", "sync", "close"}) {
		t.Errorf("%v", f.did)
	}
	if err := w.wait(t.Context()); !errors.Is(err, errNoGapFile) {
		t.Errorf("closed: %v", err)
	}
}

// An exchange that passes waits for the file of gaps as long as it may, and for no
// lock that the disk holds. A write that fails returns an error.
func TestHangingGapFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &hangingDisk{release: make(chan struct{})}
		g := newGaps(t.TempDir(), queue.Timeout, zap.NewNop(), uncounted{})
		var fails error
		g.file.store = func(f gapFile, content []byte) error {
			disk.wait()
			return errors.Join(fails, storeGaps(f, content))
		}
		g.adopt()
		if !g.passes(t.Context(), 0, event.KindUpdate, "items") {
			t.Error("not noted")
		}
		disk.hangs.Store(true)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), queue.Timeout)
				defer cancel()
				began := time.Now()
				if g.passes(ctx, 0, event.KindUpdate, fmt.Sprint("users", i%2)) || time.Since(began) != queue.Timeout {
					t.Errorf("noted after %v", time.Since(began))
				}
			})
		}
		synctest.Wait()
		if len(g.list()) != 3 {
			t.Error("the gaps are not known")
		}
		wg.Wait()
		disk.hangs.Store(false)
		close(disk.release)
		// What was noted meanwhile is durable with one more write.
		if !g.passes(t.Context(), 0, event.KindUpdate, "users1") {
			t.Error("not noted when the disk is back")
		}
		fails = errors.New("input/output error")
		for range 2 {
			if g.passes(t.Context(), 0, event.KindUpdate, "orders") {
				t.Error("what could not be written is taken for noted")
			}
		}
		fails = nil
		g.close()
		g.adopt()
		defer g.close()
		if all := g.list(); len(all) != 4 {
			t.Errorf("got %+v", all)
		}
	})
}

// What does not fit in the queue does not hold up what is kept behind it, and has
// its resource looked at.
func TestKeptTooLarge(t *testing.T) {
	store := memory.New(time.Now)
	defer store.Close()
	g := newGaps(t.TempDir(), queue.Timeout, zap.NewNop(), uncounted{})
	g.adopt()
	defer g.close()
	for _, id := range []string{"1", strings.Repeat("x", 11), "2"} {
		g.keep(t.Context(), kept{resource: "items", resolution: queue.Resolution{Marks: []queue.Mark{{Key: event.Key{Resource: "items", ID: id}}}}})
	}
	g.repair(t.Context(), tiny{store}, func(string) (Resource, bool) { return Resource{}, false })
	if stats, err := store.Stats(t.Context()); err != nil || stats.Marks != 2 || len(g.kept) != 0 {
		t.Errorf("%+v, %v; %d are kept", stats, err, len(g.kept))
	}
	if gaps := g.list(); len(gaps) != 1 || gaps[0].Resource != "items" || !gaps[0].whole {
		t.Errorf("the gaps are %+v", gaps)
	}
}

// tiny is a queue in which some marks do not fit.
type tiny struct{ queue.Store }

func (q tiny) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) error {
	for i := range resolution.Marks {
		if len(resolution.Marks[i].Key.ID) > 10 {
			return queue.ErrTooLarge
		}
	}
	return q.Store.ResolveIntent(ctx, id, resolution, durable)
}
