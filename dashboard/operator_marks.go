// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// markRow is an object that waits for being read.
type markRow struct {
	// Object names it, and Shown is how it is written.
	Object, Shown string
	State         state
	Tries         int
	Reason, Rule  string
	MarkedAt      time.Time
	DueAt         time.Time
	Failing       bool
}

// showsRow is how the Shows of a resource fare.
type showsRow struct {
	Resource, Show, Reason string
	State                  state
	Since                  time.Time
	Objects                int
}

// marksPage is what waits for being read, those that fail first.
type marksPage struct {
	Rows []markRow
	// Shows are the resources whose Shows fail.
	Shows []showsRow
	// More is true if there are more than are shown.
	More          bool
	Notice, Error string
	Object        string
}

// shownMarks is how many objects that wait are shown.
const shownMarks = 200

// showMarks lists what waits for being read.
func showMarks(v *visit) error { return v.showMarksAs(http.StatusOK, "") }

func (v *visit) showMarksAs(status int, wrong string) error {
	list, err := operate[admin.List[admin.MarkView]](v, get("marks").with("limit", maxMarks))
	if err != nil {
		return err
	}
	stands, err := operate[admin.Status](v, get("status"))
	if err != nil {
		return err
	}
	p := marksPage{Notice: v.done(), Error: wrong, Object: visible(v.r.PostForm.Get("object")), More: stands.Queue.Marks+stands.Queue.Looks > shownMarks}
	for _, failing := range []bool{true, false} {
		for i := range list.Items {
			if m := &list.Items[i]; m.Tries > 0 == failing && len(p.Rows) < shownMarks {
				p.Rows = append(p.Rows, rowOfMark(m))
			}
		}
	}
	for i := range stands.Shows {
		if s := &stands.Shows[i]; s.Reason != "" {
			p.Shows = append(p.Shows, showsRow{visible(s.Resource), visible(s.Show), sentence(visible(s.Reason)), stateOf(showsStates, string(s.Status)), s.Since, s.Objects})
		}
	}
	return v.operating(status, "op-marks", "Marks", p)
}

// maxMarks is how many of the objects that wait are looked through for those that fail.
const maxMarks = "1000"

func rowOfMark(m *admin.MarkView) markRow {
	row := markRow{
		Object: m.Object, Shown: visible(m.Object), State: markWaiting, Tries: m.Tries, Reason: sentence(visible(m.LastError)), Rule: visible(m.Rule),
		MarkedAt: m.MarkedAt, DueAt: m.DueAt, Failing: m.Tries > 0,
	}
	switch {
	case m.Leased:
		row.State = markRead
	case row.Failing:
		row.State = markFailing
	}
	return row
}

// lookAtObject has an object read now, one that waits or any other.
func lookAtObject(v *visit) error {
	outcome, err := operate[admin.Outcome](v, post("look").with("object", v.r.PostForm.Get("object"), "wait", waited))
	if reason := refusal(err); reason != "" {
		return v.showMarksAs(http.StatusBadRequest, reason)
	}
	if err != nil {
		return err
	}
	return v.operated("marks", outcomeWord(&outcome, "looking"))
}
