// SPDX-License-Identifier: Apache-2.0

package promises

import (
	"fmt"
	"strings"
	"testing"
)

// state is a change of items/1 to a version; 0 is a delete.
func state(version int64) Change {
	c := Change{Object: "items/1"}
	if version > 0 {
		c.Show = fmt.Appendf(nil, `{"id":"1","version":%d}`, version)
	}
	return c
}

// told is the n-th event of items/1, about the same change.
func told(n uint64, kind string, version int64) Delivery {
	d := Delivery{ID: fmt.Sprint("id", n), Object: "items/1", Sequence: n, Kind: kind, Payload: state(version).Show}
	if version == 0 {
		d.Payload = []byte(`{"resource":"items","id":"1","deleted":true}`)
	}
	return d
}

// renamed is a delivery under another id.
func renamed(d Delivery, id string) Delivery {
	d.ID = id
	return d
}

// TestCheck proves that the checker can fail.
func TestCheck(t *testing.T) {
	const created, updated, deleted = "items.created", "items.updated", "items.deleted"
	minted := state(1)
	minted.Minted = true
	answered := []string{"items/1"}
	for _, test := range []struct {
		name     string
		evidence Evidence
		problem  string // the beginning of the only problem, "" for none
	}{
		{"each change", Evidence{
			Oracle:     []Change{state(1), state(2), state(0), state(3)},
			Deliveries: []Delivery{told(1, created, 1), told(2, updated, 2), told(3, deleted, 0), told(4, created, 3)},
		}, ""},
		{"the last alone", Evidence{
			Oracle: []Change{state(1), state(2)}, Deliveries: []Delivery{told(1, created, 2)},
		}, ""},
		{"a repeat", Evidence{
			Oracle: []Change{state(1)}, Deliveries: []Delivery{told(1, created, 1), told(1, created, 1)},
		}, ""},
		{"no event", Evidence{Oracle: []Change{state(1)}}, "lost: items/1 has changed"},
		{"an old event", Evidence{
			Oracle: []Change{state(1), state(2)}, Deliveries: []Delivery{told(1, created, 1)},
		}, "lost: items/1 is {"},
		{"a delete untold", Evidence{
			Oracle: []Change{state(1), state(0)}, Deliveries: []Delivery{told(1, created, 1)},
		}, "lost: items/1 is gone"},
		{"made and deleted between two looks", Evidence{Oracle: []Change{state(1), state(0)}}, ""},
		{"a create nobody knows the id of", Evidence{Oracle: []Change{minted}, Unresolved: 1}, ""},
		{"a create without any record", Evidence{Oracle: []Change{minted}}, "lost: 1 objects have no event"},
		{"a create that was answered", Evidence{Oracle: []Change{minted}, Unresolved: 1, Told: answered}, "lost: items/1 was made by a POST"},
		{"a hole", Evidence{
			Oracle: []Change{state(1)}, Deliveries: []Delivery{told(2, created, 1)},
		}, "items/1 #2 arrived when #1 was next"},
		{"no sequence", Evidence{
			Oracle: []Change{state(1)}, Deliveries: []Delivery{told(0, created, 1), told(1, created, 1)},
		}, "items/1 has an event without a sequence"},
		{"two ids for a place", Evidence{
			Oracle: []Change{state(1)}, Deliveries: []Delivery{told(1, created, 1), renamed(told(1, created, 1), "other")},
		}, "duplicated: items/1 #1 has the ids"},
		{"two ids for a change", Evidence{
			Oracle: []Change{state(1)}, Deliveries: []Delivery{told(1, created, 1), told(2, updated, 1)},
		}, "duplicated: items/1 #2"},
		{"an id for two changes", Evidence{
			Oracle: []Change{state(1), state(2)}, Deliveries: []Delivery{told(1, created, 2), renamed(told(2, updated, 2), "id1")},
		}, "duplicated: the id id1"},
		{"backwards", Evidence{
			Oracle:     []Change{state(1), state(2), state(3)},
			Deliveries: []Delivery{told(1, created, 2), told(2, updated, 1), told(3, updated, 3)},
		}, "duplicated: items/1 #2"},
		{"a state that never was", Evidence{
			Oracle: []Change{state(1)}, Deliveries: []Delivery{told(1, created, 7), told(2, updated, 1)},
		}, "items/1 #1 items.created tells"},
		{"a delete that never was", Evidence{
			Oracle: []Change{state(1), state(2)}, Deliveries: []Delivery{told(1, created, 1), told(2, deleted, 0), told(3, created, 2)},
		}, "items/1 #2 items.deleted tells"},
		{"an object that never was", Evidence{Deliveries: []Delivery{told(1, created, 1)}}, "1 events of items/1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.evidence.Shows = func(string) []byte {
				if len(test.evidence.Oracle) == 0 {
					return nil
				}
				return test.evidence.Oracle[len(test.evidence.Oracle)-1].Show
			}
			v := Check(test.evidence)
			switch {
			case test.problem == "" && len(v.Problems) > 0:
				t.Errorf("problems %q, want none", v.Problems)
			case test.problem != "" && (len(v.Problems) == 0 || !strings.HasPrefix(v.Problems[0], test.problem)):
				t.Errorf("problems %q, want %q", v.Problems, test.problem)
			}
		})
	}
}
