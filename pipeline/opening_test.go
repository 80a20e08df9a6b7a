// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

// slowOpening is an opening of a queue that goes on only when the test says so.
type slowOpening struct {
	// began is closed when the directory is ours, and nothing has been read.
	began, goOn chan struct{}
	once        sync.Once
}

func newSlowOpening() *slowOpening {
	return &slowOpening{began: make(chan struct{}), goOn: make(chan struct{})}
}

// freeSpace is the disk's as a queue asks for it.
func (s *slowOpening) freeSpace(string) (uint64, uint64, error) {
	s.once.Do(func() {
		close(s.began)
		<-s.goOn
	})
	return 64 << 30, 1 << 40, nil
}

// impatient returns a pipeline whose opening nobody waits for.
func impatient(t *testing.T, slow *slowOpening) *Pipeline {
	t.Helper()
	env := silent()
	env.OpenTimeout = time.Nanosecond
	return newPipeline(t, env, slow.freeSpace)
}

// start starts a configuration that stops with the test.
func start(t *testing.T, p *Pipeline, c *Config) {
	t.Helper()
	if err := p.Start(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(c) })
}

var slowDelete = queue.Intent{Resource: "items", Kind: event.KindDelete, Rule: "DELETE /items/:id", Key: event.Key{Resource: "items", ID: "1"}}

// An exchange that comes while the queue is being opened waits for that no
// longer than for the queue itself. Then it is noted beside the queue, which gets
// it when it is open.
func TestSlowOpening(t *testing.T) {
	slow := newSlowOpening()
	p := New(badger.Engine{Directory: t.TempDir(), FreeSpace: slow.freeSpace}, Opening{Space: smallSpace}, silent())

	impatient, leave := context.WithCancel(t.Context())
	go func() {
		<-slow.began
		leave()
	}()
	running, err := p.Intake.Note(impatient, slowDelete)
	if !journal.Holds(running) || err != nil {
		t.Errorf("while it is being opened: %d, %v", running, err)
	}
	ended, err := p.Intake.Note(impatient, slowDelete)
	if !journal.Holds(ended) || err != nil {
		t.Errorf("while it is being opened: %d, %v", ended, err)
	}
	deleted := queue.Resolution{Marks: []queue.Mark{{Key: slowDelete.Key, Hints: queue.HintDeleted}}}
	p.Intake.Resolve(t.Context(), "items", ended, deleted, true)
	if gaps := p.Intake.Gaps(); len(gaps) != 0 {
		t.Errorf("the gaps are %+v", gaps)
	}

	close(slow.goOn)
	if id, err := p.Intake.Note(t.Context(), slowDelete); id == 0 || journal.Holds(id) || err != nil {
		t.Errorf("once it is open: %d, %v", id, err)
	}
	if gaps := p.Intake.Gaps(); len(gaps) != 0 {
		t.Errorf("the gaps are %+v", gaps)
	}
	counts := func() (marks, open int) {
		stats, err := p.Queue().Stats(t.Context())
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
		return marks == 1 && open == 2 && p.Intake.Waiting() == 0
	})
	p.Intake.Resolve(t.Context(), "items", running, deleted, true)
	if marks, open := counts(); marks != 1 || open != 1 {
		t.Errorf("%d marks and %d open intents, want one each", marks, open)
	}
	if err := p.Destruct(); err != nil {
		t.Error(err)
	}
}

