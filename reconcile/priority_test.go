// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// slowAPI takes a minute for a Show, and remembers the time of each request.
type slowAPI struct {
	*fakeAPI
	store *memory.Store
	asked map[event.Key][]time.Time
}

func startSlow(t *testing.T) *slowAPI {
	b := start(t)
	a := &slowAPI{fakeAPI: b.api, store: b.store, asked: map[event.Key][]time.Time{}}
	a.delay = time.Minute
	resource := testResource(t)
	resource.Unconfirmed = rate.NewLimiter(10, 10)
	resource.Read = func(ctx context.Context, lease queue.MarkLease) (show.Show, error) {
		a.mu.Lock()
		a.asked[lease.Key] = append(a.asked[lease.Key], time.Now())
		a.mu.Unlock()
		return a.read(ctx, lease)
	}
	b.r.Apply(Plan{Resources: []Resource{*resource}})
	return a
}

func (a *slowAPI) mark(t *testing.T, hints queue.Hints, ids ...int) {
	t.Helper()
	for _, id := range ids {
		key := event.Key{Resource: "items", ID: fmt.Sprint(id)}
		a.mu.Lock()
		if a.state == nil {
			a.state = map[event.Key]show.Show{}
		}
		a.state[key] = answer(200, `{"v":1}`)
		a.mu.Unlock()
		if err := a.store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key, Hints: hints}}}, true); err != nil {
			t.Fatal(err)
		}
	}
}

// first returns the time of the first request for an object.
func (a *slowAPI) first(id int) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if asked := a.asked[event.Key{Resource: "items", ID: fmt.Sprint(id)}]; len(asked) > 0 {
		return asked[0]
	}
	return time.Time{}
}

func numbers(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// A change that passes is read at once, however many objects wait for a look,
// even if the changed object is one of them.
func TestMarksDoNotWaitForLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startSlow(t)
		a.mark(t, queue.HintLooked, numbers(0, 40)...)
		synctest.Wait()
		if a.busy != 2 {
			t.Fatalf("%d looks are under way, want half of 4", a.busy)
		}
		pass(time.Second / 2)
		changed := time.Now()
		waiting := 0
		for ; !a.first(waiting).IsZero(); waiting++ {
		}
		a.mark(t, queue.HintUpdated, 100, waiting)
		synctest.Wait()
		for _, id := range []int{100, waiting} {
			if got := a.first(id); !got.Equal(changed) {
				t.Errorf("object %d is read at %v, and changed at %v", id, got, changed)
			}
		}
		// All have their turn.
		pass(time.Hour)
		synctest.Wait()
		for id := range 40 {
			if a.first(id).IsZero() {
				t.Errorf("object %d is never looked at", id)
			}
		}
		if a.most != 4 {
			t.Errorf("%d Shows were read at once, with a limit of 4", a.most)
		}
	})
}

// A confirmed change is read at once, however many objects a client asks for with
// requests that it breaks off, and however slow or broken these objects are.
func TestConfirmedBeforeUnconfirmed(t *testing.T) {
	const unconfirmed = queue.HintMayBeUpdated | queue.HintUnconfirmed
	for name, fails := range map[string]bool{"slow objects": false, "objects that fail": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := startSlow(t)
				a.mark(t, unconfirmed, numbers(0, 2000)...)
				a.mark(t, queue.HintUpdated, numbers(5000, 5003)...)
				a.mu.Lock()
				for id := range 2000 {
					if fails {
						a.state[event.Key{Resource: "items", ID: fmt.Sprint(id)}] = answer(500, "no")
					}
				}
				a.mu.Unlock()
				pass(10 * time.Minute)
				a.mu.Lock()
				most := a.most
				a.mu.Unlock()
				if most > 4 {
					t.Errorf("%d Shows were read at once, with a limit of 4", most)
				}
				if a.first(5000).IsZero() || a.first(5002).IsZero() {
					t.Error("what was confirmed is not read")
				}
				changed := time.Now()
				a.mark(t, queue.HintUpdated, 6000, 6001)
				synctest.Wait()
				for _, id := range []int{6000, 6001} {
					if got := a.first(id); !got.Equal(changed) {
						t.Errorf("object %d is read at %v, and changed at %v", id, got, changed)
					}
				}
			})
		})
	}
}

// What only clients ask for has a budget of its own, however fast the API is.
func TestBudgetOfUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startSlow(t)
		a.delay = 0
		a.mark(t, queue.HintMayBeUpdated|queue.HintUnconfirmed, numbers(0, 500)...)
		pass(20 * time.Second)
		a.wantReads(t, 200, 220)
	})
}

// An object that is marked again and again while it waits for its turn is not read
// before that turn.
func TestTurnIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startSlow(t)
		a.delay = 0
		for range 20 {
			a.mark(t, queue.HintMayBeUpdated|queue.HintUnconfirmed, numbers(0, 500)...)
			pass(time.Second)
		}
		a.wantReads(t, 200, 220)
	})
}

