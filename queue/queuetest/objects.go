// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func reconciliationUnresolved(t *testing.T, s queue.Store) {
	began := time.Now()
	cause := event.Cause{Rule: "POST /carts", Outcome: event.OutcomeUnknown, At: began, Resource: "carts"}
	mark(t, s, queue.Mark{Key: item("1"), Cause: cause})
	time.Sleep(time.Second)
	held := leaseMark(t, s, "items")
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), Unresolved: "the listing is too long"}))
	got, _, err := s.Unresolved(t.Context(), queue.Page{})
	must(t, err)
	want := queue.Intent{Resource: "carts", Rule: "POST /carts", Key: item("1"), Noted: began}
	if len(got) != 1 || got[0].ID == 0 {
		t.Fatalf("got %+v", got)
	}
	want.ID = got[0].ID
	if !sameIntent(got[0].Intent, want) || got[0].Reason != "the listing is too long" || !got[0].At.Equal(time.Now()) {
		t.Errorf("got %+v", got[0])
	}
	wantStats(t, s, func(got queue.Stats) bool { return got.Unresolved == 1 && got.Marks == 0 && got.OpenIntents == 0 })
	// No open intent has its number, and later ones have higher numbers.
	if id := note(t, s, queue.Intent{Resource: "items"}); id <= want.ID {
		t.Errorf("intent %d comes after %d", id, want.ID)
	}
}

func unresolvedDismissed(t *testing.T, s queue.Store) {
	var ids []queue.IntentID
	for _, resource := range []string{"items", "items", "users", "items"} {
		id := note(t, s, queue.Intent{Resource: resource})
		must(t, s.ResolveIntent(t.Context(), id, queue.Resolution{Unresolved: "why"}, true))
		ids = append(ids, id)
		time.Sleep(time.Second)
	}
	must(t, s.DismissUnresolved(t.Context(), ids[1]))
	if err := s.DismissUnresolved(t.Context(), ids[1]); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("the second time: %v, want ErrNotFound", err)
	}
	wantUnresolved(t, s, ids[3], ids[2], ids[0])
	for _, step := range []struct {
		resource string
		before   time.Time
		want     int
		left     []queue.IntentID
	}{
		{"items", time.Now().Add(-time.Second), 1, []queue.IntentID{ids[3], ids[2]}},
		{"items", time.Now().Add(-time.Second), 0, []queue.IntentID{ids[3], ids[2]}},
		{"", time.Now(), 2, nil},
	} {
		got, err := s.DismissUnresolvedBefore(t.Context(), step.resource, step.before)
		must(t, err)
		if got != step.want {
			t.Errorf("%d are dismissed, want %d", got, step.want)
		}
		wantUnresolved(t, s, step.left...)
	}
}

func wantUnresolved(t *testing.T, s queue.Store, want ...queue.IntentID) {
	t.Helper()
	listed, _, err := s.Unresolved(t.Context(), queue.Page{})
	must(t, err)
	if len(listed) != len(want) {
		t.Fatalf("got %+v, want %v", listed, want)
	}
	for i := range listed {
		if listed[i].ID != want[i] {
			t.Errorf("got %+v, want %d", listed[i], want[i])
		}
	}
	wantStats(t, s, func(got queue.Stats) bool { return got.Unresolved == len(want) })
}

func callbackComes(t *testing.T, s queue.Store) {
	if _, err := s.Callback(t.Context(), item("1")); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	sealed := []byte("a")
	mark(t, s, queue.Mark{Key: item("1"), Callback: sealed}, queue.Mark{Key: item("2")})
	sealed[0] = 'x'
	held := leaseMark(t, s, "items")
	wantCallback(t, s, held, "a", false)
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	if held = leaseMark(t, s, "items"); held.Callback != nil {
		t.Errorf("got %+v", held.Callback)
	}
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), CloseCallback: true}))

	// The callback is the object's, not the mark's.
	markKey(t, s, item("1"))
	held = leaseMark(t, s, "items")
	wantCallback(t, s, held, "a", false)
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), CloseCallback: true}))
	markKey(t, s, item("1"))
	held = leaseMark(t, s, "items")
	wantCallback(t, s, held, "a", true)
	mark(t, s, queue.Mark{Key: item("1"), Callback: []byte("b")})
	must(t, s.RetryMark(t.Context(), held, time.Now(), ""))
	wantCallback(t, s, leaseMark(t, s, "items"), "b", false)
}