// What passes while the queue is being opened is the next process's, where this
// one does not come to give it to the queue.
func TestDeathWhileOpening(t *testing.T) {
	slow, p, _, isOpen := startSlowly(t)
	for range 3 {
		if _, err := p.Intake.Note(t.Context(), slowDelete); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(filepath.Join(p.engine.Dir(), queue.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	close(slow.goOn)
	<-isOpen

	next := newPipeline(t, silent(), nil)
	if err := os.WriteFile(filepath.Join(next.engine.Dir(), queue.JournalFile), content, 0o600); err != nil {
		t.Fatal(err)
	}
	stale, err := opened(t, next).StaleIntents(t.Context(), 10)
	if err != nil || len(stale) != 3 || !stale[0].Abandoned || stale[0].Key != slowDelete.Key {
		t.Errorf("the queue has %+v, %v", stale, err)
	}
}

// An exchange that ends when the queue has what passed, and is not used yet, is
// durable all the same.
func TestEndBeforeUse(t *testing.T) {
	slow, p, _, isOpen := startSlowly(t)
	id, err := p.Intake.Note(t.Context(), slowDelete)
	if err != nil {
		t.Fatal(err)
	}
	store, err := badger.Open(badger.Options{Dir: t.TempDir(), Space: smallSpace})
	if err != nil {
		t.Fatal(err)
	}
	p.Intake.Drain(store)
	p.Intake.Resolve(t.Context(), "items", id, queue.Resolution{Marks: []queue.Mark{{Key: slowDelete.Key, Hints: queue.HintDeleted}}}, true)
	if waiting := p.Intake.Waiting(); waiting != 1 || p.Intake.Unrepaired() {
		t.Errorf("%d wait beside the queue, and in memory: %v", waiting, p.Intake.Unrepaired())
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	close(slow.goOn)
	<-isOpen
}

// A start waits for a queue that takes long to open no longer than its timeout,
// and neither do exchanges: what passes is noted beside the queue, health says
// why, and when the queue is open, the last configuration is put to work on it.
func TestStartBeforeItsQueue(t *testing.T) {
	slow := newSlowOpening()
	p := impatient(t, slow)
	first, last := newConfig(t), newConfig(t)
	first.Retention, last.Retention = time.Hour, 2*time.Hour
	start(t, p, first)
	start(t, p, last)
	p.Stop(first)
	<-slow.began
	isOpen := p.state.Load().opening.done
	if id, err := p.Intake.Note(t.Context(), slowDelete); !journal.Holds(id) || err != nil {
		t.Errorf("while it is being opened: %d, %v", id, err)
	}
	if p.Queue() != nil || p.Intake.Waiting() != 1 {
		t.Errorf("the queue is open, or has it: %d wait", p.Intake.Waiting())
	}
	if _, err := p.NotOpen(); !errors.Is(err, errOpening) || len(p.Problems()) == 0 {
		t.Errorf("the trouble is %v, and the problems are %v", err, p.Problems())
	}
	if _, err := p.seal([]byte("secret"), "for nobody"); err != nil {
		t.Errorf("sealing meanwhile: %v", err)
	}

	close(slow.goOn)
	<-isOpen
	if _, err := p.NotOpen(); err != nil {
		t.Errorf("the trouble is %v", err)
	}
	if got := p.retention().Age; got != 2*time.Hour {
		t.Errorf("the retention is %v, and the configuration at work not the last", got)
	}
	if id, err := p.Intake.Note(t.Context(), slowDelete); id == 0 || err != nil {
		t.Errorf("once it is open: %d, %v", id, err)
	}
}

// hesitant is a queue that cannot be read at first.
type hesitant struct {
	queue.Store
	reads atomic.Bool
}

func (h *hesitant) Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	if !h.reads.Load() {
		return nil, "", errors.New("input/output error")
	}
	return h.Store.Records(ctx, kind, page)
}

// A configuration that cannot be put to work on a queue that has been opened after
// its start is tried again until it can; until then, health says so.
func TestTakenUpLater(t *testing.T) {
	slow, p, _, isOpen := startSlowly(t)
	close(slow.goOn)
	<-isOpen
	p.mu.Lock()
	unread := &hesitant{Store: p.Queue()}
	session := *p.open()
	session.sending = newSending(unread, p.env)
	p.change(func(s *state) { s.session = &session })
	p.takeUp(&session)
	p.mu.Unlock()
	if problems := fmt.Sprint(p.Problems()); !strings.Contains(problems, "cannot be put to work") || !strings.Contains(problems, "input/output error") {
		t.Errorf("the problems are %s", problems)
	}
	unread.reads.Store(true)
	eventually(t, "the configuration is at work", func() bool {
		return !strings.Contains(fmt.Sprint(p.Problems()), "cannot be put to work")
	})
}

// That all objects are to be looked at after a restore is noted no longer than
// anything waits for a disk.
func TestRestoredOnHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		p := New(badger.Engine{Directory: t.TempDir(), FreeSpace: func(string) (uint64, uint64, error) {
			looks.Add(1)
			return 64 << 30, 1 << 40, nil
		}}, Opening{Space: smallSpace}, silent())
		if err := badger.RestoreEmpty(p.engine.Dir()); err != nil {
			t.Fatal(err)
		}
		disk := &hangingDisk{release: make(chan struct{})}
		slowGaps(p, disk)
		disk.hangs.Store(true)
		store := opened(t, p)
		time.Sleep(monitorEvery)
		synctest.Wait()
		if !p.Intake.Unrepaired() {
			t.Error("not all objects are looked at")
		}
		before := looks.Load()
		time.Sleep(queue.Timeout + monitorEvery)
		synctest.Wait()
		if looks.Load() == before {
			t.Error("the free space is not watched while the disk hangs")
		}
		if !queue.RecovererOf(store).WasRestored() {
			t.Error("it is forgotten that the queue was restored")
		}
		disk.hangs.Store(false)
		close(disk.release)
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	})
}

