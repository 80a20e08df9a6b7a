// SPDX-License-Identifier: Apache-2.0

package promises

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Check compares the deliveries with the committed changes.
func Check(e Evidence) Verdict {
	v := Verdict{Changes: len(e.Oracle), Unresolved: e.Unresolved}
	events := v.distinct(e.Deliveries)
	histories := make(map[string][]Change)
	for _, c := range e.Oracle {
		histories[c.Object] = append(histories[c.Object], c)
	}
	v.Objects = len(histories)
	told := make(map[string]bool, len(e.Told))
	for _, object := range e.Told {
		told[object] = true
		if histories[object] == nil {
			v.Problem("a client was told of %s, which the API never made", object)
		}
	}
	for object, published := range events {
		if histories[object] == nil {
			v.Problem("%d events of %s, which never changed", len(published), object)
		}
	}
	for object, history := range histories {
		published := events[object]
		if len(published) == 0 {
			v.silent(object, history, told[object])
			continue
		}
		v.follow(object, history, published)
		v.last(object, history, published, e.Shows(object))
	}
	if v.Unknown > e.Unresolved {
		v.lose("%d objects have no event and nobody knows their ids, but only %d exchanges are recorded as unresolved", v.Unknown, e.Unresolved)
	}
	slices.Sort(v.Problems)
	return v
}

// distinct returns the events of each object in the order of their first
// arrival: in sequence, without gaps, each under one id (G3, G5).
func (v *Verdict) distinct(deliveries []Delivery) map[string][]Delivery {
	events := make(map[string][]Delivery)
	byID := make(map[string]Delivery)
	for _, d := range deliveries {
		if first, ok := byID[d.ID]; ok {
			v.Repeats++
			if first.Object != d.Object || first.Sequence != d.Sequence || first.Kind != d.Kind || !bytes.Equal(first.Payload, d.Payload) {
				v.duplicate("the id %s stands for %s #%d %s %.80s and for %s #%d %s %.80s", d.ID,
					first.Object, first.Sequence, first.Kind, first.Payload, d.Object, d.Sequence, d.Kind, d.Payload)
			}
			continue
		}
		byID[d.ID] = d
		v.Events++
		published := events[d.Object]
		switch want := uint64(len(published) + 1); {
		case d.Sequence == 0:
			v.Problem("%s has an event without a sequence, %s", d.Object, d.ID)
			continue
		case d.Sequence < want:
			v.duplicate("%s #%d has the ids %s and %s", d.Object, d.Sequence, published[d.Sequence-1].ID, d.ID)
			continue
		case d.Sequence > want:
			v.Problem("%s #%d arrived when #%d was next", d.Object, d.Sequence, want)
		}
		events[d.Object] = append(published, d)
	}
	return events
}

// silent judges an object that has no event.
func (v *Verdict) silent(object string, history []Change, told bool) {
	last := history[len(history)-1]
	switch {
	case told:
		v.lose("%s was made by a POST whose whole answer its client got, and has no event", object)
	case history[0].Minted:
		v.Unknown++
	case last.Show == nil:
		// It does not exist, and no client ever learned that it did.
		v.Unseen++
	default:
		v.lose("%s has changed %d times and has no event", object, len(history))
	}
}

// follow checks that the events of an object have some of its states, in order,
// each of them once (G2 to G5).
func (v *Verdict) follow(object string, history []Change, published []Delivery) {
	at := -1 // the state of the last event
	there := false
	for i, d := range published {
		next := slices.IndexFunc(history[at+1:], d.tells)
		if next < 0 {
			v.untrue(object, history[:at+1], d)
			continue
		}
		at += 1 + next
		switch {
		case strings.HasSuffix(d.Kind, ".created"):
			if there {
				v.Problem("%s #%d is %s, but it was there", object, d.Sequence, d.Kind)
			}
		case strings.HasSuffix(d.Kind, ".deleted"):
			if i > 0 && !there {
				v.Problem("%s #%d is %s, but it was gone", object, d.Sequence, d.Kind)
			}
		case i > 0 && !there:
			v.Problem("%s #%d is %s, but it was gone", object, d.Sequence, d.Kind)
		}
		there = history[at].Show != nil
	}
}

// untrue says what is wrong with an event that has no later state.
func (v *Verdict) untrue(object string, before []Change, d Delivery) {
	if slices.ContainsFunc(before, d.tells) {
		v.duplicate("%s #%d %s tells %.80s again, or after a later state", object, d.Sequence, d.Kind, d.Payload)
		return
	}
	v.Problem("%s #%d %s tells %.80s, which it never was", object, d.Sequence, d.Kind, d.Payload)
}

// tells reports whether an event is about a change.
func (d Delivery) tells(c Change) bool {
	if c.Show != nil {
		return !d.deletes() && bytes.Equal(d.Payload, c.Show)
	}
	return d.deletes()
}

func (d Delivery) deletes() bool {
	if !strings.HasSuffix(d.Kind, ".deleted") {
		return false
	}
	var tombstone struct {
		Resource string `json:"resource"`
		ID       string `json:"id"`
		Deleted  bool   `json:"deleted"`
	}
	err := json.Unmarshal(d.Payload, &tombstone)
	return err == nil && tombstone.Deleted && tombstone.Resource+"/"+tombstone.ID == d.Object
}

// last checks that the last event of an object has the state that the API shows
// (G1, G2).
func (v *Verdict) last(object string, history []Change, published []Delivery, show []byte) {
	newest, d := history[len(history)-1], published[len(published)-1]
	switch {
	case !bytes.Equal(newest.Show, show):
		v.Problem("the oracle is wrong about %s: %.80s is not %.80s", object, newest.Show, show)
	case show == nil && !d.deletes():
		v.lose("%s is gone, and its last event #%d %s tells %.80s", object, d.Sequence, d.Kind, d.Payload)
	case show != nil && !bytes.Equal(d.Payload, show):
		v.lose("%s is %.80s, and its last event #%d %s tells %.80s", object, show, d.Sequence, d.Kind, d.Payload)
	}
}