// A receiver comes for an object that is new, and takes nobody's place.
func callbackIsFirst(t *testing.T, s queue.Store) {
	began := time.Now()
	names := func(id, sealed string, at time.Time) queue.MarkLease {
		t.Helper()
		mark(t, s, queue.Mark{Key: item(id), Callback: []byte(sealed), Cause: event.Cause{At: at}})
		return leaseMark(t, s, "items")
	}
	commit := func(held queue.MarkLease, r queue.Reconciled) {
		t.Helper()
		r.AskedAt = time.Now()
		must(t, s.CommitReconciled(t.Context(), held, r))
	}
	known := func(key event.Key, gone bool, changed time.Time) *event.Snapshot {
		return &event.Snapshot{Key: key, Gone: gone, Time: time.Now(), ChangedAt: changed}
	}
	// There is one, open or closed, of an object that is there.
	held := names("1", "a", began)
	wantCallback(t, s, held, "a", false)
	commit(held, queue.Reconciled{Snapshot: known(item("1"), false, began)})
	held = names("1", "b", time.Now())
	wantCallback(t, s, held, "a", false)
	commit(held, queue.Reconciled{CloseCallback: true})
	held = names("1", "b", time.Now())
	wantCallback(t, s, held, "a", true)

	// The object is gone, and made again.
	commit(held, queue.Reconciled{Snapshot: known(item("1"), true, time.Now())})
	held = names("1", "b", time.Now())
	wantCallback(t, s, held, "b", false)
	commit(held, queue.Reconciled{})

	// It was known before, and has none.
	markKey(t, s, item("2"))
	commit(leaseMark(t, s, "items"), queue.Reconciled{Snapshot: known(item("2"), false, time.Time{})})
	time.Sleep(time.Second)
	held = names("2", "a", time.Now())
	if held.Callback != nil {
		t.Errorf("an object that was known has got %s", held.Callback.Sealed)
	}
	commit(held, queue.Reconciled{})

	// It was first seen while the exchange that made it was under way; or it was
	// changed since.
	held = names("2", "a", began.Add(-time.Second))
	wantCallback(t, s, held, "a", false)
	commit(held, queue.Reconciled{})
	markKey(t, s, item("3"))
	commit(leaseMark(t, s, "items"), queue.Reconciled{Snapshot: known(item("3"), false, time.Now())})
	if held = names("3", "a", began.Add(-time.Second)); held.Callback != nil {
		t.Errorf("an object that was changed has got %s", held.Callback.Sealed)
	}
}

func wantCallback(t *testing.T, s queue.Store, held queue.MarkLease, sealed string, closed bool) {
	t.Helper()
	if held.Callback == nil || string(held.Callback.Sealed) != sealed || held.Callback.Closed != closed {
		t.Errorf("got %+v, want %s", held.Callback, sealed)
	}
	got, err := s.Callback(t.Context(), held.Key)
	if err != nil || string(got.Sealed) != sealed || got.Closed != closed {
		t.Errorf("got %+v and %v, want %s", got, err, sealed)
	}
}

func callbackSealedAgain(t *testing.T, s queue.Store) {
	ctx := t.Context()
	if err := s.PutCallback(ctx, item("1"), nil, []byte("b")); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("without a callback: %v, want ErrNotFound", err)
	}
	mark(t, s, queue.Mark{Key: item("1"), Callback: []byte("a")})
	held := leaseMark(t, s, "items")
	must(t, s.CommitReconciled(ctx, held, queue.Reconciled{AskedAt: time.Now(), CloseCallback: true}))
	if err := s.PutCallback(ctx, item("1"), []byte("other"), []byte("b")); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("for another: %v, want ErrNotFound", err)
	}
	must(t, s.PutCallback(ctx, item("1"), []byte("a"), []byte("b")))
	if got, err := s.Callback(ctx, item("1")); err != nil || string(got.Sealed) != "b" || !got.Closed {
		t.Errorf("got %+v and %v", got, err)
	}
}

