// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// publishShow publishes two events that share a payload.
func publishShow(t *testing.T, s *Store, id string, payload []byte, endpoint string) {
	t.Helper()
	markItem(t, s, id)
	held := leaseMark(t, s)
	one := found(held, endpoint)
	one.Events[0].Payload = payload
	second := found(held, endpoint).Events[0]
	second.Sequence++
	second.ID += "-second"
	second.Payload = payload
	one.Events = append(one.Events, second)
	one.Snapshot = &event.Snapshot{Key: held.Key, Sequence: second.Sequence}
	must(t, s.CommitReconciled(t.Context(), held, one))
}

// Events without pending deliveries are trimmed, oldest first; others keep
// their payloads; and the disk gets its room back.
func TestTrim(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	random := rand.NewChaCha8([32]byte{1})
	payload := make([]byte, 700<<10) // in parts
	_, _ = random.Read(payload)
	for i := range 30 {
		publishShow(t, s, fmt.Sprint(i), payload, "erp")
		_, _ = random.Read(payload)
		finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
		finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	}
	// Of one object, only the first of two events is delivered; of another,
	// neither is.
	_, _ = random.Read(payload)
	kept := bytes.Clone(payload)
	publishShow(t, s, "half", kept, "erp")
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	before, _, _ := DiskUsage(dir)

	removed, more, err := s.Trim(t.Context())
	if err != nil || removed != 61 || more {
		t.Fatalf("removed %d, %v, %v; want 61", removed, more, err)
	}
	events, _, err := s.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 100})
	must(t, err)
	if len(events) != 1 || events[0].Key != item("half") {
		t.Errorf("%d events are left", len(events))
	}
	deliveries, _, err := s.Deliveries(t.Context(), queue.Filter{}, queue.Page{Limit: 100})
	must(t, err)
	attempts, _, err := s.Attempts(t.Context(), queue.Filter{}, queue.Page{Limit: 100})
	must(t, err)
	if len(deliveries) != 1 || len(attempts) != 0 {
		t.Errorf("%d deliveries and %d attempts are left", len(deliveries), len(attempts))
	}
	// Badger compacts its newest tables when there are five of them, in its own
	// time: on a busy machine, closing may come before it.
	after := before
	for try := range 50 {
		markItem(t, s, "other")
		if try >= 4 {
			must(t, s.db.Flatten(1))
		}
		must(t, s.Close())
		if after, _, _ = DiskUsage(dir); after <= before/5 {
			break
		}
		s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	}
	if after > before/5 {
		t.Fatalf("of %d bytes, %d are left", before, after)
	}
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	if held := leaseDelivery(t, s, "erp"); held.Expired || !bytes.Equal(held.Event.Payload, kept) {
		t.Errorf("the payload of what is pending is gone: %+v", held.Delivery)
	}
	if removed, _, err := s.Trim(t.Context()); err != nil || removed != 0 {
		t.Errorf("removed %d, %v", removed, err)
	}
	must(t, s.Close())
	if _, _, err := s.Trim(t.Context()); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
