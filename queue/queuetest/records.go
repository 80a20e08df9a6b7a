// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// noted returns a record without an owner.
func noted(id, value string, version uint64) queue.Record {
	return queue.Record{Kind: "note", ID: id, Version: version, Value: []byte(value)}
}

func without(r queue.Record, version uint64) queue.Record {
	r.Value, r.Version = nil, version
	return r
}

func change(t *testing.T, s queue.Store, changes ...queue.Record) uint64 {
	t.Helper()
	version, err := s.Change(t.Context(), changes...)
	must(t, err)
	return version
}

// wantConflict checks that a change is refused because of a record.
func wantConflict(t *testing.T, s queue.Store, id string, changes ...queue.Record) {
	t.Helper()
	version, err := s.Change(t.Context(), changes...)
	var conflict *queue.ConflictError
	if version != 0 || !errors.Is(err, queue.ErrConflict) || !errors.As(err, &conflict) || conflict.ID != id {
		t.Errorf("got %d and %v, want a conflict about %q", version, err, id)
	}
}

// wantRecords checks which records of a kind there are, as id=value.
func wantRecords(t *testing.T, s queue.Store, kind string, want ...string) {
	t.Helper()
	listed, next, err := s.Records(t.Context(), kind, queue.Page{})
	must(t, err)
	wantListed(t, listed, want...)
	if next != "" {
		t.Errorf("there is another page")
	}
}

