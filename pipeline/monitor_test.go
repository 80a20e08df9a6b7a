// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// moody is a queue in memory, on a disk that the test fills. While it is unwell, it
// takes no intents.
type moody struct {
	queue.Store
	level  atomic.Int32
	closed atomic.Bool
	unwell atomic.Bool
	// gone is true while the disk is.
	gone atomic.Bool
	// free is how much of the disk is free.
	free atomic.Uint64
	// closing is called by Close, unless it is nil.
	closing func()
}

var errUnwell = errors.New("input/output error")

func newMoody() *moody { return &moody{Store: memory.New(time.Now)} }

func (m *moody) set(level queue.SpaceLevel)   { m.level.Store(int32(level)) }
func (m *moody) CheckSpace() queue.SpaceLevel { return m.Level() }
func (m *moody) Level() queue.SpaceLevel      { return queue.SpaceLevel(m.level.Load()) }

func (m *moody) FreeSpace() (free uint64, space queue.Space) { return m.free.Load(), smallSpace }

func (m *moody) Check() error {
	if m.gone.Load() {
		return fmt.Errorf("%w: its directory is gone", queue.ErrDisk)
	}
	return nil
}

func (m *moody) Lacks() string { return "" }
func (m *moody) Place() string { return "here" }

func (m *moody) Close() error {
	if m.closing != nil {
		m.closing()
	}
	m.closed.Store(true)
	return nil // so that it can be opened again
}

func (m *moody) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	if m.unwell.Load() {
		return 0, errUnwell
	}
	return m.Store.NoteIntent(ctx, intent)
}

// itemsConfig returns a configuration with one resource, whose objects can be
// listed.
func itemsConfig(t *testing.T) *Config {
	t.Helper()
	c := newConfig(t)
	c.Resources = []intake.Resource{{Name: "items", Listed: true}}
	return c
}

// gapsOf returns the resources that have a gap.
func gapsOf(p *Pipeline) (names []string) {
	for _, gap := range p.Intake.Gaps() {
		names = append(names, gap.Resource)
	}
	return names
}

// A queue closes before its disk is full, exchanges pass without it, and what they
// changed is in the queue when there is room again.
func TestSuspendedOnFullDisk(t *testing.T) {
	store := newMoody()
	engine := &testEngine{dir: t.TempDir(), store: store}
	p := New(engine, Opening{}, silent())
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	m := unmonitored(p)
	start(t, p, itemsConfig(t))

	store.set(queue.SpaceCritical)
	engine.full.Store(true)
	m.look(t.Context())
	if _, err := p.NotOpen(); p.Queue() != nil || !errors.Is(err, queue.ErrFull) || !store.closed.Load() {
		t.Fatalf("the queue is open, or not for want of space: %v", err)
	}
	id, err := p.Intake.Note(t.Context(), slowDelete)
	if id != 0 || !errors.Is(err, queue.ErrNotOpen) {
		t.Errorf("noted as %d, %v", id, err)
	}
	p.Intake.Resolve(t.Context(), "items", id, queue.Resolution{Marks: []queue.Mark{{Key: slowDelete.Key}}}, false)
	m.look(t.Context())
	if p.Queue() != nil {
		t.Error("the queue is opened on a full disk")
	}
	store.set(queue.SpaceEnough)
	engine.full.Store(false)
	m.look(t.Context()) // opens it
	m.look(t.Context()) // repairs the gap
	if stats, err := store.Stats(t.Context()); err != nil || stats.Marks != 1 || p.Intake.Unrepaired() {
		t.Errorf("the queue has %+v, %v", stats, err)
	}
}

// The monitor looks rarely while nothing happens, and often as soon as something does on
// the disk, or something is to be done.
func TestMonitorRests(t *testing.T) {
	store := newMoody()
	p := New(&testEngine{dir: t.TempDir(), store: store}, Opening{}, silent())
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	m := unmonitored(p)
	if got := m.pause(); got != monitorEvery {
		t.Errorf("before the queue is open: %v", got)
	}
	start(t, p, itemsConfig(t))
	expect := func(when string, want time.Duration) {
		t.Helper()
		m.look(t.Context())
		if got := m.pause(); got != want {
			t.Errorf("%s: %v", when, got)
		}
	}
	expect("at rest", restEvery)
	store.free.Store(1 << 30)
	expect("with more space", monitorEvery)
	expect("at rest again", restEvery)
	store.free.Store(1 << 29)
	expect("with less space", monitorEvery)
	store.set(queue.SpaceLow)
	expect("with little space", monitorEvery)
	expect("with no more", monitorEvery)
	store.set(queue.SpaceEnough)
	expect("with enough", restEvery)
	store.set(queue.SpaceCritical)
	expect("without a queue", monitorEvery)
	p.Intake.Resolve(t.Context(), "items", 0, queue.Resolution{Marks: []queue.Mark{{Key: slowDelete.Key}}}, false)
	store.set(queue.SpaceEnough)
	m.look(t.Context()) // opens it
	if got := m.pause(); got != monitorEvery {
		t.Errorf("with a gap: %v", got)
	}
	expect("when it is repaired", restEvery)
}

