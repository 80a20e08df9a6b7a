// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/batch"
)

// member is a member of a batch, as an exchange of its own that notes no intent.
type member struct {
	*exchange
	// id is the member's `id`, as it is written: that of its answer is the same. ""
	// if it has none, or another member has it too.
	id string
	// index is the member's place in a batch that is taken apart.
	index int
}

// newBatch returns the exchange of the members of a batch that are about one resource.
// Its intent names the objects of all its members; what became of each of them is decided
// by its own answer. Whole takes the batch apart, nil if it is an array.
func newBatch(w *Watcher, answer *tee, request rules.Request, found []rules.Member, whole *batch.Batch, elsewhere ...*rules.Resource) *exchange {
	x := &exchange{watcher: w, request: request, whole: whole, match: found[0].Match, path: event.CausePath(request.HTTP.URL.Path), tee: answer}
	x.trace, x.hops = w.origin(request.HTTP)
	x.tee.limit = int(w.opts.Capture)
	count := make(map[string]int)
	for i := range found {
		m := member{
			exchange: &exchange{watcher: w, request: found[i].Request, match: found[i].Match, path: x.path, trace: x.trace, hops: x.hops, tee: new(tee), elsewhere: elsewhere},
			id:       gjson.GetBytes(found[i].JSON, "id").Raw,
			index:    found[i].Index,
		}
		if whole != nil {
			m.path = event.CausePath(m.request.HTTP.URL.Path)
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
	var answers map[string][]byte
	var parts []batch.Answer
	if x.whole == nil {
		answers = x.answers()
	} else {
		parts = x.parts()
	}
	for _, m := range x.members {
		own := outcome
		m.noted = x.noted
		m.tee.sent.Store(x.tee.sent.Load())
		m.tee.status, m.tee.answer = x.tee.status, captured{parsed: true}
		if answered := x.whole == nil && m.answeredBy(answers) || x.whole != nil && m.answeredIn(parts); !answered && outcome == event.OutcomeChanged {
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

// answeredBy takes the member's answer from those to an array.
func (m *member) answeredBy(answers map[string][]byte) bool {
	answer, ok := answers[m.id]
	if !ok || m.id == "" {
		return false
	}
	m.tee.answer.plain = answer
	return true
}

// answeredIn takes the member's answer from those to all requests of a batch.
func (m *member) answeredIn(parts []batch.Answer) bool {
	if m.index >= len(parts) || parts[m.index].Status == 0 {
		return false
	}
	a := parts[m.index]
	m.tee.status = a.Status
	m.tee.answer = captured{
		body: a.Body, encoding: a.Header.Get("Content-Encoding"), location: a.Header.Get("Location"), etag: a.Header.Get("Etag"), kind: a.Header.Get("Content-Type"),
	}
	return true
}

// parts returns the answers to the requests of a batch.
func (x *exchange) parts() []batch.Answer {
	if _, err := x.tee.answer.json(); err != nil {
		return nil
	}
	return x.whole.Answers(x.tee.status, x.tee.answer.kind, x.tee.answer.decoded)
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
