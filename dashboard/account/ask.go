// SPDX-License-Identifier: Apache-2.0

package account

import "net/http"

// question is asked before something is destroyed. The safe answer has the focus.
type question struct {
	Action, Question, Text, Yes, No string
	// ID is of what it is asked.
	ID string
}

// sure returns an action that asks first.
func sure(q question, do action) action {
	return func(v *visit) error {
		if v.r.PostForm.Get("sure") != "" {
			return do(v)
		}
		q := q
		q.Action, q.ID = v.r.URL.Path, v.r.PostForm.Get("id")
		return v.bare(http.StatusOK, "ask", q.Question, q)
	}
}
