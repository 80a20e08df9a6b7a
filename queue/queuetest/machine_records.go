// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// modelRecords are the records of the model, with the last change of each kind.
type modelRecords struct {
	rows    []queue.Record
	version uint64
	epochs  map[string]uint64
	// changed has all changes that were made.
	changed []queue.Record
}

// find returns a record that has not expired.
func (m *modelRecords) find(kind, id string, now time.Time) *queue.Record {
	for i := range m.rows {
		if r := &m.rows[i]; r.Kind == kind && r.ID == id && (r.Expires.IsZero() || r.Expires.After(now)) {
			return r
		}
	}
	return nil
}

// expects reports whether a change expects what is there.
func (m *modelRecords) expects(change queue.Record, now time.Time) bool {
	current := m.find(change.Kind, change.ID, now)
	switch change.Version {
	case queue.AnyVersion:
		return true
	case 0:
		return current == nil
	default:
		return current != nil && current.Version == change.Version
	}
}

// apply applies a change that a store has given a version.
func (m *modelRecords) apply(change queue.Record, version uint64, now time.Time) {
	there := m.find(change.Kind, change.ID, now) != nil
	m.rows = slices.DeleteFunc(m.rows, func(r queue.Record) bool { return r.Kind == change.Kind && r.ID == change.ID })
	if change.Value != nil && (change.Expires.IsZero() || change.Expires.After(now)) {
		change.Version, there = version, true
		m.rows = append(m.rows, change)
	}
	if there {
		m.epochs[change.Kind] = version
		change.Version = version
		m.changed = append(m.changed, change)
	}
}

func (m *modelRecords) lines(kind string, wanted func(queue.Record) bool, now time.Time) []string {
	var lines []string
	for _, r := range m.rows {
		if r.Kind == kind && m.find(kind, r.ID, now) != nil && wanted(r) {
			lines = append(lines, recordLine(r))
		}
	}
	slices.Sort(lines)
	return lines
}

func recordLine(r queue.Record) string {
	return fmt.Sprintf("%s %s of %s: %s, version %d, until %d", r.Kind, r.ID, r.Owner, r.Value, r.Version, r.Expires.UnixNano())
}

var (
	someKinds  = rapid.SampledFrom([]string{"note", queue.KindEndpoint})
	someOwners = rapid.SampledFrom([]string{"", "acme", "umbrella"})
	someIDs    = rapid.SampledFrom([]string{"1", "2", "3"})
)

func (m *machine) changeRecords(t *rapid.T) {
	now := time.Now()
	var changes []queue.Record
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		change := queue.Record{Kind: someKinds.Draw(t, "kind"), ID: someIDs.Draw(t, "id"), Owner: someOwners.Draw(t, "owner")}
		if slices.ContainsFunc(changes, func(r queue.Record) bool { return r.Kind == change.Kind && r.ID == change.ID }) {
			continue
		}
		if value := rapid.IntRange(-1, 3).Draw(t, "value"); value >= 0 {
			change.Value = []byte(strings.Repeat("x", value))
		}
		switch current := m.model.records.find(change.Kind, change.ID, now); rapid.IntRange(0, 5).Draw(t, "expects") {
		case 0:
			change.Version = queue.AnyVersion
		case 1:
			change.Version = m.model.records.version
		case 2:
		default:
			if current != nil {
				change.Version = current.Version
			}
		}
		if rapid.IntRange(0, 2).Draw(t, "expires") == 0 {
			change.Expires = now.Add(someWaits.Draw(t, "in"))
		}
		changes = append(changes, change)
	}
	moves := slices.ContainsFunc(changes, func(r queue.Record) bool {
		return m.model.records.find(r.Kind, r.ID, now) != nil || r.Value != nil && (r.Expires.IsZero() || r.Expires.After(now))
	})
	refused := slices.IndexFunc(changes, func(r queue.Record) bool { return !m.model.records.expects(r, now) })
	version, err := m.store.Change(m.ctx, changes...)
	if refused >= 0 {
		var conflict *queue.ConflictError
		if !errors.As(err, &conflict) || conflict.Kind != changes[refused].Kind || conflict.ID != changes[refused].ID || version != 0 {
			t.Fatalf("Change: %d and %v, want a conflict about %+v", version, err, changes[refused])
		}
		return
	}
	if err != nil || moves != (version > 0) || moves && version <= m.model.records.version {
		t.Fatalf("Change: version %d after %d: %v", version, m.model.records.version, err)
	}
	m.model.records.version = max(m.model.records.version, version)
	for _, change := range changes {
		m.model.records.apply(change, version, now)
	}
}

func (m *machine) checkRecords(t *rapid.T) {
	kind, owner, now := someKinds.Draw(t, "kind"), someOwners.Draw(t, "owner"), time.Now()
	size := rapid.IntRange(1, 3).Draw(t, "page")
	listed := pages(t, size, func(page queue.Page) ([]queue.Record, queue.Cursor, error) {
		return m.store.Records(m.ctx, kind, page)
	})
	wantLines(t, "Records", names(listed, recordLine), m.model.records.lines(kind, func(queue.Record) bool { return true }, now))
	listed = pages(t, size, func(page queue.Page) ([]queue.Record, queue.Cursor, error) {
		return m.store.RecordsOf(m.ctx, kind, owner, page)
	})
	wantLines(t, "RecordsOf", names(listed, recordLine), m.model.records.lines(kind, func(r queue.Record) bool { return r.Owner == owner }, now))
	m.checkChanged(t, kind)
	id := someIDs.Draw(t, "id")
	want := m.model.records.find(kind, id, now)
	got, err := m.store.Record(m.ctx, kind, id)
	if want == nil != errors.Is(err, queue.ErrNotFound) || want != nil && (err != nil || recordLine(got) != recordLine(*want)) {
		t.Fatalf("Record: got %+v and %v, want %+v", got, err, want)
	}
	if epoch, err := m.store.Epoch(m.ctx, kind); err != nil || epoch != m.model.records.epochs[kind] {
		t.Fatalf("Epoch of %s: got %d and %v, want %d", kind, epoch, err, m.model.records.epochs[kind])
	}
}

// checkChanged checks that whoever was at an epoch learns of all that was changed since.
func (m *machine) checkChanged(t *rapid.T, kind string) {
	after := uint64(0)
	if all := m.model.records.changed; len(all) > 0 {
		after = all[rapid.IntRange(0, len(all)-1).Draw(t, "after")].Version - uint64(rapid.IntRange(0, 1).Draw(t, "before"))
	}
	ids, known, err := m.store.Changed(m.ctx, kind, after)
	if err != nil {
		t.Fatalf("Changed: %v", err)
	}
	if sorted := slices.Clone(ids); len(slices.Compact(slices.Sorted(slices.Values(sorted)))) != len(ids) {
		t.Fatalf("Changed of %s: %v has repeats", kind, ids)
	}
	for _, r := range m.model.records.changed {
		if known && r.Kind == kind && r.Version > after && !slices.Contains(ids, r.ID) {
			t.Fatalf("Changed of %s after %d: %v lacks %s, which was changed at %d", kind, after, ids, r.ID, r.Version)
		}
	}
}
