// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// counted returns what a counter stands at.
func counted(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].Metric[0].Counter.GetValue()
}

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

// TestHangingDisk: a disk that hangs delays an exchange by what it waits for
// the queue, before it is forwarded and before its last byte, however many
// there are. All of them pass, are counted as gaps, and are made up for when
// the disk is back.
func TestHangingDisk(t *testing.T) {
	for name, durability := range map[string]queue.Durability{"power": queue.Power, "process": queue.Process} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { hangDisk(t, durability) }) })
	}
}

func hangDisk(t *testing.T, durability queue.Durability) {
	disk := &hangingDisk{release: make(chan struct{})}
	e := newEngine(t.TempDir())
	e.gaps.file.store = func(f gapFile, content []byte) error {
		disk.wait()
		return storeGaps(f, content)
	}
	// The committer looks at the free space before each commit.
	store := openWith(t, e, badger.Options{Dir: e.dir, Durability: durability, FreeSpace: func(string) (uint64, uint64, error) {
		disk.wait()
		return 64 << 30, 1 << 40, nil
	}, Space: queue.Space{Reserve: 1}})
	defer func() {
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	h := handlerFor(t, &App{engine: e}, &syntax.Resource{Name: "items"})
	noted, missed := metrics.gaps.WithLabelValues("items", "intent"), metrics.gaps.WithLabelValues("items", "mark")
	notedBefore, missedBefore := counted(t, noted), counted(t, missed)

	const clients = 200
	disk.hangs.Store(true)
	// The first wait for the disk, before they are forwarded and before their
	// last byte; those who come when it has not answered for so long do not.
	hangExchanges(t, h, 0, clients/2, 2*time.Second)
	hangExchanges(t, h, clients/2, clients, 0)
	if got := counted(t, noted) - notedBefore; got != clients {
		t.Errorf("%v exchanges are counted as passed without an intent, want %d", got, clients)
	}
	if got := counted(t, missed) - missedBefore; got < clients/2 {
		t.Errorf("%v marks are counted as missed, want %d", got, clients/2)
	}

	disk.hangs.Store(false)
	close(disk.release)
	for range 100 {
		time.Sleep(watchEvery)
		synctest.Wait()
		if stats, err := store.Stats(t.Context()); err == nil && stats.Marks == clients && !e.gaps.waiting() {
			return
		}
	}
	stats, err := store.Stats(t.Context())
	t.Errorf("not made up for: %+v, %v", stats, err)
}

// A disk that hangs holds up the end of a queue no longer than anything may; what
// is left of it goes on, and ends when the disk is back.
func TestEndWithHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &hangingDisk{release: make(chan struct{})}
		e := newEngine(t.TempDir())
		e.gaps.file.store = func(f gapFile, content []byte) error {
			disk.wait()
			return storeGaps(f, content)
		}
		openWith(t, e, badger.Options{Dir: e.dir, FreeSpace: func(string) (uint64, uint64, error) {
			disk.wait()
			return 64 << 30, 1 << 40, nil
		}, Space: queue.Space{Reserve: 1}})
		h := handlerFor(t, &App{engine: e}, &syntax.Resource{Name: "items"})
		disk.hangs.Store(true)
		hangExchanges(t, h, 0, 2, 2*time.Second)
		began := time.Now()
		if err := e.Destruct(); err == nil || time.Since(began) > closeLimit {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		disk.hangs.Store(false)
		close(disk.release)
		synctest.Wait()
		options := badger.Options{Dir: e.dir, Space: queue.Space{Reserve: 1}}
		store, err := badger.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// What an exchange has changed that passed without an intent is in the queue, as
// durable as anything, before its gap may be closed.
func TestPassedIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &hangingDisk{release: make(chan struct{})}
		e := newEngine(t.TempDir())
		openWith(t, e, badger.Options{Dir: e.dir, FreeSpace: func(string) (uint64, uint64, error) {
			disk.wait()
			return 64 << 30, 1 << 40, nil
		}, Space: queue.Space{Reserve: 1}})
		disk.hangs.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		marks := []queue.Mark{{Key: event.Key{Resource: "items", ID: "1"}}}
		e.gaps.passes(ctx, 0, event.KindUpdate, "items")
		e.resolve(ctx, "items", 0, queue.Resolution{Marks: marks}, false)
		if len(e.gaps.kept) != 1 {
			t.Errorf("%d changes are kept until the disk has them", len(e.gaps.kept))
		}
		disk.hangs.Store(false)
		close(disk.release)
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	})
}

// hangExchanges sends requests at the same time. None may wait longer than the
// patience before it is forwarded, nor before its last byte.
func hangExchanges(t *testing.T, h *Handler, first, end int, patience time.Duration) {
	t.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for i := first; i < end; i++ {
		wg.Go(func() {
			method, target, answer := "PATCH", fmt.Sprint("/items/", i), `{}`
			if i%2 == 0 {
				method, target, answer = "POST", "/items", fmt.Sprintf(`{"id":"%d"}`, i)
			}
			w, err := send(h, method, target, "", func(w http.ResponseWriter, _ *http.Request) error {
				if took := time.Since(began); took > patience {
					t.Errorf("%s was forwarded after %v", method, took)
				}
				w.WriteHeader(http.StatusCreated)
				_, err := io.WriteString(w, answer)
				return err
			})
			if took := time.Since(began); took > 2*patience {
				t.Errorf("%s took %v", method, took)
			}
			if err != nil || w.Code != http.StatusCreated || w.Body.String() != answer {
				t.Errorf("%s: %d %q, %v", method, w.Code, w.Body, err)
			}
		})
	}
	wg.Wait()
}

// What cannot be kept one by one is kept by resource: memory does not grow with
// the time for which the queue is away.
func TestGapsAreBounded(t *testing.T) {
	g := newGaps(t.TempDir(), liveLogger("test"))
	g.adopt()
	defer g.close()
	for i := range maxKept + 1000 {
		g.keep(t.Context(), repair{resource: fmt.Sprint("r", i%2)})
	}
	if len(g.kept) != maxKept {
		t.Errorf("%d are kept, want %d", len(g.kept), maxKept)
	}
	if all := g.list(); len(all) != 2 || !all[0].whole || !all[1].whole {
		t.Errorf("the others: %+v", all)
	}
}

// syncedFile tells what was done with it.
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
	f, w := new(syncedFile), newGapWriter(zap.NewNop())
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

// Who passes waits for the file of gaps while it wants to, and for no lock that
// the disk holds; and a write that fails is told.
func TestHangingGapFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &hangingDisk{release: make(chan struct{})}
		g := newGaps(t.TempDir(), liveLogger("test"))
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
				ctx, cancel := context.WithTimeout(t.Context(), queuePatience)
				defer cancel()
				began := time.Now()
				if g.passes(ctx, 0, event.KindUpdate, fmt.Sprint("users", i%2)) || time.Since(began) != queuePatience {
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
