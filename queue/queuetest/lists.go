// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// pages reads a whole list in pages of a size.
func pages[T any](
	t interface{ Fatalf(string, ...any) }, size int,
	list func(queue.Page) ([]T, queue.Cursor, error),
) []T {
	var all []T
	page := queue.Page{Limit: size}
	for {
		rows, next, err := list(page)
		if err != nil {
			t.Fatalf("listing from %q: %v", page.Cursor, err)
		}
		if len(rows) > size {
			t.Fatalf("a page of %d has %d rows", size, len(rows))
		}
		all = append(all, rows...)
		if next == "" {
			return all
		}
		page.Cursor = next
	}
}

// names returns the names of rows, in their order.
func names[T any](rows []T, name func(T) string) []string {
	all := make([]string, 0, len(rows))
	for _, row := range rows {
		all = append(all, name(row))
	}
	return all
}

func eventName(e event.Event) string       { return e.ID }
func deliveryName(d queue.Delivery) string { return d.EventID + ">" + d.Endpoint }
func attemptName(a queue.Attempt) string {
	return fmt.Sprintf("%s>%s#%d", a.EventID, a.Endpoint, a.Number)
}

func wantNames[T any](t *testing.T, rows []T, name func(T) string, want ...string) {
	t.Helper()
	got := names(rows, name)
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// fill makes two events of items/1 for two endpoints and one of items/2 for
// one, tries the oldest delivery twice and decides it.
func fill(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp", "crm")
	publish(t, s, item("1"), "erp", "crm")
	publish(t, s, item("2"), "crm")
	held := leaseDelivery(t, s, "erp")
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, queue.Verdict{Status: queue.StatusPending, RetryAt: time.Now()}))
	held = leaseDelivery(t, s, "erp")
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, delivered()))
	held = leaseDelivery(t, s, "crm")
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, delivered()))
}

func listsHavePages(t *testing.T, s queue.Store) {
	fill(t, s)
	for range 3 {
		id := note(t, s, queue.Intent{Resource: "items"})
		must(t, s.ResolveIntent(t.Context(), id, queue.Resolution{Unresolved: "why"}, true))
	}
	for size := 1; size <= 6; size++ {
		events := pages(t, size, func(page queue.Page) ([]event.Event, queue.Cursor, error) {
			return s.Events(t.Context(), queue.Filter{}, page)
		})
		wantNames(t, events, eventName, "items/2-1", "items/1-2", "items/1-1")
		deliveries := pages(t, size, func(page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
			return s.Deliveries(t.Context(), queue.Filter{}, page)
		})
		wantNames(t, deliveries, deliveryName, "items/2-1>crm", "items/1-2>crm", "items/1-2>erp", "items/1-1>crm", "items/1-1>erp")
		attempts := pages(t, size, func(page queue.Page) ([]queue.Attempt, queue.Cursor, error) {
			return s.Attempts(t.Context(), queue.Filter{EventID: "items/1-1", Endpoint: "erp"}, page)
		})
		wantNames(t, attempts, attemptName, "items/1-1>erp#2", "items/1-1>erp#1")
		attempts = pages(t, size, func(page queue.Page) ([]queue.Attempt, queue.Cursor, error) {
			return s.Attempts(t.Context(), queue.Filter{}, page)
		})
		if len(attempts) != 3 {
			t.Errorf("got %q", names(attempts, attemptName))
		}
		unresolved := pages(t, size, func(page queue.Page) ([]queue.Unresolved, queue.Cursor, error) {
			return s.Unresolved(t.Context(), page)
		})
		if len(unresolved) != 3 || unresolved[0].ID < unresolved[2].ID {
			t.Errorf("got %+v", unresolved)
		}
	}
	// A full last page has no next one.
	if _, next, err := s.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 3}); err != nil || next != "" {
		t.Errorf("after the last page: %q and %v", next, err)
	}
}

