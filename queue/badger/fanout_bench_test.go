// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// BenchmarkFanout commits an event for some endpoints, leases each delivery, and records
// that it was delivered, with a worker for each endpoint.
func BenchmarkFanout(b *testing.B) {
	for _, endpoints := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(endpoints), func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir(), Durability: queue.Process})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			names := make([]string, endpoints)
			for i := range names {
				names[i] = fmt.Sprintf("endpoint-%04d", i)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var workers, pending sync.WaitGroup
			defer workers.Wait()
			defer cancel()
			for _, name := range names {
				workers.Go(func() {
					for {
						lease, err := s.LeaseDelivery(ctx, name, queue.LeaseOptions{For: time.Minute})
						if err != nil {
							return
						}
						err = s.FinishAttempt(ctx, lease, queue.Attempt{Code: 200, Duration: time.Millisecond, At: time.Now()}, queue.Verdict{Status: queue.StatusDelivered})
						if err != nil {
							b.Error(err)
						}
						pending.Done()
					}
				})
			}
			body := make([]byte, 1000)
			b.ReportAllocs()
			b.ResetTimer()
			for n := range b.N {
				pending.Add(endpoints)
				key := event.Key{Resource: "items", ID: fmt.Sprint(n % 10_000)}
				if err := s.Announce(ctx, event.Event{Type: "items.updated", Key: key, Op: event.OpChange, Time: time.Now(), ContentType: "application/json", Payload: body}, names); err != nil {
					b.Fatal(err)
				}
				if n%16 == 15 {
					pending.Wait()
				}
			}
			pending.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(endpoints), "µs/delivery")
		})
	}
}
