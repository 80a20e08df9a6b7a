// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/throttle"
)

// What callers may do. These are far above what a person or a program that manages
// endpoints needs.
const (
	callsEvery = time.Second / 20
	callsBurst = 200
	// What changes something is looked at by all, as each reconciliation under way is
	// routed again when an endpoint changes; and it leaves a record of who did it, for
	// months, and of the answer, for a day.
	changesEvery = 10 * time.Second
	changesBurst = 100
	// Credentials that are not valid, from one address.
	failuresEvery = 6 * time.Second
	failuresBurst = 20
	// Tests send requests to others, so there are few of them.
	probesEvery = 3 * time.Second
	probesBurst = 20
	// Each start of a snapshot has all of a resource's objects listed anew, and read again:
	// a tenant may begin with some, and then it has to wait.
	snapshotsEvery = 5 * time.Minute
	snapshotsBurst = 3
	// Filters are tried on many events at once, and each may cost some milliseconds.
	sievesEvery = 2 * time.Second
	sievesBurst = 20
	// maxWaiting is how many requests of one tenant may wait at once, and maxAllWaiting
	// of all.
	maxWaiting    = 16
	maxAllWaiting = 2000
)

// Limits holds back who asks too often. It lives as long as the process, and its
// memory is bounded.
type Limits struct {
	callers, changes, failures, probes, snapshots, sieves *throttle.Buckets

	waitingMu  sync.Mutex
	waiting    map[string]int // requests that wait, by tenant
	allWaiting int
}

// NewLimits returns limits that nobody has touched.
func NewLimits() *Limits {
	return &Limits{
		callers:   throttle.New(callsEvery, callsBurst),
		changes:   throttle.New(changesEvery, changesBurst),
		failures:  throttle.New(failuresEvery, failuresBurst),
		probes:    throttle.New(probesEvery, probesBurst),
		snapshots: throttle.New(snapshotsEvery, snapshotsBurst),
		sieves:    throttle.New(sievesEvery, sievesBurst),
	}
}

// caller takes a request of a tenant, which may change something. It returns how long
// to wait, 0 if it may be done.
func (l *Limits) caller(tenant string, changes bool, now time.Time) time.Duration {
	wait := l.callers.Take(tenant, now)
	if changes && wait == 0 {
		wait = l.changes.Take(tenant, now)
	}
	return wait
}

// probe takes a test of a tenant's.
func (l *Limits) probe(tenant string, now time.Time) time.Duration { return l.probes.Take(tenant, now) }

// snapshot takes the start of a snapshot of a tenant's.
func (l *Limits) snapshot(tenant string, now time.Time) time.Duration {
	return l.snapshots.Take(tenant, now)
}

// simulate takes tests of so many receivers of a tenant's at once. They are counted up to
// what may be sent at once, so that who has more of them can send one at all.
func (l *Limits) simulate(tenant string, receivers int, now time.Time) time.Duration {
	return l.probes.TakeN(tenant, min(receivers, probesBurst), now)
}

// sieve takes a try of a filter of a tenant's.
func (l *Limits) sieve(tenant string, now time.Time) time.Duration { return l.sieves.Take(tenant, now) }

// failing returns how long to wait until a guess from an address is looked at.
func (l *Limits) failing(from string, now time.Time) time.Duration {
	return l.failures.Look(throttle.Network(from), now)
}

// failed notes a credential from an address that was not valid.
func (l *Limits) failed(from string, now time.Time) { l.failures.Take(throttle.Network(from), now) }

// waits takes a place for a request that waits for an event. The function gives it
// back.
func (l *Limits) waits(tenant string) (leave func(), err error) {
	l.waitingMu.Lock()
	defer l.waitingMu.Unlock()
	if l.waiting[tenant] >= maxWaiting || l.allWaiting >= maxAllWaiting {
		return nil, tooMany.retry(time.Second, "too many requests wait for events already")
	}
	if l.waiting == nil {
		l.waiting = make(map[string]int)
	}
	l.waiting[tenant]++
	l.allWaiting++
	return func() {
		l.waitingMu.Lock()
		defer l.waitingMu.Unlock()
		l.allWaiting--
		if l.waiting[tenant]--; l.waiting[tenant] == 0 {
			delete(l.waiting, tenant)
		}
	}, nil
}
