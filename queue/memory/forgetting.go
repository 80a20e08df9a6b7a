// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Forget implements [queue.Forgets].
func (s *Store) Forget(ctx context.Context, before time.Time, after event.Key) (forgotten int, next event.Key, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, event.Key{}, err
	}
	defer s.mu.Unlock()
	named := make(map[event.Key]bool)
	for _, intent := range s.intents {
		for _, key := range append([]event.Key{intent.Key}, intent.Touches...) {
			named[key] = true
		}
	}
	looked := 0
	for _, key := range slices.SortedFunc(maps.Keys(s.snapshots), compareKeys) {
		if !after.IsZero() && compareKeys(key, after) <= 0 {
			continue
		}
		if looked++; looked > forgetPart {
			return forgotten, next, nil
		}
		next = key
		if !s.over(key, before) || named[key] || s.marks.Has(key.Resource, key.ID) {
			continue
		}
		s.floors[key.Resource] = max(s.floors[key.Resource], s.snapshots[key].Sequence)
		delete(s.snapshots, key)
		delete(s.callbacks, key)
		forgotten++
	}
	return forgotten, event.Key{}, nil
}

// forgetPart is how many objects are looked at in one go.
const forgetPart = 4096

// over reports whether nothing has been heard of an object since a time, and it
// is gone, or another name of a forgotten object.
func (s *Store) over(key event.Key, before time.Time) bool {
	known := s.snapshots[key]
	if !known.Time.Before(before) || !known.ChangedAt.Before(before) {
		return false
	}
	if known.Alias == "" {
		return known.Gone
	}
	_, there := s.snapshots[event.Key{Resource: key.Resource, ID: known.Alias}]
	return !there
}
