// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// fakeAPI answers Shows from a script, and then from its state.
type fakeAPI struct {
	mu     sync.Mutex
	state  map[event.Key]show.Show
	script []func() (show.Show, error)
	reads  []time.Time
	during func() // called while a Show is read, after its state was taken
	busy   int
	most   int
	delay  time.Duration
}

func (a *fakeAPI) set(body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == nil {
		a.state = make(map[event.Key]show.Show)
	}
	if body == "" {
		delete(a.state, testKey)
		return
	}
	a.state[testKey] = answer(200, body)
}

func (a *fakeAPI) read(ctx context.Context, lease queue.MarkLease) (show.Show, error) {
	a.mu.Lock()
	a.reads = append(a.reads, time.Now())
	a.busy++
	a.most = max(a.most, a.busy)
	got, ok := a.state[lease.Key]
	var err error
	if len(a.script) > 0 {
		got, err = a.script[0]()
		a.script = a.script[1:]
	} else if !ok {
		got = answer(404, "")
	}
	during := a.during
	a.during = nil
	a.mu.Unlock()
	if during != nil {
		during()
	}
	if a.delay > 0 {
		wait(ctx, a.delay)
	}
	a.mu.Lock()
	a.busy--
	a.mu.Unlock()
	return got, err
}

// bench is a reconciler at work on a queue in memory.
type bench struct {
	t     *testing.T
	store *memory.Store
	api   *fakeAPI
	r     *Reconciler
}

func start(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, store: memory.New(time.Now), api: new(fakeAPI)}
	b.r = New(b.store, Options{Jitter: func() float64 { return .5 }})
	resource := testResource(t)
	resource.Read = b.api.read
	b.r.Apply(Plan{Resources: []Resource{*resource}})
	t.Cleanup(func() {
		if err := b.r.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		b.store.Close()
	})
	return b
}

func (b *bench) mark(mark queue.Mark) {
	b.t.Helper()
	mark.Key = testKey
	if err := b.store.ResolveIntent(b.t.Context(), 0, queue.Resolution{Marks: []queue.Mark{mark}}, true); err != nil {
		b.t.Fatal(err)
	}
}

// types returns the types of all events, oldest first.
func (b *bench) types() (types []string) {
	b.t.Helper()
	events, _, err := b.store.Events(context.Background(), queue.Filter{}, queue.Page{})
	if err != nil {
		b.t.Fatal(err)
	}
	for i := len(events) - 1; i >= 0; i-- {
		types = append(types, events[i].Type)
	}
	return types
}

func (b *bench) expect(want ...string) {
	b.t.Helper()
	synctest.Wait()
	if got := b.types(); fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("events are %v, want %v", got, want)
	}
}

func (b *bench) marks() int {
	b.t.Helper()
	stats, err := b.store.Stats(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return stats.Marks
}

func TestLifeOfAnObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":1,"state":"pending"}`)
		b.mark(queue.Mark{Hints: queue.HintCreated})
		b.expect("items.created")
		b.api.set(`{"v":2,"state":"paid"}`)
		b.mark(queue.Mark{Hints: queue.HintUpdated})
		b.expect("items.created", "items.updated", "items.paid")
		// G4: a repeated request changes nothing, and emits nothing.
		b.mark(queue.Mark{Hints: queue.HintUpdated})
		b.expect("items.created", "items.updated", "items.paid")
		b.api.set("")
		b.mark(queue.Mark{Hints: queue.HintDeleted})
		b.expect("items.created", "items.updated", "items.paid", "items.deleted")
		if n := b.marks(); n != 0 {
			t.Errorf("%d marks are left", n)
		}
	})
}

// An object may be looked at for the first time between a change and its mark.
// The change is announced all the same, once. No difference from a state known
// before is not announced.
func TestFirstLookWithinAnExchange(t *testing.T) {
	for name, tc := range map[string]struct {
		began time.Duration // before the look
		hints queue.Hints
		want  []string
	}{
		"update that began before":  {time.Second, queue.HintUpdated, []string{"items.updated"}},
		"create that began before":  {time.Second, queue.HintCreated, []string{"items.created"}},
		"update that began after":   {-time.Second, queue.HintUpdated, nil},
		"unknown that began before": {time.Second, queue.HintMayBeUpdated, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t)
				b.api.set(`{"v":1,"state":"pending"}`)
				began := time.Now().Add(-tc.began)
				b.mark(queue.Mark{Hints: queue.HintLooked})
				b.expect()
				pass(2 * time.Second)
				for range 2 {
					b.mark(queue.Mark{Hints: tc.hints, Cause: event.Cause{At: began}})
					pass(time.Minute)
				}
				b.expect(tc.want...)
			})
		})
	}
}