func listsHaveFilters(t *testing.T, s queue.Store) {
	fill(t, s)
	for name, test := range map[string]struct {
		filter     queue.Filter
		events     []string
		deliveries []string
	}{
		"event": {
			queue.Filter{EventID: "items/1-2"},
			[]string{"items/1-2"},
			[]string{"items/1-2>crm", "items/1-2>erp"},
		},
		"key": {
			queue.Filter{Key: item("2")},
			[]string{"items/2-1"},
			[]string{"items/2-1>crm"},
		},
		"type":  {filter: queue.Filter{Type: "items.created"}},
		"other": {filter: queue.Filter{EventID: "other"}},
		"endpoint": {
			queue.Filter{Endpoint: "erp"},
			[]string{"items/2-1", "items/1-2", "items/1-1"},
			[]string{"items/1-2>erp", "items/1-1>erp"},
		},
		"endpoint and status": {
			queue.Filter{Endpoint: "erp", Status: queue.StatusDelivered},
			[]string{"items/2-1", "items/1-2", "items/1-1"},
			[]string{"items/1-1>erp"},
		},
		"endpoint and event": {
			queue.Filter{Endpoint: "crm", EventID: "items/1-2"},
			[]string{"items/1-2"},
			[]string{"items/1-2>crm"},
		},
		"endpoint, key and type": {
			queue.Filter{Endpoint: "crm", Key: item("1"), Type: "items.updated"},
			[]string{"items/1-2", "items/1-1"},
			[]string{"items/1-2>crm", "items/1-1>crm"},
		},
	} {
		t.Log(name)
		for size := 1; size <= 2; size++ {
			events := pages(t, size, func(page queue.Page) ([]event.Event, queue.Cursor, error) {
				return s.Events(t.Context(), test.filter, page)
			})
			wantNames(t, events, eventName, test.events...)
			deliveries := pages(t, size, func(page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
				return s.Deliveries(t.Context(), test.filter, page)
			})
			wantNames(t, deliveries, deliveryName, test.deliveries...)
			if test.filter.EventID == "" {
				to := []string{"erp", "nobody", "crm", "erp"}
				if test.filter.Endpoint != "" {
					to = []string{test.filter.Endpoint}
				}
				deliveries = pages(t, size, func(page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
					return s.DeliveriesTo(t.Context(), to, test.filter, page)
				})
				wantNames(t, deliveries, deliveryName, test.deliveries...)
			}
			attempts := pages(t, size, func(page queue.Page) ([]queue.Attempt, queue.Cursor, error) {
				return s.Attempts(t.Context(), queue.Filter{Endpoint: "erp"}, page)
			})
			wantNames(t, attempts, attemptName, "items/1-1>erp#2", "items/1-1>erp#1")
		}
	}
}

func badCursor(t *testing.T, s queue.Store) {
	fill(t, s)
	_, cursor, err := s.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(t, err)
	for _, bad := range []queue.Cursor{"x", "!!", "AAAA", cursor[1:]} {
		if _, _, err := s.Events(t.Context(), queue.Filter{}, queue.Page{Cursor: bad}); !errors.Is(err, queue.ErrBadCursor) {
			t.Errorf("Events from %q: %v, want ErrBadCursor", bad, err)
		}
	}
	if _, _, err := s.Deliveries(t.Context(), queue.Filter{}, queue.Page{Cursor: cursor}); !errors.Is(err, queue.ErrBadCursor) {
		t.Errorf("Deliveries: %v, want ErrBadCursor", err)
	}
	if _, _, err := s.DeliveriesTo(t.Context(), []string{"erp", "crm"}, queue.Filter{}, queue.Page{Cursor: cursor}); !errors.Is(err, queue.ErrBadCursor) {
		t.Errorf("DeliveriesTo: %v, want ErrBadCursor", err)
	}
	if _, _, err := s.Attempts(t.Context(), queue.Filter{}, queue.Page{Cursor: cursor}); !errors.Is(err, queue.ErrBadCursor) {
		t.Errorf("Attempts: %v, want ErrBadCursor", err)
	}
	if _, _, err := s.Unresolved(t.Context(), queue.Page{Cursor: cursor}); !errors.Is(err, queue.ErrBadCursor) {
		t.Errorf("Unresolved: %v, want ErrBadCursor", err)
	}
}

// strangeNames has names whose concatenations are equal, and names with any
// bytes.
func strangeNames(t *testing.T, s queue.Store) {
	keys := []event.Key{
		{Resource: "a", ID: "b/c"}, {Resource: "a/b", ID: "c"}, {Resource: "a", ID: "b\x00c"}, {Resource: "a\x00b", ID: "c"}, {Resource: "", ID: ""},
	}
	endpoints := []string{"a", "a/b", "a\x00b", "\xff\xff", "ä"}
	for _, key := range keys {
		publish(t, s, key, endpoints...)
	}
	for _, endpoint := range endpoints {
		seen := make(map[event.Key]bool)
		for range keys {
			held := leaseDelivery(t, s, endpoint)
			seen[held.Key] = true
			must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, delivered()))
		}
		if len(seen) != len(keys) {
			t.Errorf("%q got %v", endpoint, seen)
		}
		listed, _, err := s.Deliveries(t.Context(), queue.Filter{Endpoint: endpoint}, queue.Page{})
		must(t, err)
		if len(listed) != len(keys) {
			t.Errorf("%q has %d deliveries, want %d", endpoint, len(listed), len(keys))
		}
	}
}

