// SPDX-License-Identifier: Apache-2.0

package model

import "fmt"

// verb is the kind of a step.
type verb uint8

const (
	send verb = iota
	apply
	confirm
	lose
	refuse
	resolve
	markLate
	settle
	crash
	sweep
	catchUp
	ask
	see
	commit
	owe

	// synced is added to the verb of a step after which the queue syncs.
	synced verb = 32
)

// step is one thing that happens, to one request or to none.
type step struct {
	verb verb
	of   uint8
}

// describe describes a step and the state that it led to.
func (o *Options) describe(p step, s *State) string {
	who := ""
	if p.verb >= synced {
		return o.describe(step{p.verb - synced, p.of}, s) + ", and the queue syncs"
	}
	if p.verb <= settle || p.verb == sweep {
		who = fmt.Sprintf("%d (%s)", p.of+1, o.Requests[p.of])
	}
	switch p.verb {
	case send:
		return "request " + who + " is noted and sent"
	case apply:
		return fmt.Sprintf("the API does %s: state %d", who, s.now)
	case confirm:
		return "the API confirms " + who
	case lose:
		return "the outcome of " + who + " is unknown"
	case refuse:
		return "the API refuses " + who
	case resolve:
		return "the intent of " + who + " is resolved"
	case markLate:
		return "the object of " + who + " is marked"
	case settle:
		return "the time of " + who + " is over"
	case crash:
		return "the process crashes"
	case sweep:
		return "the open intent of " + who + " is swept"
	case catchUp:
		return fmt.Sprintf("all replicas show state %d", s.oldest)
	case ask:
		return "the mark is leased, and Show asked for"
	case see:
		return fmt.Sprintf("Show has state %d (present: %t)", s.lease.state, s.lease.present)
	case commit:
		return fmt.Sprintf("the finding is committed: the last event has state %d (0: none), the mark stays: %t", s.queue.told, s.queue.mark.made)
	case owe:
		return fmt.Sprintf("its event is committed, and has state %d", s.queue.told)
	}
	return "?"
}

// next calls yield with every state that one step leads to.
func (o *Options) next(s *State, yield func(step, State)) {
	for i := range o.Requests {
		o.exchange(s, i, yield)
	}
	if int(s.crashes) < o.Crashes {
		yield(step{verb: crash}, o.crashed(*s))
	}
	if s.oldest < s.now {
		n := *s
		n.oldest++
		yield(step{verb: catchUp}, n)
	}
	o.reconcile(s, yield)
}

// exchange makes the steps that are possible for one request.
func (o *Options) exchange(s *State, i int, yield func(step, State)) {
	r := s.requests[i]
	at := func(v verb, change func(n *State, r *request)) {
		n := *s
		change(&n, &n.requests[i])
		yield(step{v, uint8(i)}, n)
		if n.queue != s.queue && n.queue != n.durable {
			// A sync of the queue makes everything before it durable. What
			// matters is the last change that a crash leaves, not the time of
			// the sync.
			n.sync()
			yield(step{v + synced, uint8(i)}, n)
		}
	}
	if r.phase == idle && (i == 0 || s.requests[i-1].phase != idle) {
		at(send, func(n *State, r *request) {
			r.phase = sent
			if !o.Off.Intent {
				n.queue.intents = n.queue.intents.with(i)
				n.sync()
			}
		})
	}
	working := r.applied == 0 && !r.refused && (r.phase == sent || r.late)
	if can := (o.Requests[i] == Create) != s.exists(s.now); working && can {
		at(apply, func(n *State, r *request) { r.applied = n.commit(o.Requests[i] != Delete, o) })
	} else if working && r.phase == sent {
		at(refuse, func(n *State, r *request) {
			*r = request{phase: done, refused: true}
			n.queue.intents = n.queue.intents.without(i)
		})
	}
	switch r.phase {
	case sent:
		if r.applied != 0 {
			at(confirm, func(_ *State, r *request) {
				r.phase = answered
				r.told = o.Requests[i] == Create && o.Off.LastByte
			})
		}
		at(lose, func(_ *State, r *request) { r.phase, r.late = failed, true })
	case answered, failed:
		at(resolve, func(n *State, r *request) { o.resolve(n, r, i) })
	case closed:
		at(markLate, func(n *State, r *request) { o.markNow(n, r, i) })
	case idle, done:
	}
	if r.late && r.phase == done {
		at(settle, func(n *State, r *request) {
			r.late = false
			r.refused = r.applied == 0
			n.oldest = max(n.oldest, r.applied)
		})
	}
	if s.crashes > 0 && s.queue.intents.has(i) && r.phase == done {
		at(sweep, func(n *State, r *request) { o.sweep(n, r, i) })
	}
}

// resolve closes the intent of an exchange that ended, and marks its object.
func (o *Options) resolve(n *State, r *request, i int) {
	n.queue.intents = n.queue.intents.without(i)
	if o.Off.OneStep {
		r.phase = closed
		return
	}
	o.markNow(n, r, i)
}

// markNow marks the object of an exchange that ended. The outcome is unknown if
// late is set.
func (o *Options) markNow(n *State, r *request, i int) {
	kind := o.Requests[i]
	unknown := r.late
	r.phase = done
	switch {
	case unknown && o.Off.Unknown:
		return
	case unknown && kind == Create:
		n.queue.unresolved = n.queue.unresolved.with(i)
		return
	case unknown:
		n.queue.mark.merge(hintsOf(kind, false), 0, o.settleAt(i), !o.Off.Newest)
		return
	}
	var settle set
	if kind == Delete {
		r.late = true // replicas may show the object
		settle = o.settleAt(i)
	}
	n.queue.mark.merge(hintsOf(kind, true), o.versionTold(r.applied), settle, !o.Off.Newest)
	if kind == Create {
		r.told = true
		if !o.Off.LastByte {
			n.sync()
		}
	}
}

func (o *Options) settleAt(i int) set {
	if o.Off.Settle {
		return 0
	}
	return set(0).with(i)
}

func (o *Options) versionTold(state uint8) uint8 {
	if o.Off.Freshness || o.Off.FreshnessOfAnswers {
		return 0
	}
	return state
}

// hintsOf is queue.HintsOf.
func hintsOf(kind Kind, known bool) hints {
	if known {
		return [...]hints{hintCreated, hintUpdated, hintDeleted}[kind]
	}
	return [...]hints{hintMayBeCreated, hintMayBeUpdated, hintMayBeDeleted}[kind]
}

// crashed ends the process: everything that was not synced is lost, and nobody
// will report the outcome of the exchanges under way, which the API may do
// late.
func (o *Options) crashed(n State) State {
	n.crashes++
	n.queue = n.durable
	n.lease = lease{}
	for i := range o.Requests {
		switch r := &n.requests[i]; r.phase {
		case sent, answered, failed, closed:
			r.phase, r.late = done, true
		case idle, done:
		}
	}
	return n
}

// sweep resolves an intent that a crash left open.
func (o *Options) sweep(n *State, r *request, i int) {
	n.queue.intents = n.queue.intents.without(i)
	if o.Requests[i] == Create {
		n.queue.unresolved = n.queue.unresolved.with(i)
		return
	}
	r.late = true // SettleAt counts from now
	n.queue.mark.merge(hintsOf(o.Requests[i], false), 0, o.settleAt(i), !o.Off.Newest)
}
