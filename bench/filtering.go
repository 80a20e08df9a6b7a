// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
)

// The load of P9.filter: so many endpoints of tenants with ten each, whose events go to all
// of these.
const (
	filteringEndpoints = 1000
	filteringOfTenant  = 10
	filteringEvents    = 500
	filteringRounds    = 3
)

// measureFiltering prints P9.filter: deliveries per second to endpoints whose filters let
// everything through, by those to endpoints without filters. The time is that of routing
// the events, of committing them, and of delivering them.
func measureFiltering(l *lab) error {
	trusted, err := l.makeCertificate()
	if err != nil {
		return err
	}
	receivers, err := server("receivers", receiversAddress)
	if err != nil {
		return err
	}
	defer receivers.stop()
	filter, err := when.CompileFilter("object.items.amount > 100 && event.op != 'delete'")
	if err != nil {
		return err
	}
	filtered, err := newFiltering(l, trusted, filter)
	if err != nil {
		return err
	}
	defer filtered.close()
	plain, err := newFiltering(l, trusted, nil)
	if err != nil {
		return err
	}
	defer plain.close()
	var ratios, with, without []float64
	for i := range filteringRounds + 1 {
		a, err := filtered.send()
		if err != nil {
			return err
		}
		b, err := plain.send()
		if err != nil {
			return err
		}
		if i == 0 {
			continue // warming up
		}
		ratios, with, without = append(ratios, a/b), append(with, a), append(without, b)
	}
	fmt.Printf("P9.filter %.2f (%.0f deliveries/s to %d endpoints with filters, %.0f/s to as many without, TLS)\n",
		median(ratios), median(with), filteringEndpoints, median(without))
	return nil
}

// filtering is a queue with endpoints, and where events go.
type filtering struct {
	*backlog
	set *endpoint.Set
}

func newFiltering(l *lab, trusted *x509.CertPool, filter *when.Filter) (*filtering, error) {
	endpoints := make([]endpoint.Endpoint, filteringEndpoints)
	for i := range endpoints {
		endpoints[i] = endpoint.Endpoint{
			Name: fmt.Sprintf("e%d", i), URL: receiverURL(""), Tenant: fmt.Sprintf("tenant%d", i/filteringOfTenant), Filter: filter,
		}
	}
	b, err := newBacklog(l, trusted, filteringEndpoints, func(int) string { return "" })
	if err != nil {
		return nil, err
	}
	for i := range endpoints {
		endpoints[i].Secrets = b.targets[i].Endpoint.Secrets
	}
	set, err := endpoint.NewSet(endpoints...)
	return &filtering{b, set}, err
}

// send routes, commits and delivers events, and returns the deliveries per second.
func (f *filtering) send() (float64, error) {
	began := time.Now()
	for n := range filteringEvents {
		f.number++
		e := f.event(f.number)
		e.Tenant = fmt.Sprintf("tenant%d", n%(filteringEndpoints/filteringOfTenant))
		e.Payload = fmt.Appendf(nil, `{"items":{"id":"%d","amount":%d,"description":%q}}`, f.number, 101+n, f.body)
		var undecided error
		to, left := f.set.Route(&e, func() event.Document { return event.NewDocument(e.Payload) }, func(_ string, err error) { undecided = err })
		if undecided != nil || len(to) != filteringOfTenant || len(left) > 0 {
			return 0, fmt.Errorf("an event goes to %d endpoints: %w", len(to), undecided)
		}
		if err := f.commit(e, to); err != nil {
			return 0, err
		}
	}
	if err := f.deliver(); err != nil {
		return 0, err
	}
	return filteringEvents * filteringOfTenant / time.Since(began).Seconds(), nil
}

// deliver delivers everything. It asks the queue whether something is left: on a machine that
// is busy otherwise, the emitter may give up waiting for a result to be recorded that is.
func (f *filtering) deliver() error {
	ctx := context.Background()
	e := emitter.New(f.store, emitter.Options{})
	defer e.Stop(ctx)
	if err := e.Apply(f.targets); err != nil {
		return err
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		stats, err := f.store.Stats(ctx)
		if err != nil || stats.PendingDeliveries != nil && len(stats.PendingDeliveries) == 0 {
			return err
		}
	}
	return errors.New("deliveries are left after two minutes")
}
