// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// bubble hides that a test runs in a bubble: rapid calls Deadline, which panics
// there.
type bubble struct{ *testing.T }

// RunModel makes random calls of the store and of the model, and compares the
// results.
func RunModel(t *testing.T, open Open) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			m := &machine{store: open(t, time.Now), model: newModel(), ctx: t.Context()}
			defer m.store.Close()
			rt.Repeat(map[string]func(*rapid.T){
				"":        m.check,
				"note":    m.note,
				"resolve": m.resolve,
				"lease":   m.leaseMark,
				"commit":  m.commit,
				"retry":   m.retry,
				"dismiss": m.dismiss,
				"forget":  m.forget,
				"sight":   m.sight,
				"tell":    m.introduce,
				"order":   m.setOrder,
				"deliver": m.leaseDelivery,
				"finish":  m.finish,
				"release": m.release,
				"operate": m.operate,
				"count":   m.count,
				"hasten":  m.hasten,
				"wait":    m.wait,
				"change":  m.changeRecords,
			})
		})
	})
}

// machine drives a store and the model of one.
type machine struct {
	store      queue.Store
	model      *model
	ctx        context.Context
	marks      []queue.MarkLease
	sightings  []queue.Sighting
	deliveries []queue.DeliveryLease
}

var (
	someKeys      = rapid.SampledFrom([]event.Key{item("1"), item("2"), {Resource: "users", ID: "1"}})
	someResources = rapid.SampledFrom([]string{"items", "users"})
	someEndpoints = rapid.SampledFrom([]string{"erp", "crm"})
	someWaits     = rapid.SampledFrom([]time.Duration{0, 10 * time.Second, lease, 90 * time.Second})
)

// one draws one of several; the newest are the likeliest.
func one[T any](t *rapid.T, all []T, label string) T {
	if len(all) == 0 {
		t.Skip("there is none yet")
	}
	back := rapid.IntRange(0, len(all)-1).Draw(t, label)
	return all[len(all)-1-back]
}

func (m *machine) note(t *rapid.T) {
	intent := queue.Intent{
		Resource: someResources.Draw(t, "resource"),
		Rule:     "PATCH /items/:id",
		Noted:    time.Now(),
		// As if another process had noted it elsewhere.
		Abandoned: rapid.IntRange(0, 3).Draw(t, "abandoned") == 0,
	}
	if rapid.Bool().Draw(t, "may be overdue") {
		intent.Deadline = time.Now().Add(someWaits.Draw(t, "deadline"))
	}
	if rapid.Bool().Draw(t, "names an object") {
		intent.Key = someKeys.Draw(t, "key")
	}
	id, err := m.store.NoteIntent(m.ctx, intent)
	if err != nil {
		t.Fatalf("NoteIntent: %v", err)
	}
	intent.ID = id
	m.model.intents[id] = intent
}

func (m *machine) resolve(t *rapid.T) {
	ids := append([]queue.IntentID{0}, m.model.resolved...)
	for id := range m.model.intents {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	id := rapid.SampledFrom(ids).Draw(t, "id")
	var resolution queue.Resolution
	resolution.Marks = someMarks(t)
	if rapid.Bool().Draw(t, "unresolved") {
		resolution.Unresolved = "why"
	}
	durable := rapid.Bool().Draw(t, "durable")
	if err := m.store.ResolveIntent(m.ctx, id, resolution, durable); err != nil {
		t.Fatalf("ResolveIntent: %v", err)
	}
	synctest.Wait()
	m.model.resolve(id, resolution, time.Now())
}

func someMarks(t *rapid.T) []queue.Mark {
	var marks []queue.Mark
	for range rapid.IntRange(0, 2).Draw(t, "marks") {
		mark := queue.Mark{
			Key:     someKeys.Draw(t, "key"),
			Hints:   queue.Hints(rapid.IntRange(0, 127).Draw(t, "hints")),
			Version: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "version"),
			Cause:   event.Cause{Rule: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "rule")},
		}
		if rapid.Bool().Draw(t, "unconfirmed") {
			mark.Hints |= queue.HintUnconfirmed
		}
		if rapid.Bool().Draw(t, "look") {
			mark.Hints = queue.HintLooked
		}
		if after := someWaits.Draw(t, "after"); after > 0 {
			mark.After = time.Now().Add(after)
		}
		if settles := someWaits.Draw(t, "settles"); settles > 0 {
			mark.SettleAt = time.Now().Add(settles)
		}
		if callback := rapid.SampledFrom([]string{"", "", "x", "y"}).Draw(t, "callback"); callback != "" {
			mark.Callback = []byte(callback)
		}
		marks = append(marks, mark)
	}
	return marks
}

