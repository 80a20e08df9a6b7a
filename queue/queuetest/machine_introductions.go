// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// sight notes an object as it is known.
func (m *machine) sight(t *rapid.T) {
	key := someKeys.Draw(t, "key")
	got, err := m.store.Sighted(m.ctx, key)
	known, seen := m.model.snapshots[key]
	if !seen {
		if !errors.Is(err, queue.ErrNotFound) {
			t.Fatalf("Sighted: got %+v and %v, and nothing is known of %s", got, err, key)
		}
		return
	}
	if err != nil || got.Generation != m.model.generation(key) || got.Snapshot.Sequence != known.Sequence ||
		got.Snapshot.Gone != known.Gone || !bytes.Equal(got.Snapshot.Hash, known.Hash) {
		t.Fatalf("Sighted: got %+v and %v, want %+v of generation %d", got, err, known, m.model.generation(key))
	}
	m.sightings = append(m.sightings, got)
}

// generation returns that of an object's mark.
func (m *model) generation(key event.Key) uint64 {
	if marked := m.marks[key]; marked != nil {
		return marked.Generation
	}
	return 0
}

// introduce tells an endpoint of an object that was sighted at any time.
func (m *machine) introduce(t *rapid.T) {
	was := one(t, m.sightings, "sighting")
	now := time.Now()
	key, endpoint := was.Snapshot.Key, someEndpoints.Draw(t, "endpoint")
	progress := queue.Record{Kind: "note", ID: someIDs.Draw(t, "id"), Version: 1, Value: []byte("on"), Owner: ""}
	current := m.model.records.find(progress.Kind, progress.ID, now)
	if rapid.IntRange(0, 3).Draw(t, "ours") > 0 && current != nil {
		progress.Version = current.Version
	}
	m.model.lastEvent++
	introduction := queue.Introduction{
		Sighting: was, Endpoint: endpoint, Progress: progress, Epoch: m.model.records.epochs[queue.KindEndpoint],
		Event: event.Event{
			ID: fmt.Sprintf("e%d", m.model.lastEvent), Type: key.Resource + ".snapshot", Key: key, Sequence: was.Snapshot.Sequence,
			Op: event.OpSnapshot, Payload: []byte(fmt.Sprintf("payload %d", m.model.lastEvent)),
		},
	}
	version, err := m.store.Introduce(m.ctx, introduction)
	known, seen := m.model.snapshots[key]
	var conflict *queue.ConflictError
	switch {
	case !seen || known.Gone || known.Sequence != was.Snapshot.Sequence || !bytes.Equal(known.Hash, was.Snapshot.Hash) ||
		m.model.generation(key) != was.Generation:
		if !errors.Is(err, queue.ErrMoved) {
			t.Fatalf("Introduce: %v, and %s has moved", err, key)
		}
	case current == nil || current.Version != progress.Version:
		if !errors.As(err, &conflict) || conflict.ID != progress.ID {
			t.Fatalf("Introduce: %v, want a conflict about %+v", err, progress)
		}
	case err != nil || version <= m.model.records.version:
		t.Fatalf("Introduce: version %d after %d: %v", version, m.model.records.version, err)
	default:
		m.model.records.version = version
		m.model.records.apply(progress, version, now)
		m.model.log(queue.Routed{Event: introduction.Event, Endpoints: []string{endpoint}}, now)
	}
}
