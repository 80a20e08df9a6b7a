// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

// openWith opens an engine's queue.
func openWith(t *testing.T, e *engine, options badger.Options) *badger.Store {
	t.Helper()
	e.mu.Lock()
	o := e.beginOpening(options)
	e.mu.Unlock()
	<-o.done
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.store
}

// slowOpening is an opening of a queue that goes on only when it is told to.
type slowOpening struct {
	// began is closed when the directory is ours, and nothing has been read.
	began, goOn chan struct{}
}

func newSlowOpening(t *testing.T) *slowOpening {
	s := &slowOpening{began: make(chan struct{}), goOn: make(chan struct{})}
	before := freeSpaceOf
	var once sync.Once
	freeSpaceOf = func(string) (uint64, uint64, error) {
		once.Do(func() {
			close(s.began)
			<-s.goOn
		})
		return 64 << 30, 1 << 40, nil
	}
	t.Cleanup(func() { freeSpaceOf = before })
	return s
}

// impatient returns the engine of apps, whose opening nobody waits for.
func impatient(t *testing.T, apps ...*App) *engine {
	t.Helper()
	e := newEngine(t.TempDir())
	e.openPatience = 0
	for _, app := range apps {
		transport, err := egress.New(app.policy, egress.Options{})
		if err != nil {
			t.Fatal(err)
		}
		app.dir, app.engine, app.transport, app.ctx, app.log = e.dir, e, transport, caddy.ActiveContext(), zap.NewNop()
		t.Cleanup(func() { e.stop(app) })
	}
	t.Cleanup(func() {
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	})
	return e
}

var slowDelete = queue.Intent{Resource: "items", Kind: event.KindDelete, Rule: "DELETE /items/:id", Key: event.Key{Resource: "items", ID: "1"}}

// An exchange that comes while the queue is being opened waits for that no
// longer than for the queue itself. Then it is noted beside the queue, which gets
// it when it is open.
func TestSlowOpening(t *testing.T) {
	slow := newSlowOpening(t)
	e := newEngine(t.TempDir())
	e.openPatience = time.Hour
	app := &App{dir: e.dir, engine: e}

	impatient, leave := context.WithCancel(t.Context())
	go func() {
		<-slow.began
		leave()
	}()
	running, err := e.note(impatient, app, slowDelete)
	if !journal.Holds(running) || err != nil {
		t.Errorf("while it is being opened: %d, %v", running, err)
	}
	ended, err := e.note(impatient, app, slowDelete)
	if !journal.Holds(ended) || err != nil {
		t.Errorf("while it is being opened: %d, %v", ended, err)
	}
	deleted := queue.Resolution{Marks: []queue.Mark{{Key: slowDelete.Key, Hints: queue.HintDeleted}}}
	e.resolve(t.Context(), "items", ended, deleted, true)
	if gaps := e.gaps.list(); len(gaps) != 0 {
		t.Errorf("the gaps are %+v", gaps)
	}

	close(slow.goOn)
	if id, err := e.note(t.Context(), app, slowDelete); id == 0 || journal.Holds(id) || err != nil {
		t.Errorf("once it is open: %d, %v", id, err)
	}
	if gaps := e.gaps.list(); len(gaps) != 0 {
		t.Errorf("the gaps are %+v", gaps)
	}
	counts := func() (marks, open int) {
		stats, err := e.store.Load().Stats(t.Context())
		if err != nil {
			t.Error(err)
		}
		return stats.Marks, stats.OpenIntents
	}
	// It has what was done before as soon as it is used, and what is under way soon.
	if marks, _ := counts(); marks != 1 {
		t.Errorf("%d marks, want one", marks)
	}
	eventually(t, "the queue has what is under way", func() bool {
		marks, open := counts()
		return marks == 1 && open == 2 && e.interimProblem() == ""
	})
	e.resolve(t.Context(), "items", running, deleted, true)
	if marks, open := counts(); marks != 1 || open != 1 {
		t.Errorf("%d marks and %d open intents, want one each", marks, open)
	}
	if err := e.Destruct(); err != nil {
		t.Error(err)
	}
}

