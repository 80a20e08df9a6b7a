// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/httpstatus"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// answer describes responses, for `success` and `refused` of a rule, and for
// `gone` and `failed` of a show: a response is one of them if it has one of the
// statuses and all conditions hold in its body.
type answer struct {
	// statuses is zero if the user lists none.
	statuses httpstatus.Set
	where    []Condition
}

// CheckAnswer returns what is wrong with an Answer.
func CheckAnswer(a *syntax.Answer) error {
	_, err := compileAnswer(a)
	return err
}

// compileAnswer compiles an Answer; nil for nil.
func compileAnswer(a *syntax.Answer) (*answer, error) {
	if a == nil {
		return nil, nil
	}
	compiled := new(answer)
	var err error
	if compiled.statuses, err = httpstatus.Parse(a.Statuses...); err != nil {
		return nil, err
	}
	if compiled.where, err = compileConditions(a.Where, true); err != nil {
		return nil, err
	}
	for _, c := range compiled.where {
		if c.cel == nil && c.value.Source != FromResponse {
			return nil, fmt.Errorf("%s: a condition on the response takes a path in its body", c.value)
		}
	}
	if compiled.statuses.IsZero() && len(compiled.where) == 0 {
		return nil, fmt.Errorf("it takes statuses, as 2xx or 409, or `where` and a condition on the response")
	}
	return compiled, nil
}

// reads reports whether the response's body is needed.
func (a *answer) reads() bool {
	return a != nil && len(a.where) > 0
}

// lists reports whether the status is one of those listed. If none are listed,
// the usual meaning of the status decides.
func (a *answer) lists(status int, usual bool) bool {
	if a.statuses.IsZero() {
		return usual
	}
	return a.statuses.Match(status)
}

// holds reports whether the conditions hold in a response.
func (a *answer) holds(status int, json []byte) bool {
	for i := range a.where {
		if a.where[i].cel != nil {
			if !a.where[i].holdsIn(status, json) {
				return false
			}
			continue
		}
		if !a.where[i].holds(body.Text(json, a.where[i].value.Name)) {
			return false
		}
	}
	return true
}

// Outcome returns what a response means for the rule, which may know better than
// its status does: usual is what the status means by itself. If the rule says
// what a success is, a response that is neither a success nor refused is
// uncertain, and the object is looked at.
func (r *Rule) Outcome(usual event.Outcome, status int, json func() ([]byte, error)) event.Outcome {
	if r.success == nil && r.refused == nil {
		return usual
	}
	var body []byte
	if r.ReadsResponse {
		// A body that cannot be read has no values.
		body, _ = json()
	}
	if a := r.refused; a != nil {
		// A condition alone applies to any answer that seems to be a success,
		// too: an RPC's error comes with 200.
		if a.lists(status, usual == event.OutcomeUnchanged || len(a.where) > 0) && a.holds(status, body) {
			return event.OutcomeUnchanged
		}
	}
	if a := r.success; a != nil {
		if a.lists(status, usual == event.OutcomeChanged) && a.holds(status, body) {
			return event.OutcomeChanged
		}
		if usual == event.OutcomeChanged {
			return event.OutcomeUnknown
		}
	}
	return usual
}
