// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// member is a member of a batch, as an exchange of its own that notes no intent.
type member struct {
	*exchange
	// id is the member's `id`, as it is written: that of its answer is the same. ""
	// if it has none, or another member has it too.
	id string
}

// newBatch returns the exchange of the members of a batch that are about one resource.
// Its intent names the objects of all its members; what became of each of them is decided
// by its own answer.
func newBatch(w *Watcher, answer *tee, request rules.Request, found []rules.Member, elsewhere ...*rules.Resource) *exchange {
	x := &exchange{watcher: w, request: request, match: found[0].Match, path: event.CausePath(request.HTTP.URL.Path), tee: answer}
	x.trace, x.hops = w.origin(request.HTTP)
	x.tee.limit = int(w.opts.Capture)
	count := make(map[string]int)
	for i := range found {
		m := member{
			exchange: &exchange{watcher: w, request: found[i].Request, match: found[i].Match, path: x.path, trace: x.trace, hops: x.hops, tee: new(tee), elsewhere: elsewhere},
			id:       gjson.GetBytes(found[i].JSON, "id").Raw,
		}
		if m.match.Unread == nil {
			m.read()
		}
		m.passed = m.request.Freeze()
		count[m.id]++
		x.members = append(x.members, m)
		x.keys = append(x.keys, m.keys...)
		x.ahead = append(x.ahead, m.ahead...)
		if !m.find.IsZero() {
			x.ahead = append(x.ahead, m.find)
		}
	}
	for i := range x.members {
		if m := &x.members[i]; count[m.id] > 1 {
			m.id = ""
		}
	}
	x.passed = x.request.Freeze()
	// The client must not learn of an object that only its answer names before the
	// object is marked.
	x.resolveEarly()
	return x
}

// batchResolution decides which objects of a batch are marked.
func (x *exchange) batchResolution(outcome event.Outcome) queue.Resolution {
	var all queue.Resolution
	answers := x.answers()
	for _, m := range x.members {
		own := outcome
		m.noted = x.noted
		m.tee.sent.Store(x.tee.sent.Load())
		m.tee.status, m.tee.answer = x.tee.status, captured{parsed: true}
		if answer, ok := answers[m.id]; ok && m.id != "" {
			m.tee.answer.plain = answer
		} else if outcome == event.OutcomeChanged {
			// Nothing tells what the API made of this member.
			own = event.OutcomeUnknown
		}
		if own == event.OutcomeChanged {
			own = m.outcome(nil, true)
		}
		resolution := m.resolution(own)
		all.Marks = append(all.Marks, resolution.Marks...)
		if all.Unresolved == "" {
			all.Unresolved = resolution.Unresolved
		}
	}
	return all
}

// answers returns the answers to the members of a batch by their ids.
func (x *exchange) answers() map[string][]byte {
	answers, count := make(map[string][]byte), make(map[string]int)
	json, _ := x.tee.answer.json()
	list := gjson.ParseBytes(json)
	if !list.IsArray() {
		return answers
	}
	list.ForEach(func(_, answer gjson.Result) bool {
		id := answer.Get("id").Raw
		answers[id] = []byte(answer.Raw)
		count[id]++
		return true
	})
	for id, n := range count {
		if n > 1 {
			delete(answers, id)
		}
	}
	return answers
}