func (m *machine) dismiss(t *rapid.T) {
	before := time.Now().Add(-someWaits.Draw(t, "age"))
	resource := someResources.Draw(t, "resource")
	which := func(u queue.Unresolved) bool { return u.Resource == resource && u.At.Before(before) }
	want := 0
	if rapid.Bool().Draw(t, "one") {
		u := one(t, m.model.unresolved, "unresolved")
		which = func(other queue.Unresolved) bool { return other.ID == u.ID }
		if err := m.store.DismissUnresolved(m.ctx, u.ID); err != nil {
			t.Fatalf("DismissUnresolved: %v", err)
		}
	} else {
		got, err := m.store.DismissUnresolvedBefore(m.ctx, resource, before)
		if err != nil {
			t.Fatalf("DismissUnresolvedBefore: %v", err)
		}
		for _, u := range m.model.unresolved {
			if which(u) {
				want++
			}
		}
		if got != want {
			t.Fatalf("DismissUnresolvedBefore: got %d, want %d", got, want)
		}
	}
	m.model.unresolved = slices.DeleteFunc(m.model.unresolved, which)
}

func (m *machine) leaseMark(t *rapid.T) {
	resource := someResources.Draw(t, "resource")
	due := m.model.dueMarks(resource, time.Now())
	got, err := tryMark(m.ctx, m.store, resource)
	if len(due) == 0 {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("LeaseMark: got %s and %v, and none is due", markLine(got), err)
		}
		return
	}
	if err != nil {
		t.Fatalf("LeaseMark: %v, and %d are due", err, len(due))
	}
	i := slices.IndexFunc(due, func(mark *modelMark) bool { return mark.Key == got.Key })
	if i < 0 {
		t.Fatalf("LeaseMark: got %s, which is not due", markLine(got))
	}
	want := due[i]
	want.Snapshot, want.Callback, want.Look = nil, nil, want.look()
	want.Floor = m.model.floors[resource]
	if callback, known := m.model.callbacks[got.Key]; known {
		want.Callback = &callback
	}
	if snapshot, known := m.model.snapshots[got.Key]; known {
		want.Snapshot = &snapshot
	}
	if markLine(got) != markLine(want.MarkLease) {
		t.Fatalf("LeaseMark: got\n%s, want\n%s", markLine(got), markLine(want.MarkLease))
	}
	want.Fence, want.passes = got.Fence, time.Now().Add(lease)
	m.marks = append(m.marks, got)
}

// wantLease checks that a verb fails if and only if a lease is not held.
func wantLease(t *rapid.T, verb string, err error, held bool) {
	if held && err != nil || !held && !errors.Is(err, queue.ErrLeaseLost) {
		t.Fatalf("%s: %v, and the lease is held: %v", verb, err, held)
	}
}

func (m *machine) commit(t *rapid.T) {
	held := one(t, m.marks, "lease")
	reconciled := queue.Reconciled{
		AskedAt:       time.Now(),
		Marks:         someMarks(t),
		Unresolved:    rapid.SampledFrom([]string{"", "", "why"}).Draw(t, "unresolved"),
		CloseCallback: rapid.Bool().Draw(t, "close callback"),
	}
	if rapid.Bool().Draw(t, "look again") {
		reconciled.LookAt = time.Now().Add(someWaits.Draw(t, "look in"))
	}
	sequence := m.model.last(held.Key)
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		sequence++
		m.model.lastEvent++
		reconciled.Events = append(reconciled.Events, queue.Routed{
			Event: event.Event{
				ID:       fmt.Sprintf("e%d", m.model.lastEvent),
				Type:     held.Key.Resource + ".updated",
				Key:      held.Key,
				Sequence: sequence,
				Payload:  []byte(fmt.Sprintf("payload %d", m.model.lastEvent)),
			},
			Endpoints: rapid.SliceOfNDistinct(someEndpoints, 0, 2, rapid.ID).Draw(t, "endpoints"),
		})
	}
	if rapid.Bool().Draw(t, "snapshot") || len(reconciled.Events) > 0 {
		reconciled.Snapshot = &event.Snapshot{Key: held.Key, Sequence: sequence, Gone: rapid.Bool().Draw(t, "gone"), Time: time.Now()}
		reconciled.Snapshot.Hash = rapid.SampledFrom([][]byte{[]byte("a"), []byte("b")}).Draw(t, "hash")
	}
	reconciled.Epoch = m.model.records.epochs[queue.KindEndpoint]
	if rapid.IntRange(0, 3).Draw(t, "stale") == 0 {
		reconciled.Epoch += rapid.SampledFrom([]uint64{1, 1 << 63, 1<<64 - 1}).Draw(t, "off by")
		if m.model.holds(held, time.Now()) != nil && len(reconciled.Events) > 0 {
			if err := m.store.CommitReconciled(m.ctx, held, reconciled); !errors.Is(err, queue.ErrStale) {
				t.Fatalf("CommitReconciled: %v, want ErrStale", err)
			}
			return
		}
	}
	err := m.store.CommitReconciled(m.ctx, held, reconciled)
	if m.model.again(reconciled.Events) && m.model.holds(held, time.Now()) != nil {
		t.Fatalf("an event of %s has the sequence of an earlier one: %+v", held.Key, reconciled.Events)
	}
	done := m.model.commit(held, reconciled, time.Now())
	wantLease(t, "CommitReconciled", err, done)
	if done && reconciled.Unresolved != "" {
		m.adoptUnresolved(t, queue.Unresolved{
			Intent: queue.Intent{Resource: held.Key.Resource, Rule: held.Cause.Rule, Key: held.Key, Noted: held.Cause.At},
			Reason: reconciled.Unresolved, At: time.Now(),
		})
	}
}

