// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Lanes stay apart whatever their names, and the positions of one lane are in
// their order.
func FuzzLaneKey(f *testing.F) {
	f.Add("erp", "items", "42", "erp", "items", "4", uint64(1), uint64(256))
	f.Add("a", "b", "c", "ab", "", "c", uint64(1), uint64(1<<63))
	f.Add("", "", "", "\x00", "\xff", "/", uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, endpointA, resourceA, idA, endpointB, resourceB, idB string, a, b uint64) {
		keyA, keyB := event.Key{Resource: resourceA, ID: idA}, event.Key{Resource: resourceB, ID: idB}
		laneA := laneKey(nil, endpointA, objectName(keyA), a)
		laneB := laneKey(nil, endpointB, objectName(keyB), b)

		endpoint, object, position, err := parseLaneKey(laneA)
		if err != nil || string(endpoint) != endpointA || position != a {
			t.Fatalf("%q is read as %q, %q, %d and %v", laneA, endpoint, object, position, err)
		}
		if got, err := parseObject(object); err != nil || got != keyA {
			t.Errorf("%q is read as %v and %v", object, got, err)
		}
		same := endpointA == endpointB && keyA == keyB
		prefixed := bytes.HasPrefix(laneB, lanePrefix(nil, endpointA, objectName(keyA)))
		if same != prefixed {
			t.Errorf("lanes %q and %q: the same %v, by prefix %v", laneA, laneB, same, prefixed)
		}
		if same && bytes.Compare(laneA, laneB) != compare(a, b) {
			t.Errorf("%d and %d are out of order", a, b)
		}
	})
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// Whatever a key is, reading it ends with its parts or an error.
func FuzzParseKeys(f *testing.F) {
	f.Add(laneKey(nil, "erp", "items", 1))
	f.Add(attemptKey(nil, "erp", 1, 2))
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, key []byte) {
		_, _, _, _ = parseLaneKey(key)
		_, _ = lastNumber(key)
		_, _ = parseObject(key)
	})
}
