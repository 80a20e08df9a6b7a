// SPDX-License-Identifier: Apache-2.0

package mark

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestHintsOfAMarkThatMoved reconciles the first mark of an object while a
// second is made. A delete with an unknown outcome, which the API did late,
// lost its proof: the object was asked for in vain for a day.
func TestHintsOfAMarkThatMoved(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Minute)
	for _, test := range []struct {
		name    string
		first   queue.Mark
		second  queue.Mark
		askedAt time.Time
		want    queue.Hints
	}{
		{"acted upon", queue.Mark{Hints: queue.HintDeleted}, queue.Mark{Hints: queue.HintUpdated}, now, queue.HintUpdated},
		{"again", queue.Mark{Hints: queue.HintDeleted}, queue.Mark{Hints: queue.HintDeleted}, now, queue.HintDeleted},
		{"a delete that may be done yet", queue.Mark{Hints: queue.HintMayBeDeleted, SettleAt: later}, queue.Mark{}, now, queue.HintMayBeDeleted},
		{"a delete that may be seen late", queue.Mark{Hints: queue.HintDeleted, SettleAt: later}, queue.Mark{}, now, queue.HintDeleted},
		{"a create that may be done yet", queue.Mark{Hints: queue.HintMayBeCreated, SettleAt: later}, queue.Mark{}, now, queue.HintMayBeCreated},
		{"an update that may be done yet", queue.Mark{Hints: queue.HintMayBeUpdated, SettleAt: later}, queue.Mark{}, now, queue.HintMayBeUpdated},
		{"a look", queue.Mark{Hints: queue.HintLooked, SettleAt: later}, queue.Mark{}, now, 0},
		{"a change that was confirmed", queue.Mark{Hints: queue.HintUpdated | queue.HintCreated, SettleAt: later}, queue.Mark{}, now, 0},
		{"settled", queue.Mark{Hints: queue.HintMayBeDeleted, SettleAt: later}, queue.Mark{}, later, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := New(test.first, now)
			r.Merge(test.second, now)
			if r.Reconciled(1, test.askedAt, time.Time{}, now) {
				t.Error("the mark was cleared, although it moved")
			}
			if r.Hints != test.want {
				t.Errorf("hints %07b are left, want %07b", r.Hints, test.want)
			}
		})
	}
}

// A mark that somebody asked for begins anew where there was a look. A look
// only makes such a mark younger.
func TestLooks(t *testing.T) {
	began := time.Now()
	later := began.Add(time.Hour)
	cause := event.Cause{Rule: "PATCH /items/:id"}
	asked := queue.Mark{Hints: queue.HintUpdated, Cause: cause}
	looked := queue.Mark{Hints: queue.HintLooked, Cause: event.Cause{Rule: "GET /items/:id"}}

	r := New(asked, began)
	if r.Reconciled(1, began, later, began) || !r.IsLook() || !r.DueAt.Equal(later) || r.Hints != queue.HintLooked || r.Cause != (event.Cause{}) {
		t.Errorf("left as %+v, want a look at %v", r, later)
	}
	r.Retry(r.Generation, later.Add(time.Hour), "502", later)
	r.Merge(asked, later)
	if r.IsLook() || !r.DueAt.Equal(later) || !r.MarkedAt.Equal(later) || r.Tries != 0 || r.LastError != "" || r.Cause != cause {
		t.Errorf("became %+v, want a mark of %v", r, later)
	}

	r = New(asked, began)
	r.Retry(1, later, "502", began)
	r.Merge(looked, began)
	if r.IsLook() || r.Generation != 2 || !r.DueAt.Equal(later) || r.Cause != cause || r.Tries != 1 {
		t.Errorf("became %+v, want the mark at %v", r, later)
	}
	if r.Retry(1, later, "", began); !r.DueAt.Equal(later) {
		t.Errorf("due at %v, want %v", r.DueAt, later)
	}
	again := r
	again.Merge(asked, later)
	if !again.DueAt.Equal(later) || !again.MarkedAt.Equal(began) || again.Tries != 0 || again.LastError != "" {
		t.Errorf("asked for again, it is %+v, want no tries", again)
	}
	// The mark is served, the look is not.
	if r.Reconciled(1, began, later, began) || !r.IsLook() || !r.DueAt.Equal(began) || r.Hints != queue.HintLooked || r.Cause != (event.Cause{}) {
		t.Errorf("left as %+v, want a look at once", r)
	}

	// A change that may be done late is not over.
	r = New(queue.Mark{Hints: queue.HintMayBeUpdated, SettleAt: later}, began)
	r.Merge(looked, began)
	if r.Reconciled(1, began, later, began) || r.IsLook() || !r.SettleAt.Equal(later) {
		t.Errorf("left as %+v, want a mark that is not settled", r)
	}

	// Neither does it keep an object from being looked at that is watched.
	soon := began.Add(later.Sub(began) / 2)
	for _, test := range []struct{ lookAt, due time.Time }{{soon, soon}, {later.Add(1), later}, {time.Time{}, later}} {
		r = New(queue.Mark{Hints: queue.HintMayBeUpdated, SettleAt: later}, began)
		if r.Reconciled(1, began, test.lookAt, began) || r.IsLook() || !r.DueAt.Equal(test.due) {
			t.Errorf("looked at %v: left as %+v, want a mark that is due at %v", test.lookAt, r, test.due)
		}
	}
}

