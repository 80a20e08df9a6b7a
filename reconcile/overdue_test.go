// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Resources that share a budget share a line, which is an hour long at most. An exchange's
// objects are marked again once the last of them has had its turn.
func TestOverdueTurns(t *testing.T) {
	budget := rate.NewLimiter(10, 1)
	o := newOverdue(Plan{
		Resources: []Resource{{Name: "items", Unconfirmed: budget}, {Name: "free"}, {Name: "others", Unconfirmed: rate.NewLimiter(1, 1)}},
		Queries:   []Query{{Name: "items@find", Unconfirmed: budget}},
	})
	now := time.Now()
	for _, test := range []struct {
		resource string
		marks    int
		last     time.Duration
		again    time.Duration
	}{
		{"items", 1, 0, time.Second},
		{"items@find", 1, 100 * time.Millisecond, time.Second},
		{"items", 100, 10_100 * time.Millisecond, 10_100 * time.Millisecond},
		{"others", 3, 2 * time.Second, 2 * time.Second},
		{"free", 100, 0, time.Second},
		{"none", 100, 0, time.Second},
		{"items", 50_000, time.Hour, time.Hour},
		{"items@find", 1, time.Hour, time.Hour},
	} {
		marks := make([]queue.Mark, test.marks)
		for i := range marks {
			marks[i].Key = event.Key{Resource: test.resource, ID: "1"}
		}
		o.spread(1, marks, now, now.Add(time.Second))
		if last := marks[len(marks)-1].After.Sub(now).Round(time.Millisecond); last != test.last {
			t.Errorf("%d of %s: the last is due in %v, want %v", test.marks, test.resource, last, test.last)
		}
		if again := o.again[1].Sub(now).Round(time.Millisecond); again != test.again {
			t.Errorf("%d of %s: they are marked again in %v, want %v", test.marks, test.resource, again, test.again)
		}
	}
	// Places beyond the hour are taken by nobody: the line goes on as time does.
	marks := []queue.Mark{{Key: event.Key{Resource: "items", ID: "1"}}}
	o.spread(1, marks, now.Add(30*time.Minute), now)
	if wait := marks[0].After.Sub(now.Add(30 * time.Minute)).Round(time.Second); wait != 30*time.Minute {
		t.Errorf("half an hour later the line is %v long", wait)
	}
}
