// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// The load of P6: each event goes to all endpoints.
const (
	hangingEndpoints = 100
	hangingRate      = 10 // events per second
	hangingEvents    = 120
	hangingWarmUp    = 20 // events, in which connections are made
	hangingRounds    = 3
)

// measureHanging prints P6: the 99th percentile of the time from the commit of
// an event until its delivery to a healthy endpoint, with one of 100 endpoints
// hanging, divided by that with none.
func measureHanging(l *lab) error {
	trusted, err := l.makeCertificate()
	if err != nil {
		return err
	}
	receivers, err := server("receivers", receiversAddress)
	if err != nil {
		return err
	}
	defer receivers.stop()
	var ratios, with, without []float64
	for i := range hangingRounds + 1 {
		// Alternate which goes first, so that a drift favours neither.
		order := []bool{false, true}
		if i%2 == 1 {
			order = []bool{true, false}
		}
		p99 := map[bool]float64{}
		for _, hangs := range order {
			if p99[hangs], err = healthyP99(l, trusted, hangs); err != nil {
				return err
			}
		}
		if i == 0 {
			continue // warming up
		}
		ratios, with, without = append(ratios, p99[true]/p99[false]), append(with, p99[true]), append(without, p99[false])
	}
	fmt.Printf("P6 %.2f (99th percentile %.2f ms with one of %d hanging, %.2f ms with none; %d deliveries/s, TLS)\n",
		median(ratios), median(with), hangingEndpoints, median(without), hangingEndpoints*hangingRate)
	return nil
}

// ages records how old deliveries to healthy endpoints were when they were
// delivered.
type ages struct {
	*badger.Store
	mu    sync.Mutex
	since time.Time // the end of warming up
	all   []float64
}

// FinishAttempt implements queue.Deliveries.
func (a *ages) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	age := attempt.At.Add(attempt.Duration).Sub(lease.CreatedAt)
	a.mu.Lock()
	if lease.Endpoint != "e0" && !a.since.IsZero() && lease.CreatedAt.After(a.since) {
		a.all = append(a.all, float64(age.Microseconds())/1000)
	}
	a.mu.Unlock()
	return a.Store.FinishAttempt(ctx, lease, attempt, verdict)
}

func healthyP99(l *lab, trusted *x509.CertPool, hangs bool) (float64, error) {
	b, err := newBacklog(l, trusted, hangingEndpoints, func(i int) string {
		if i == 0 && hangs {
			return "hang"
		}
		return ""
	})
	if err != nil {
		return 0, err
	}
	defer b.close()
	noted := &ages{Store: b.store}
	e := emitter.New(noted, emitter.Options{})
	if err := e.Apply(b.targets); err != nil {
		return 0, err
	}
	ticker := time.NewTicker(time.Second / hangingRate)
	defer ticker.Stop()
	for i := range hangingEvents {
		<-ticker.C
		if i == hangingWarmUp {
			noted.mu.Lock()
			noted.since = time.Now()
			noted.mu.Unlock()
		}
		b.number++
		if err := b.publish(b.number, b.names...); err != nil {
			return 0, err
		}
	}
	time.Sleep(time.Second)
	stop, cancel := context.WithCancel(context.Background())
	cancel()
	e.Stop(stop)
	noted.mu.Lock()
	defer noted.mu.Unlock()
	if want := (hangingEndpoints - 1) * (hangingEvents - hangingWarmUp); len(noted.all) != want {
		return 0, fmt.Errorf("of %d deliveries, %d were made", want, len(noted.all))
	}
	return quantile(noted.all, 0.99), nil
}
