// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// Object implements [queue.Objects].
func (s *Store) Object(ctx context.Context, key event.Key) (event.Snapshot, error) {
	if err := s.enter(ctx); err != nil {
		return event.Snapshot{}, err
	}
	defer s.mu.Unlock()
	snapshot, known := s.snapshots[key]
	if !known {
		return event.Snapshot{}, queue.ErrNotFound
	}
	return snapshot, nil
}

// Objects implements [queue.Objects].
func (s *Store) Objects(ctx context.Context, resource string, after event.Key, limit int) ([]event.Snapshot, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var listed []event.Snapshot
	for _, key := range slices.SortedFunc(maps.Keys(s.snapshots), compareKeys) {
		if len(listed) >= limit {
			break
		}
		if key.Resource == resource && (after.IsZero() || key.ID > after.ID) {
			listed = append(listed, s.snapshots[key])
		}
	}
	return listed, nil
}

// Unseen implements [queue.Objects].
func (s *Store) Unseen(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var unseen []event.Key
	s.marks.Walk(func(_, _ string, r mark.Record, _ schedule.Info) bool {
		known, seen := s.snapshots[r.Key]
		if r.Key.Resource == resource && !r.IsLook() && (!seen || known.Gone) && (after.IsZero() || r.Key.ID > after.ID) {
			unseen = append(unseen, r.Key)
		}
		return true
	})
	slices.SortFunc(unseen, compareKeys)
	return unseen[:min(limit, len(unseen))], nil
}

// Callback implements [queue.Objects].
func (s *Store) Callback(ctx context.Context, key event.Key) (queue.Callback, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Callback{}, err
	}
	defer s.mu.Unlock()
	callback, known := s.callbacks[key]
	if !known {
		return queue.Callback{}, queue.ErrNotFound
	}
	return callback, nil
}

// PutCallback implements [queue.Objects].
func (s *Store) PutCallback(ctx context.Context, key event.Key, was, sealed []byte) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	callback, known := s.callbacks[key]
	if !known || !bytes.Equal(callback.Sealed, was) {
		return queue.ErrNotFound
	}
	callback.Sealed = slices.Clone(sealed)
	s.callbacks[key] = callback
	return nil
}

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

// over tells whether nothing has been heard of an object since a time: it is
// gone, or is another name of one that is forgotten.
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

func compareKeys(a, b event.Key) int {
	return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.ID, b.ID))
}
