// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestHeads visits more items than in one turn, each once, without those that are
// leased, and finds the next among leased ones.
func TestHeads(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := New(func() time.Time { return now }, Hooks[int]{Position: func(v *int) uint64 { return uint64(*v) }, Reset: func(*int) {}})
	const n = 2*headsAtOnce + 10
	for i := range n {
		due := now.Add(time.Duration(n-i) * time.Second)
		if i < 100 {
			due = now.Add(-time.Second)
		}
		s.Put("erp", strconv.Itoa(i), Nanos(due), i)
	}
	next := func() (keys []string) {
		s.Heads("erp", true, func(key string, _ int, _ int64) { keys = append(keys, key) })
		return keys
	}
	if got := next(); len(got) != 0 {
		t.Errorf("%v is next, and others are due", got)
	}
	for range 100 {
		if _, err := s.Lease(context.Background(), "erp", time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if got := next(); len(got) != 1 || got[0] != strconv.Itoa(n-1) {
		t.Errorf("next is %v", got)
	}
	seen := make(map[string]int)
	s.Heads("erp", false, func(key string, _ int, _ int64) { seen[key]++ })
	if len(seen) != n-100 || seen["100"] != 1 {
		t.Errorf("%d items are visited, want %d", len(seen), n-100)
	}
	s.Heads("nobody", false, func(string, int, int64) { t.Error("nobody has items") })

	s.SetOrder("crm", queue.OrderEndpoint)
	for i := range 3 {
		s.Put("crm", strconv.Itoa(i), Nanos(now.Add(time.Duration(3-i)*time.Second)), i)
	}
	var first []string
	s.Heads("crm", false, func(key string, _ int, _ int64) { first = append(first, key) })
	if len(first) != 1 || first[0] != "0" {
		t.Errorf("heads in order are %v", first)
	}
}
