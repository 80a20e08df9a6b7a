// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// lookLater reconciles an object and asks for another look.
func lookLater(t *testing.T, s queue.Store, key event.Key, at time.Time) {
	t.Helper()
	markKey(t, s, key)
	held := leaseMark(t, s, key.Resource)
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), LookAt: at}))
}

func look(key event.Key) queue.Mark {
	return queue.Mark{Key: key, Hints: queue.HintLooked}
}

func wantCounts(t *testing.T, s queue.Store, marks, looks int) {
	t.Helper()
	wantStats(t, s, func(got queue.Stats) bool {
		return got.Marks == marks && got.Looks == looks && got.OldestMark.IsZero() == (marks == 0)
	})
	pending, err := s.Pending(t.Context(), 100)
	must(t, err)
	if len(pending) != marks {
		t.Errorf("%d marks are pending, want %d", len(pending), marks)
	}
}

func lookComes(t *testing.T, s queue.Store) {
	at := time.Now().Add(2 * time.Minute)
	lookLater(t, s, item("1"), at)
	noMark(t, s, "items")
	wantCounts(t, s, 0, 1)

	held, err := s.LeaseMark(t.Context(), "items", lease)
	must(t, err)
	if now := time.Now(); !now.Equal(at) {
		t.Errorf("leased at %v, want %v", now, at)
	}
	if !held.Look || held.Hints != queue.HintLooked || held.Tries != 0 || held.Cause != (event.Cause{}) || held.Key != item("1") {
		t.Errorf("got %+v", held)
	}
	must(t, s.RetryMark(t.Context(), held, time.Now(), "502"))
	// A look that fails does not count as a failing mark.
	wantStats(t, s, func(got queue.Stats) bool { return got.FailingMarks == 0 })
	held = leaseMark(t, s, "items")
	if !held.Look || held.Tries != 1 {
		t.Errorf("got %+v", held)
	}
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	wantCounts(t, s, 0, 0)

	// A mark that stays for another reason is no look. It is due when either is.
	settles := time.Now().Add(time.Minute)
	mark(t, s, queue.Mark{Key: item("1"), SettleAt: settles})
	for _, test := range []struct{ lookAt, due time.Time }{
		{time.Now().Add(20 * time.Second), time.Now().Add(20 * time.Second)},
		{settles.Add(time.Hour), settles},
	} {
		held = leaseMark(t, s, "items")
		must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), LookAt: test.lookAt}))
		noMark(t, s, "items")
		wantCounts(t, s, 1, 0)
		time.Sleep(time.Until(test.due))
	}
	if held = leaseMark(t, s, "items"); held.Look {
		t.Errorf("got %+v", held)
	}
}

func lookIsHastened(t *testing.T, s queue.Store) {
	lookLater(t, s, item("1"), time.Now().Add(20*time.Minute))
	lookLater(t, s, item("2"), time.Now().Add(20*time.Minute))
	time.Sleep(time.Minute)
	began := time.Now()
	mark(t, s, queue.Mark{Key: item("1"), Hints: queue.HintUpdated, Cause: event.Cause{Rule: "a"}})
	mark(t, s, look(item("2")))
	wantCounts(t, s, 1, 1)
	time.Sleep(time.Second)
	held := leaseMark(t, s, "items")
	if held.Key != item("1") || held.Look || !held.MarkedAt.Equal(began) || held.Cause.Rule != "a" || !held.Hints.Has(queue.HintUpdated) {
		t.Errorf("got %+v", held)
	}
	if held = leaseMark(t, s, "items"); held.Key != item("2") || !held.Look {
		t.Errorf("got %+v", held)
	}
	// A mark that comes while the look is leased is reconciled after it.
	mark(t, s, queue.Mark{Key: item("2"), Hints: queue.HintUpdated})
	must(t, s.RetryMark(t.Context(), held, time.Now().Add(time.Hour), ""))
	if held = leaseMark(t, s, "items"); held.Key != item("2") || held.Look {
		t.Errorf("got %+v", held)
	}
}

// lookWaits has a look wait for its turn. What only a client stands for does not have it
// come sooner than the client's own turn.
func lookWaits(t *testing.T, s queue.Store) {
	mark(t, s, look(item("1")))
	must(t, s.RetryMark(t.Context(), leaseMark(t, s, "items"), time.Now().Add(10*time.Minute), ""))
	turn := time.Now().Add(time.Minute)
	mark(t, s, queue.Mark{Key: item("1"), Hints: queue.HintMayBeUpdated | queue.HintUnconfirmed, After: turn})
	noMark(t, s, "items")
	pending, err := s.Pending(t.Context(), 10)
	must(t, err)
	if len(pending) != 1 || !pending[0].DueAt.Equal(turn) {
		t.Errorf("pending is %+v, want it to be due at %v", pending, turn)
	}
	held, err := s.LeaseMark(t.Context(), "items", lease)
	must(t, err)
	if held.Look || !time.Now().Equal(turn) {
		t.Errorf("got %+v at %v", held, time.Now())
	}
}

