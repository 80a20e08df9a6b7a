// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// A gap, such as a restored backup leaves, marks the objects that are not known to be
// there: their delete may have passed. A mark whose Show was 404 from the beginning on
// must not become the delete of an object that never existed, and must not be tried for
// ever either: it ends as a record.
func TestGapInventsNoDelete(t *testing.T) {
	for name, tc := range map[string]struct {
		before   queue.Hints
		known    bool
		want     []string
		recorded int
	}{
		"a confirmed update":    {queue.HintUpdated, false, nil, 1},
		"a confirmed create":    {queue.HintCreated, false, []string{"items.deleted"}, 0}, // it was there
		"a confirmed delete":    {queue.HintDeleted, false, nil, 1},
		"one of unknown end":    {queue.HintMayBeUpdated | queue.HintUnconfirmed, false, nil, 0},
		"an object that is had": {queue.HintUpdated, true, []string{"items.deleted"}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t)
			if tc.known {
				b.api.set(`{"id":"42"}`)
				b.mark(queue.Mark{Hints: queue.HintLooked})
				pass(time.Minute)
				b.api.set("")
			}
			b.mark(queue.Mark{Hints: tc.before, Cause: event.Cause{Rule: "PUT", At: time.Now()}})
			b.mark(queue.Mark{
				Hints: queue.HintMayBeDeleted, SettleAt: time.Now().Add(30 * time.Second),
				Cause: event.Cause{Rule: "gap", Outcome: event.OutcomeUnknown, At: time.Now()},
			})
			pass(10 * time.Minute)
			b.expect(tc.want...)
			rows, _, err := b.store.Unresolved(t.Context(), queue.Page{Limit: 10})
			if err != nil || len(rows) != tc.recorded {
				t.Errorf("%s: records %+v, %v", name, rows, err)
			}
			if n := b.marks(); n != 0 {
				t.Errorf("%s: %d marks are left", name, n)
			}
		})
	}
}

// An object that the API confirmed to have made is gone, and somebody may have deleted
// it: whoever was told nothing of it yet is told of its end.
func TestMadeAndGone(t *testing.T) {
	for hints, want := range map[queue.Hints]bool{
		queue.HintCreated | queue.HintMayBeDeleted: true,
		queue.HintCreated | queue.HintDeleted:      true,
		queue.HintExisted | queue.HintDeleted:      true,
		queue.HintDeleted:                          false,
		queue.HintMayBeDeleted:                     false,
		queue.HintUpdated | queue.HintMayBeDeleted: false,
		queue.HintUpdated | queue.HintDeleted:      false,
		queue.HintCreated:                          false,
	} {
		if got := existed(hints); got != want {
			t.Errorf("%010b: %t, want %t", hints, got, want)
		}
	}
}
