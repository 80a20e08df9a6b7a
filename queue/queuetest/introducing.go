// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// learn makes an object known as it is, by a look.
func learn(t *testing.T, s queue.Store, snapshot event.Snapshot) {
	t.Helper()
	mark(t, s, queue.Mark{Key: snapshot.Key, Hints: queue.HintLooked})
	held := leaseMark(t, s, snapshot.Key.Resource)
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), Snapshot: &snapshot}))
}

// known is an object of a tenant as it was last known.
func known(id, tenant string, sequence uint64) event.Snapshot {
	return event.Snapshot{Key: item(id), Tenant: tenant, Sequence: sequence, Hash: []byte("hash of " + id), Time: time.Now()}
}

func sight(t *testing.T, s queue.Store, key event.Key) queue.Sighting {
	t.Helper()
	got, err := s.Sighted(t.Context(), key)
	must(t, err)
	return got
}

// begun makes the record of a snapshot.
func begun(t *testing.T, s queue.Store, owner string) queue.Record {
	t.Helper()
	progress := queue.Record{Kind: "progress", ID: "ep_1", Owner: owner, Value: []byte("begun")}
	progress.Version = change(t, s, progress)
	return progress
}

// introduction introduces an object as it was sighted.
func introduction(was queue.Sighting, progress queue.Record) queue.Introduction {
	key := was.Snapshot.Key
	progress.Value = []byte("after " + key.ID)
	return queue.Introduction{
		Sighting: was, Endpoint: "erp", Format: "patch", Progress: progress,
		Event: event.Event{
			ID: "snapshot of " + key.ID, Type: "items.snapshot", Key: key, Sequence: was.Snapshot.Sequence, Tenant: was.Snapshot.Tenant,
			Op: event.OpSnapshot, Time: time.Now().UTC(), Payload: []byte("payload of " + key.ID),
		},
	}
}

// introducing tells an endpoint of an object, before what changes next.
func introducing(t *testing.T, s queue.Store) {
	learn(t, s, known("1", "acme", 7))
	progress := begun(t, s, "acme")
	wanted := introduction(sight(t, s, item("1")), progress)
	version, err := s.Introduce(t.Context(), wanted)
	must(t, err)
	got, err := s.Record(t.Context(), "progress", "ep_1")
	must(t, err)
	if version <= progress.Version || got.Version != version || string(got.Value) != "after 1" || got.Owner != "acme" {
		t.Errorf("the record is %+v, and its version was to be %d", got, version)
	}
	if still := sight(t, s, item("1")); still.Snapshot.Sequence != 7 {
		t.Errorf("the object's sequence is %d", still.Snapshot.Sequence)
	}
	next := commitNext(t, s, "1", "acme", "erp", "crm")

	stored, err := s.Event(t.Context(), wanted.Event.ID)
	must(t, err)
	if stored.Op != event.OpSnapshot || stored.Sequence != 7 || string(stored.Payload) != "payload of 1" {
		t.Errorf("got %+v", stored)
	}
	first := leaseDelivery(t, s, "erp")
	if first.EventID != wanted.Event.ID || first.Sequence != 7 || first.Format != "patch" || string(first.Event.Payload) != "payload of 1" {
		t.Errorf("first: %+v in format %q", first.Delivery, first.Format)
	}
	noDelivery(t, s, "erp")
	must(t, s.FinishAttempt(t.Context(), first, queue.Attempt{}, delivered()))
	if second := leaseDelivery(t, s, "erp"); second.EventID != next || second.Sequence != 8 {
		t.Errorf("then: %+v", second.Delivery)
	}
	if others := leaseDelivery(t, s, "crm"); others.EventID != next {
		t.Errorf("another endpoint got %+v", others.Delivery)
	}
	beginning := queue.Position{}
	wantFeed(t, s, queue.OfEndpoint("erp"), beginning, wanted.Event.ID, next)
	wantFeed(t, s, queue.OfEndpoint("crm"), beginning, next)
	wantFeed(t, s, queue.OfTenant("acme"), beginning, next)
	wantFeed(t, s, queue.OfTenant(""), beginning, next)
	wantFeed(t, s, queue.Everything(), beginning, wanted.Event.ID, next)

	// It is sent again to whom it went, and replayed to nobody.
	redelivered, _, err := s.Redeliver(t.Context(), queue.Selection{Endpoint: "erp", EventID: wanted.Event.ID}, queue.Page{})
	must(t, err)
	for _, selection := range []queue.Selection{{}, {EventID: wanted.Event.ID}} {
		replayed, _, err := s.Replay(t.Context(), "other", selection, queue.Page{})
		must(t, err)
		if want := 1 - len(selection.EventID)/len(wanted.Event.ID); redelivered != 1 || replayed != want {
			t.Errorf("%d sent again, %d replayed of %+v, want %d", redelivered, replayed, selection, want)
		}
	}
}