// lookLeasePasses has leases of a look pass, and then a client ask for the object: it is
// due since the look was, as the client's turn comes later. It was due since the last
// lease had passed, and so behind what came meanwhile.
func lookLeasePasses(t *testing.T, s queue.Store) {
	for i, leases := range []int{0, 1, 2} {
		key := item(strconv.Itoa(i))
		due := time.Now().Add(time.Minute)
		mark(t, s, look(key))
		must(t, s.RetryMark(t.Context(), leaseMark(t, s, "items"), due, ""))
		time.Sleep(time.Minute)
		for range leases {
			time.Sleep(time.Second)
			leaseMark(t, s, "items")
			time.Sleep(lease)
		}
		mark(t, s, queue.Mark{Key: key, Hints: queue.HintMayBeUpdated | queue.HintUnconfirmed, After: time.Now().Add(time.Hour)})
		pending, err := s.Pending(t.Context(), 10)
		must(t, err)
		if len(pending) != 1 || !pending[0].DueAt.Equal(due) {
			t.Errorf("after %d leases that passed, pending is %+v, want it to be due since %v", leases, pending, due)
		}
		must(t, s.CommitReconciled(t.Context(), leaseMark(t, s, "items"), queue.Reconciled{AskedAt: time.Now()}))
	}
}

func marksBeforeLooks(t *testing.T, s queue.Store) {
	mark(t, s, look(item("1")), look(item("2")))
	for _, id := range []string{"3", "2"} {
		time.Sleep(time.Second)
		markKey(t, s, item(id))
	}
	for _, id := range []string{"3", "2", "1"} {
		held := leaseMark(t, s, "items")
		if held.Key != item(id) || held.Look != (id == "1") {
			t.Errorf("got %+v, want %s", held, id)
		}
	}
}

func lookDoesNotHasten(t *testing.T, s queue.Store) {
	began := time.Now()
	mark(t, s, queue.Mark{Key: item("1"), Hints: queue.HintUpdated, Cause: event.Cause{Rule: "a"}})
	must(t, s.RetryMark(t.Context(), leaseMark(t, s, "items"), began.Add(10*time.Minute), "502"))
	mark(t, s, look(item("1")))
	noMark(t, s, "items")
	held, err := s.LeaseMark(t.Context(), "items", lease)
	must(t, err)
	if held.Look || held.Tries != 1 || held.Generation != 2 || held.Cause.Rule != "a" || !time.Now().Equal(began.Add(10*time.Minute)) {
		t.Errorf("got %+v after %v", held, time.Since(began))
	}
	// A look that comes while Show is read is not served by it.
	mark(t, s, look(item("1")))
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), LookAt: time.Now().Add(time.Hour)}))
	if held = leaseMark(t, s, "items"); !held.Look || held.Hints != queue.HintLooked {
		t.Errorf("got %+v", held)
	}
}

func postponedLook(t *testing.T, s queue.Store) {
	mark(t, s, look(item("1")), look(item("2")))
	at := time.Now().Add(10 * time.Minute)
	for range 2 {
		must(t, s.RetryMark(t.Context(), leaseMark(t, s, "items"), at, ""))
	}
	noMark(t, s, "items")
	markKey(t, s, item("2"))
	held := leaseMark(t, s, "items")
	if held.Key != item("2") || held.Look {
		t.Errorf("got %+v", held)
	}
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	held, err := s.LeaseMark(t.Context(), "items", lease)
	must(t, err)
	if !time.Now().Equal(at) || held.Tries != 0 || !held.Look {
		t.Errorf("got %+v at %v", held, time.Now())
	}
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	if err := s.RetryMark(t.Context(), held, at, ""); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("without a lease: %v, want ErrLeaseLost", err)
	}
}

