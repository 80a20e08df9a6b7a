// SPDX-License-Identifier: Apache-2.0

package model

import "fmt"

// broken names the promise that a state breaks, or returns "".
func (o *Options) broken(s *State) string {
	switch fault := s.queue.broken; {
	case fault == withAHole:
		return "ORDER: an event's sequence has a gap"
	case fault == outOfOrder && !o.Ends:
		return "ORDER: an event has an earlier state than the one before"
	case fault == notDeleted && !o.Ends:
		return "INVENTED: an event announces a delete that nobody made"
	}
	if !s.over() {
		return ""
	}
	last := s.queue.snapshot
	exists := s.exists(s.now)
	switch {
	case s.queue.untold > 0:
		return "LOST: a snapshot has no event"
	case exists && last.known && !last.gone && last.state == s.now:
	case !exists && last.gone:
	case !exists && !last.known:
		// No event ever announced an object.
	case exists && !last.known && s.now == 1:
		// Nothing changed, and nobody looked.
	case o.unresolvedIs(s, s.now):
		// The operator is shown that something was created.
	default:
		return fmt.Sprintf("LOST: the API is in state %d (present: %t), and the last known state is %d (known: %t, gone: %t)",
			s.now, exists, last.state, last.known, last.gone)
	}
	for i, r := range s.requests {
		if r.told && s.queue.unresolved.has(i) {
			return fmt.Sprintf("LOST: the client has the answer to request %d, whose object is unresolved", i+1)
		}
	}
	return ""
}

// over reports whether nothing is left to be done.
func (s *State) over() bool {
	return s.quiet() && s.queue.intents == 0 && !s.queue.mark.made && !s.lease.held && !s.lease.owed
}

// unresolvedIs reports whether a create that is unresolved made a state.
func (o *Options) unresolvedIs(s *State, state uint8) bool {
	for i, r := range s.requests {
		if r.applied == state && s.queue.unresolved.has(i) {
			return true
		}
	}
	return false
}
