// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// rare is how many events one tenant, and one endpoint, has among all others.
const rare = 100

// BenchmarkFeed compares a page of a tenant, and of an endpoint, with one event in 10,000
// to the same page without all the others. P9.feed is the time with many by the time with
// few.
func BenchmarkFeed(b *testing.B) {
	few, many := feedOf(b, rare), feedOf(b, 10_000*rare)
	for name, of := range map[string]queue.Scope{"tenant": queue.OfTenant("rare"), "endpoint": queue.OfEndpoint("rare")} {
		b.Run(name, func(b *testing.B) {
			read := func(s *Store) time.Duration {
				began := time.Now()
				page, err := s.ReadFeed(b.Context(), of, queue.Position{}, rare)
				if err != nil || len(page.Entries) != rare {
					b.Fatalf("got %d events, %v", len(page.Entries), err)
				}
				return time.Since(began)
			}
			var withFew, withMany time.Duration
			b.ReportAllocs()
			for b.Loop() {
				withMany += read(many)
				withFew += read(few)
			}
			b.ReportMetric(float64(withMany.Nanoseconds())/float64(b.N), "many-ns/op")
			b.ReportMetric(float64(withMany)/float64(withFew), "P9.feed")
		})
	}
}

// feedOf returns a queue with so many events, of which few are of the tenant and the
// endpoint "rare".
func feedOf(b *testing.B, events int) *Store {
	options := Options{Dir: b.TempDir(), FreeSpace: noReserve, Durability: queue.Process}
	s, err := Open(options)
	if err != nil {
		b.Fatal(err)
	}
	const each = 500
	payload := make([]byte, 200)
	for n := 0; n < events; {
		var routed []queue.Routed
		key := item(fmt.Sprint(n))
		for ; len(routed) < each && n < events; n++ {
			one := queue.Routed{Event: event.Event{ID: fmt.Sprint("evt_", n), Type: "items.updated", Key: key, Sequence: uint64(n), Tenant: "common", Payload: payload}}
			if n%(events/rare) == 0 {
				one.Tenant, one.Endpoints = "rare", []string{"rare"}
			}
			routed = append(routed, one)
		}
		if err := s.ResolveIntent(b.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); err != nil {
			b.Fatal(err)
		}
		held, err := s.LeaseMark(b.Context(), key.Resource, time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.CommitReconciled(b.Context(), held, queue.Reconciled{AskedAt: time.Now(), Events: routed}); err != nil {
			b.Fatal(err)
		}
	}
	// In both, the events stand in tables, as those do that a reader has not seen yet.
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if s, err = Open(options); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}