func unconfirmedYields(t *testing.T, s queue.Store) {
	asked := func(id string, hints queue.Hints) queue.Mark { return queue.Mark{Key: item(id), Hints: hints} }
	unconfirmed := queue.HintMayBeUpdated | queue.HintUnconfirmed
	mark(t, s, asked("1", unconfirmed), asked("2", unconfirmed), asked("3", unconfirmed), asked("4", unconfirmed))
	time.Sleep(time.Second)
	// Another mark, a confirmed one or one that no client asked for, ends it.
	mark(t, s, asked("2", queue.HintUpdated), asked("3", queue.HintMayBeUpdated), look(item("4")), asked("5", queue.HintUpdated))
	// And it does not begin again.
	mark(t, s, asked("3", unconfirmed))
	wantStats(t, s, func(got queue.Stats) bool { return got.Marks == 5 && got.Looks == 0 })
	var order []string
	for range 5 {
		held := leaseMark(t, s, "items")
		order = append(order, held.Key.ID)
		if last := held.Key.ID == "1" || held.Key.ID == "4"; last != held.Hints.AreUnconfirmed() {
			t.Errorf("%s has the hints %b", held.Key, held.Hints)
		}
		must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	}
	slices.Sort(order[:3])
	slices.Sort(order[3:])
	if got := strings.Join(order, ""); got != "23514" {
		t.Errorf("leased in the order %s", got)
	}
}

func unconfirmedTurns(t *testing.T, s queue.Store) {
	later := func(id string, hints queue.Hints, after time.Duration) queue.Mark {
		return queue.Mark{Key: item(id), Hints: hints, After: time.Now().Add(after)}
	}
	unconfirmed := queue.HintMayBeUpdated | queue.HintUnconfirmed
	mark(t, s, later("1", unconfirmed, time.Minute), later("2", unconfirmed, 2*time.Minute), later("3", unconfirmed, 3*time.Minute))
	noMark(t, s, "items")
	// What is confirmed has no turn, nor has what another client asks for sooner.
	mark(t, s, later("2", queue.HintUpdated, time.Hour), later("3", unconfirmed, time.Second), later("4", queue.HintUpdated, time.Hour))
	for _, want := range []string{"2", "4"} {
		held := leaseMark(t, s, "items")
		if held.Key.ID != want {
			t.Errorf("leased %s, want %s", held.Key, want)
		}
		must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	}
	noMark(t, s, "items")
	for _, step := range []struct {
		pass time.Duration
		want string
	}{{time.Second, "3"}, {time.Minute, "1"}} {
		time.Sleep(step.pass)
		held := leaseMark(t, s, "items")
		if held.Key.ID != step.want {
			t.Errorf("leased %s, want %s", held.Key, step.want)
		}
		must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	}
	noMark(t, s, "items")
}

func reconciliationMarks(t *testing.T, s queue.Store) {
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	lost := held
	lost.Fence += 100
	user := event.Key{Resource: "users", ID: "1"}
	reconciled := queue.Reconciled{AskedAt: time.Now(), Marks: []queue.Mark{
		{Key: user, Hints: queue.HintUpdated, Cause: event.Cause{Rule: "a"}}, look(item("2")), {Key: item("1"), Version: "7"},
	}}
	if err := s.CommitReconciled(t.Context(), lost, reconciled); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("got %v, want ErrLeaseLost", err)
	}
	noMark(t, s, "users")
	must(t, s.CommitReconciled(t.Context(), held, reconciled))
	if got := leaseMark(t, s, "users"); got.Key != user || got.Hints != queue.HintUpdated || got.Cause.Rule != "a" {
		t.Errorf("got %+v", got)
	}
	if got := leaseMark(t, s, "items"); got.Key != item("1") || got.Generation != 1 || got.Version != "7" {
		t.Errorf("got %+v", got)
	}
	if got := leaseMark(t, s, "items"); got.Key != item("2") || !got.Look {
		t.Errorf("got %+v", got)
	}
}

// manyMarks makes as many marks in one step as every engine takes, twice: the
// second time they merge with marks that have failed.
func manyMarks(t *testing.T, s queue.Store) {
	marks := make([]queue.Mark, 10_000)
	for i := range marks {
		marks[i] = queue.Mark{
			Key:   event.Key{Resource: "orders", ID: strconv.Itoa(i) + strings.Repeat("x", 50)},
			Cause: event.Cause{Rule: strings.Repeat("r", 60), Method: "POST", Path: strings.Repeat("p", 115)},
		}
	}
	mark(t, s, marks...)
	for range 3000 {
		must(t, s.RetryMark(t.Context(), leaseMark(t, s, "orders"), time.Now().Add(time.Hour), strings.Repeat("e", 2000)))
	}
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), Marks: marks}))
	wantStats(t, s, func(got queue.Stats) bool { return got.Marks == len(marks) })
	if got := leaseMark(t, s, "orders"); got.Generation != 2 || got.Cause.Path != marks[0].Cause.Path {
		t.Errorf("got %+v", got)
	}
}
