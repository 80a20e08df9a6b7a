// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/testflags"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// beginner is an endpoint that begins with a snapshot while everything changes.
type beginner struct {
	id     string
	events []string
	filter bool
	// there are the objects that were there and known when it began, and have been since.
	there map[string]bool
	// deleted is true if somebody has deleted it.
	deleted bool
	// at is how far a reader of its feed is, and read what it has got.
	at   queue.Position
	read []event.Event
}

// world is a lab in which things happen, and what must come of them.
type world struct {
	*lab
	beginners []*beginner
	// made counts changes, so that each makes a state of its own.
	made int
}

func TestMain(m *testing.M) {
	testflags.Checks(40)
	os.Exit(m.Run())
}

// TestProperty lets objects be made, changed, handed over, noticed and deleted, with and
// without events, while endpoints begin with a snapshot, change their minds, and the process ends
// anywhere. Whatever happens: of each object that is there an endpoint is told, once in a
// run, of nothing older after something newer, and of nothing that is not its.
func TestProperty(t *testing.T) {
	directory := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			w := &world{lab: newLab(t.Context(), rt, func(l *lab) {
				l.keepShow = rapid.Bool().Draw(rt, "keep show")
				l.listed = rapid.Bool().Draw(rt, "list")
				l.indifferent = rapid.Bool().Draw(rt, "whose it is does not count")
				l.takes = rapid.SampledFrom([]time.Duration{time.Millisecond, 300 * time.Millisecond}).Draw(rt, "the API takes")
				if rapid.IntRange(0, 2).Draw(rt, "in memory") == 0 {
					return
				}
				dir, err := os.MkdirTemp(directory, "")
				l.must(err)
				l.kept(dir)
			})}
			defer func() { w.close(); _ = os.RemoveAll(w.dir) }()
			w.meddle(rapid.SliceOfN(rapid.SampledFrom([]meddling{nothing, looked, changed, unnoticed, handed, joined, joined, relabeled, cancelled}), 8, 8).Draw(rt, "before introductions"))
			for _, id := range rapid.SliceOfNDistinct(someObjects, 3, -1, rapid.ID).Draw(rt, "objects") {
				w.put(id, object{tenant: someTenants.Draw(rt, "tenant")}, queue.HintCreated)
			}
			w.settle()
			w.begin(rt)
			rt.Repeat(map[string]func(*rapid.T){
				"put": w.change, "put more": w.change, "remove": w.take, "hand over": w.handOver, "look": w.notice, "begin": w.begin, "again": w.again,
				"cancel": w.cancel, "delete": w.drop, "expire": w.expire, "forget": w.forget, "restart": w.restart, "wait": w.pass, "read": w.readOn,
			})
			w.finish(rt)
		})
	})
}

var allObjects = []string{"1", "2", "3", "4", "5"}

var (
	someObjects = rapid.SampledFrom(allObjects)
	someTenants = rapid.SampledFrom([]string{"acme", "acme", "acme", "umbrella"})
	someTimes   = rapid.SampledFrom([]time.Duration{time.Microsecond, time.Millisecond, 3 * time.Millisecond, 50 * time.Millisecond, time.Second, 5 * time.Second})
)

func (w *world) change(t *rapid.T) {
	id, made := someObjects.Draw(t, "object"), w.next()
	tell := rapid.Bool().Draw(t, "with an event")
	set := func(of *object) {
		if tell {
			of.a = made
		} else {
			of.b = made
		}
	}
	hints := queue.HintUpdated
	if rapid.IntRange(0, 3).Draw(t, "in silence") == 0 {
		hints = 0
	}
	if w.alter(id, hints, set) {
		return
	}
	of := object{tenant: someTenants.Draw(t, "tenant")}
	set(&of)
	w.put(id, of, queue.HintCreated)
}

// next returns a number of its own.
func (w *world) next() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	return w.made
}

// take deletes an object. It is an object of whoever makes the next one of that name.
func (w *world) take(t *rapid.T) {
	id := someObjects.Draw(t, "object")
	w.mu.Lock()
	_, there := w.objects[id]
	w.mu.Unlock()
	if !there {
		t.Skip("it is not there")
	}
	w.remove(id)
	w.leave(id)
}