// An object that comes back after it was forgotten is created. None of its
// events has the id or the sequence of an event of its earlier life, even if it
// looks the same.
func TestBackAfterForgetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		for range 3 {
			b.api.set(`{"v":1,"state":"pending"}`)
			b.mark(queue.Mark{Hints: queue.HintCreated})
			pass(time.Minute)
			b.api.set("")
			b.mark(queue.Mark{Hints: queue.HintDeleted})
			pass(time.Hour)
			if n, _, err := b.store.Forget(t.Context(), time.Now().Add(-time.Minute), event.Key{}); err != nil || n != 1 {
				t.Fatalf("%d are forgotten, %v", n, err)
			}
			// A Show that is not there says nothing about what was forgotten.
			b.mark(queue.Mark{Hints: queue.HintLooked})
			pass(time.Hour)
		}
		b.expect("items.created", "items.deleted", "items.created", "items.deleted", "items.created", "items.deleted")
		events, _, err := b.store.Events(t.Context(), queue.Filter{}, queue.Page{})
		if err != nil {
			t.Fatal(err)
		}
		ids := make(map[string]bool)
		for i := range events {
			ids[events[i].ID] = true
			if want := uint64(len(events) - i); events[i].Sequence != want {
				t.Errorf("%s has the sequence %d, want %d", events[i].Type, events[i].Sequence, want)
			}
		}
		if len(ids) != len(events) {
			t.Error("two events have the same id")
		}
	})
}

// Mechanism 3: a change that comes while Show is being read is not lost with
// the mark that the older one clears.
func TestChangeDuringShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":1}`)
		b.api.during = func() {
			b.api.set(`{"v":2}`)
			b.mark(queue.Mark{Hints: queue.HintUpdated})
		}
		b.mark(queue.Mark{Hints: queue.HintCreated})
		b.expect("items.created", "items.updated")
		if n := b.marks(); n != 0 {
			t.Errorf("%d marks are left", n)
		}
	})
}

// Mechanism 5: after an unknown outcome the API may still commit, so the object
// is read once more when it no longer can.
func TestLateCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":1}`)
		b.mark(queue.Mark{Hints: queue.HintCreated})
		b.expect("items.created")
		b.mark(queue.Mark{SettleAt: time.Now().Add(30 * time.Second)})
		b.expect("items.created")
		pass(20 * time.Second)
		b.api.set(`{"v":2}`) // the late commit
		b.expect("items.created")
		pass(10 * time.Second)
		b.expect("items.created", "items.updated")
		if n := b.marks(); n != 0 {
			t.Errorf("%d marks are left", n)
		}
	})
}

// A Show that lags behind the write's response is retried, and no state older
// than the known one is ever published.
func TestLaggingShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":1}`)
		b.mark(queue.Mark{Hints: queue.HintCreated, Version: "1"})
		b.expect("items.created")
		b.mark(queue.Mark{Hints: queue.HintUpdated, Version: "2"})
		b.expect("items.created")
		if n := b.marks(); n != 1 {
			t.Fatalf("the mark is gone before the Show was fresh")
		}
		b.api.set(`{"v":2,"state":"paid"}`)
		pass(time.Minute)
		b.expect("items.created", "items.updated", "items.paid")
		if reads := len(b.api.reads); reads > 12 {
			t.Errorf("a lagging Show was read %d times", reads)
		}
	})
}

// G8: a 404 is a delete only if somebody requested one.
func TestMissingIsNotDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.mark(queue.Mark{Hints: queue.HintCreated})
		pass(time.Second)
		b.api.set(`{"v":1}`) // the replica has it now
		pass(time.Minute)
		b.expect("items.created")
		b.api.set("")
		b.mark(queue.Mark{Hints: queue.HintUpdated})
		pass(23 * time.Hour)
		b.expect("items.created")
		if n := b.marks(); n != 1 {
			t.Error("the object was given up within a day")
		}
		pass(2 * time.Hour)
		b.expect("items.created")
		if n := b.marks(); n != 0 {
			t.Error("the object is never given up")
		}
	})
}