// TestVersionOfTwoAnswers merges the marks of two writes whose answers came in
// another order than the API did them. With the version of the first, a replica
// without the second passed for fresh, and the second was lost.
func TestVersionOfTwoAnswers(t *testing.T) {
	now := time.Now()
	for _, test := range []struct{ first, second, want string }{
		{"2", "1", "2"},
		{"1", "2", "2"},
		{"9", "10", "10"},
		{"2026-01-01T00:00:02Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"},
		{"", "1", "1"},
		{"1", "", "1"},
		// Versions that cannot be compared may be newer.
		{`"etag-a"`, `"etag-b"`, `"etag-b"`},
	} {
		r := New(queue.Mark{Version: test.first}, now)
		r.Merge(queue.Mark{Version: test.second}, now)
		if r.Version != test.want {
			t.Errorf("%s, then %s: %s; want %s", test.first, test.second, r.Version, test.want)
		}
	}
}

// A mark that only a client stands for begins anew once somebody else stands for it,
// and one that waits keeps being confirmed whatever clients add.
func TestUnconfirmedMarks(t *testing.T) {
	began := time.Now()
	later := began.Add(time.Hour)
	confirmed := queue.Mark{Hints: queue.HintUpdated, Cause: event.Cause{Rule: "confirmed"}}
	for _, hints := range []queue.Hints{queue.HintMayBeUpdated, queue.HintLooked, 0} {
		unconfirmed := queue.Mark{Hints: hints | queue.HintUnconfirmed, Cause: event.Cause{Rule: "unconfirmed"}}

		r := New(unconfirmed, began)
		r.Retry(r.Generation, later, "502", began)
		r.Merge(confirmed, later)
		if r.Yields() || !r.MarkedAt.Equal(later) || r.Tries != 0 || r.Hints.Has(queue.HintUnconfirmed) {
			t.Errorf("%09b: confirmed, it is %+v, want a mark of %v", hints, r, later)
		}

		r = New(confirmed, began)
		r.Retry(r.Generation, later.Add(time.Hour), "502", began)
		r.Merge(unconfirmed, later)
		if r.Yields() || r.Hints.Has(queue.HintUnconfirmed) {
			t.Errorf("%09b: a client made a confirmed mark %+v", hints, r)
		}
		if !r.MarkedAt.Equal(began) || !r.DueAt.Equal(later.Add(time.Hour)) || r.Tries != 1 || r.Cause != unconfirmed.Cause || r.Asked != r.Generation {
			t.Errorf("%09b: a client hurried what has failed: %+v", hints, r)
		}

		r = New(confirmed, began)
		r.Merge(unconfirmed, began)
		r.Retry(1, later, "502", began)
		if !r.DueAt.Equal(later) {
			t.Errorf("%09b: a client hurried what fails: %+v", hints, r)
		}
		if r.Reconciled(1, began, time.Time{}, later) || !r.Yields() || r.IsLook() {
			t.Errorf("%09b: after the confirmed change was reconciled, %+v is left, want an unconfirmed mark", hints, r)
		}

		// Its turn is its own matter, until somebody else asks.
		unconfirmed.After = began.Add(3 * time.Hour)
		r = New(unconfirmed, began)
		if !r.DueAt.Equal(unconfirmed.After) || !r.After.IsZero() {
			t.Errorf("%09b: a client's mark is %+v, want it due after %v", hints, r, unconfirmed.After)
		}
		sooner := unconfirmed
		sooner.After = began.Add(2 * time.Hour)
		r.Merge(sooner, began)
		r.Merge(unconfirmed, began)
		if !r.DueAt.Equal(sooner.After) {
			t.Errorf("%09b: a client's mark is due %v, want the earlier of %v and %v", hints, r.DueAt, sooner.After, unconfirmed.After)
		}
		r.Merge(confirmed, later)
		if !r.DueAt.Equal(later) {
			t.Errorf("%09b: a confirmed mark waits for a client's turn until %v", hints, r.DueAt)
		}

		r = New(confirmed, began)
		r.Merge(unconfirmed, later)
		if !r.MarkedAt.Equal(began) || !r.DueAt.Equal(began) || r.Cause != unconfirmed.Cause || r.Asked != r.Generation {
			t.Errorf("%09b: asked for by a client, it is %+v, want it due at %v", hints, r, began)
		}
	}
}

