// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// try makes an attempt of the next delivery to an endpoint, and returns it as
// lists have it.
func try(t *testing.T, s queue.Store, endpoint string, status queue.Status) queue.Attempt {
	t.Helper()
	time.Sleep(time.Second)
	held := leaseDelivery(t, s, endpoint)
	attempt := queue.Attempt{
		EventID: held.EventID, Endpoint: endpoint, Number: held.Attempts + 1,
		At: time.Now(), Duration: time.Duration(held.Attempts+1) * time.Millisecond, Code: 200 + len(held.EventID),
		Error: "of " + held.EventID, Response: []byte(endpoint + " has " + held.EventID),
		Sent: queue.Sent{Host: endpoint + ".example", Settings: uint16(held.Attempts), Keys: []string{"ab12", "00ff"}, Trace: "00-" + held.EventID},
	}
	must(t, s.FinishAttempt(t.Context(), held, attempt, queue.Verdict{Status: status, RetryAt: time.Now()}))
	return attempt
}

// attemptsListed lists attempts of deliveries that were decided by their first
// one or by a later one, that are pending with an attempt or without, and that
// were redelivered.
func attemptsListed(t *testing.T, s queue.Store) {
	const decided, retried = queue.StatusDelivered, queue.StatusPending
	var made []queue.Attempt
	attempt := func(endpoint string, statuses ...queue.Status) {
		for _, status := range statuses {
			made = append(made, try(t, s, endpoint, status))
		}
	}
	publish(t, s, item("1"), "crm", "erp")
	attempt("erp", decided)
	attempt("crm", retried, queue.StatusDead)
	wantAttempts(t, s, made)
	publish(t, s, item("2"), "crm", "erp")
	attempt("erp", retried, retried, decided)
	attempt("crm", queue.StatusDead)
	publish(t, s, item("3"), "erp")
	attempt("erp", decided)
	publish(t, s, item("4"), "crm", "erp", "new")
	attempt("crm", decided)
	wantAttempts(t, s, made)

	// Those that their first attempt decided, redelivered once or twice, are
	// listed while they wait, while they are tried, and when they are decided.
	redeliver(t, s, queue.Selection{EventID: "items/1-1", Endpoint: "erp"}, 1)
	redeliver(t, s, queue.Selection{EventID: "items/2-1", Endpoint: "crm"}, 1)
	wantAttempts(t, s, made)
	attempt("crm", decided)
	redeliver(t, s, queue.Selection{EventID: "items/2-1", Endpoint: "crm"}, 1)
	attempt("crm", retried, decided)
	wantAttempts(t, s, made)
	for range 2 {
		// The delivery of items/4 waits as well.
		attempt("erp", decided)
	}
	wantAttempts(t, s, made)
	if n, _, err := s.Replay(t.Context(), "erp", queue.Selection{EventID: "items/3-1"}, queue.Page{}); err != nil || n != 1 {
		t.Errorf("replayed %d: %v", n, err)
	}
	wantAttempts(t, s, made)
	attempt("erp", retried)
	wantAttempts(t, s, made)
	// A delivery that was cancelled without an attempt has its first when it is
	// redelivered.
	if n, _, err := s.Cancel(t.Context(), queue.Selection{Endpoint: "new"}, queue.Page{}); err != nil || n != 1 {
		t.Errorf("cancelled %d: %v", n, err)
	}
	wantAttempts(t, s, made)
	redeliver(t, s, queue.Selection{Endpoint: "new"}, 1)
	attempt("new", decided)
	wantAttempts(t, s, made)
}

// wantAttempts compares the lists of attempts with those made, by any filter
// and in pages of any size.
func wantAttempts(t *testing.T, s queue.Store, made []queue.Attempt) {
	t.Helper()
	line := func(a queue.Attempt) string {
		return attemptLine(a) + " " + string(a.Response)
	}
	events, _, err := s.Events(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	for _, endpoint := range []string{"", "erp", "crm", "new", "nobody"} {
		for i := range len(events) + 1 {
			filter := queue.Filter{Endpoint: endpoint}
			if i > 0 {
				filter.EventID = events[i-1].ID
			}
			var want []string
			for _, e := range events {
				for _, name := range []string{"crm", "erp", "new"} {
					for _, a := range slices.Backward(made) {
						if a.EventID == e.ID && a.Endpoint == name && (endpoint == "" || endpoint == name) &&
							(filter.EventID == "" || filter.EventID == e.ID) {
							want = append(want, line(a))
						}
					}
				}
			}
			for size := 1; size <= 3; size++ {
				got := names(pages(t, size, func(page queue.Page) ([]queue.Attempt, queue.Cursor, error) {
					return s.Attempts(t.Context(), filter, page)
				}), line)
				if !slices.Equal(got, want) {
					t.Errorf("%s, in pages of %d: got\n%q\nwant\n%q", fmt.Sprintf("%+v", filter), size, got, want)
				}
			}
		}
	}
}