// An API that fails is retried less and less often, and the change is not lost
// however long it takes.
func TestFailingAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":1}`)
		failures := 0
		for range 40 {
			b.api.script = append(b.api.script, func() (show.Show, error) {
				failures++
				if failures%2 == 0 {
					return show.Show{}, errors.New("connection refused")
				}
				return answer(503, ""), nil
			})
		}
		b.mark(queue.Mark{Hints: queue.HintCreated})
		pass(time.Hour)
		b.expect()
		if reads := len(b.api.reads); reads > 30 {
			t.Errorf("a failing API got %d requests within an hour", reads)
		}
		marks, err := b.store.Pending(t.Context(), 10)
		if err != nil || len(marks) != 1 || marks[0].LastError == "" || marks[0].Tries == 0 {
			t.Errorf("the failing mark is %+v, %v", marks, err)
		}
		pass(5 * time.Hour)
		b.expect("items.created")
	})
}

// An exchange whose response does not end keeps its intent open, and its object
// is still read, again and again.
func TestOverdueIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":1}`)
		b.mark(queue.Mark{Hints: queue.HintLooked})
		note := func(key event.Key, deadline time.Time) queue.IntentID {
			id, err := b.store.NoteIntent(t.Context(), queue.Intent{
				Resource: "items", Kind: event.KindUpdate, Rule: "PATCH /items/:id", Key: key, Noted: time.Now(), Deadline: deadline,
			})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		id := note(testKey, time.Now().Add(30*time.Second))
		pass(20 * time.Second)
		b.api.set(`{"v":2}`)
		b.expect()
		pass(12 * time.Second)
		b.expect("items.updated")
		// The exchange may still be under way, so the object is read again.
		b.api.set(`{"v":3}`)
		pass(31 * time.Second)
		b.expect("items.updated", "items.updated")
		stats, err := b.store.Stats(t.Context())
		if err != nil || stats.OpenIntents != 1 {
			t.Errorf("the intent is not open any more: %+v, %v", stats, err)
		}
		if reads := len(b.api.reads); reads > 8 {
			t.Errorf("the Show was read %d times", reads)
		}
		if err := b.store.ResolveIntent(t.Context(), id, queue.Resolution{}, true); err != nil {
			t.Error(err)
		}
		pass(2 * time.Minute)
		stats, err = b.store.Stats(t.Context())
		if err != nil || stats.OpenIntents != 0 || stats.Marks != 0 {
			t.Errorf("left over: %+v, %v", stats, err)
		}
	})
}