// commitNext commits the next event of an item, and returns its id.
func commitNext(t *testing.T, s queue.Store, id, tenant string, endpoints ...string) string {
	t.Helper()
	markKey(t, s, item(id))
	held := leaseMark(t, s, "items")
	epoch, err := s.Epoch(t.Context(), queue.KindEndpoint)
	must(t, err)
	next := known(id, tenant, held.Snapshot.Sequence+1)
	next.Hash = fmt.Appendf(nil, "hash %d", next.Sequence)
	e := event.Event{ID: fmt.Sprintf("%s-%d", id, next.Sequence), Type: "items.updated", Key: item(id), Sequence: next.Sequence, Tenant: tenant}
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{
		AskedAt: time.Now(), Epoch: epoch, Snapshot: &next, Events: []queue.Routed{{Event: e, Endpoints: endpoints}},
	}))
	return e.ID
}

// wantIntroduced checks what an introduction comes to. One that fails has done nothing.
func wantIntroduced(t *testing.T, s queue.Store, what string, i queue.Introduction, want error) {
	t.Helper()
	before, _, err := s.Events(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	record, _ := s.Record(t.Context(), i.Progress.Kind, i.Progress.ID)
	if version, err := s.Introduce(t.Context(), i); !errors.Is(err, want) || version != 0 {
		t.Errorf("%s: version %d, %v; want %v", what, version, err, want)
	}
	after, _, err := s.Events(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	if still, _ := s.Record(t.Context(), i.Progress.Kind, i.Progress.ID); len(after) != len(before) || still.Version != record.Version {
		t.Errorf("%s: %d events after %d, and the record %+v after %+v", what, len(after), len(before), still, record)
	}
	noDelivery(t, s, "erp")
}

func movedNotIntroduced(t *testing.T, s queue.Store) {
	progress := begun(t, s, "acme")
	learn(t, s, known("1", "acme", 1))

	was := introduction(sight(t, s, item("1")), progress)
	markKey(t, s, item("1"))
	wantIntroduced(t, s, "marked since", was, queue.ErrMoved)

	was = introduction(sight(t, s, item("1")), progress)
	mark(t, s, queue.Mark{Key: item("1"), Hints: queue.HintLooked})
	wantIntroduced(t, s, "to be looked at since", was, queue.ErrMoved)

	was = introduction(sight(t, s, item("1")), progress)
	held := leaseMark(t, s, "items")
	same := known("1", "acme", 1)
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), Snapshot: &same}))
	wantIntroduced(t, s, "reconciled since", was, queue.ErrMoved)

	was = introduction(sight(t, s, item("1")), progress)
	commitNext(t, s, "1", "acme")
	wantIntroduced(t, s, "changed since", was, queue.ErrMoved)

	was = introduction(sight(t, s, item("1")), progress)
	changed := known("1", "acme", 2)
	changed.Hash = []byte("another hash")
	learn(t, s, changed)
	wantIntroduced(t, s, "changed since without an event", was, queue.ErrMoved)

	was = introduction(sight(t, s, item("1")), progress)
	changed.Tenant = "umbrella"
	learn(t, s, changed)
	wantIntroduced(t, s, "another tenant's since", was, queue.ErrMoved)
	changed.Tenant = "acme"
	learn(t, s, changed)

	// A mark that was there before does not matter: its event comes behind.
	markKey(t, s, item("1"))
	_, err := s.Introduce(t.Context(), introduction(sight(t, s, item("1")), progress))
	must(t, err)
	if got := leaseDelivery(t, s, "erp"); got.Sequence != 2 {
		t.Errorf("got %+v", got.Delivery)
	}
}

