// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// posted is the payload of both benchmarks.
var posted = bytes.Repeat([]byte("p"), 1024)

func sink(b *testing.B) string {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// backlog is a queue that has any number of deliveries, at no cost.
type backlog struct {
	left     atomic.Int64
	finished sync.WaitGroup
}

func (q *backlog) LeaseDelivery(ctx context.Context, name string, _ queue.LeaseOptions) (queue.DeliveryLease, error) {
	n := q.left.Add(-1)
	if n < 0 {
		<-ctx.Done()
		return queue.DeliveryLease{}, ctx.Err()
	}
	id := strconv.FormatInt(n, 10)
	key := event.Key{Resource: "items", ID: id}
	return queue.DeliveryLease{
		Delivery: queue.Delivery{EventID: id, EventType: "items.updated", Key: key, Sequence: 1, Endpoint: name},
		Event: event.Event{
			ID: id, Type: "items.updated", Key: key, Sequence: 1, Freshness: event.FreshnessVersion,
			ContentType: "application/json", Payload: posted,
		},
	}, nil
}

func (q *backlog) FinishAttempt(_ context.Context, _ queue.DeliveryLease, _ queue.Attempt, verdict queue.Verdict) error {
	if verdict.Status == queue.StatusDelivered {
		q.finished.Done()
	}
	return nil
}

func (q *backlog) SetOrder(context.Context, string, queue.Order) error { return nil }

func (q *backlog) ReleaseDelivery(context.Context, queue.DeliveryLease) error { return nil }

func (q *backlog) PostponeDelivery(context.Context, queue.DeliveryLease, time.Time) error { return nil }

func (q *backlog) HastenDeliveries(context.Context, string, queue.Hasten) (int, error) { return 0, nil }

// BenchmarkDeliver drains a backlog. The difference between its time per
// operation and that of BenchmarkBareClient is the cost of signing, recording
// and policy.
func BenchmarkDeliver(b *testing.B) {
	target := newTarget(b, "erp", newTransport(b, loopback, egress.Options{}))
	target.Endpoint.URL = sink(b)
	q := &backlog{}
	emitter := New(q, Options{})
	q.left.Store(int64(b.N))
	q.finished.Add(b.N)
	b.ReportAllocs()
	b.ResetTimer()
	if err := emitter.Apply([]Target{target}); err != nil {
		b.Fatal(err)
	}
	q.finished.Wait()
	b.StopTimer()
	emitter.Stop(context.Background())
}

// BenchmarkBareClient posts the same bytes, as many at once, with only an
// http.Client.
func BenchmarkBareClient(b *testing.B) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: endpoint.DefaultConcurrency}}
	b.Cleanup(client.CloseIdleConnections)
	url := sink(b)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var group sync.WaitGroup
	for range endpoint.DefaultConcurrency {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				response, err := client.Post(url, "application/json", bytes.NewReader(posted))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
	}
	group.Wait()
}