func wantListed(t *testing.T, listed []queue.Record, want ...string) {
	t.Helper()
	var got []string
	for _, r := range listed {
		got = append(got, r.ID+"="+string(r.Value))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func recordsChange(t *testing.T, s queue.Store) {
	a := noted("a", "1", 0)
	a.Owner = "acme"
	first := change(t, s, a)
	got, err := s.Record(t.Context(), "note", "a")
	must(t, err)
	if got.Version != first || first == 0 || got.Owner != "acme" || string(got.Value) != "1" || got.Kind != "note" || got.ID != "a" || !got.Expires.IsZero() {
		t.Errorf("got %+v", got)
	}
	wantConflict(t, s, "a", noted("a", "2", 0))
	wantConflict(t, s, "a", noted("a", "2", first+1))
	wantConflict(t, s, "b", noted("b", "2", first))
	wantConflict(t, s, "b", without(noted("b", "", 0), first))
	second := change(t, s, noted("a", "2", first))
	wantConflict(t, s, "a", noted("a", "3", first))
	third := change(t, s, noted("a", "3", queue.AnyVersion), noted("b", "", queue.AnyVersion))
	if second <= first || third <= second {
		t.Errorf("the versions are %d, %d and %d", first, second, third)
	}
	wantRecords(t, s, "note", "a=3", "b=")
	if empty, err := s.Record(t.Context(), "note", "b"); err != nil || empty.Value == nil || empty.Version != third {
		t.Errorf("got %+v and %v", empty, err)
	}

	// Another kind has the same ids.
	if _, err := s.Record(t.Context(), "other", "a"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	wantRecords(t, s, "other")

	change(t, s, without(a, third))
	if _, err := s.Record(t.Context(), "note", "a"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	for _, nothing := range []queue.Record{without(a, 0), without(a, queue.AnyVersion)} {
		if version := change(t, s, nothing); version != 0 {
			t.Errorf("deleting nothing has version %d", version)
		}
	}
	// The version does not come back with the record.
	if again := change(t, s, a); again <= third {
		t.Errorf("the versions are %d and %d", third, again)
	}
	wantConflict(t, s, "a", noted("a", "x", first))
}

func changesAllOrNone(t *testing.T, s queue.Store) {
	version := change(t, s, noted("a", "1", 0), noted("b", "1", 0))
	wantConflict(t, s, "b", noted("c", "1", 0), noted("a", "2", version), noted("b", "2", version+1), noted("d", "x", 7))
	wantConflict(t, s, "a", without(noted("b", "", 0), version), without(noted("a", "", 0), 0))
	wantRecords(t, s, "note", "a=1", "b=1")
	epoch, err := s.Epoch(t.Context(), "note")
	must(t, err)
	if epoch != version {
		t.Errorf("the epoch is %d, want %d", epoch, version)
	}
	// A condition: that there is no c.
	change(t, s, without(noted("c", "", 0), 0), without(noted("b", "", 0), version))
	wantRecords(t, s, "note", "a=1")
	change(t, s)
}

func badChanges(t *testing.T, s queue.Store) {
	long := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int) (changes []queue.Record) {
		for i := range n {
			changes = append(changes, queue.Record{Kind: "note", ID: fmt.Sprint(i), Value: bytes.Repeat([]byte("x"), queue.MaxRecord)})
		}
		return changes
	}
	for name, test := range map[string]struct {
		changes []queue.Record
		want    error
	}{
		"no kind":         {[]queue.Record{{ID: "a", Value: []byte("1")}}, queue.ErrBadRecord},
		"no id":           {[]queue.Record{{Kind: "note", Value: []byte("1")}}, queue.ErrBadRecord},
		"a long kind":     {[]queue.Record{{Kind: long(queue.MaxRecordKind + 1), ID: "a"}}, queue.ErrBadRecord},
		"a long id":       {[]queue.Record{{Kind: "note", ID: long(queue.MaxRecordID + 1)}}, queue.ErrBadRecord},
		"a long owner":    {[]queue.Record{{Kind: "note", ID: "a", Owner: long(queue.MaxRecordOwner + 1)}}, queue.ErrBadRecord},
		"one twice":       {[]queue.Record{noted("a", "1", 0), noted("b", "1", 0), noted("a", "2", 0)}, queue.ErrBadRecord},
		"a large value":   {[]queue.Record{noted("a", long(queue.MaxRecord+1), 0)}, queue.ErrTooLarge},
		"too many":        {many(queue.MaxChanges + 1), queue.ErrTooLarge},
		"one bad of many": {[]queue.Record{noted("a", "1", 0), {Kind: "note"}}, queue.ErrBadRecord},
	} {
		if version, err := s.Change(t.Context(), test.changes...); version != 0 || !errors.Is(err, test.want) || len(err.Error()) > 200 {
			t.Errorf("%s: %d and %v, want %v", name, version, err, test.want)
		}
	}
	wantRecords(t, s, "note")
	// What is possible is possible.
	change(t, s, many(queue.MaxChanges)...)
	change(t, s, queue.Record{
		Kind: long(queue.MaxRecordKind), ID: long(queue.MaxRecordID), Owner: long(queue.MaxRecordOwner), Value: []byte("1"),
	})
	listed, _, err := s.RecordsOf(t.Context(), long(queue.MaxRecordKind), long(queue.MaxRecordOwner), queue.Page{})
	must(t, err)
	wantListed(t, listed, long(queue.MaxRecordID)+"=1")
}

func recordsExpire(t *testing.T, s queue.Store) {
	expiring := func(id, value string, version uint64, in time.Duration) queue.Record {
		r := noted(id, value, version)
		r.Owner, r.Expires = "acme", time.Now().Add(in)
		return r
	}
	version := change(t, s, expiring("a", "1", 0, 1500*time.Millisecond), expiring("b", "1", 0, time.Hour), noted("c", "1", 0))
	got, err := s.Record(t.Context(), "note", "a")
	must(t, err)
	if !got.Expires.Equal(time.Now().Add(1500 * time.Millisecond)) {
		t.Errorf("it expires at %v", got.Expires)
	}
	time.Sleep(1500*time.Millisecond - 1)
	wantRecords(t, s, "note", "a=1", "b=1", "c=1")
	time.Sleep(time.Nanosecond)
	// From here on it is as if there was none.
	wantRecords(t, s, "note", "b=1", "c=1")
	listed, _, err := s.RecordsOf(t.Context(), "note", "acme", queue.Page{})
	must(t, err)
	wantListed(t, listed, "b=1")
	if _, err := s.Record(t.Context(), "note", "a"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	wantConflict(t, s, "a", noted("a", "2", version))
	if version := change(t, s, without(noted("a", "", 0), 0)); version != 0 {
		t.Errorf("deleting what has expired has version %d", version)
	}
	if epoch, err := s.Epoch(t.Context(), "note"); err != nil || epoch != version {
		t.Errorf("the epoch is %d, want %d: %v", epoch, version, err)
	}
	again := change(t, s, noted("a", "2", 0))
	if again <= version {
		t.Errorf("the versions are %d and %d", version, again)
	}
	// It went to another owner, and the old one does not find it.
	listed, _, err = s.RecordsOf(t.Context(), "note", "acme", queue.Page{})
	must(t, err)
	wantListed(t, listed, "b=1")
	// What has expired when it is written is deleted.
	change(t, s, expiring("a", "3", again, 0), expiring("d", "3", 0, -time.Hour))
	wantRecords(t, s, "note", "b=1", "c=1")
	// A record stays when it does not expire any more.
	change(t, s, noted("b", "2", queue.AnyVersion))
	time.Sleep(2 * time.Hour)
	wantRecords(t, s, "note", "b=2", "c=1")
}

func recordsListed(t *testing.T, s queue.Store) {
	for i, owner := range []string{"acme", "", "acm", "acmee", "acme", "", "acme"} {
		change(t, s, queue.Record{Kind: "note", ID: fmt.Sprint(i), Owner: owner, Value: []byte("x")})
		change(t, s, queue.Record{Kind: "notes", ID: fmt.Sprint(i), Owner: owner, Value: []byte("y")})
	}
	for _, test := range []struct{ owner, want string }{
		{"acme", "0=x 4=x 6=x"}, {"", "1=x 5=x"}, {"acm", "2=x"}, {"acmee", "3=x"}, {"ac", ""}, {"nobody", ""},
	} {
		for limit := 1; limit < 5; limit++ {
			listed := allPages(t, limit, func(page queue.Page) ([]queue.Record, queue.Cursor, error) {
				return s.RecordsOf(t.Context(), "note", test.owner, page)
			})
			wantListed(t, listed, strings.Fields(test.want)...)
			// Their ids alone are listed as they are.
			ids := allPages(t, limit, func(page queue.Page) (records []queue.Record, next queue.Cursor, err error) {
				ids, next, err := s.RecordIDsOf(t.Context(), "note", test.owner, page)
				for _, id := range ids {
					records = append(records, queue.Record{ID: id, Value: []byte("x")})
				}
				return records, next, err
			})
			wantListed(t, ids, strings.Fields(test.want)...)
		}
	}
	listed := allPages(t, 3, func(page queue.Page) ([]queue.Record, queue.Cursor, error) {
		return s.Records(t.Context(), "note", page)
	})
	wantListed(t, listed, "0=x", "1=x", "2=x", "3=x", "4=x", "5=x", "6=x")

	// Another owner has it, and the former does not.
	change(t, s, queue.Record{Kind: "note", ID: "0", Owner: "acm", Version: queue.AnyVersion, Value: []byte("z")})
	change(t, s, queue.Record{Kind: "note", ID: "4", Version: queue.AnyVersion})
	for owner, want := range map[string]string{"acme": "6=x", "acm": "0=z 2=x"} {
		listed, _, err := s.RecordsOf(t.Context(), "note", owner, queue.Page{})
		must(t, err)
		wantListed(t, listed, strings.Fields(want)...)
		ids, _, err := s.RecordIDsOf(t.Context(), "note", owner, queue.Page{})
		if must(t, err); len(ids) != len(listed) || ids[0] != listed[0].ID {
			t.Errorf("the ids of %s are %q", owner, ids)
		}
	}
	for _, cursor := range []queue.Cursor{"x", "!", "AQEAAAAAAAAAAQA"} {
		page := queue.Page{Cursor: cursor}
		if _, _, err := s.Records(t.Context(), "note", page); !errors.Is(err, queue.ErrBadCursor) {
			t.Errorf("Records: %v, want ErrBadCursor", err)
		}
		if _, _, err := s.RecordsOf(t.Context(), "note", "acme", page); !errors.Is(err, queue.ErrBadCursor) {
			t.Errorf("RecordsOf: %v, want ErrBadCursor", err)
		}
		if _, _, err := s.RecordIDsOf(t.Context(), "note", "acme", page); !errors.Is(err, queue.ErrBadCursor) {
			t.Errorf("RecordIDsOf: %v, want ErrBadCursor", err)
		}
	}
}

// allPages puts the pages of a list together.
func allPages(t *testing.T, limit int, list func(queue.Page) ([]queue.Record, queue.Cursor, error)) (all []queue.Record) {
	t.Helper()
	page := queue.Page{Limit: limit}
	for {
		listed, next, err := list(page)
		must(t, err)
		if len(listed) > limit || next != "" && len(listed) == 0 {
			t.Fatalf("a page of %d has %d, and then %q", limit, len(listed), next)
		}
		if all = append(all, listed...); next == "" {
			return all
		}
		page.Cursor = next
	}
}

// largeRecordsListed checks that a page of large values ends before its limit.
func largeRecordsListed(t *testing.T, s queue.Store) {
	const many = queue.MaxRecordsPage/queue.MaxRecord + 3
	for i := range many {
		change(t, s, queue.Record{Kind: "note", ID: fmt.Sprintf("%03d", i), Value: bytes.Repeat([]byte{byte(i)}, queue.MaxRecord)})
	}
	listed, next, err := s.Records(t.Context(), "note", queue.Page{Limit: queue.MaxLimit})
	must(t, err)
	if len(listed) != queue.MaxRecordsPage/queue.MaxRecord || next == "" {
		t.Errorf("a page has %d, and then %q", len(listed), next)
	}
	rest, next, err := s.Records(t.Context(), "note", queue.Page{Cursor: next})
	must(t, err)
	if listed = append(listed, rest...); len(listed) != many || next != "" {
		t.Fatalf("got %d in all, and then %q", len(listed), next)
	}
	for i, r := range listed {
		if r.ID != fmt.Sprintf("%03d", i) || !bytes.Equal(r.Value, bytes.Repeat([]byte{byte(i)}, queue.MaxRecord)) {
			t.Errorf("%d is %s", i, r.ID)
		}
	}
}

// valuesAreTheirs checks that a store keeps values of its own.
func valuesAreTheirs(t *testing.T, s queue.Store) {
	given := noted("a", "1", 0)
	change(t, s, given)
	given.Value[0] = 'x'
	for range 2 {
		got, err := s.Record(t.Context(), "note", "a")
		must(t, err)
		listed, _, err := s.Records(t.Context(), "note", queue.Page{})
		must(t, err)
		wantListed(t, append(listed, got), "a=1", "a=1")
		got.Value[0], listed[0].Value[0] = 'y', 'z'
	}
}

// oneWins has many change one record that all of them have read.
func oneWins(t *testing.T, s queue.Store) {
	const changers = 32
	version := uint64(0)
	for round := range 5 {
		var group sync.WaitGroup
		won := make(chan uint64, changers)
		for i := range changers {
			group.Go(func() {
				mine := noted(fmt.Sprint("of ", i), fmt.Sprint(round), queue.AnyVersion)
				made, err := s.Change(t.Context(), mine, noted("a", fmt.Sprint(i), version))
				if err == nil {
					won <- made
				} else if !errors.Is(err, queue.ErrConflict) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		close(won)
		if version = <-won; len(won) != 0 || version == 0 {
			t.Errorf("%d more have won than one", len(won))
		}
		got, err := s.Record(t.Context(), "note", "a")
		must(t, err)
		listed, _, err := s.Records(t.Context(), "note", queue.Page{})
		must(t, err)
		// Those who have lost have left nothing of this round.
		theirs := 0
		for _, r := range listed {
			if r.ID != "a" && r.Version == version {
				theirs++
				if r.ID != "of "+string(got.Value) {
					t.Errorf("%s has won, and %q is written", got.Value, r.ID)
				}
			}
		}
		if got.Version != version || theirs != 1 || len(listed) > round+2 {
			t.Errorf("round %d: got %+v, %d of it, %d in all", round, got, theirs, len(listed))
		}
	}
}

func epochsMove(t *testing.T, s queue.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type moved struct {
		epoch uint64
		err   error
	}
	await := func(ctx context.Context, kind string, after uint64) <-chan moved {
		c := make(chan moved, 1)
		go func() {
			epoch, err := s.Await(ctx, kind, after)
			c <- moved{epoch, err}
		}()
		synctest.Wait()
		return c
	}
	want := func(when string, c <-chan moved, epoch uint64, err error) {
		t.Helper()
		synctest.Wait()
		select {
		case got := <-c:
			if got.epoch != epoch || !errors.Is(got.err, err) {
				t.Errorf("%s: got %d and %v, want %d and %v", when, got.epoch, got.err, epoch, err)
			}
		default:
			t.Errorf("%s: nobody wakes", when)
		}
	}
	epochOf := func(kind string) uint64 {
		epoch, err := s.Epoch(ctx, kind)
		must(t, err)
		return epoch
	}
	if epochOf("note") != 0 {
		t.Errorf("the epoch is %d", epochOf("note"))
	}
	one, two, other := await(ctx, "note", 0), await(ctx, "note", 0), await(ctx, "other", 0)
	first := change(t, s, noted("a", "1", 0))
	want("the first change", one, first, nil)
	want("the other who waits", two, first, nil)
	want("who comes later", await(ctx, "note", 0), first, nil)
	one = await(ctx, "note", first)
	wantConflict(t, s, "a", noted("a", "2", 0))
	change(t, s, without(noted("nobody", "", 0), queue.AnyVersion))
	synctest.Wait()
	if len(one)+len(other) > 0 {
		t.Error("somebody was woken by nothing")
	}
	both := change(t, s, without(noted("a", "", 0), first), queue.Record{Kind: "other", ID: "a", Value: []byte("1")})
	want("a delete", one, both, nil)
	want("the other kind", other, both, nil)
	if epochOf("note") != both || epochOf("other") != both || both <= first {
		t.Errorf("the epochs are %d and %d, want %d", epochOf("note"), epochOf("other"), both)
	}
	one = await(ctx, "note", both)
	cancel()
	want("who leaves", one, 0, context.Canceled)
	other = await(t.Context(), "other", both)
	must(t, s.Close())
	want("closing", other, 0, queue.ErrClosed)
}

func recordsEnd(t *testing.T, s queue.Store) map[string]func() error {
	ctx := t.Context()
	return map[string]func() error{
		"Change":      func() error { _, err := s.Change(ctx, noted("a", "1", 0)); return err },
		"Record":      func() error { _, err := s.Record(ctx, "note", "a"); return err },
		"Records":     func() error { _, _, err := s.Records(ctx, "note", queue.Page{}); return err },
		"RecordIDsOf": func() error { _, _, err := s.RecordIDsOf(ctx, "note", "acme", queue.Page{}); return err },
		"RecordsOf":   func() error { _, _, err := s.RecordsOf(ctx, "note", "acme", queue.Page{}); return err },
		"Epoch":       func() error { _, err := s.Epoch(ctx, "note"); return err },
		"Await":       func() error { _, err := s.Await(ctx, "note", 0); return err },
	}
}

// strangeRecords has names that an engine could mix up.
func strangeRecords(t *testing.T, s queue.Store) {
	names := []string{"\x00", "\xff", "a\x00", "a\x00b", "/", "\x01a", "note", "é", " ", "%", "a/b", "\xff\xff"}
	for _, kind := range names {
		for _, owner := range append(names, "") {
			for _, id := range names[:4] {
				value := kind + "|" + owner + "|" + id
				change(t, s, queue.Record{Kind: kind, ID: owner + "|" + id, Owner: owner, Value: []byte(value)})
			}
		}
	}
	for _, kind := range names {
		for _, owner := range append(names, "") {
			listed, _, err := s.RecordsOf(t.Context(), kind, owner, queue.Page{})
			must(t, err)
			if len(listed) != 4 {
				t.Errorf("%q has %d of %q", owner, len(listed), kind)
			}
			for _, r := range listed {
				if string(r.Value) != kind+"|"+r.ID || r.Owner != owner {
					t.Errorf("got %+v of %q", r, owner)
				}
			}
		}
	}
}

// changesKnown tells which records were changed, so that copies of many need not be read
// again for one.
func changesKnown(t *testing.T, s queue.Store) {
	want := func(kind string, after uint64, want ...string) {
		t.Helper()
		ids, known, err := s.Changed(t.Context(), kind, after)
		must(t, err)
		if !known || !slices.Equal(slices.Sorted(slices.Values(ids)), want) {
			t.Errorf("after %d: %v, known: %v; want %v", after, ids, known, want)
		}
	}
	want("note", 0)
	first := change(t, s, noted("a", "1", 0), noted("b", "1", 0))
	second := change(t, s, noted("a", "2", first), queue.Record{Kind: "other", ID: "c", Value: []byte("1")})
	wantConflict(t, s, "b", noted("b", "2", second))
	third := change(t, s, without(noted("b", "", 0), first))
	want("note", 0, "a", "b")
	want("note", first, "a", "b")
	want("note", second, "b")
	want("note", third)
	want("other", 0, "c")
	must(t, s.Close())
	if _, _, err := s.Changed(t.Context(), "note", third); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