// Objects that were never seen are not announced because somebody broke a request
// off, or held one open; and what was changed all the same is announced with the
// next change that the API confirms.
func TestEventsOfNothing(t *testing.T) {
	const unconfirmed = queue.HintMayBeUpdated | queue.HintUnconfirmed
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"id":"42","v":1,"state":"paid"}`)
		for range 3 {
			b.mark(queue.Mark{Hints: unconfirmed, SettleAt: time.Now().Add(30 * time.Second), Cause: event.Cause{At: time.Now()}})
			pass(time.Minute)
		}
		b.expect()
		unresolved, _, err := b.store.Unresolved(t.Context(), queue.Page{})
		if err != nil || len(unresolved) != 1 || unresolved[0].Intent.Key != testKey {
			t.Errorf("recorded are %+v, %v", unresolved, err)
		}
		b.mark(queue.Mark{Hints: queue.HintUpdated, Cause: event.Cause{At: time.Now()}})
		pass(time.Minute)
		b.expect("items.updated", "items.paid")
		b.mark(queue.Mark{Hints: queue.HintUpdated, Cause: event.Cause{At: time.Now()}})
		pass(time.Minute)
		b.expect("items.updated", "items.paid")
	})
}

// What can never be read ends as a record, at the first try or after a few; so does,
// after a day, what only a client asks for. What the API confirmed is asked for as
// long as it takes.
func TestHopeless(t *testing.T) {
	fails := func(err error) func() (show.Show, error) {
		return func() (show.Show, error) { return show.Show{}, err }
	}
	for name, tc := range map[string]struct {
		err      error
		hints    queue.Hints
		settles  time.Duration
		within   time.Duration
		recorded bool
	}{
		"never":                {fmt.Errorf("%w: no number", ErrNever), queue.HintUpdated, 0, time.Second, true},
		"never, and unsettled": {ErrNever, queue.HintMayBeUpdated, 30 * time.Second, 31 * time.Second, true},
		"too large":            {show.ErrTooLarge, queue.HintUpdated, 0, 2 * time.Second, true},
		"unconfirmed":          {errors.New("reset"), queue.HintMayBeUpdated | queue.HintUnconfirmed, 0, 25 * time.Hour, true},
		"unconfirmed, at once": {errors.New("reset"), queue.HintMayBeUpdated | queue.HintUnconfirmed, 0, 23 * time.Hour, false},
		"confirmed":            {errors.New("reset"), queue.HintUpdated, 0, 100 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t)
				for range 2000 {
					b.api.script = append(b.api.script, fails(tc.err))
				}
				mark := queue.Mark{Hints: tc.hints, Cause: event.Cause{Rule: "PATCH /items/:id", At: time.Now()}}
				if tc.settles > 0 {
					mark.SettleAt = time.Now().Add(tc.settles)
				}
				b.mark(mark)
				pass(tc.within)
				records, _, err := b.store.Unresolved(t.Context(), queue.Page{})
				stats, statsErr := b.store.Stats(t.Context())
				if err != nil || statsErr != nil || (len(records) == 1) != tc.recorded || (stats.Marks == 0) != tc.recorded {
					t.Fatalf("records %+v, %v; %d marks, %v", records, err, stats.Marks, statsErr)
				}
				if tc.recorded && (records[0].Intent.Key != testKey || records[0].Reason == "" || records[0].Intent.Rule != "PATCH /items/:id") {
					t.Errorf("recorded as %+v", records[0])
				}
				b.expect()
			})
		})
	}
}

// A client that holds its request open announces nothing either. When the API
// confirms the request at last, the change is announced.
func TestRequestHeldOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"id":"42","v":1}`)
		began := time.Now()
		id, err := b.store.NoteIntent(t.Context(), queue.Intent{
			Resource: "items", Kind: event.KindUpdate, Rule: "PATCH /items/:id", Key: testKey, Noted: began, Deadline: began.Add(30 * time.Second),
		})
		if err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Minute)
		b.expect()
		confirmed := queue.Resolution{Marks: []queue.Mark{{Key: testKey, Hints: queue.HintUpdated, Cause: event.Cause{At: began}}}}
		if err := b.store.ResolveIntent(t.Context(), id, confirmed, true); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		b.expect("items.updated")
	})
}

// The second reading for one exchange marks nothing if it names the same objects; that for
// another exchange does, however soon it comes: the objects may have been deleted and made
// again in between.
func TestSecondReadingOfAQuery(t *testing.T) {
	q := Query{Name: "items@all", Kind: Touched}
	hasher := event.NewHasher([32]byte{1})
	keys := []event.Key{{Resource: "items", ID: "1"}}
	settles := testTime.Add(10 * time.Second)
	lease := queue.MarkLease{
		Mark:     queue.Mark{Key: event.Key{Resource: q.Name, ID: "a"}, Hints: queue.HintUpdated, SettleAt: settles},
		MarkedAt: testTime, Generation: 1,
	}
	marks, snapshot := q.marks(hasher, lease, keys, testTime.Add(time.Second))
	if len(marks) != 1 || snapshot == nil {
		t.Fatalf("the first reading marks %v", marks)
	}
	lease.Snapshot = snapshot
	if marks, _ := q.marks(hasher, lease, keys, settles); len(marks) != 0 {
		t.Errorf("the second reading for the same exchange marks %v", marks)
	}
	if marks, _ := q.marks(hasher, lease, append(keys, event.Key{Resource: "items", ID: "2"}), settles); len(marks) != 2 {
		t.Errorf("a second reading that names another marks %v", marks)
	}
	for name, next := range map[string]queue.MarkLease{
		"of the next exchange":        {Mark: lease.Mark, Snapshot: snapshot, MarkedAt: testTime.Add(3 * time.Second), Generation: 1},
		"of one that came meanwhile":  {Mark: lease.Mark, Snapshot: snapshot, MarkedAt: testTime, Generation: 2},
		"of one that does not settle": {Mark: queue.Mark{Key: lease.Key, Hints: queue.HintUpdated}, Snapshot: snapshot, MarkedAt: testTime, Generation: 1},
	} {
		if marks, _ := q.marks(hasher, next, keys, testTime.Add(4*time.Second)); len(marks) != 1 {
			t.Errorf("the reading %s marks %v", name, marks)
		}
	}
}