// While little space is left, gaps are not repaired: that would fill the disk.
func TestLowDiskRepairsNothing(t *testing.T) {
	store := newMoody()
	p := New(&testEngine{dir: t.TempDir(), store: store}, Opening{}, silent())
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	m := unmonitored(p)
	start(t, p, itemsConfig(t))
	if err := p.Intake.Whole(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.set(queue.SpaceLow)
	m.look(t.Context())
	if !p.Intake.Unrepaired() {
		t.Error("a gap is repaired while little space is left")
	}
	select {
	case <-m.low:
	default:
		t.Error("the retention does not learn that little space is left")
	}
	store.set(queue.SpaceEnough)
	m.look(t.Context())
	if p.Intake.Unrepaired() {
		t.Error("the gap is not repaired")
	}
}

// Gaps are repaired when the queue has what passed while it was being opened, and
// not before: the delete of an object may have passed whose create is in the
// journal, and only objects that the queue knows or has marked are looked at.
func TestHandOverBeforeRepair(t *testing.T) {
	store, began, goOn := newMoody(), make(chan struct{}), make(chan struct{})
	env := silent()
	env.OpenTimeout = time.Nanosecond
	p := New(&testEngine{dir: t.TempDir(), open: func(options queue.OpenOptions) (queue.Store, error) {
		options.Owned()
		close(began)
		<-goOn
		return store, nil
	}}, Opening{}, env)
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	m := unmonitored(p)
	start(t, p, itemsConfig(t))
	<-began
	isOpen := p.state.Load().opening.done
	if _, err := p.Intake.Note(t.Context(), slowDelete); err != nil {
		t.Fatal(err)
	}
	if err := p.Intake.Whole(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.unwell.Store(true)
	close(goOn)
	<-isOpen

	m.look(t.Context())
	if p.Intake.Waiting() != 1 || !p.Intake.Unrepaired() {
		t.Errorf("%d exchanges are in the journal, and the gaps are %v", p.Intake.Waiting(), p.Intake.Gaps())
	}
	store.unwell.Store(false)
	m.look(t.Context())
	if stats, err := store.Stats(t.Context()); err != nil || stats.OpenIntents != 1 || p.Intake.Unrepaired() {
		t.Errorf("the queue has %+v, %v, and the gaps are %v", stats, err, p.Intake.Gaps())
	}
}

// What earlier processes let pass, and what passes now, is known and survives also
// where the queue cannot be opened, and its engine never had the directory.
func TestGapsWithoutAQueue(t *testing.T) {
	dir := t.TempDir()
	options := intake.Options{Dir: dir, Metrics: new(counts), Logger: zap.NewNop(), GapsLogger: zap.NewNop()}
	earlier := intake.New(nil, options)
	earlier.OwnGaps()
	if err := errors.Join(earlier.Whole(t.Context()), earlier.Close()); err != nil {
		t.Fatal(err)
	}
	p := New(&testEngine{dir: dir, open: func(queue.OpenOptions) (queue.Store, error) {
		return nil, fmt.Errorf("making the directory of the queue: %w", queue.ErrFull)
	}}, Opening{}, silent())
	unmonitored(p)
	if _, err := p.Enter(t.Context()); !errors.Is(err, queue.ErrNotOpen) {
		t.Fatalf("the queue is opened: %v", err)
	}
	if gaps := gapsOf(p); !slices.Equal(gaps, []string{"*"}) {
		t.Errorf("the gaps are %v", gaps)
	}
	if _, err := p.Intake.Note(t.Context(), slowDelete); !errors.Is(err, queue.ErrNotOpen) {
		t.Errorf("noted: %v", err)
	}
	p.Intake.Resolve(t.Context(), "items", 0, queue.Resolution{Marks: []queue.Mark{{Key: event.Key{Resource: "items", ID: "1"}}}}, true)
	if err := p.Destruct(); err != nil {
		t.Fatal(err)
	}
	later := New(&testEngine{dir: dir}, Opening{}, silent())
	later.Intake.OwnGaps()
	if gaps := gapsOf(later); !slices.Equal(gaps, []string{"*", "items"}) {
		t.Errorf("the next process has the gaps %v", gaps)
	}
	if err := later.Destruct(); err != nil {
		t.Error(err)
	}
}

// A queue is opened again as the last configuration says that has started, and not
// as one that could not start.
func TestOpenedAgainAsStarted(t *testing.T) {
	store := newMoody()
	engine := &testEngine{dir: t.TempDir(), store: store}
	p := New(engine, Opening{}, silent())
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	m := unmonitored(p)
	configs := make([]*Config, 3)
	for i := range configs {
		configs[i] = newConfig(t)
		configs[i].Space.Reserve = uint64(i + 1)
	}
	start(t, p, configs[0])
	var err error
	if configs[1].Endpoints, err = endpoint.NewSet(endpoint.Endpoint{Name: "nowhere", URL: "ftp://example.com/", Signatures: []sign.Scheme{}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(configs[1]); !errors.Is(err, emitter.ErrBadTarget) {
		t.Fatalf("started: %v", err)
	}
	p.suspend(queue.ErrFull)
	m.look(t.Context())
	p.suspend(queue.ErrFull)
	start(t, p, configs[2])
	m.look(t.Context())
	var reserves []uint64
	for _, options := range engine.opened {
		reserves = append(reserves, options.Space.Reserve)
	}
	if !slices.Equal(reserves, []uint64{1, 1, 3}) {
		t.Errorf("the queue was opened with the reserves %v", reserves)
	}
}

// A queue that closes because its disk is full is told as closing until it has
// closed, since it still writes: whoever fills its disk before that ends the process.
func TestClosingIsTold(t *testing.T) {
	store := newMoody()
	p := New(&testEngine{dir: t.TempDir(), store: store}, Opening{}, silent())
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	unmonitored(p)
	start(t, p, itemsConfig(t))
	asked := false
	store.closing = func() {
		asked = true
		if p.Queue() != nil || !p.Closing() {
			t.Errorf("while it closes, the queue is %v, closing %v", p.Queue(), p.Closing())
		}
		store.closing = nil
	}
	if p.Closing() {
		t.Error("an open queue is closing")
	}
	p.suspend(queue.ErrFull)
	if !asked || p.Closing() {
		t.Errorf("asked %v; closing afterwards: %v", asked, p.Closing())
	}
}

// A queue whose disk is taken away closes and says why; exchanges pass without it,
// and what they changed is in the queue when its disk is back. It is not begun anew
// in another place.
func TestSuspendedWithoutDisk(t *testing.T) {
	store := newMoody()
	engine := &testEngine{dir: t.TempDir()}
	engine.open = func(options queue.OpenOptions) (queue.Store, error) {
		options.Owned()
		if store.gone.Load() {
			return nil, store.Check()
		}
		return store, nil
	}
	p := New(engine, Opening{}, silent())
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	m := unmonitored(p)
	start(t, p, itemsConfig(t))
	store.gone.Store(true)
	m.look(t.Context())
	if problems := fmt.Sprint(p.Problems()); p.Queue() != nil || !store.closed.Load() || !strings.Contains(problems, "gone") {
		t.Fatalf("the queue is open without its disk, or health does not say why: %s", problems)
	}
	id, err := p.Intake.Note(t.Context(), slowDelete)
	if !errors.Is(err, queue.ErrNotOpen) || id != 0 || len(gapsOf(p)) != 1 {
		t.Errorf("noted as %d, %v, gaps %v", id, err, gapsOf(p))
	}
	again := func() {
		m.tried = time.Time{}
		m.look(t.Context())
	}
	again()
	if p.Queue() != nil {
		t.Error("the queue is open although its disk is not back")
	}
	store.gone.Store(false)
	again()
	if p.Queue() == nil || len(p.Problems()) > 1 {
		t.Errorf("the queue is not open again: %v", p.Problems())
	}
	places := []string{}
	for _, options := range engine.opened {
		places = append(places, options.Place)
	}
	if !slices.Equal(places, []string{"", "here", "here"}) {
		t.Errorf("opened in %q", places)
	}
}