// TestPlaceIsKept marks an object again that waits already: it lost its place with each
// change, whoever made it, and an object that changed all the time was not read while
// others waited.
func TestPlaceIsKept(t *testing.T) {
	began := time.Now()
	later := began.Add(time.Minute)
	for _, m := range []queue.Mark{{Hints: queue.HintUpdated}, {Hints: queue.HintUpdated | queue.HintUnconfirmed}} {
		r := New(queue.Mark{Hints: queue.HintUpdated}, began)
		if r.Merge(m, later); !r.DueAt.Equal(began) {
			t.Errorf("marked again with %09b, it is due at %v, want %v as before", m.Hints, r.DueAt, began)
		}
		// What is not due yet is due now, if the API says so.
		r.Retry(r.Generation, later.Add(time.Hour), "", later)
		if r.Merge(m, later); !r.DueAt.Equal(later) {
			t.Errorf("marked again with %09b, it is due at %v, want %v", m.Hints, r.DueAt, later)
		}
		if r.Reconciled(1, began, time.Time{}, later.Add(1)) || !r.DueAt.Equal(later.Add(1)) {
			t.Errorf("marked again while it was read, it is due at %v, and others wait for longer", r.DueAt)
		}
	}
}

// The first of the exchanges that were merged may be the one that made what is found.
func TestBegan(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC) }
	asked := func(minute int, hints queue.Hints) queue.Mark {
		return queue.Mark{Hints: hints, Cause: event.Cause{At: at(minute)}}
	}
	looked := queue.Mark{Hints: queue.HintLooked, Cause: event.Cause{At: at(1)}}
	unknown := queue.Mark{Hints: queue.HintMayBeUpdated | queue.HintUnconfirmed}
	for name, tc := range map[string]struct {
		marks []queue.Mark
		want  time.Time
	}{
		"one":                        {[]queue.Mark{asked(5, queue.HintMayBeUpdated)}, at(5)},
		"a later one":                {[]queue.Mark{asked(5, queue.HintMayBeUpdated), asked(7, queue.HintUpdated)}, at(5)},
		"an earlier one, told later": {[]queue.Mark{asked(5, queue.HintMayBeUpdated), asked(4, queue.HintMayBeDeleted)}, at(4)},
		"a look":                     {[]queue.Mark{looked}, time.Time{}},
		"a look before":              {[]queue.Mark{looked, asked(5, queue.HintMayBeUpdated)}, at(5)},
		"a look after":               {[]queue.Mark{asked(5, queue.HintMayBeUpdated), looked}, at(5)},
		"of unknown time":            {[]queue.Mark{asked(5, queue.HintMayBeUpdated), unknown}, at(5)},
	} {
		r := New(tc.marks[0], at(10))
		for _, m := range tc.marks[1:] {
			r.Merge(m, at(10))
		}
		if !r.Began.Equal(tc.want) {
			t.Errorf("%s: began %v, want %v", name, r.Began, tc.want)
		}
	}
	// What is left is a look, of which nobody knows more.
	r := New(asked(5, queue.HintUpdated), at(10))
	r.Merge(looked, at(10))
	if r.Reconciled(1, at(11), time.Time{}, at(11)) || !r.Began.IsZero() {
		t.Errorf("after it was reconciled: %+v", r)
	}
}