// What a query names after an exchange that nobody confirmed is unconfirmed too,
// unless the query did not name it before.
func TestQueryOfUnconfirmed(t *testing.T) {
	hasher := event.NewHasher([32]byte{1})
	old, fresh := event.Key{Resource: "users", ID: "old"}, event.Key{Resource: "users", ID: "new"}
	lease := queue.MarkLease{Mark: queue.Mark{Key: event.Key{Resource: "query", ID: "1"}, Hints: queue.HintMayBeUpdated | queue.HintUnconfirmed}}
	touched, found := &Query{Kind: Touched}, &Query{Kind: Found}
	for _, mark := range marksOf(touched.marks(hasher, lease, []event.Key{old}, testTime)) {
		if !mark.Hints.AreUnconfirmed() {
			t.Errorf("named at first: %b", mark.Hints)
		}
	}
	_, lease.Snapshot = touched.marks(hasher, lease, []event.Key{old}, testTime)
	for _, mark := range marksOf(touched.marks(hasher, lease, []event.Key{old, fresh}, testTime)) {
		if mark.Hints.AreUnconfirmed() != (mark.Key == old) {
			t.Errorf("%s, named later: %b", mark.Key, mark.Hints)
		}
	}
	for _, mark := range marksOf(found.marks(hasher, lease, []event.Key{old}, testTime)) {
		if !mark.Hints.AreUnconfirmed() || mark.Callback != nil {
			t.Errorf("found: %+v", mark)
		}
	}
}

func marksOf(marks []queue.Mark, _ *event.Snapshot) []queue.Mark { return marks }

// A record of more than before keeps that the first sight was uncertain.
func TestRefreshedStaysUncertain(t *testing.T) {
	r := testResource(t)
	got := r.refreshed(&event.Snapshot{Key: testKey, Uncertain: true}, event.Snapshot{Key: testKey, Hash: []byte{1}, Version: "1"})
	if got == nil || !got.Uncertain {
		t.Errorf("refreshed to %+v", got)
	}
}

// Where Show has no id, a first sight that nobody confirmed is recorded, once, and
// nothing is kept of the object: it may be any spelling of another's id.
func TestUnnamedObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set(`{"v":1}`)
		b.mark(queue.Mark{
			Hints: queue.HintMayBeUpdated | queue.HintUnconfirmed, SettleAt: time.Now().Add(30 * time.Second), Cause: event.Cause{At: time.Now()},
		})
		pass(time.Minute)
		b.expect()
		records, _, err := b.store.Unresolved(t.Context(), queue.Page{})
		known, listErr := b.store.Objects(t.Context(), "items", event.Key{}, 10)
		if err != nil || listErr != nil || len(records) != 1 || len(known) != 0 {
			t.Errorf("records %+v, %v; known are %+v, %v", records, err, known, listErr)
		}
	})
}

// Any number of spellings of an id leaves nothing behind: no event, no snapshot,
// and no look of a watched resource.
func TestSpellingsOfAnID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		resource := testResource(t)
		resource.Every, resource.Final = time.Minute, func(event.Document) bool { return false }
		resource.Read = func(context.Context, queue.MarkLease) (show.Show, error) {
			return answer(200, `{"id":"42","v":1}`), nil
		}
		b.r.Apply(Plan{Resources: []Resource{*resource}})
		var marks []queue.Mark
		for _, spelled := range []string{"x1", "x2", "042", "42 "} {
			for _, hints := range []queue.Hints{queue.HintMayBeUpdated | queue.HintUnconfirmed, queue.HintMayBeCreated | queue.HintUnconfirmed} {
				marks = append(marks, queue.Mark{Key: event.Key{Resource: "items", ID: spelled + strconv.Itoa(int(hints))}, Hints: hints})
			}
			marks = append(marks, queue.Mark{
				Key: event.Key{Resource: "items", ID: spelled}, Hints: queue.HintLooked, Cause: event.Cause{Rule: observedRule},
			})
		}
		if err := b.store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: marks}, true); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		b.expect()
		known, err := b.store.Objects(t.Context(), "items", event.Key{}, 10)
		stats, statsErr := b.store.Stats(t.Context())
		if err != nil || statsErr != nil || len(known) > 0 || stats.Marks+stats.Looks > 0 {
			t.Errorf("known are %+v, %v; the queue has %+v, %v", known, err, stats, statsErr)
		}
	})
}

