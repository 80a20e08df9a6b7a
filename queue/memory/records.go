// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/epoch"
)

// records holds the records of each kind, by id.
type records struct {
	of      map[string]map[string]queue.Record
	version uint64
	epochs  *epoch.Epochs
}

func newRecords() records {
	return records{of: make(map[string]map[string]queue.Record), epochs: epoch.New()}
}

// get returns a record, nil for none or an expired one.
func (r *records) get(kind, id string, now time.Time) *queue.Record {
	found, ok := r.of[kind][id]
	if !ok || found.Expired(now) {
		return nil
	}
	return &found
}

// Change implements [queue.Records].
func (s *Store) Change(ctx context.Context, changes ...queue.Record) (version uint64, err error) {
	if err := queue.CheckChanges(changes); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return s.changeRecords(changes...)
}

// changeRecords is Change of a store that is locked.
func (s *Store) changeRecords(changes ...queue.Record) (version uint64, err error) {
	now, moved := s.now(), make(map[string]bool)
	for i := range changes {
		change := &changes[i]
		current := s.records.get(change.Kind, change.ID, now)
		if err := change.Meets(current); err != nil {
			return 0, err
		}
		if current != nil || !change.Deletes(now) {
			moved[change.Kind] = true
		}
	}
	if len(moved) == 0 {
		return 0, nil
	}
	s.records.version++
	for _, change := range changes {
		s.records.apply(change, now)
	}
	for kind := range moved {
		s.records.epochs.Raise(kind, s.records.version, queue.ChangedIDs(changes, kind))
	}
	return s.records.version, nil
}

func (r *records) apply(change queue.Record, now time.Time) {
	kept := r.of[change.Kind]
	if kept == nil {
		kept = make(map[string]queue.Record)
		r.of[change.Kind] = kept
	}
	maps.DeleteFunc(kept, func(_ string, record queue.Record) bool { return record.Expired(now) })
	if change.Deletes(now) {
		delete(kept, change.ID)
		return
	}
	change.Version, change.Value = r.version, clone(change.Value)
	kept[change.ID] = change
}

// clone copies a value. An empty one does not become nil, which would delete.
func clone(value []byte) []byte {
	return append([]byte{}, value...)
}

// Record implements [queue.Records].
func (s *Store) Record(ctx context.Context, kind, id string) (queue.Record, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Record{}, err
	}
	defer s.mu.Unlock()
	found := s.records.get(kind, id, s.now())
	if found == nil {
		return queue.Record{}, queue.ErrNotFound
	}
	found.Value = clone(found.Value)
	return *found, nil
}

// Records implements [queue.Records].
func (s *Store) Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	return s.listRecords(ctx, kind, page, func(*queue.Record) bool { return true })
}

// RecordsOf implements [queue.Records].
func (s *Store) RecordsOf(ctx context.Context, kind, owner string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	return s.listRecords(ctx, kind, page, func(r *queue.Record) bool { return r.Owner == owner })
}

// RecordIDsOf implements [queue.Records].
func (s *Store) RecordIDsOf(ctx context.Context, kind, owner string, page queue.Page) ([]string, queue.Cursor, error) {
	listed, next, err := s.RecordsOf(ctx, kind, owner, page)
	ids := make([]string, len(listed))
	for i := range listed {
		ids[i] = listed[i].ID
	}
	return ids, next, err
}

func (s *Store) listRecords(ctx context.Context, kind string, page queue.Page, wanted func(*queue.Record) bool) ([]queue.Record, queue.Cursor, error) {
	if err := s.enter(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	after, begun, err := cursor.Decode(cursor.Records, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	var listed []queue.Record
	size, now := 0, s.now()
	for _, id := range slices.Sorted(maps.Keys(s.records.of[kind])) {
		found := s.records.get(kind, id, now)
		if found == nil || begun && id <= after.Endpoint || !wanted(found) {
			continue
		}
		if len(listed) == cursor.Limit(page) || size > 0 && size+len(found.Value) > queue.MaxRecordsPage {
			return listed, cursor.Encode(cursor.Records, cursor.Place{Endpoint: listed[len(listed)-1].ID}), nil
		}
		size += len(found.Value)
		found.Value = clone(found.Value)
		listed = append(listed, *found)
	}
	return listed, "", nil
}

// Epoch implements [queue.Records].
func (s *Store) Epoch(ctx context.Context, kind string) (uint64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return s.records.epochs.Get(kind), nil
}

// Changed implements [queue.Records].
func (s *Store) Changed(ctx context.Context, kind string, after uint64) (ids []string, known bool, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, false, err
	}
	defer s.mu.Unlock()
	ids, known = s.records.epochs.Changed(kind, after)
	return ids, known, nil
}

// Await implements [queue.Records].
func (s *Store) Await(ctx context.Context, kind string, after uint64) (uint64, error) {
	return s.records.epochs.Await(ctx, kind, after)
}