func notIntroduced(t *testing.T, s queue.Store) {
	progress := begun(t, s, "acme")
	if got, err := s.Sighted(t.Context(), item("nobody")); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("of an object that nobody knows: %+v, %v", got, err)
	}
	unknown := introduction(queue.Sighting{Snapshot: event.Snapshot{Key: item("nobody"), Tenant: "acme"}}, progress)
	wantIntroduced(t, s, "that nobody knows", unknown, queue.ErrMoved)
	for name, change := range map[string]func(*event.Snapshot){
		"that is gone":            func(of *event.Snapshot) { of.Gone = true },
		"another name":            func(of *event.Snapshot) { of.Alias = "2" },
		"of another tenant":       func(of *event.Snapshot) { of.Tenant = "umbrella" },
		"that belongs to no one":  func(of *event.Snapshot) { of.Tenant = "" },
		"with the record's owner": func(*event.Snapshot) {},
	} {
		of := known("1", "acme", 3)
		change(&of)
		learn(t, s, of)
		if i := introduction(sight(t, s, item("1")), progress); name != "with the record's owner" {
			wantIntroduced(t, s, name, i, queue.ErrMoved)
		}
	}
	// The operator may have everything.
	learn(t, s, known("1", "acme", 3))
	operators := queue.Record{Kind: "progress", ID: "ep_2", Value: []byte("begun")}
	operators.Version = change(t, s, operators)
	_, err := s.Introduce(t.Context(), introduction(sight(t, s, item("1")), operators))
	must(t, err)
}

func introducingForAnother(t *testing.T, s queue.Store) {
	learn(t, s, known("1", "acme", 1))
	progress := begun(t, s, "acme")
	was := introduction(sight(t, s, item("1")), progress)
	cancelled := progress
	cancelled.Value = []byte("cancelled")
	cancelled.Version = change(t, s, cancelled)
	wantIntroduced(t, s, "cancelled since", was, queue.ErrConflict)
	change(t, s, without(progress, queue.AnyVersion))
	was.Progress.Version = cancelled.Version
	wantIntroduced(t, s, "deleted since", was, queue.ErrConflict)
}

func introducingStale(t *testing.T, s queue.Store) {
	learn(t, s, known("1", "acme", 1))
	progress := begun(t, s, "acme")
	was := introduction(sight(t, s, item("1")), progress)
	was.Epoch = change(t, s, storedEndpoint("ep_1"))
	epoch := change(t, s, storedEndpoint("ep_1"))
	wantIntroduced(t, s, "changed since", was, queue.ErrStale)
	was.Epoch = epoch
	_, err := s.Introduce(t.Context(), was)
	must(t, err)
}

func badIntroductions(t *testing.T, s queue.Store) {
	learn(t, s, known("1", "acme", 1))
	progress := begun(t, s, "acme")
	for name, change := range map[string]func(*queue.Introduction){
		"no snapshot":       func(i *queue.Introduction) { i.Event.Op = event.OpChange },
		"another object":    func(i *queue.Introduction) { i.Event.Key = item("2") },
		"another sequence":  func(i *queue.Introduction) { i.Event.Sequence++ },
		"another tenant":    func(i *queue.Introduction) { i.Event.Tenant = "umbrella" },
		"no record":         func(i *queue.Introduction) { i.Progress.Value = nil },
		"a new record":      func(i *queue.Introduction) { i.Progress.Version = 0 },
		"whatever is there": func(i *queue.Introduction) { i.Progress.Version = queue.AnyVersion },
		"no kind":           func(i *queue.Introduction) { i.Progress.Kind = "" },
	} {
		i := introduction(sight(t, s, item("1")), progress)
		change(&i)
		wantIntroduced(t, s, name, i, queue.ErrBadRecord)
	}
	large := introduction(sight(t, s, item("1")), progress)
	large.Progress.Value = make([]byte, queue.MaxRecord+1)
	wantIntroduced(t, s, "a large record", large, queue.ErrTooLarge)
}

