// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
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
	// maxWaiting is how many requests of one tenant may wait at once, and maxAllWaiting
	// of all.
	maxWaiting    = 16
	maxAllWaiting = 2000
	// maxLimited is of how many tenants, or addresses, it is known what they did.
	maxLimited = 10_000
)

// Limits holds back who asks too often. It lives as long as the process, and its
// memory is bounded.
type Limits struct {
	callers, changes, failures, probes, snapshots limited

	waitingMu  sync.Mutex
	waiting    map[string]int // requests that wait, by tenant
	allWaiting int
}

// NewLimits returns limits that nobody has touched.
func NewLimits() *Limits {
	return &Limits{
		callers:   limited{every: callsEvery, burst: callsBurst},
		changes:   limited{every: changesEvery, burst: changesBurst},
		failures:  limited{every: failuresEvery, burst: failuresBurst},
		probes:    limited{every: probesEvery, burst: probesBurst},
		snapshots: limited{every: snapshotsEvery, burst: snapshotsBurst},
	}
}

// caller takes a request of a tenant, which may change something. It returns how long
// to wait, 0 if it may be done.
func (l *Limits) caller(tenant string, changes bool, now time.Time) time.Duration {
	wait := l.callers.take(tenant, now)
	if changes && wait == 0 {
		wait = l.changes.take(tenant, now)
	}
	return wait
}

// probe takes a test of a tenant's.
func (l *Limits) probe(tenant string, now time.Time) time.Duration { return l.probes.take(tenant, now) }

// snapshot takes the start of a snapshot of a tenant's.
func (l *Limits) snapshot(tenant string, now time.Time) time.Duration {
	return l.snapshots.take(tenant, now)
}

// simulate takes tests of so many receivers of a tenant's at once. They are counted up to
// what may be sent at once, so that who has more of them can send one at all.
func (l *Limits) simulate(tenant string, receivers int, now time.Time) time.Duration {
	return l.probes.takeN(tenant, min(receivers, probesBurst), now)
}

// failing returns how long to wait until a guess from an address is looked at.
func (l *Limits) failing(from string, now time.Time) time.Duration {
	return l.failures.look(network(from), now)
}

// failed notes a credential from an address that was not valid.
func (l *Limits) failed(from string, now time.Time) { l.failures.take(network(from), now) }

// network returns what is counted as one address: who has an IPv6 address has all of
// its /64.
func network(from string) string {
	addr, err := netip.ParseAddr(from)
	if err != nil {
		return from
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}

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

// limited holds token buckets by name.
type limited struct {
	every time.Duration
	burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

// take takes a token. It returns how long to wait for one, 0 if it has one.
func (l *limited) take(name string, now time.Time) time.Duration { return l.takeN(name, 1, now) }

// takeN takes some tokens, all or none.
func (l *limited) takeN(name string, n int, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.buckets[name]
	if bucket == nil {
		l.makeRoom(now)
		bucket = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.buckets[name] = bucket
	}
	if bucket.AllowN(now, n) {
		return 0
	}
	return l.wait(bucket, n, now)
}

// look returns how long to wait for a token, without taking it.
func (l *limited) look(name string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.buckets[name]
	if bucket == nil || bucket.TokensAt(now) >= 1 {
		return 0
	}
	return l.wait(bucket, 1, now)
}

func (l *limited) wait(bucket *rate.Limiter, n int, now time.Time) time.Duration {
	missing := float64(n) - bucket.TokensAt(now)
	return max(time.Duration(missing*float64(l.every)), time.Millisecond)
}

// makeRoom forgets who has all tokens again, and if those are few, others: to begin anew
// costs little beside memory without end. It forgets many at once, since it looks at all.
// The caller holds the lock.
func (l *limited) makeRoom(now time.Time) {
	if l.buckets == nil {
		l.buckets = make(map[string]*rate.Limiter)
	}
	if len(l.buckets) < maxLimited {
		return
	}
	for name, bucket := range l.buckets {
		if bucket.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, name)
		}
	}
	for name := range l.buckets {
		if len(l.buckets) <= maxLimited*3/4 {
			return
		}
		delete(l.buckets, name)
	}
}
