// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"bytes"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func comparisonOf(t *testing.T, paths ...string) Comparison {
	t.Helper()
	projection, err := event.NewProjection(paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Comparison{Volatile: projection, ID: paths[0]}
}

func TestComparison(t *testing.T) {
	hasher := event.NewHasher([32]byte{1})
	viewed, other := comparisonOf(t, "viewed"), comparisonOf(t, "seen")
	hash := func(c Comparison, body string) []byte { return c.hash(hasher, event.NewDocument([]byte(body))) }
	if !bytes.Equal(hash(viewed, `{"id":1,"viewed":1}`), hash(viewed, `{"viewed":2,"id":1}`)) {
		t.Error("a volatile field counts")
	}
	if bytes.Equal(hash(viewed, `{"id":1,"viewed":1}`), hash(viewed, `{"id":2,"viewed":1}`)) {
		t.Error("another field does not count")
	}
	if bytes.Equal(hash(viewed, `no document 1`), hash(viewed, `no document 2`)) {
		t.Error("what has no fields is not compared")
	}
	if !bytes.Equal(hash(viewed, `<a><viewed>1</viewed></a>`), hash(viewed, `<a><viewed>1</viewed></a>`)) {
		t.Error("XML is not compared")
	}
	all := hash(Comparison{}, `{"id":1}`)
	if len(all) != hashSize || sameComparison(all, hash(viewed, `{"id":1}`)) || sameComparison(hash(other, `{}`), hash(viewed, `{}`)) || !sameComparison(hash(viewed, `{}`), hash(viewed, `[]`)) {
		t.Error("hashes of different comparisons count as comparable, or of one do not")
	}
}

// When what counts is configured otherwise, nothing is announced but what the API
// confirms.
func TestComparisonChanges(t *testing.T) {
	hasher := event.NewHasher([32]byte{1})
	r := testResource(t)
	before := r.decide(hasher, queue.MarkLease{Mark: queue.Mark{Key: testKey}}, answer(200, `{"v":1,"n":1}`), testTime).next
	r.Comparison = comparisonOf(t, "n")
	for hints, want := range map[queue.Hints]finding{
		queue.HintLooked: known, queue.HintMayBeUpdated | queue.HintUnconfirmed: known, queue.HintMayBeUpdated: known, queue.HintUpdated: moved,
	} {
		lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: hints}, Snapshot: &before, MarkedAt: testTime}
		if d := r.decide(hasher, lease, answer(200, `{"v":1,"n":2}`), testTime); d.finding != want {
			t.Errorf("hints %b: finding %d, want %d", hints, d.finding, want)
		}
	}
	before.Uncertain = true
	looked := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: queue.HintLooked}, Snapshot: &before, MarkedAt: testTime}
	if d := r.decide(hasher, looked, answer(200, `{"v":1,"n":2}`), testTime); !d.next.Uncertain {
		t.Error("the first sight was uncertain, and is no longer")
	}
	// An object that got another owner is announced all the same.
	r.Tenant = "owner"
	lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: queue.HintLooked}, Snapshot: &before, MarkedAt: testTime}
	if d := r.decide(hasher, lease, answer(200, `{"v":1,"n":2,"owner":"b"}`), testTime); d.finding != moved {
		t.Errorf("handed over: finding %d, want %d", d.finding, moved)
	}
}
