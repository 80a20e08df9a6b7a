// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// evidence is what is compared when the queue is drained.
type evidence struct {
	oracle     []change
	results    []result
	deliveries []delivery
	// shows returns the API's Show of an object, nil if it does not exist.
	shows func(object string) []byte
	// unresolved is how many exchanges the queue keeps for the operator because
	// the changed object is unknown.
	unresolved int
}

// verdict is the result of the comparison.
type verdict struct {
	changes, objects, events, repeats int
	// lost counts objects whose last state is in no event; duplicated counts
	// changes that have two ids.
	lost, duplicated int
	// unknown counts objects that have no event because their ids were never
	// seen.
	unknown int
	// unresolved counts the queue's records of such objects.
	unresolved int
	// unseen counts objects that were created and deleted between two looks.
	unseen   int
	problems []string
}

func (v verdict) String() string {
	return fmt.Sprintf("changes %d, objects %d, events %d, deliveries %d, repeats %d, lost %d, duplicated %d, unresolved %d for %d unknown, unseen %d",
		v.changes, v.objects, v.events, v.events+v.repeats, v.repeats, v.lost, v.duplicated, v.unresolved, v.unknown, v.unseen)
}

// report fails the test with the problems.
func (v verdict) report(t *testing.T) {
	t.Helper()
	const enough = 20
	for _, problem := range v.problems[:min(enough, len(v.problems))] {
		t.Error(problem)
	}
	if more := len(v.problems) - enough; more > 0 {
		t.Errorf("and %d problems more", more)
	}
}

// since returns the verdict with only those problems that an earlier one does
// not have.
func (v verdict) since(before verdict) verdict {
	v.problems = slices.DeleteFunc(slices.Clone(v.problems), func(problem string) bool {
		return slices.Contains(before.problems, problem)
	})
	return v
}

