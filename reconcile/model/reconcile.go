// SPDX-License-Identifier: Apache-2.0

package model

// reconcile makes the steps that are possible for a mark.
func (o *Options) reconcile(s *State, yield func(step, State)) {
	switch {
	case s.lease.owed:
		n := *s
		n.lease = lease{}
		n.tell()
		n.sync()
		yield(step{verb: owe}, n)
	case !s.lease.held && s.queue.mark.due(s):
		n := *s
		m := &n.queue.mark
		n.lease = lease{held: true, again: m.again, hints: m.hints, version: m.version, unsettled: m.settle != 0, calm: n.quiet()}
		m.leased()
		yield(step{verb: ask}, n)
	case s.lease.held && !s.lease.seen:
		for state := s.oldest; state <= s.now; state++ {
			n := *s
			n.lease.seen, n.lease.state, n.lease.present = true, state, n.exists(state)
			yield(step{verb: see}, n)
		}
	case s.lease.held:
		n := *s
		o.commitFinding(&n)
		yield(step{verb: commit}, n)
	}
}

// finding is the meaning of a Show.
type finding uint8

const (
	nothing finding = iota
	moved
	again // stale or missing: retried
)

// commitFinding commits the meaning of a Show, or returns the lease.
func (o *Options) commitFinding(n *State) {
	l := n.lease
	n.lease = lease{}
	found := o.decide(n, l)
	if found == again {
		return
	}
	if found == moved {
		before := n.queue.snapshot
		n.queue.snapshot = snapshot{known: true, gone: !l.present, state: l.state}
		if o.LookAgain && !l.present && before.known && !before.gone {
			n.queue.snapshot.version = before.state
		}
		n.queue.untold++
		if o.Off.OneCommit {
			n.lease.owed = true
		} else {
			n.tell()
		}
	}
	o.clear(&n.queue.mark, l)
	if o.LookAgain && !l.present {
		o.lookAgain(n, l)
	}
	n.sync()
}

// lookAgain does for an object that was found gone what [Options].LookAgain
// describes.
func (o *Options) lookAgain(n *State, l lease) {
	if last := &n.queue.snapshot; last.gone {
		last.version = max(last.version, l.version)
	}
	if m := &n.queue.mark; !m.made && !l.calm {
		*m = mark{made: true, looks: true}
	}
}

// due reports whether a mark can be leased.
func (m *mark) due(s *State) bool {
	return m.made && !m.waits && (!m.looks || s.quiet())
}

// tell adds the event of the snapshot, and checks it against the one before.
func (s *State) tell() {
	q := &s.queue
	of := q.snapshot
	state := of.state
	if of.gone {
		state = s.deletedAfter(q.told)
	}
	switch {
	case q.untold > 1:
		q.broken = withAHole
	case state == 0:
		q.broken = notDeleted
	case state <= q.told:
		q.broken = outOfOrder
	}
	q.told = state
	q.untold--
}

// clear is mark.Record.Reconciled of queue/internal.
func (o *Options) clear(m *mark, l lease) {
	switch {
	case m.moved && !o.Off.Generation:
		// Hints that were acted upon must not count again, except for changes
		// that may be done or seen late.
		kept := hints(0)
		if l.unsettled || m.movedLate {
			kept = ^(hintCreated | hintUpdated)
		}
		m.hints = m.young | m.hints&kept
	case l.unsettled:
		m.waits = true
	default:
		*m = mark{}
	}
}

// decide is decide of reconcile/decide.go.
func (o *Options) decide(s *State, l lease) finding {
	last := s.queue.snapshot
	believed := l.calm
	if !l.present {
		found := o.decideGone(last, l.hints)
		if found == again && believed {
			return nothing // given up, a day later
		}
		return found
	}
	if !o.Off.Freshness && !believed {
		if l.state < l.version || last.known && !last.gone && l.state < last.state {
			return again
		}
	}
	if last.gone && l.state < last.version && !believed {
		return again
	}
	same := last.known && !last.gone && last.state == l.state
	deleted := !l.again && l.hints&hintDeleted != 0 && l.hints&hintCreated == 0
	switch {
	case deleted && (same || !last.known) && !believed:
		return again
	case same:
		return nothing
	}
	return moved
}

// quiet reports whether everything is long over, so that a Show is believed
// even if it contradicts the known state.
func (s *State) quiet() bool {
	for _, r := range s.requests {
		if r.phase != idle && (r.phase != done || r.late) {
			return false
		}
	}
	return s.oldest == s.now
}

func (o *Options) decideGone(last snapshot, h hints) finding {
	known := last.known && !last.gone
	knownGone := last.known && last.gone
	confirmed := h&(hintCreated|hintUpdated) != 0
	existed := known || h&hintCreated != 0
	switch {
	case h&(hintDeleted|hintMayBeDeleted) != 0 && existed && !knownGone, o.Off.Proof && !knownGone:
		return moved
	case h&(hintDeleted|hintMayBeDeleted) != 0:
		return nothing
	case known || confirmed:
		return again
	}
	return nothing
}

// deletedAfter returns the first state after the given one in which the API had
// deleted the object, or 0. A replica that lags answers the same for a delete
// and for an object that it does not have yet; the event is true all the same.
func (s *State) deletedAfter(state uint8) uint8 {
	for after := max(state, 1) + 1; after <= s.now; after++ {
		if !s.exists(after) {
			return after
		}
	}
	return 0
}
