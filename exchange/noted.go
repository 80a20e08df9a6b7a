// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"errors"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// noteNamed notes whether the exchange names an object where the rule says that its id
// stands. An answer that cannot be read, or that the API did not confirm, says nothing;
// and neither does one of a rule that has another way to find the object.
func (x *exchange) noteNamed(outcome event.Outcome, err error) {
	rule := x.match.Rule
	switch {
	case outcome != event.OutcomeChanged, rule.Find != nil, rule.Later != nil:
	case err == nil:
		rule.NoteNamed(true, nil)
	case errors.Is(err, errNoID):
		json, _ := x.tee.answer.json() // it was read for the id
		rule.NoteNamed(false, json)
	}
}

// noteWords notes what else the words of the rule find in an exchange that has ended.
func (x *exchange) noteWords(outcome event.Outcome) {
	rule := x.match.Rule
	rule.NoteMatched()
	for i := range x.members {
		x.members[i].match.Rule.NoteMatched()
	}
	if x.tee.status >= 200 && x.tee.status <= 299 && rule.ReadsResponse && len(x.members) == 0 {
		json, _ := x.tee.answer.json()
		rule.NoteAnswer(json)
	}
	if n := rule.Resource.Callback; n != nil && rule.Kind == event.KindCreate && outcome == event.OutcomeChanged && x.match.Unread == nil {
		n.NoteNamed(x.named.URL != "")
	}
}

// noteTouched notes whether the exchange names objects that it touches.
func (x *exchange) noteTouched(t *rules.Touch, found bool, err error) {
	if err != nil || x.unreadTouch != nil || x.tee.status < 200 || x.tee.status > 299 {
		return
	}
	t.NoteTouched(found, func() []byte {
		json, _ := x.tee.answer.json()
		return json
	})
}