// handOver gives an object to another tenant, or to nobody, or to acme. Who is being told of
// all of acme's objects when it is known as acme's has to be told of it, too.
func (w *world) handOver(t *rapid.T) {
	id := someObjects.Draw(t, "object")
	other := rapid.SampledFrom([]string{"umbrella", ""}).Draw(t, "tenant")
	to, passes := "acme", w.isAnothers(id)
	if !w.alter(id, queue.HintUpdated, func(of *object) {
		if of.tenant == "acme" {
			to = other
		}
		of.tenant = to
	}) {
		t.Skip("it is not there")
	}
	if w.leave(id); to != "acme" || !passes {
		return
	}
	for end := time.Now().Add(5 * time.Second); !w.isKnown(id); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return
		}
	}
	for _, b := range w.beginners {
		if b.deleted {
			continue
		}
		if run := w.run(b.id); run.Running() {
			w.mu.Lock()
			b.there[id] = true
			w.mu.Unlock()
		}
	}
	w.leave(id) // it may have been handed over once more
}

// leave notes what is not acme's any more of some objects.
func (w *world) leave(ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if of, there := w.objects[id]; there && of.tenant == "acme" {
			continue
		}
		for _, b := range w.beginners {
			delete(b.there, id)
		}
	}
}

func (w *world) notice(t *rapid.T) {
	w.mark(someObjects.Draw(t, "object"), queue.HintLooked, time.Now())
}

// begin makes an endpoint.
func (w *world) begin(t *rapid.T) {
	if len(w.beginners) == 3 {
		t.Skip("there are enough")
	}
	b := &beginner{events: rapid.SampledFrom([][]string{{"items.*"}, {"items.created"}, {"items.updated", "items.deleted"}}).Draw(t, "events")}
	b.filter = rapid.IntRange(0, 3).Draw(t, "filter") == 0
	b.there = w.known()
	b.id = w.endpoint(func(e *subscribers.Endpoint) {
		e.Events = b.events
		if b.filter {
			e.Filter = "object.a >= 0 && event.id != '2'"
		}
	})
	w.mu.Lock()
	w.beginners = append(w.beginners, b)
	w.mu.Unlock()
	w.leave(allObjects...)
}

// known returns the objects of acme that are there and known.
func (w *world) known() map[string]bool {
	known := make(map[string]bool)
	for _, id := range allObjects {
		if w.isKnown(id) {
			known[id] = true
		}
	}
	return known
}

// isAnothers reports whether an object is known as another tenant's, or nobody's, and nothing
// else may be found of it: one that is not known, or is gone, does not pass to acme, but is
// made as acme's.
func (w *world) isAnothers(id string) bool {
	was, err := w.store.Sighted(w.ctx, item(id))
	return err == nil && was.Generation == 0 && !was.Snapshot.Gone && was.Snapshot.Tenant != "acme"
}

func (w *world) isKnown(id string) bool {
	w.mu.Lock()
	of, there := w.objects[id]
	w.mu.Unlock()
	last, err := w.store.Object(w.ctx, item(id))
	return there && of.tenant == "acme" && err == nil && !last.Gone && last.Tenant == "acme"
}

func (w *world) some(t *rapid.T) *beginner {
	alive := slices.DeleteFunc(slices.Clone(w.beginners), func(b *beginner) bool { return b.deleted })
	if len(alive) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(alive).Draw(t, "endpoint")
}

func (w *world) again(t *rapid.T) {
	b := w.some(t)
	known := w.known()
	_, err := w.book.BeginRun(w.ctx, "acme", b.id, subscribers.NewSnapshotRun(w.store.Instance(), time.Now()))
	switch {
	case errors.Is(err, subscribers.ErrRunning):
	case err != nil:
		t.Fatalf("beginning again: %v", err)
	default:
		w.mu.Lock()
		b.there = known
		w.mu.Unlock()
		w.leave(allObjects...)
	}
}

func (w *world) cancel(t *rapid.T) {
	b := w.some(t)
	run, err := w.book.CancelRun(w.ctx, "acme", b.id)
	if err != nil || run.Running() {
		t.Fatalf("cancelling: %+v, %v", run, err)
	}
}

func (w *world) drop(t *rapid.T) {
	b := w.some(t)
	w.must(w.book.Delete(w.ctx, "acme", b.id, queue.AnyVersion))
	b.deleted = true
}