// Whoever holds requests open has their objects read within the same budget, and nobody
// else waits for that.
func TestBudgetOfOverdueExchanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startSlow(t)
		a.delay = 0
		for from := 0; from < 3000; from += 1000 {
			now := time.Now()
			intent := queue.Intent{Resource: "items", Rule: "POST /bulk", Noted: now, Deadline: now.Add(time.Second)}
			for _, id := range numbers(from, from+1000) {
				intent.Touches = append(intent.Touches, event.Key{Resource: "items", ID: fmt.Sprint(id)})
			}
			if _, err := a.store.NoteIntent(t.Context(), intent); err != nil {
				t.Fatal(err)
			}
		}
		pass(20 * time.Second)
		a.wantReads(t, 180, 220)
		changed := time.Now()
		a.mark(t, queue.HintMayBeUpdated|queue.HintUnconfirmed, 5000)
		pass(10 * time.Second)
		if at := a.first(5000); at.IsZero() || at.Sub(changed) > 2*time.Second {
			t.Errorf("another client's object is read at %v, and may have changed at %v", at, changed)
		}
	})
}

// wantReads checks how many Shows have been read.
func (a *slowAPI) wantReads(t *testing.T, atLeast, atMost int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if got := len(a.reads); got < atLeast || got > atMost {
		t.Errorf("%d Shows are read in 20 s, with 10 a second", got)
	}
}

// A Show that can never be read, or is too large, says nothing of the API: others are
// read side by side all the same.
func TestHopelessObjectIsAlone(t *testing.T) {
	for _, err := range []error{ErrNever, show.ErrTooLarge} {
		synctest.Test(t, func(t *testing.T) {
			a := startSlow(t)
			a.mu.Lock()
			a.script = append(a.script, func() (show.Show, error) { return show.Show{}, err })
			a.mu.Unlock()
			a.mark(t, queue.HintUpdated, 1)
			pass(61 * time.Second)
			a.mark(t, queue.HintUpdated, numbers(10, 13)...)
			pass(time.Second)
			for id := 10; id < 13; id++ {
				if a.first(id).IsZero() {
					t.Errorf("after %v, object %d waits", err, id)
				}
			}
		})
	}
}

// An object whose Show fails each time slows itself down, not the API's others.
func TestFailingObjectIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startSlow(t)
		a.mark(t, queue.HintUpdated, 1)
		a.mu.Lock()
		a.state[event.Key{Resource: "items", ID: "1"}] = answer(500, "no")
		a.mu.Unlock()
		pass(time.Hour)
		changed := time.Now()
		a.mark(t, queue.HintUpdated, numbers(10, 13)...)
		synctest.Wait()
		for id := 10; id < 13; id++ {
			if got := a.first(id); !got.Equal(changed) {
				t.Errorf("object %d is read at %v, and changed at %v", id, got, changed)
			}
		}
	})
}

// While marks wait, a look does not take a place that becomes free.
func TestMarksBeforeLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimit(2, nil)
		if !l.TryLook() || l.TryLook() {
			t.Fatal("a look gets one of two places, and no more")
		}
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string, 4)
		acquire := func(name string, how func(context.Context) error) {
			go func() {
				if err := how(ctx); err != nil {
					name = "none"
				}
				got <- name
			}()
			synctest.Wait()
		}
		acquire("mark", l.Acquire)
		acquire("look", l.AcquireLook)
		acquire("second mark", l.Acquire)
		acquire("second look", l.AcquireLook)
		if name := <-got; name != "mark" || len(got) != 0 {
			t.Fatalf("%s got a place, and %d others", name, len(got))
		}
		l.ReleaseLook(true, 0)
		synctest.Wait()
		if name := <-got; name != "second mark" || len(got) != 0 {
			t.Fatalf("%s got a place, and %d others", name, len(got))
		}
		if l.TryLook() {
			t.Error("a look takes a place that a mark waits for")
		}
		l.Release(true, 0)
		synctest.Wait()
		if name := <-got; name != "look" || len(got) != 0 {
			t.Fatalf("%s got a place, and %d others", name, len(got))
		}
		cancel()
		if name := <-got; name != "none" {
			t.Errorf("%s got a place", name)
		}
		l.ReleaseLook(true, 0)
		if !l.TryLook() {
			t.Error("a place is lost")
		}
	})
}

// Pages of a list are requests that no exchange caused, and use a look's place.
func TestPagesTakePlaces(t *testing.T) {
	l := NewLimit(1, nil)
	reading := 0
	list := List{Limit: l, Read: func(context.Context, event.Key, string) (show.Show, error) {
		if reading++; l.TryLook() {
			t.Error("a page is read without a place")
		}
		return show.Show{}, errors.New("no answer")
	}}
	for range 2 {
		if _, err := list.read(t.Context(), event.Key{}, ""); err == nil {
			t.Error("a failed page returns no error")
		}
	}
	if reading != 2 || !l.TryLook() {
		t.Errorf("%d pages were read, and the place is gone", reading)
	}
}