func introducingLarge(t *testing.T, s queue.Store) {
	show := bytes.Repeat([]byte("x"), 4<<20)
	of := known("1", "acme", 1)
	of.Show = show
	learn(t, s, of)
	was := introduction(sight(t, s, item("1")), begun(t, s, "acme"))
	if !bytes.Equal(was.Sighting.Snapshot.Show, show) {
		t.Error("the object was sighted with another Show")
	}
	was.Event.Payload = show
	was.Progress.Value = make([]byte, queue.MaxRecord)
	_, err := s.Introduce(t.Context(), was)
	must(t, err)
	if got := leaseDelivery(t, s, "erp"); !bytes.Equal(got.Event.Payload, show) {
		t.Error("the delivery has another Show")
	}
}

// introducingAtOnce introduces an object while it changes. Whatever is committed, the
// endpoint's feed never has something older behind something newer.
func introducingAtOnce(t *testing.T, s queue.Store) {
	const rounds = 100
	ctx := t.Context()
	learn(t, s, known("1", "acme", 0))
	progress := begun(t, s, "acme")
	introduced, moved := 0, 0
	var group sync.WaitGroup
	group.Go(func() {
		for n := range rounds {
			was, err := s.Sighted(ctx, item("1"))
			if err != nil {
				t.Error(err)
				return
			}
			i := introduction(was, progress)
			i.Event.ID = fmt.Sprint("snapshot ", n)
			time.Sleep(time.Microsecond)
			version, err := s.Introduce(ctx, i)
			switch {
			case err == nil:
				introduced++
				progress.Version = version
			case errors.Is(err, queue.ErrMoved):
				moved++
			default:
				t.Error(err)
				return
			}
		}
	})
	for range rounds {
		commitNext(t, s, "1", "acme", "erp")
		time.Sleep(time.Microsecond)
	}
	group.Wait()
	entries, _ := readFeed(t, s, queue.OfEndpoint("erp"), queue.Position{}, 30)
	for i := range entries[1:] {
		if entries[i+1].Event.Sequence < entries[i].Event.Sequence {
			t.Errorf("%s comes after %s", entries[i+1].Event.ID, entries[i].Event.ID)
		}
	}
	if len(entries) != rounds+introduced {
		t.Errorf("%d entries, and %d introductions", len(entries), introduced)
	}
	t.Logf("%d introduced, %d had moved", introduced, moved)
}

func unreadListed(t *testing.T, s queue.Store) {
	learn(t, s, known("known", "acme", 1))
	for _, id := range []string{"3", "1", "2", "known"} {
		mark(t, s, queue.Mark{Key: item(id), Hints: queue.HintLooked | queue.HintKnown})
	}
	mark(t, s, queue.Mark{Key: item("asked for"), Hints: queue.HintCreated}, queue.Mark{Key: event.Key{Resource: "users", ID: "1"}, Hints: queue.HintLooked})
	want := func(after event.Key, limit int, ids ...string) {
		t.Helper()
		got, err := s.Unread(context.Background(), "items", after, limit)
		must(t, err)
		if names := names(got, func(k event.Key) string { return k.ID }); !slices.Equal(names, ids) {
			t.Errorf("got %v, want %v", names, ids)
		}
	}
	want(event.Key{}, 10, "1", "2", "3")
	want(event.Key{}, 2, "1", "2")
	want(item("1"), 10, "2", "3")
	held := leaseMark(t, s, "items") // what was asked for goes first
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	held = leaseMark(t, s, "items")
	of := known(held.Key.ID, "acme", 0)
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), Snapshot: &of}))
	want(event.Key{}, 10, "1", "2")
}
