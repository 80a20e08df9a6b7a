// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

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

// freeSpace is the disk's as a queue asks for it: the committer does before each
// commit.
func (d *hangingDisk) freeSpace(string) (uint64, uint64, error) {
	d.wait()
	return 64 << 30, 1 << 40, nil
}

// hangingPipeline returns a pipeline on a disk that hangs, with its queue open.
func hangingPipeline(t *testing.T, disk *hangingDisk, durability queue.Durability) (*Pipeline, queue.Store) {
	t.Helper()
	p := New(badger.Engine{Directory: t.TempDir(), FreeSpace: disk.freeSpace},
		Opening{Settings: queue.Settings{Durability: durability}, Space: smallSpace}, silent())
	slowGaps(p, disk)
	return p, opened(t, p)
}

// slowGaps has the file of gaps wait for a disk, too.
func slowGaps(p *Pipeline, disk *hangingDisk) {
	p.Intake = intake.New(p, intake.Options{
		Dir: p.engine.Dir(), BeforeWrite: disk.wait, Metrics: p.env.Metrics, Logger: zap.NewNop(), GapsLogger: zap.NewNop(),
	})
}

func hangDisk(t *testing.T, durability queue.Durability) {
	disk := &hangingDisk{release: make(chan struct{})}
	p, store := hangingPipeline(t, disk, durability)
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	h, counted := watching(t, p, &syntax.Resource{Name: "items"}), p.env.Metrics.(*counts)

	const clients = 200
	disk.hangs.Store(true)
	// The first wait for the disk, before they are forwarded and before their
	// last byte; those who come when it has not answered for so long do not.
	hangExchanges(t, h, 0, clients/2, 2*time.Second)
	hangExchanges(t, h, clients/2, clients, 0)
	if got := counted.noted.Load(); got != clients {
		t.Errorf("%d exchanges are counted as passed without an intent, want %d", got, clients)
	}
	if got := counted.missed.Load(); got < clients/2 {
		t.Errorf("%d marks are counted as missed, want %d", got, clients/2)
	}

	disk.hangs.Store(false)
	close(disk.release)
	for range 100 {
		time.Sleep(monitorEvery)
		synctest.Wait()
		if stats, err := store.Stats(t.Context()); err == nil && stats.Marks == clients && !p.Intake.Unrepaired() {
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
		p, _ := hangingPipeline(t, disk, queue.Power)
		h := watching(t, p, &syntax.Resource{Name: "items"})
		disk.hangs.Store(true)
		hangExchanges(t, h, 0, 2, 2*time.Second)
		began := time.Now()
		if err := p.Destruct(); err == nil || time.Since(began) > closeTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		disk.hangs.Store(false)
		close(disk.release)
		synctest.Wait()
		options := badger.Options{Dir: p.engine.Dir(), Space: queue.Space{Reserve: 1}}
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
		p, _ := hangingPipeline(t, disk, queue.Power)
		disk.hangs.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		marks := []queue.Mark{{Key: event.Key{Resource: "items", ID: "1"}}}
		if _, err := p.Intake.Note(ctx, queue.Intent{Resource: "items", Kind: event.KindUpdate}); err == nil {
			t.Error("the disk does not hang")
		}
		p.Intake.Resolve(ctx, "items", 0, queue.Resolution{Marks: marks}, false)
		if !p.Intake.Unrepaired() {
			t.Error("the change is not kept until the disk has it")
		}
		disk.hangs.Store(false)
		close(disk.release)
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	})
}

// An exchange that comes when the disk has not answered for long passes at once,
// and its resource has a gap until the exchange has ended.
func TestGapOfStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &hangingDisk{release: make(chan struct{})}
		p, store := hangingPipeline(t, disk, queue.Power)
		disk.hangs.Store(true)
		go func() {
			_, _ = store.NoteIntent(t.Context(), queue.Intent{Resource: "items", Kind: event.KindUpdate})
		}()
		time.Sleep(2 * queue.Timeout)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		id, err := p.Intake.Note(ctx, queue.Intent{Resource: "users", Kind: event.KindDelete})
		if id != 0 || !errors.Is(err, queue.ErrNotOpen) {
			t.Errorf("noted as %d, %v", id, err)
		}
		if gaps := p.Intake.Gaps(); len(gaps) != 1 || gaps[0].Resource != "users" || !gaps[0].Deletes || p.Intake.Passing() != 1 {
			t.Errorf("%d exchanges pass, and the gaps are %+v", p.Intake.Passing(), gaps)
		}
		p.Intake.Resolve(ctx, "users", id, queue.Resolution{}, false)
		if passing := p.Intake.Passing(); passing != 0 {
			t.Errorf("%d exchanges pass when all have ended", passing)
		}
		disk.hangs.Store(false)
		close(disk.release)
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	})
}

// hangExchanges sends requests at the same time. None may wait longer than the
// timeout before it is forwarded, nor before its last byte.
func hangExchanges(t *testing.T, h *exchange.Watcher, first, end int, timeout time.Duration) {
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
				if took := time.Since(began); took > timeout {
					t.Errorf("%s was forwarded after %v", method, took)
				}
				w.WriteHeader(http.StatusCreated)
				_, err := io.WriteString(w, answer)
				return err
			})
			if took := time.Since(began); took > 2*timeout {
				t.Errorf("%s took %v", method, took)
			}
			if err != nil || w.Code != http.StatusCreated || w.Body.String() != answer {
				t.Errorf("%s: %d %q, %v", method, w.Code, w.Body, err)
			}
		})
	}
	wg.Wait()
}

// If an exchange that was not noted is about an unknown object, all objects of its
// resource are looked at.
func TestUnresolvedWithoutIntent(t *testing.T) {
	p := newPipeline(t, silent(), nil)
	opened(t, p)
	p.Intake.Resolve(t.Context(), "items", 0, queue.Resolution{Unresolved: "no id"}, true)
	if !p.Intake.Unrepaired() {
		t.Errorf("the gaps are %+v", p.Intake.Gaps())
	}
}

// However an exchange ends that passes, it does not count as one that passes any
// more.
func TestPassingEnds(t *testing.T) {
	p := newPipeline(t, silent(), nil)
	p.mu.Lock()
	p.fail(errors.New("no disk"))
	p.mu.Unlock()
	options := watchOptions(t, p, &syntax.Resource{Name: "items"})
	answer := func(status int) func(http.ResponseWriter, *http.Request) error {
		return func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(status)
			return nil
		}
	}
	for name, end := range map[string]func(http.ResponseWriter, *http.Request) error{
		"done": answer(http.StatusOK), "refused": answer(http.StatusNotFound), "unknown": answer(http.StatusGatewayTimeout),
		"failed":  func(http.ResponseWriter, *http.Request) error { return errors.New("no connection") },
		"aborted": func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) },
	} {
		for _, refuse := range []bool{false, true} {
			options.Refuse = refuse
			h := exchange.New(options)
			func() {
				defer func() { _ = recover() }()
				_, _ = send(h, http.MethodPatch, "/items/1", "", end)
			}()
			if n := p.Intake.Passing(); n != 0 {
				t.Fatalf("%s, refused %v: %d pass still", name, refuse, n)
			}
		}
	}
	if len(p.Intake.Gaps()) != 1 {
		t.Error("nothing has passed")
	}
}