// What passes while the queue is being opened is the next process's, where this
// one does not come to give it to the queue.
func TestDeathWhileOpening(t *testing.T) {
	slow, app, opened := startSlowly(t)
	e := app.engine
	for range 3 {
		if _, err := e.note(t.Context(), app, slowDelete); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(filepath.Join(e.dir, queue.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	close(slow.goOn)
	<-opened

	next := newEngine(t.TempDir())
	if err := os.WriteFile(filepath.Join(next.dir, queue.JournalFile), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := next.open(t.Context(), &App{dir: next.dir, engine: next}); err != nil {
		t.Fatal(err)
	}
	stale, err := next.store.Load().StaleIntents(t.Context(), 10)
	if err != nil || len(stale) != 3 || !stale[0].Abandoned || stale[0].Key != slowDelete.Key {
		t.Errorf("the queue has %+v, %v", stale, err)
	}
	if err := next.Destruct(); err != nil {
		t.Error(err)
	}
}

// An exchange that ends when the queue has what passed, and is not used yet, is
// durable all the same.
func TestEndBeforeUse(t *testing.T) {
	slow, app, opened := startSlowly(t)
	e := app.engine
	id, err := e.note(t.Context(), app, slowDelete)
	if err != nil {
		t.Fatal(err)
	}
	store, err := badger.Open(badger.Options{Dir: t.TempDir(), Space: queue.Space{Reserve: 1}})
	if err != nil {
		t.Fatal(err)
	}
	e.drain(store)
	e.resolve(t.Context(), "items", id, queue.Resolution{Marks: []queue.Mark{{Key: slowDelete.Key, Hints: queue.HintDeleted}}}, true)
	if waiting := e.interim.Load().Waiting(); waiting != 1 || e.gaps.waiting() {
		t.Errorf("%d wait beside the queue, and in memory: %v", waiting, e.gaps.waiting())
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	close(slow.goOn)
	<-opened
}

// turning is the context of somebody whose patience ends at the moment at which
// something happens.
type turning struct {
	context.Context
	happens func()
}

func (c turning) Done() <-chan struct{} {
	c.happens()
	done := make(chan struct{})
	close(done)
	return done
}

func (turning) Err() error { return context.Canceled }

// Who has lost patience at the moment at which the queue is open is noted in it.
func TestOpenAfterAll(t *testing.T) {
	e := newEngine(t.TempDir())
	app := &App{dir: e.dir, engine: e}
	store, err := e.open(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue has what has passed", func() bool {
		_, err := e.noteInterim(t.Context(), slowDelete)
		return errors.Is(err, journal.ErrHandedOver)
	})
	e.store.Store(nil)
	e.opening.Store(&opening{since: time.Now(), done: make(chan struct{})})
	id, err := e.note(turning{t.Context(), func() { e.store.Store(store) }}, app, slowDelete)
	if id == 0 || journal.Holds(id) || err != nil || len(e.gaps.list()) != 0 {
		t.Errorf("%d, %v, with the gaps %+v", id, err, e.gaps.list())
	}
	e.opening.Store(nil)
	if err := e.Destruct(); err != nil {
		t.Error(err)
	}
}

// Where what passes cannot be kept beside the queue, it is a gap; and where what
// an earlier process has kept cannot be read, all that it may have been.
func TestInterimFails(t *testing.T) {
	slow := newSlowOpening(t)
	app := new(App)
	e := impatient(t, app)
	if err := os.WriteFile(filepath.Join(e.dir, queue.JournalFile), []byte("no such file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.start(app); err != nil {
		t.Fatal(err)
	}
	<-slow.began
	if gaps := e.gaps.list(); len(gaps) != 1 || gaps[0].Resource != allResources || !gaps[0].whole {
		t.Errorf("the gaps are %+v", gaps)
	}
	id, err := e.note(t.Context(), app, slowDelete)
	if !journal.Holds(id) || err != nil {
		t.Errorf("%d, %v", id, err)
	}
	if err := e.interim.Load().Close(); err != nil {
		t.Fatal(err)
	}
	late, err := e.note(t.Context(), app, slowDelete)
	if late == 0 || err == nil || !e.gaps.passed(late) {
		t.Errorf("what cannot be kept is %d, %v", late, err)
	}
	if gaps := e.gaps.list(); len(gaps) != 2 || gaps[1].Resource != "items" {
		t.Errorf("the gaps are %+v", gaps)
	}
	deleted := queue.Resolution{Marks: []queue.Mark{{Key: slowDelete.Key, Hints: queue.HintDeleted}}}
	e.resolve(t.Context(), "items", late, deleted, true)
	e.resolve(t.Context(), "items", id, deleted, true)
	close(slow.goOn)
	// This process knows all of it.
	eventually(t, "the queue has what has passed", func() bool {
		store := e.store.Load()
		if store == nil {
			return false
		}
		stats, err := store.Stats(t.Context())
		return err == nil && stats.Marks == 1 && stats.OpenIntents == 0
	})
}

// A start waits for a queue that takes long to open no longer than its patience,
// and neither do exchanges: what passes is noted beside the queue, health says
// why, and when the queue is open, the last configuration is put to work on it.
func TestStartBeforeItsQueue(t *testing.T) {
	slow := newSlowOpening(t)
	first, last := &App{Retention: caddy.Duration(time.Hour)}, &App{Retention: caddy.Duration(2 * time.Hour)}
	e := impatient(t, first, last)
	for _, app := range []*App{first, last} {
		if err := e.start(app); err != nil {
			t.Fatal(err)
		}
	}
	e.stop(first)
	<-slow.began
	opened := e.opening.Load().done
	if id, err := e.note(t.Context(), last, slowDelete); !journal.Holds(id) || err != nil {
		t.Errorf("while it is being opened: %d, %v", id, err)
	}
	if status := e.status(httptest.NewRequest(http.MethodGet, "/webhooks/queue", http.NoBody)); status.Open || status.Interim != 1 {
		t.Errorf("the status is %+v", status)
	}
	if trouble := e.passing(); trouble == nil || !errors.Is(trouble.err, errOpening) || len(e.problems()) == 0 {
		t.Errorf("the trouble is %+v, and the problems are %v", trouble, e.problems())
	}
	if _, err := e.seal([]byte("secret"), "for nobody"); err != nil {
		t.Errorf("sealing meanwhile: %v", err)
	}

	close(slow.goOn)
	<-opened
	if trouble := e.passing(); trouble != nil {
		t.Errorf("the trouble is %+v", trouble)
	}
	if got := time.Duration(e.retention.Load()); got != 2*time.Hour {
		t.Errorf("the retention is %v, and the configuration at work not the last", got)
	}
	if id, err := e.note(t.Context(), last, slowDelete); id == 0 || err != nil {
		t.Errorf("once it is open: %d, %v", id, err)
	}
}

// hesitant is a queue that cannot be read at first.
type hesitant struct {
	*badger.Store
	reads atomic.Bool
}

func (h *hesitant) EndpointStates(ctx context.Context) ([]queue.EndpointState, error) {
	if !h.reads.Load() {
		return nil, errors.New("input/output error")
	}
	return h.Store.EndpointStates(ctx)
}

// A configuration that cannot be put to work on a queue that has been opened after
// its start is tried again until it can; until then, health says so.
func TestTakenUpLater(t *testing.T) {
	slow, app, opened := startSlowly(t)
	e := app.engine
	close(slow.goOn)
	<-opened
	e.mu.Lock()
	queue := &hesitant{Store: e.session.store}
	e.session.operations = newOperations(queue)
	e.takeUp()
	e.mu.Unlock()
	if problems := fmt.Sprint(e.problems()); !strings.Contains(problems, "cannot be put to work") || !strings.Contains(problems, "input/output error") {
		t.Errorf("the problems are %s", problems)
	}
	queue.reads.Store(true)
	eventually(t, "the configuration is at work", func() bool {
		return !strings.Contains(fmt.Sprint(e.problems()), "cannot be put to work")
	})
}

// That all objects are to be looked at after a restore is noted no longer than
// anything waits for a disk.
func TestRestoredOnHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t.TempDir())
		if err := badger.RestoreEmpty(e.dir); err != nil {
			t.Fatal(err)
		}
		disk := &hangingDisk{release: make(chan struct{})}
		e.gaps.file.store = func(f gapFile, content []byte) error {
			disk.wait()
			return storeGaps(f, content)
		}
		disk.hangs.Store(true)
		var looks atomic.Int64
		store := openWith(t, e, badger.Options{Dir: e.dir, Space: queue.Space{Reserve: 1}, FreeSpace: func(string) (uint64, uint64, error) {
			looks.Add(1)
			return 64 << 30, 1 << 40, nil
		}})
		time.Sleep(watchEvery)
		synctest.Wait()
		if !e.gaps.waiting() {
			t.Error("not all objects are looked at")
		}
		before := looks.Load()
		time.Sleep(queuePatience + watchEvery)
		synctest.Wait()
		if looks.Load() == before {
			t.Error("the free space is not watched while the disk hangs")
		}
		if !store.WasRestored() {
			t.Error("it is forgotten that the queue was restored")
		}
		disk.hangs.Store(false)
		close(disk.release)
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	})
}

// An opening is waited for until it is done, or has taken too long and what passes
// can be kept beside the queue, or has taken as long again: then its disk hangs.
func TestOpeningWait(t *testing.T) {
	const patience, never = 3 * time.Second, time.Hour
	for name, tc := range map[string]struct{ owned, done, leaves, want time.Duration }{
		"soon":           {0, time.Second, never, time.Second},
		"long":           {0, never, never, patience},
		"long, ours":     {patience + time.Second, never, never, patience + time.Second},
		"done, not ours": {never, patience + time.Second, never, patience + time.Second},
		"hangs":          {never, never, never, patience + queuePatience},
		"leaves":         {0, never, time.Second, time.Second},
		"leaves, later":  {never, never, patience + time.Second, patience + time.Second},
	} {
		synctestRun(t, name, func(t *testing.T) {
			o := &opening{since: time.Now(), done: make(chan struct{}), owned: make(chan struct{}), store: new(badger.Store)}
			time.AfterFunc(tc.owned, func() { close(o.owned) })
			time.AfterFunc(tc.done, func() { close(o.done) })
			ctx, cancel := context.WithTimeout(t.Context(), tc.leaves)
			defer cancel()
			store, err := o.wait(ctx, patience)
			if took := time.Since(o.since); took != tc.want || (store != nil) != (took == tc.done) || (err == nil) != (took == tc.done) {
				t.Errorf("%v, %v after %v, want %v", store != nil, err, took, tc.want)
			}
			<-o.owned
			<-o.done
		})
	}
}

// startSlowly starts an app whose queue is being opened; opened is closed when it
// is.
func startSlowly(t *testing.T) (slow *slowOpening, app *App, opened chan struct{}) {
	t.Helper()
	slow, app = newSlowOpening(t), new(App)
	e := impatient(t, app)
	if err := e.start(app); err != nil {
		t.Fatal(err)
	}
	<-slow.began
	return slow, app, e.opening.Load().done
}

// What would keep a configuration from starting does not end one that has
// started before that was known.
func TestRefusedAfterStart(t *testing.T) {
	slow, app, opened := startSlowly(t)
	e := app.engine
	if err := os.Rename(e.dir, e.dir+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	close(slow.goOn)
	<-opened
	if trouble := e.passing(); trouble == nil || !queue.Misconfigured(trouble.err) {
		t.Errorf("the trouble is %+v", trouble)
	}
	if id, err := e.note(t.Context(), app, slowDelete); id != 0 || !errors.Is(err, errPassing) {
		t.Errorf("%d, %v; want errPassing", id, err)
	}
}

// An engine that ends while its queue is being opened waits for that as long as
// for anything. What is open after that is closed, and leaves the directory to
// the next.
func TestEndWhileOpening(t *testing.T) {
	for name, inTime := range map[string]bool{"in time": true, "too late": false} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { endWhileOpening(t, inTime) }) })
	}
}

func endWhileOpening(t *testing.T, inTime bool) {
	slow, app, opened := startSlowly(t)
	e := app.engine
	e.stop(app)
	if inTime {
		go func() {
			time.Sleep(stopPatience / 2)
			close(slow.goOn)
		}()
	}
	began := time.Now()
	if err := e.Destruct(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > stopPatience || inTime == (took == stopPatience) {
		t.Errorf("it ended after %v", took)
	}
	if !inTime {
		close(slow.goOn)
	}
	<-opened
	if store := e.store.Load(); store != nil {
		t.Error("an engine that has ended has a queue")
	}
	store, err := badger.Open(badger.Options{Dir: e.dir, Space: queue.Space{Reserve: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
