// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// answer is a compiled [Answer].
type answer struct {
	statuses []statusRange
	where    []condition
}

// statusRange is a class of HTTP statuses, or one of them.
type statusRange struct{ low, high int }

// compileAnswer compiles an Answer; nil for nil.
func compileAnswer(a *Answer) (*answer, error) {
	if a == nil {
		return nil, nil
	}
	compiled := new(answer)
	for _, text := range a.Statuses {
		r, err := parseStatus(text)
		if err != nil {
			return nil, err
		}
		compiled.statuses = append(compiled.statuses, r)
	}
	var err error
	if compiled.where, err = compileConditions(a.Where); err != nil {
		return nil, err
	}
	for _, c := range compiled.where {
		if c.value.source != fromResponse {
			return nil, fmt.Errorf("%s: a condition on the response takes a path in its body", c.value.text)
		}
	}
	if len(compiled.statuses)+len(compiled.where) == 0 {
		return nil, fmt.Errorf("it takes statuses, as 2xx or 409, or `where` and a condition on the response")
	}
	return compiled, nil
}

func parseStatus(text string) (statusRange, error) {
	if len(text) == 3 && text[0] >= '2' && text[0] <= '5' {
		if text[1:] == "xx" {
			low := int(text[0]-'0') * 100
			return statusRange{low, low + 99}, nil
		}
		if n, err := strconv.Atoi(text); err == nil {
			return statusRange{n, n}, nil
		}
	}
	return statusRange{}, fmt.Errorf("%q is no HTTP status; write one, as 409, or a class, as 2xx", text)
}

// reads tells whether the response's body is needed.
func (a *answer) reads() bool {
	return a != nil && len(a.where) > 0
}

// lists tells whether the status is one of those listed; where none are, the
// usual meaning of the status decides.
func (a *answer) lists(status int, usual bool) bool {
	if len(a.statuses) == 0 {
		return usual
	}
	return slices.ContainsFunc(a.statuses, func(r statusRange) bool { return status >= r.low && status <= r.high })
}

// holds tells whether the conditions hold in a response.
func (a *answer) holds(json []byte) bool {
	for i := range a.where {
		if !a.where[i].holds(body.Text(json, a.where[i].value.name)) {
			return false
		}
	}
	return true
}

// outcome tells what an exchange means for the rule, which may know better than
// its status does. Usual is what the status means by itself. An answer that is
// neither a success nor refused is uncertain: the object is looked at.
func (r *rule) outcome(usual event.Outcome, status int, json func() ([]byte, error)) event.Outcome {
	if r.success == nil && r.refused == nil {
		return usual
	}
	var body []byte
	if r.answers {
		// What cannot be read fulfils no condition.
		body, _ = json()
	}
	if a := r.refused; a != nil {
		// A condition alone speaks of any answer that seems to be a success:
		// an RPC's error comes with 200.
		if a.lists(status, usual == event.OutcomeUnchanged || len(a.where) > 0) && a.holds(body) {
			return event.OutcomeUnchanged
		}
	}
	if a := r.success; a != nil {
		if a.lists(status, usual == event.OutcomeChanged) && a.holds(body) {
			return event.OutcomeChanged
		}
		if usual == event.OutcomeChanged {
			return event.OutcomeUnknown
		}
	}
	return usual
}
