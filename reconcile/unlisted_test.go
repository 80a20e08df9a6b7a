// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// An object that a complete list did not have, and that nobody has seen since, is new:
// whatever led to it. A Show that does not say whose it is proves that only to an
// exchange that the API confirmed.
func TestUnlisted(t *testing.T) {
	r := testResource(t)
	hasher := event.NewHasher([32]byte{1})
	mine, anonymous := `{"id":"42","state":"a"}`, `{"state":"a"}`
	for name, tc := range map[string]struct {
		hints   queue.Hints
		rule    string
		body    string
		finding finding
		op      event.Op
	}{
		"a client's Show":                    {queue.HintLooked, observedRule, mine, moved, event.OpCreate},
		"a client's Show without an id":      {queue.HintLooked, observedRule, anonymous, foreign, ""},
		"a client's Show of another":         {queue.HintLooked, observedRule, `{"id":"43"}`, foreign, ""},
		"a confirmed update":                 {queue.HintUpdated, "PUT", anonymous, moved, event.OpCreate},
		"a confirmed update, or a touch":     {queue.HintUpdated | queue.HintMayBeUpdated, "PUT", mine, moved, event.OpCreate},
		"a query that has it":                {queue.HintMayBeUpdated, "PUT", mine, moved, event.OpCreate},
		"an update of unknown end":           {queue.HintMayBeUpdated | queue.HintUnconfirmed, "PUT", mine, moved, event.OpCreate},
		"an update of unknown end, no id":    {queue.HintMayBeUpdated | queue.HintUnconfirmed, "PUT", anonymous, foreign, ""},
		"an update of unknown end, of other": {queue.HintMayBeUpdated | queue.HintUnconfirmed, "PUT", `{"id":"43"}`, foreign, ""},
		"a delete of unknown end":            {queue.HintMayBeDeleted | queue.HintUnconfirmed, "DELETE", mine, moved, event.OpCreate},
		"a delete of what is not there":      {queue.HintDeleted, "DELETE", "", nothing, ""},
		"a confirmed create":                 {queue.HintCreated, "POST", mine, moved, event.OpCreate},
	} {
		lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: tc.hints, Cause: event.Cause{Rule: tc.rule, At: testTime}}, MarkedAt: testTime}
		show := answer(200, tc.body)
		if tc.body == "" {
			show = answer(404, "")
		}
		d := r.unlisted(lease, r.decide(hasher, lease, show, testTime.Add(time.Minute)))
		if d.finding != tc.finding || d.finding == moved && d.op != tc.op {
			t.Errorf("%s: finding %d, op %s; want %d, %s", name, d.finding, d.op, tc.finding, tc.op)
		}
		if d.finding == moved && (d.uncertain || d.next.Uncertain || d.unseen) {
			t.Errorf("%s: it is uncertain", name)
		}
	}
}
