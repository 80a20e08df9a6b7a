// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// resolution decides which objects are marked when the intent is closed.
func (x *exchange) resolution(outcome event.Outcome) queue.Resolution {
	var resolution queue.Resolution
	if outcome == event.OutcomeUnchanged {
		return resolution
	}
	if len(x.members) > 0 {
		return x.batchResolution(outcome)
	}
	if x.match.Unread != nil {
		resolution.Unresolved = x.match.Unread.Error()
		return resolution
	}
	rule := x.match.Rule
	own, existed := x.keys, rule.ProvesDelete()
	if len(own) > 0 {
		x.noteNamed(outcome, nil)
	} else {
		var err error
		own, err = x.identify()
		x.noteNamed(outcome, err)
		if err == nil {
			existed = true
		} else {
			own, resolution.Unresolved = x.searched(outcome, err)
		}
	}
	version := ""
	if outcome == event.OutcomeChanged && len(own) == 1 {
		// A longer value is not taken as a version: a stranger may choose it.
		if version = x.version(); len(version) > event.MaxVersionLength {
			version = ""
		}
	}
	kind := rule.Kind
	if rule.Overwrites(x.request.Method, x.tee.status) {
		kind = event.KindUpdate
	}
	for _, key := range own {
		mark := x.mark(key, queue.HintsOf(kind, outcome), outcome)
		mark.Version = version
		if existed && mark.Hints.Has(queue.HintDeleted) {
			mark.Hints |= queue.HintExisted
		}
		if outcome == event.OutcomeChanged && x.wasCreated(key) {
			mark.Hints |= queue.HintCreated
		}
		mark.Callback = x.callback(mark.Hints)
		resolution.Marks = append(resolution.Marks, mark)
	}
	if name, ok := x.renamed(outcome); ok {
		// The answer shows that the object was there, and what it is now.
		resolution.Marks[0].Hints |= queue.HintMayBeDeleted | queue.HintExisted
		resolution.Marks = append(resolution.Marks, x.mark(name, queue.HintMayBeCreated, outcome))
	}
	for _, key := range x.alsoTouched(own) {
		mark := x.mark(key, queue.HintsOf(event.KindUpdate, outcome), outcome)
		mark.Cause.Resource = rule.Resource.Name
		resolution.Marks = append(resolution.Marks, mark)
	}
	x.others(&resolution)
	if x.unreadTouch != nil && resolution.Unresolved == "" {
		resolution.Unresolved = x.unreadTouch.Error()
	}
	return resolution
}

// mark makes the mark of an object.
func (x *exchange) mark(key event.Key, hints queue.Hints, outcome event.Outcome) queue.Mark {
	rule := x.match.Rule
	if outcome == event.OutcomeUnknown {
		hints |= queue.HintUnconfirmed
	}
	mark := queue.Mark{
		Key: key, Hints: hints,
		Cause: event.Cause{
			Rule: rule.Name, Outcome: outcome, At: x.noted, Method: x.request.HTTP.Method, Path: x.path, TraceParent: x.trace, Hops: x.hops,
		},
	}
	settle := time.Duration(0)
	switch {
	case outcome == event.OutcomeUnknown, rule.Kind == event.KindDelete:
		// The API may commit late. And after a delete, a replica that lags may
		// show a change made before it, and a soft delete shows the object for
		// good. Whatever is found first, the object is looked at once more.
		settle = x.uncertainFor()
	case x.tee.status == http.StatusAccepted:
		// The request is accepted, and done later (RFC 9110, section 15.3.3).
		settle = x.uncertainFor()
	case key.Resource != rule.Resource.Name:
		// A query or another object shows what was done when its replica has
		// caught up, and the write's response has no version of it.
		settle = min(settledTouch, x.watcher.opts.UpstreamTimeout)
	}
	if rule.Later != nil && (key.Resource == rule.Later.Name || x.tee.status == http.StatusAccepted) {
		settle = max(settle, rule.Within)
	}
	if settle = max(settle, rule.Resource.Lag); settle > 0 {
		mark.SettleAt = time.Now().Add(settle)
	}
	return mark
}

// settledTouch is how long after an exchange the objects that it touched are
// looked at once more.
const settledTouch = 5 * time.Second

// foretold reports whether the intent holds all that the marks do.
func (x *exchange) foretold(marks []queue.Mark) bool {
	for i := range marks {
		if marks[i].Callback != nil || !slices.Contains(x.keys, marks[i].Key) && !slices.Contains(x.ahead, marks[i].Key) && marks[i].Key != x.find {
			return false
		}
	}
	return true
}
