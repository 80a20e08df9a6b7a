// SPDX-License-Identifier: Apache-2.0

package mark

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestHintsOfAMarkThatMoved reconciles the first mark of an object while a
// second is made. A delete whose outcome is unknown, and that the API does
// later, had its proof taken away: the object was asked for in vain for a day.
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
		{"a change that was confirmed", queue.Mark{Hints: queue.HintUpdated | queue.HintCreated, SettleAt: later}, queue.Mark{}, now, 0},
		{"settled", queue.Mark{Hints: queue.HintMayBeDeleted, SettleAt: later}, queue.Mark{}, later, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := New(test.first, now)
			r.Merge(test.second, now)
			if r.Reconciled(1, test.askedAt, now) {
				t.Error("the mark was cleared, although it moved")
			}
			if r.Hints != test.want {
				t.Errorf("hints %05b are left, want %05b", r.Hints, test.want)
			}
		})
	}
}