// abandoned is a queue whose open intents all come from an earlier process.
type abandoned struct{ *memory.Store }

func (a abandoned) StaleIntents(ctx context.Context, limit int) ([]queue.Intent, error) {
	intents, err := a.Store.StaleIntents(ctx, limit)
	for i := range intents {
		intents[i].Abandoned = true
	}
	return intents, err
}

// Mechanism 1: what a crash interrupted is found again, since the intent names
// the object; if it does not, the operator is informed.
func TestAbandonedIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(time.Now)
		defer store.Close()
		api := new(fakeAPI)
		api.set(`{"v":1}`)
		noted := time.Now()
		for _, key := range []event.Key{testKey, {}} {
			if _, err := store.NoteIntent(t.Context(), queue.Intent{
				Resource: "items", Kind: event.KindCreate, Rule: "POST /items", Key: key, Noted: noted, Deadline: noted.Add(30 * time.Second),
				Hops: "c:1",
			}); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		r := New(abandoned{store}, Options{})
		resource := testResource(t)
		resource.Read = api.read
		r.Apply(Plan{Resources: []Resource{*resource}})
		synctest.Wait()
		events, _, err := store.Events(t.Context(), queue.Filter{}, queue.Page{})
		if err != nil || len(events) != 1 || events[0].Type != "items.created" || events[0].Cause.Outcome != event.OutcomeUnknown {
			t.Errorf("events %+v, %v", events, err)
		}
		unresolved, _, err := store.Unresolved(t.Context(), queue.Page{})
		if err != nil || len(unresolved) != 1 || unresolved[0].Reason == "" {
			t.Errorf("unresolved %+v, %v", unresolved, err)
		}
		// The crash may have come between the request and a late commit.
		api.set(`{"v":2}`)
		pass(time.Minute)
		events, _, err = store.Events(t.Context(), queue.Filter{}, queue.Page{})
		if err != nil || len(events) != 2 {
			t.Errorf("events %+v, %v", events, err)
		}
		for i := range events {
			if events[i].Cause.Hops != "c:1" {
				t.Errorf("event %d has lost the deliveries that led to its change: %+v", i, events[i].Cause)
			}
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestLimitOfShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.delay = time.Second
		b.api.state = make(map[event.Key]show.Show)
		keys := make([]event.Key, 40)
		for i := range keys {
			keys[i] = event.Key{Resource: "items", ID: fmt.Sprint(i)}
			b.api.state[keys[i]] = answer(200, `{"v":1}`)
		}
		for _, key := range keys {
			if err := b.store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key, Hints: queue.HintCreated}}}, true); err != nil {
				t.Fatal(err)
			}
		}
		pass(20 * time.Second)
		synctest.Wait()
		if b.api.most != 4 {
			t.Errorf("%d Shows were read at once, with a limit of 4", b.api.most)
		}
		if n := len(b.types()); n != 40 {
			t.Errorf("%d events, want 40", n)
		}
	})
}

// After a failure an API gets one request for a Show at a time, until it
// answers.
func TestLimitAfterFailure(t *testing.T) {
	l := NewLimit(3, nil)
	take := func() bool {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return l.Acquire(ctx) == nil
	}
	for i := range 4 {
		if got := take(); got != (i < 3) {
			t.Errorf("place %d: %v", i, got)
		}
	}
	l.Release(false, 0)
	l.Release(false, 0)
	if take() {
		t.Error("a second Show is read from an API that fails")
	}
	l.Release(true, 0)
	for i := range 3 {
		if got := take(); got != (i < 2) {
			t.Errorf("after a success, place %d: %v", i, got)
		}
	}
}

func TestApplyAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.r.Apply(Plan{})
		b.api.set(`{"v":1}`)
		b.mark(queue.Mark{Hints: queue.HintCreated})
		pass(time.Minute)
		b.expect() // no plan has the resource, and the mark waits
		resource := testResource(t)
		resource.Read = b.api.read
		b.r.Apply(Plan{Resources: []Resource{*resource}})
		b.expect("items.created")
		if err := b.r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		b.r.Apply(Plan{Resources: []Resource{*resource}})
		b.mark(queue.Mark{Hints: queue.HintUpdated})
		b.api.set(`{"v":2}`)
		b.expect("items.created")
	})
}

// pass lets time pass on the clock of the test's bubble.
func pass(d time.Duration) {
	<-time.After(d)
}