func (m *machine) forget(t *rapid.T) {
	before := time.Now().Add(-someWaits.Draw(t, "age"))
	got, next, err := m.store.Forget(m.ctx, before, event.Key{})
	if err != nil || !next.IsZero() {
		t.Fatalf("Forget: ended at %v, %v", next, err)
	}
	if want := m.model.forget(before); got != want {
		t.Fatalf("Forget: %d, want %d", got, want)
	}
}

// adoptUnresolved takes over the number of a record that the store has made.
func (m *machine) adoptUnresolved(t *rapid.T, want queue.Unresolved) {
	listed, _, err := m.store.Unresolved(m.ctx, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		t.Fatalf("Unresolved: %v", err)
	}
	listed = slices.DeleteFunc(listed, func(u queue.Unresolved) bool {
		return slices.ContainsFunc(m.model.unresolved, func(known queue.Unresolved) bool { return known.ID == u.ID })
	})
	if len(listed) != 1 {
		t.Fatalf("Unresolved: got %v, want one more", listed)
	}
	want.ID = listed[0].ID
	m.model.unresolved = append(m.model.unresolved, want)
}

func (m *machine) retry(t *rapid.T) {
	held := one(t, m.marks, "lease")
	at := time.Now().Add(someWaits.Draw(t, "wait"))
	reason := rapid.SampledFrom([]string{"busy", ""}).Draw(t, "reason")
	err := m.store.RetryMark(m.ctx, held, at, reason)
	wantLease(t, "RetryMark", err, m.model.retry(held, at, reason, time.Now()))
}

func (m *machine) finish(t *rapid.T) {
	held := one(t, m.deliveries, "lease")
	attempt := queue.Attempt{At: time.Now(), Duration: time.Second, Code: rapid.IntRange(0, 599).Draw(t, "code")}
	if rapid.Bool().Draw(t, "sent") {
		attempt.Sent = queue.Sent{Host: "erp.example:8443", Settings: rapid.Uint16().Draw(t, "settings"), Keys: []string{"ab12"}}
	}
	verdict := queue.Verdict{Status: rapid.SampledFrom([]queue.Status{
		queue.StatusDelivered, queue.StatusPending, queue.StatusDead,
	}).Draw(t, "status")}
	if verdict.Status == queue.StatusPending {
		verdict.RetryAt = time.Now().Add(someWaits.Draw(t, "wait"))
	}
	err := m.store.FinishAttempt(m.ctx, held, attempt, verdict)
	wantLease(t, "FinishAttempt", err, m.model.finish(held, attempt, verdict, time.Now()))
}

func (m *machine) release(t *rapid.T) {
	held := one(t, m.deliveries, "lease")
	err := m.store.ReleaseDelivery(m.ctx, held)
	wantLease(t, "ReleaseDelivery", err, m.model.release(held, time.Now()))
}

func (m *machine) wait(t *rapid.T) {
	time.Sleep(someWaits.Draw(t, "time"))
}