func callerLeaves(t *testing.T, s queue.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := s.LeaseMark(ctx, "items", lease)
		failed <- err
	}()
	go func() {
		_, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: lease})
		failed <- err
	}()
	synctest.Wait()
	cancel()
	for range 2 {
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
	}
	if _, err := s.NoteIntent(ctx, queue.Intent{}); !errors.Is(err, context.Canceled) {
		t.Errorf("NoteIntent: %v, want Canceled", err)
	}
	// Nothing that comes later is leased to a caller who has left.
	publish(t, s, item("1"), "erp")
	leaseDelivery(t, s, "erp")
}

func closing(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp")
	publish(t, s, item("2"), "erp")
	held := leaseDelivery(t, s, "erp")
	markKey(t, s, item("1"))
	marked := leaseMark(t, s, "items")
	failed := make(chan error)
	go func() {
		_, err := s.LeaseMark(t.Context(), "items", lease)
		failed <- err
	}()
	go func() {
		_, err := s.LeaseDelivery(t.Context(), "crm", queue.LeaseOptions{For: lease})
		failed <- err
	}()
	synctest.Wait()
	must(t, s.Close())
	must(t, s.Close())

	ctx := t.Context()
	verbs := operationsEnd(t, s)
	maps.Copy(verbs, recordsEnd(t, s))
	maps.Copy(verbs, map[string]func() error{
		"a waiting LeaseMark or LeaseDelivery": func() error { return <-failed },
		"the other":                            func() error { return <-failed },
		"NoteIntent":                           func() error { _, err := s.NoteIntent(ctx, queue.Intent{}); return err },
		"ResolveIntent":                        func() error { return s.ResolveIntent(ctx, 0, queue.Resolution{}, true) },
		"ResolveIntent without waiting":        func() error { return s.ResolveIntent(ctx, 0, queue.Resolution{}, false) },
		"StaleIntents":                         func() error { _, err := s.StaleIntents(ctx, 1); return err },
		"LeaseMark":                            func() error { _, err := s.LeaseMark(ctx, "items", lease); return err },
		"CommitReconciled":                     func() error { return s.CommitReconciled(ctx, marked, queue.Reconciled{}) },
		"RetryMark":                            func() error { return s.RetryMark(ctx, marked, time.Now(), "") },
		"LeaseDelivery":                        func() error { _, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: lease}); return err },
		"FinishAttempt":                        func() error { return s.FinishAttempt(ctx, held, queue.Attempt{}, delivered()) },
		"SetOrder":                             func() error { return s.SetOrder(ctx, "erp", queue.OrderNone) },
		"LeaseMaintenance":                     func() error { _, err := s.LeaseMaintenance(ctx, "trim", lease); return err },
		"ReleaseDelivery":                      func() error { return s.ReleaseDelivery(ctx, held) },
		"HastenDeliveries":                     func() error { _, err := s.HastenDeliveries(ctx, "erp", queue.Hasten{}); return err },
		"PostponeDelivery":                     func() error { return s.PostponeDelivery(ctx, held, time.Now()) },
		"Events":                               func() error { _, _, err := s.Events(ctx, queue.Filter{}, queue.Page{}); return err },
		"Event":                                func() error { _, err := s.Event(ctx, "items/1-1"); return err },
		"Deliveries":                           func() error { _, _, err := s.Deliveries(ctx, queue.Filter{}, queue.Page{}); return err },
		"DeliveriesTo": func() error {
			_, _, err := s.DeliveriesTo(ctx, []string{"erp"}, queue.Filter{}, queue.Page{})
			return err
		},
		"Attempts":                func() error { _, _, err := s.Attempts(ctx, queue.Filter{}, queue.Page{}); return err },
		"Unresolved":              func() error { _, _, err := s.Unresolved(ctx, queue.Page{}); return err },
		"Pending":                 func() error { _, err := s.Pending(ctx, 1); return err },
		"Object":                  func() error { _, err := s.Object(ctx, item("1")); return err },
		"Objects":                 func() error { _, err := s.Objects(ctx, "items", event.Key{}, 1); return err },
		"Unseen":                  func() error { _, err := s.Unseen(ctx, "items", event.Key{}, 1); return err },
		"Callback":                func() error { _, err := s.Callback(ctx, item("1")); return err },
		"PutCallback":             func() error { return s.PutCallback(ctx, item("1"), nil, []byte("a")) },
		"DismissUnresolved":       func() error { return s.DismissUnresolved(ctx, 1) },
		"DismissUnresolvedBefore": func() error { _, err := s.DismissUnresolvedBefore(ctx, "", time.Now()); return err },
		"Stats":                   func() error { _, err := s.Stats(ctx); return err },
	})
	for name, verb := range verbs {
		if err := verb(); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
}
