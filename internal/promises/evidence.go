// SPDX-License-Identifier: Apache-2.0

// Package promises judges, in the end of a test, whether G1 to G5 of docs/guarantees.md
// were kept: it compares the deliveries that a receiver got with the log of everything
// that the API committed.
package promises

import (
	"fmt"
	"slices"
)

// Change is an entry of the oracle: a change that the API committed.
type Change struct {
	Object string // as "items/42"
	// Show is what the API showed of the object since, nil for a delete. It may be a
	// digest, if those of all changes and the payloads of all deliveries are.
	Show   []byte
	Minted bool // the API chose the id
}

// Delivery is a delivery that a receiver got.
type Delivery struct {
	ID       string // the event's
	Object   string
	Sequence uint64
	Kind     string // the event's type
	Payload  []byte
}

// Evidence is what is compared when the queue is drained.
type Evidence struct {
	// Oracle has the changes in the order of their commits, and Deliveries those of
	// one receiver in the order of arrival.
	Oracle     []Change
	Deliveries []Delivery
	// Told are the objects that a client was told were created.
	Told []string
	// Shows returns the API's Show of an object, nil if it does not exist.
	Shows func(object string) []byte
	// Unresolved is how many exchanges the queue keeps for the operator because
	// the changed object is unknown.
	Unresolved int
}

// Verdict is the result of the comparison.
type Verdict struct {
	Changes, Objects, Events, Repeats int
	// Lost counts objects whose last state is in no event; Duplicated counts
	// changes that have two ids.
	Lost, Duplicated int
	// Unknown counts objects that have no event because their ids were never
	// seen.
	Unknown int
	// Unresolved counts the queue's records of such objects.
	Unresolved int
	// Unseen counts objects that were created and deleted between two looks.
	Unseen   int
	Problems []string
}

func (v Verdict) String() string {
	return fmt.Sprintf("changes %d, objects %d, events %d, deliveries %d, repeats %d, lost %d, duplicated %d, unresolved %d for %d unknown, unseen %d",
		v.Changes, v.Objects, v.Events, v.Events+v.Repeats, v.Repeats, v.Lost, v.Duplicated, v.Unresolved, v.Unknown, v.Unseen)
}

// Since returns the verdict with only those problems that an earlier one does
// not have.
func (v Verdict) Since(before Verdict) Verdict {
	v.Problems = slices.DeleteFunc(slices.Clone(v.Problems), func(problem string) bool {
		return slices.Contains(before.Problems, problem)
	})
	return v
}

// Some returns the first of the problems, and how many more there are, if there are many.
func (v Verdict) Some() []string {
	const enough = 20
	if len(v.Problems) <= enough {
		return v.Problems
	}
	return append(slices.Clone(v.Problems[:enough]), fmt.Sprintf("and %d problems more", len(v.Problems)-enough))
}

// Problem adds a problem.
func (v *Verdict) Problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

func (v *Verdict) lose(format string, args ...any) {
	v.Lost++
	v.Problem("lost: "+format, args...)
}

func (v *Verdict) duplicate(format string, args ...any) {
	v.Duplicated++
	v.Problem("duplicated: "+format, args...)
}