// An opening is waited for until it is done, or has taken too long and what passes
// can be kept beside the queue, or has taken as long again: then its disk hangs.
func TestOpeningWait(t *testing.T) {
	const timeout, disk, never = 3 * time.Second, 2 * time.Second, time.Hour
	for name, tc := range map[string]struct{ owned, done, leaves, want time.Duration }{
		"soon":           {0, time.Second, never, time.Second},
		"long":           {0, never, never, timeout},
		"long, ours":     {timeout + time.Second, never, never, timeout + time.Second},
		"done, not ours": {never, timeout + time.Second, never, timeout + time.Second},
		"hangs":          {never, never, never, timeout + disk},
		"leaves":         {0, never, time.Second, time.Second},
		"leaves, later":  {never, never, timeout + time.Second, timeout + time.Second},
	} {
		synctestRun(t, name, func(t *testing.T) {
			o := &opening{since: time.Now(), done: make(chan struct{}), owned: make(chan struct{}), store: new(badger.Store)}
			time.AfterFunc(tc.owned, func() { close(o.owned) })
			time.AfterFunc(tc.done, func() { close(o.done) })
			ctx, cancel := context.WithTimeout(t.Context(), tc.leaves)
			defer cancel()
			store, err := o.wait(ctx, timeout, disk)
			if took := time.Since(o.since); took != tc.want || (store != nil) != (took == tc.done) || (err == nil) != (took == tc.done) {
				t.Errorf("%v, %v after %v, want %v", store != nil, err, took, tc.want)
			}
			<-o.owned
			<-o.done
		})
	}
}

// startSlowly starts a configuration whose queue is being opened; isOpen is closed
// when that is done.
func startSlowly(t *testing.T) (slow *slowOpening, p *Pipeline, c *Config, isOpen chan struct{}) {
	t.Helper()
	slow, c = newSlowOpening(), newConfig(t)
	p = impatient(t, slow)
	start(t, p, c)
	<-slow.began
	return slow, p, c, p.state.Load().opening.done
}

// What would keep a configuration from starting does not end one that has
// started before that was known.
func TestRefusedAfterStart(t *testing.T) {
	slow, p, _, isOpen := startSlowly(t)
	dir := p.engine.Dir()
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	close(slow.goOn)
	<-isOpen
	if _, err := p.NotOpen(); !queue.Misconfigured(err) {
		t.Errorf("the trouble is %v", err)
	}
	if id, err := p.Intake.Note(t.Context(), slowDelete); id != 0 || !errors.Is(err, queue.ErrNotOpen) {
		t.Errorf("%d, %v; want ErrNotOpen", id, err)
	}
}

// A pipeline that ends while its queue is being opened waits for that as long as
// for anything. What is open after that is closed, and leaves the directory to
// the next.
func TestEndWhileOpening(t *testing.T) {
	for name, inTime := range map[string]bool{"in time": true, "too late": false} {
		synctestRun(t, name, func(t *testing.T) { endWhileOpening(t, inTime) })
	}
}

func endWhileOpening(t *testing.T, inTime bool) {
	slow, p, c, isOpen := startSlowly(t)
	p.Stop(c)
	if inTime {
		go func() {
			time.Sleep(stopTimeout / 2)
			close(slow.goOn)
		}()
	}
	began := time.Now()
	if err := p.Destruct(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > stopTimeout || inTime == (took == stopTimeout) {
		t.Errorf("it ended after %v", took)
	}
	if !inTime {
		close(slow.goOn)
	}
	<-isOpen
	if p.Queue() != nil {
		t.Error("a pipeline that has ended has a queue")
	}
	store, err := badger.Open(badger.Options{Dir: p.engine.Dir(), Space: smallSpace})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