func (v *verdict) problem(format string, args ...any) {
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

func (v *verdict) lose(format string, args ...any) {
	v.lost++
	v.problem("lost: "+format, args...)
}

func (v *verdict) duplicate(format string, args ...any) {
	v.duplicated++
	v.problem("duplicated: "+format, args...)
}

// check compares the deliveries with the committed changes.
func check(e evidence) verdict {
	v := verdict{changes: len(e.oracle), unresolved: e.unresolved}
	events := v.distinct(e.deliveries)
	histories := make(map[string][]change)
	for _, c := range e.oracle {
		histories[c.object] = append(histories[c.object], c)
	}
	v.objects = len(histories)
	told := make(map[string]bool) // objects whose create a client knows about
	for _, r := range e.results {
		if r.method == "POST" && r.succeeded() {
			told[r.object] = true
			if histories[r.object] == nil {
				v.problem("a client was told of %s, which the API never made", r.object)
			}
		}
	}
	for object, published := range events {
		if histories[object] == nil {
			v.problem("%d events of %s, which never changed", len(published), object)
		}
	}
	for object, history := range histories {
		published := events[object]
		if len(published) == 0 {
			v.silent(object, history, told[object])
			continue
		}
		v.follow(object, history, published)
		v.last(object, history, published, e.shows(object))
	}
	if v.unknown > e.unresolved {
		v.lose("%d objects have no event and nobody knows their ids, but only %d exchanges are recorded as unresolved", v.unknown, e.unresolved)
	}
	slices.Sort(v.problems)
	return v
}

// distinct returns the events of each object in the order of their first
// arrival: in sequence, without gaps, each under one id (G3, G5).
func (v *verdict) distinct(deliveries []delivery) map[string][]delivery {
	events := make(map[string][]delivery)
	byID := make(map[string]delivery)
	for _, d := range deliveries {
		if first, ok := byID[d.id]; ok {
			v.repeats++
			if first.object != d.object || first.sequence != d.sequence || first.kind != d.kind || !bytes.Equal(first.payload, d.payload) {
				v.duplicate("the id %s stands for %s #%d %s %.80s and for %s #%d %s %.80s", d.id,
					first.object, first.sequence, first.kind, first.payload, d.object, d.sequence, d.kind, d.payload)
			}
			continue
		}
		byID[d.id] = d
		v.events++
		published := events[d.object]
		switch want := uint64(len(published) + 1); {
		case d.sequence < want:
			v.duplicate("%s #%d has the ids %s and %s", d.object, d.sequence, published[max(d.sequence, 1)-1].id, d.id)
			continue
		case d.sequence > want:
			v.problem("%s #%d arrived when #%d was next", d.object, d.sequence, want)
		}
		events[d.object] = append(published, d)
	}
	return events
}

// silent judges an object that has no event.
func (v *verdict) silent(object string, history []change, told bool) {
	last := history[len(history)-1]
	switch {
	case told:
		v.lose("%s was made by a POST whose whole answer its client got, and has no event", object)
	case history[0].minted:
		v.unknown++
	case last.show == nil:
		// It does not exist, and no client ever learned that it did.
		v.unseen++
	default:
		v.lose("%s has changed %d times and has no event", object, len(history))
	}
}

// follow checks that the events of an object have some of its states, in order,
// each of them once (G2 to G5).
func (v *verdict) follow(object string, history []change, published []delivery) {
	at := -1 // the state of the last event
	there := false
	for i, d := range published {
		next := slices.IndexFunc(history[at+1:], func(c change) bool { return d.tells(c) })
		if next < 0 {
			v.untrue(object, history[:at+1], d)
			continue
		}
		at += 1 + next
		switch {
		case strings.HasSuffix(d.kind, ".created"):
			if there {
				v.problem("%s #%d is %s, but it was there", object, d.sequence, d.kind)
			}
		case strings.HasSuffix(d.kind, ".deleted"):
			if i > 0 && !there {
				v.problem("%s #%d is %s, but it was gone", object, d.sequence, d.kind)
			}
		case i > 0 && !there:
			v.problem("%s #%d is %s, but it was gone", object, d.sequence, d.kind)
		}
		there = history[at].show != nil
	}
}

// untrue says what is wrong with an event that has no later state.
func (v *verdict) untrue(object string, before []change, d delivery) {
	if slices.ContainsFunc(before, func(c change) bool { return d.tells(c) }) {
		v.duplicate("%s #%d %s tells %.80s again, or after a later state", object, d.sequence, d.kind, d.payload)
		return
	}
	v.problem("%s #%d %s tells %.80s, which it never was", object, d.sequence, d.kind, d.payload)
}

// tells reports whether an event is about a change.
func (d delivery) tells(c change) bool {
	if c.show != nil {
		return !d.deletes() && bytes.Equal(d.payload, c.show)
	}
	return d.deletes()
}

func (d delivery) deletes() bool {
	if !strings.HasSuffix(d.kind, ".deleted") {
		return false
	}
	var tombstone struct {
		Resource string `json:"resource"`
		ID       string `json:"id"`
		Deleted  bool   `json:"deleted"`
	}
	err := json.Unmarshal(d.payload, &tombstone)
	return err == nil && tombstone.Deleted && tombstone.Resource+"/"+tombstone.ID == d.object
}

// last checks that the last event of an object has the state that the API shows
// (G1, G2).
func (v *verdict) last(object string, history []change, published []delivery, show []byte) {
	newest, d := history[len(history)-1], published[len(published)-1]
	switch {
	case !bytes.Equal(newest.show, show):
		v.problem("the oracle is wrong about %s: %.80s is not %.80s", object, newest.show, show)
	case show == nil && !d.deletes():
		v.lose("%s is gone, and its last event #%d %s tells %.80s", object, d.sequence, d.kind, d.payload)
	case show != nil && !bytes.Equal(d.payload, show):
		v.lose("%s is %.80s, and its last event #%d %s tells %.80s", object, show, d.sequence, d.kind, d.payload)
	}
}
