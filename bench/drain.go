// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// drained is the number of deliveries in a backlog. A ratio is the median of
// drainRounds backlogs.
const (
	drained     = 20_000
	drainRounds = 5
)

// measureDrain prints P3: deliveries per second from a backlog, signed and
// recorded, divided by those of a bare http.Client that posts the same bytes,
// both with TLS and 64 at a time. P3.100 and P3.10000 have as many endpoints, each of
// which has events of its own; in P3.fanout, each event is for all of 100 endpoints.
func measureDrain(l *lab) error {
	trusted, err := l.makeCertificate()
	if err != nil {
		return err
	}
	receivers, err := server("receivers", receiversAddress)
	if err != nil {
		return err
	}
	defer receivers.stop()
	for _, m := range []struct {
		name      string
		endpoints int
		forAll    bool
	}{{"P3", 1, false}, {"P3.100", 100, false}, {"P3.10000", 10_000, false}, {"P3.fanout", 100, true}} {
		if err := compareDrain(l, m.name, m.endpoints, m.forAll, trusted); err != nil {
			return err
		}
	}
	return nil
}

func compareDrain(l *lab, name string, endpoints int, forAll bool, trusted *x509.CertPool) error {
	b, err := newBacklog(l, trusted, endpoints, func(int) string { return "" })
	if err != nil {
		return err
	}
	defer b.close()
	b.forAll = forAll
	var ratios, with, without []float64
	for i := range drainRounds + 1 {
		if err := b.fill(drained); err != nil {
			return err
		}
		deliveries, err := b.drain(drained)
		if err != nil {
			return err
		}
		posts, err := b.post(drained)
		if err != nil {
			return err
		}
		if i == 0 {
			continue // warming up
		}
		ratios, with, without = append(ratios, deliveries/posts), append(with, deliveries), append(without, posts)
	}
	fmt.Printf("%s %.2f (%.0f deliveries/s, bare client %.0f/s, %d endpoints, TLS)\n", name, median(ratios), median(with), median(without), endpoints)
	return nil
}

// backlog is a queue with deliveries, and the emitter that delivers them.
type backlog struct {
	store   *badger.Store
	targets []emitter.Target
	names   []string
	client  *http.Client
	body    []byte
	number  uint64
	forAll  bool // each event is for all endpoints
	left    atomic.Int64
	done    chan struct{}
}

// newBacklog returns an empty queue for some endpoints, each with its own path.
func newBacklog(l *lab, trusted *x509.CertPool, endpoints int, path func(int) string) (*backlog, error) {
	dir, err := os.MkdirTemp(l.dir, "backlog-")
	if err != nil {
		return nil, err
	}
	store, err := badger.Open(badger.Options{Dir: dir, Durability: queue.Process})
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(trusted)
	if err != nil {
		return nil, err
	}
	key, err := sign.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)))
	if err != nil {
		return nil, err
	}
	b := &backlog{store: store, client: bareClient(trusted, clients), body: bytes.Repeat([]byte("x"), 1000)}
	for i := range endpoints {
		b.names = append(b.names, fmt.Sprintf("e%d", i))
		b.targets = append(b.targets, emitter.Target{
			Transport: transport,
			Endpoint:  endpoint.Endpoint{Name: b.names[i], URL: receiverURL(path(i)), Secrets: []sign.Secret{key}},
		})
	}
	return b, nil
}

func (b *backlog) close() {
	b.client.CloseIdleConnections()
	_ = b.store.Close()
}

// fill puts deliveries into the queue. Each event is of another object, for each
// endpoint in turn or for all.
func (b *backlog) fill(n int) error {
	var failed atomic.Pointer[error]
	var writers sync.WaitGroup
	work := make(chan uint64)
	for range markWriters {
		writers.Go(func() {
			for number := range work {
				to := b.names
				if !b.forAll {
					to = b.names[int(number)%len(b.names):][:1]
				}
				if err := b.publish(number, to...); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	if b.forAll {
		n /= len(b.names)
	}
	for range n {
		b.number++
		work <- b.number
	}
	close(work)
	writers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// publish commits an event to endpoints.
func (b *backlog) publish(number uint64, endpoints ...string) error {
	return b.commit(b.event(number), endpoints)
}

// event returns the event of a number. It has its own resource, so that each writer leases
// the mark that it made.
func (b *backlog) event(number uint64) event.Event {
	return event.Event{
		ID: fmt.Sprintf("evt_%d", number), Type: "items.updated", Key: event.Key{Resource: "r" + strconv.FormatUint(number, 10), ID: "1"},
		Sequence: 1, Op: event.OpChange, Time: time.Now(), Freshness: event.FreshnessVersion, ContentType: "application/json", Payload: b.body,
	}
}

func (b *backlog) commit(e event.Event, endpoints []string) error {
	ctx := context.Background()
	if err := b.store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: e.Key}}}, false); err != nil {
		return err
	}
	lease, err := b.store.LeaseMark(ctx, e.Key.Resource, time.Minute)
	if err != nil {
		return err
	}
	return b.store.CommitReconciled(ctx, lease, queue.Reconciled{
		AskedAt: e.Time, Snapshot: &event.Snapshot{Key: e.Key, Sequence: 1}, Events: []queue.Routed{{Endpoints: endpoints, Event: e}},
	})
}

// finished counts the recorded deliveries.
type finished struct {
	*badger.Store
	b *backlog
}

// FinishAttempt implements queue.Deliveries.
func (f finished) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	if err := f.Store.FinishAttempt(ctx, lease, attempt, verdict); err != nil {
		return err
	}
	if verdict.Status == queue.StatusDelivered && f.b.left.Add(-1) == 0 {
		close(f.b.done)
	}
	return nil
}

// drain delivers everything, and returns the deliveries per second.
func (b *backlog) drain(n int) (float64, error) {
	b.left.Store(int64(n))
	b.done = make(chan struct{})
	e := emitter.New(finished{b.store, b}, emitter.Options{})
	defer e.Stop(context.Background())
	begin := time.Now()
	if err := e.Apply(b.targets); err != nil {
		return 0, err
	}
	select {
	case <-b.done:
		return float64(n) / time.Since(begin).Seconds(), nil
	case <-time.After(2 * time.Minute):
		return 0, fmt.Errorf("%d deliveries are left after two minutes", b.left.Load())
	}
}

// post posts the same bytes with a bare client, and returns the posts per
// second.
func (b *backlog) post(n int) (float64, error) {
	var left atomic.Int64
	left.Store(int64(n))
	var failed atomic.Pointer[error]
	begin := time.Now()
	var workers sync.WaitGroup
	for range clients {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				response, err := b.client.Post(receiverURL(""), "application/json", bytes.NewReader(b.body))
				if err != nil {
					failed.Store(&err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
	}
	workers.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}