// expire gives up what waits for an endpoint for too long: it was told all the same.
func (w *world) expire(t *rapid.T) {
	_, _, err := w.store.Expire(w.ctx, queue.Selection{Endpoint: w.some(t).id, Statuses: []queue.Status{queue.StatusPending}}, queue.Page{Limit: 3})
	w.must(err)
}

// forget forgets the objects that are gone. If one comes back, nothing is known of it.
func (w *world) forget(*rapid.T) {
	_, _, err := w.store.Forget(w.ctx, time.Now(), event.Key{})
	w.must(err)
}

func (w *world) restart(*rapid.T) { w.reopen() }

func (w *world) pass(t *rapid.T) { time.Sleep(someTimes.Draw(t, "time")) }

// readOn reads a page of an endpoint's feed.
func (w *world) readOn(t *rapid.T) {
	b := w.some(t)
	page, err := w.store.ReadFeed(w.ctx, queue.OfEndpoint(b.id), b.at, rapid.IntRange(1, 4).Draw(t, "limit"))
	w.must(err)
	for i := range page.Entries {
		if !page.Entries[i].Filtered {
			b.read = append(b.read, page.Entries[i].Event)
		}
	}
	b.at = page.Next
}

// finish waits until everything is done, and checks what each endpoint was told.
func (w *world) finish(t *rapid.T) {
	for _, b := range w.beginners {
		if !b.deleted {
			w.done(b.id)
		}
	}
	w.settle()
	for _, e := range w.feed(queue.OfTenant("acme")) {
		if e.Op == event.OpSnapshot {
			t.Errorf("the tenant's feed has %s", line(&e))
		}
	}
	for _, b := range w.beginners {
		w.check(t, b)
	}
}

func (w *world) check(t *rapid.T, b *beginner) {
	told := make([]event.Event, 0)
	for _, e := range w.feed(queue.OfEndpoint(b.id)) {
		if filtered, err := w.store.WasFiltered(w.ctx, b.id, e.ID); err == nil && !filtered {
			told = append(told, e)
		}
	}
	if len(b.read) > len(told) || !slices.Equal(lines(b.read), lines(told)[:len(b.read)]) {
		t.Errorf("who read meanwhile was told %q, and all is %q", lines(b.read), lines(told))
	}
	seen, last := make(map[string]bool), make(map[string]event.Event)
	for _, e := range told {
		before, known := last[e.Key.ID]
		switch {
		case seen[e.ID]:
			t.Errorf("%s was told twice: %q", line(&e), lines(told))
		case known && e.Sequence < before.Sequence, known && e.Op != event.OpSnapshot && e.Sequence == before.Sequence && before.Op != event.OpSnapshot:
			t.Errorf("%s came after %s: %q", line(&e), line(&before), lines(told))
		case e.Tenant != "acme":
			t.Errorf("%s is %s's", line(&e), e.Tenant)
		case b.filter && e.Key.ID == "2" && e.Op != event.OpDelete:
			t.Errorf("%s was filtered", line(&e))
		}
		seen[e.ID], last[e.Key.ID] = true, e
	}
	if b.deleted {
		return
	}
	run := w.run(b.id)
	if run.State == subscribers.Cancelled {
		return
	}
	if run.Unread > 0 || run.Complete() != w.listed {
		t.Errorf("the run is %+v", run)
	}
	for id := range b.there {
		e, known := last[id]
		switch {
		case b.filter && id == "2":
		case !known || e.Op == event.OpDelete:
			t.Errorf("%s is there since it began, and it was told %q", id, lines(told))
		case slices.Equal(b.events, []string{"items.*"}):
			w.checkState(t, id, &e, lines(told))
		}
	}
}

// checkState checks that who is told of all events knows how an object is, as far as
// there were events.
func (w *world) checkState(t *rapid.T, id string, e *event.Event, told []string) {
	known, err := w.store.Object(w.ctx, item(id))
	w.must(err)
	if known.Sequence != e.Sequence {
		t.Errorf("%s has the sequence %d, and was told last as %s, of %q", id, known.Sequence, line(e), told)
	}
	a := fmt.Sprintf(`"a":%s,`, known.Watched["a"])
	if !slices.Contains([]string{a}, field(e.Payload)) {
		t.Errorf("%s has %s, and was told as %s, of %q", id, a, e.Payload, told)
	}
}

// field returns what an object's Show says of a.
func field(show []byte) string {
	return fmt.Sprintf(`"a":%s,`, event.NewDocument(show).Field("a"))
}