// check compares all that can be seen.
func (m *machine) check(t *rapid.T) {
	m.checkStats(t)
	m.checkRecords(t)
	stale, err := m.store.StaleIntents(m.ctx, 1000)
	if err != nil {
		t.Fatalf("StaleIntents: %v", err)
	}
	ids := make([]queue.IntentID, 0, len(stale))
	for _, intent := range stale {
		ids = append(ids, intent.ID)
	}
	if want := m.model.stale(time.Now()); len(ids)+len(want) > 0 && !slices.Equal(ids, want) {
		t.Fatalf("StaleIntents: got %v, want %v", ids, want)
	}
	pending, err := m.store.Pending(m.ctx, 1000)
	if err != nil {
		t.Fatalf("Pending: %v", err)
	}
	lines := names(pending, pendingLine)
	slices.Sort(lines)
	wantLines(t, "Pending", lines, m.model.pendingLines(time.Now()))
	resource := someResources.Draw(t, "resource")
	unseen, err := m.store.Unseen(m.ctx, resource, event.Key{}, 1000)
	if err != nil {
		t.Fatalf("Unseen: %v", err)
	}
	wantLines(t, "Unseen", names(unseen, event.Key.String), m.model.unseen(resource))
	unresolved, _, err := m.store.Unresolved(m.ctx, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		t.Fatalf("Unresolved: %v", err)
	}
	// Their order is about that of time, so it is not compared.
	lines = names(unresolved, unresolvedLine)
	known := names(m.model.unresolved, unresolvedLine)
	slices.Sort(lines)
	slices.Sort(known)
	wantLines(t, "Unresolved", lines, known)
	m.checkLists(t, "")
	m.checkLists(t, someEndpoints.Draw(t, "endpoint"))
	if len(m.model.events) > 0 {
		m.checkEvent(t, one(t, m.model.events, "event").ID)
	}
}

// checkStats waits until the figures are those of the model.
func (m *machine) checkStats(t *rapid.T) {
	want := m.model.stats()
	for deadline := time.Now().Add(statsAge); ; time.Sleep(statsAge / 100) {
		got, err := m.store.Stats(m.ctx)
		if err != nil {
			t.Fatalf("Stats: %v", err)
		}
		if sameStats(got, want) {
			return
		}
		if !time.Now().Before(deadline) {
			t.Fatalf("Stats: got %+v, want %+v", got, want)
		}
	}
}

// sameStats compares figures. The number of lanes depends on the order.
func sameStats(got, want queue.Stats) bool {
	if !got.OldestMark.Equal(want.OldestMark) || len(got.Lanes) != len(want.PendingDeliveries) {
		return false
	}
	for endpoint, pending := range want.PendingDeliveries {
		if lanes := got.Lanes[endpoint]; lanes < 1 || lanes > pending {
			return false
		}
	}
	got.OldestMark, got.Lanes = want.OldestMark, want.Lanes
	return reflect.DeepEqual(got, want)
}

// checkEvent compares the lists of one event.
func (m *machine) checkEvent(t *rapid.T, id string) {
	size := rapid.IntRange(1, 3).Draw(t, "page")
	endpoint := rapid.SampledFrom([]string{"", "erp", "crm"}).Draw(t, "of")
	filter := queue.Filter{EventID: id, Endpoint: endpoint}
	deliveries := pages(t, size, func(page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
		return m.store.Deliveries(m.ctx, filter, page)
	})
	wantLines(t, "Deliveries of "+id, names(deliveries, deliveryLine), m.model.deliveryLines(filter))
	attempts := pages(t, size, func(page queue.Page) ([]queue.Attempt, queue.Cursor, error) {
		return m.store.Attempts(m.ctx, filter, page)
	})
	wantLines(t, "Attempts of "+id, names(attempts, attemptLine), m.model.attemptLines(filter))
}

func (m *machine) checkLists(t *rapid.T, endpoint string) {
	size := rapid.IntRange(1, 4).Draw(t, "page")
	filter := queue.Filter{Endpoint: endpoint}
	events := pages(t, size, func(page queue.Page) ([]event.Event, queue.Cursor, error) {
		return m.store.Events(m.ctx, filter, page)
	})
	wantLines(t, "Events", names(events, eventLine), m.model.eventLines())
	deliveries := pages(t, size, func(page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
		return m.store.Deliveries(m.ctx, filter, page)
	})
	wantLines(t, "Deliveries", names(deliveries, deliveryLine), m.model.deliveryLines(filter))
	m.checkMerged(t, size)
	attempts := pages(t, size, func(page queue.Page) ([]queue.Attempt, queue.Cursor, error) {
		return m.store.Attempts(m.ctx, filter, page)
	})
	wantLines(t, "Attempts", names(attempts, attemptLine), m.model.attemptLines(filter))
}

func wantLines(t *rapid.T, list string, got, want []string) {
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got\n%q\nwant\n%q", list, got, want)
	}
}
