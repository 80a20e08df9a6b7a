// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"fmt"
	"strings"
	"testing"
)

// state is a change of items/1 to a version; 0 is a delete.
func state(version int64) change {
	c := change{object: "items/1", version: version}
	if version > 0 {
		c.show = fmt.Appendf(nil, `{"id":"1","version":%d}`, version)
	}
	return c
}

// told is the n-th event of items/1, about the same change.
func told(n uint64, kind string, version int64) delivery {
	d := delivery{id: fmt.Sprint("id", n), object: "items/1", sequence: n, kind: kind, payload: state(version).show}
	if version == 0 {
		d.payload = []byte(`{"resource":"items","id":"1","deleted":true}`)
	}
	return d
}

// renamed is a delivery under another id.
func renamed(d delivery, id string) delivery {
	d.id = id
	return d
}

// TestCheck proves that the checker can fail.
func TestCheck(t *testing.T) {
	const created, updated, deleted = "items.created", "items.updated", "items.deleted"
	minted := state(1)
	minted.minted = true
	answered := []result{{method: "POST", status: 201, whole: true, object: "items/1"}}
	for _, test := range []struct {
		name     string
		evidence evidence
		problem  string // the beginning of the only problem, "" for none
	}{
		{"each change", evidence{
			oracle:     []change{state(1), state(2), state(0), state(3)},
			deliveries: []delivery{told(1, created, 1), told(2, updated, 2), told(3, deleted, 0), told(4, created, 3)},
		}, ""},
		{"the last alone", evidence{
			oracle: []change{state(1), state(2)}, deliveries: []delivery{told(1, created, 2)},
		}, ""},
		{"a repeat", evidence{
			oracle: []change{state(1)}, deliveries: []delivery{told(1, created, 1), told(1, created, 1)},
		}, ""},
		{"no event", evidence{oracle: []change{state(1)}}, "lost: items/1 has changed"},
		{"an old event", evidence{
			oracle: []change{state(1), state(2)}, deliveries: []delivery{told(1, created, 1)},
		}, "lost: items/1 is {"},
		{"a delete untold", evidence{
			oracle: []change{state(1), state(0)}, deliveries: []delivery{told(1, created, 1)},
		}, "lost: items/1 is gone"},
		{"made and deleted between two looks", evidence{oracle: []change{state(1), state(0)}}, ""},
		{"a create nobody knows the id of", evidence{oracle: []change{minted}, unresolved: 1}, ""},
		{"a create without any record", evidence{oracle: []change{minted}}, "lost: 1 objects have no event"},
		{"a create that was answered", evidence{oracle: []change{minted}, unresolved: 1, results: answered}, "lost: items/1 was made by a POST"},
		{"a hole", evidence{
			oracle: []change{state(1)}, deliveries: []delivery{told(2, created, 1)},
		}, "items/1 #2 arrived when #1 was next"},
		{"two ids for a place", evidence{
			oracle: []change{state(1)}, deliveries: []delivery{told(1, created, 1), renamed(told(1, created, 1), "other")},
		}, "duplicated: items/1 #1 has the ids"},
		{"two ids for a change", evidence{
			oracle: []change{state(1)}, deliveries: []delivery{told(1, created, 1), told(2, updated, 1)},
		}, "duplicated: items/1 #2"},
		{"an id for two changes", evidence{
			oracle: []change{state(1), state(2)}, deliveries: []delivery{told(1, created, 2), renamed(told(2, updated, 2), "id1")},
		}, "duplicated: the id id1"},
		{"backwards", evidence{
			oracle:     []change{state(1), state(2), state(3)},
			deliveries: []delivery{told(1, created, 2), told(2, updated, 1), told(3, updated, 3)},
		}, "duplicated: items/1 #2"},
		{"a state that never was", evidence{
			oracle: []change{state(1)}, deliveries: []delivery{told(1, created, 7), told(2, updated, 1)},
		}, "items/1 #1 items.created tells"},
		{"a delete that never was", evidence{
			oracle: []change{state(1), state(2)}, deliveries: []delivery{told(1, created, 1), told(2, deleted, 0), told(3, created, 2)},
		}, "items/1 #2 items.deleted tells"},
		{"an object that never was", evidence{deliveries: []delivery{told(1, created, 1)}}, "1 events of items/1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.evidence.shows = func(string) []byte {
				if len(test.evidence.oracle) == 0 {
					return nil
				}
				return test.evidence.oracle[len(test.evidence.oracle)-1].show
			}
			v := check(test.evidence)
			switch {
			case test.problem == "" && len(v.problems) > 0:
				t.Errorf("problems %q, want none", v.problems)
			case test.problem != "" && (len(v.problems) == 0 || !strings.HasPrefix(v.problems[0], test.problem)):
				t.Errorf("problems %q, want %q", v.problems, test.problem)
			}
		})
	}
}
