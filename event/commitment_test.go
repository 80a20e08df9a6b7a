// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"
	"testing"
)

// TestDeliveryIDVector is the example in docs/signatures.md, computed apart from
// this code.
func TestDeliveryIDVector(t *testing.T) {
	const want = "evt_0123456789abcdefghjkmnpqrstvwxyz_6mz8kamxatkxes0h0zna4cdzea"
	e := vector()
	if got := e.DeliveryID(); got != want || len(got) != 63 || strings.Contains(got, ".") {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := IDOf(want); got != e.ID {
		t.Errorf("it is of %s", got)
	}
	e.Uncommitted = true
	if got := e.DeliveryID(); got != e.ID {
		t.Errorf("from before there were hashes, it is %s", got)
	}
}

func vector() Event {
	return Event{
		ID: "evt_0123456789abcdefghjkmnpqrstvwxyz", Type: "items.updated", Key: Key{Resource: "items", ID: "42"},
		Sequence: 7, Op: OpChange, Freshness: FreshnessVersion,
	}
}

// An id commits to each of the claims, and to which is which.
func TestDeliveryIDCommits(t *testing.T) {
	seen := map[string]string{}
	e := vector()
	seen[e.DeliveryID()] = "itself"
	for name, change := range map[string]func(e *Event){
		"id":           func(e *Event) { e.ID = "evt_0123456789abcdefghjkmnpqrstvwxy0" },
		"type":         func(e *Event) { e.Type = "items.deleted" },
		"resource":     func(e *Event) { e.Key.Resource = "orders" },
		"object":       func(e *Event) { e.Key.ID = "43" },
		"sequence":     func(e *Event) { e.Sequence = 8 },
		"op":           func(e *Event) { e.Op = OpDelete },
		"freshness":    func(e *Event) { e.Freshness = FreshnessUnproven },
		"no freshness": func(e *Event) { e.Freshness = "" },
		"moved":        func(e *Event) { e.Op, e.Freshness = "", "change" },
		"joined":       func(e *Event) { e.Type, e.Key = "items.updated\nitems/42", Key{} },
	} {
		e := vector()
		change(&e)
		if was, ok := seen[e.DeliveryID()]; ok {
			t.Errorf("%s: the same as %s", name, was)
		}
		seen[e.DeliveryID()] = name
	}
}

func TestIDOf(t *testing.T) {
	for given, want := range map[string]string{
		"evt_abc": "evt_abc", "evt_a_b": "evt_a_b", "": "", "x": "x",
		"evt_abc_" + strings.Repeat("0", 26): "evt_abc",
		"evt_abc_" + strings.Repeat("0", 25): "evt_abc_" + strings.Repeat("0", 25),
	} {
		if got := IDOf(given); got != want {
			t.Errorf("%q is of %q, want %q", given, got, want)
		}
	}
}

// An id commits to what changed, as the header says it; where that is not known, the
// id is as it was before there was the header.
func TestDeliveryIDCommitsToChanged(t *testing.T) {
	seen := map[string]string{}
	for name, changed := range map[string]Pointers{"unknown": nil, "none": {}, "the whole": {""}, "one": {"/a"}, "two": {"/a", "/b"}, "one with a comma": {"/a, /b"}} {
		e := vector()
		e.Changed = changed
		if was, ok := seen[e.DeliveryID()]; ok {
			t.Errorf("%s: the same as %s", name, was)
		}
		seen[e.DeliveryID()] = name
		if e.Claims().Changed != changed.Header() {
			t.Errorf("%s: claimed is %s", name, e.Claims().Changed)
		}
	}
}