func objectsListed(t *testing.T, s queue.Store) {
	for _, id := range []string{"b", "a", "c", "a/1"} {
		publish(t, s, item(id))
	}
	publish(t, s, event.Key{Resource: "item", ID: "sx"})
	var all []string
	after := event.Key{}
	for {
		listed, err := s.Objects(t.Context(), "items", after, 3)
		must(t, err)
		for i := range listed {
			all = append(all, listed[i].Key.ID)
			if listed[i].Sequence != 1 || listed[i].Key.Resource != "items" {
				t.Errorf("got %+v", listed[i])
			}
		}
		if len(listed) < 3 {
			break
		}
		after = listed[2].Key
	}
	wantNames(t, all, func(id string) string { return id }, "a", "a/1", "b", "c")

	if got, err := s.Object(t.Context(), item("a/1")); err != nil || got.Key != item("a/1") || got.Sequence != 1 {
		t.Errorf("got %+v and %v", got, err)
	}
	if _, err := s.Object(t.Context(), item("d")); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func unseenListed(t *testing.T, s queue.Store) {
	publish(t, s, item("there"))
	publish(t, s, item("gone"))
	markKey(t, s, item("gone"))
	must(t, s.CommitReconciled(t.Context(), leaseMark(t, s, "items"), queue.Reconciled{
		AskedAt: time.Now(), Snapshot: &event.Snapshot{Key: item("gone"), Sequence: 2, Gone: true},
	}))
	publish(t, s, item("gone, and not marked"))
	mark(t, s, queue.Mark{Key: item("looked at"), Hints: queue.HintLooked})
	markKey(t, s, item("there"), item("gone"), item("c"), item("a"), item("b"), event.Key{Resource: "item", ID: "sx"}, event.Key{Resource: "users", ID: "1"})
	leaseMark(t, s, "items")
	var all []string
	after := event.Key{}
	for {
		unseen, err := s.Unseen(t.Context(), "items", after, 3)
		must(t, err)
		for _, key := range unseen {
			all = append(all, key.String())
		}
		if len(unseen) < 3 {
			break
		}
		after = unseen[2]
	}
	wantNames(t, all, func(key string) string { return key }, "items/a", "items/b", "items/c", "items/gone")
}

// largeShows commits Shows of the largest size in all three places that can
// hold one, several times, and a small one after them.
func largeShows(t *testing.T, s queue.Store) {
	const size = 4 << 20
	show := func(n int) []byte { return bytes.Repeat([]byte{byte('a' + n)}, size) }
	var previous []byte
	for n := range 4 {
		markKey(t, s, item("1"))
		held := leaseMark(t, s, "items")
		if n > 0 && (held.Snapshot == nil || !bytes.Equal(held.Snapshot.Show, previous)) {
			t.Fatalf("round %d: the snapshot has another Show", n)
		}
		next := show(n)
		if n == 3 {
			next = []byte("small")
		}
		id := string(rune('a' + n))
		e := event.Event{ID: id, Type: "items.updated", Key: item("1"), Sequence: uint64(2*n + 1), PreviousShow: previous, Payload: next}
		twin := e
		twin.ID, twin.Sequence = id+id, e.Sequence+1
		must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{
			AskedAt:  time.Now(),
			Snapshot: &event.Snapshot{Key: item("1"), Sequence: twin.Sequence, Show: next},
			Events:   []queue.Routed{{Event: e, Endpoints: []string{"erp"}}, {Event: twin}},
		}))
		for _, id := range []string{e.ID, twin.ID} {
			got, err := s.Event(t.Context(), id)
			must(t, err)
			if !bytes.Equal(got.Payload, next) || !bytes.Equal(got.PreviousShow, previous) {
				t.Errorf("round %d: the event has other Shows", n)
			}
		}
		previous = next
	}
	got, err := s.Object(t.Context(), item("1"))
	must(t, err)
	if string(got.Show) != "small" {
		t.Errorf("the object has another Show")
	}
	listed, err := s.Objects(t.Context(), "items", event.Key{}, 2)
	must(t, err)
	if len(listed) != 1 || string(listed[0].Show) != "small" {
		t.Errorf("listed with another Show")
	}
	if held := leaseDelivery(t, s, "erp"); !bytes.Equal(held.Event.Payload, show(0)) {
		t.Error("the delivery has another Show")
	}
}
