// SPDX-License-Identifier: Apache-2.0

package receiver

// turn is where an event stands among those of its object.
type turn int

const (
	// now: the event is the next.
	now turn = iota
	// early: some before it are missing.
	early
	// late: the receiver has gone on without it.
	late
	// repeated: it was handled.
	repeated
	// outdated: it is the state of an object that has had a newer event since.
	outdated
	// rewound: the object's numbers have begun again, for another event had this one.
	rewound
)

// turnOf decides where an event stands.
func turnOf(e *Event, seen Seen) turn {
	switch {
	case seen.Handled:
		return repeated
	case !e.ordered():
		return now
	case e.Op == OpSnapshot:
		// It has the number of the last event, and says what came of all until then.
		if e.Sequence < seen.Position {
			return outdated
		}
		return now
	case e.Sequence <= seen.Position && seen.Taken:
		return rewound
	case e.Sequence <= seen.Position:
		return late
	case e.Sequence == seen.Position+1:
		return now
	default:
		return early
	}
}

// stepOf returns what is remembered of an event that is handled at its turn.
func stepOf(e *Event, seen Seen, t turn) Step {
	step := Step{ID: e.ID}
	if !e.ordered() {
		return step
	}
	step.Object, step.Sequence, step.From, step.To = e.Object, e.Sequence, seen.Position, e.Sequence
	if e.Op == OpSnapshot {
		step.Sequence = 0
	}
	if t == late || t == outdated {
		step.To = seen.Position
	}
	return step
}
