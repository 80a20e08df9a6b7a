// SPDX-License-Identifier: Apache-2.0

// Package throttle limits how often something is done under a name that strangers choose:
// an address, a tenant, an account. Its memory is bounded.
package throttle

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// MaxNames is of how many names it is known what was done.
const MaxNames = 10_000

// Buckets holds a token bucket for each name. Use [New]; nil holds nobody back.
type Buckets struct {
	every time.Duration
	burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

// New returns buckets that nobody has touched: each has burst tokens, and gets one back
// each time that every has passed.
func New(every time.Duration, burst int) *Buckets {
	return &Buckets{every: every, burst: burst, buckets: make(map[string]*rate.Limiter)}
}

// Take takes a token. It returns how long to wait for one, 0 if it has one.
func (b *Buckets) Take(name string, now time.Time) time.Duration { return b.TakeN(name, 1, now) }

// TakeN takes some tokens, all or none.
func (b *Buckets) TakeN(name string, n int, now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.buckets[name]
	if bucket == nil {
		b.makeRoom(now)
		bucket = rate.NewLimiter(rate.Every(b.every), b.burst)
		b.buckets[name] = bucket
	}
	if bucket.AllowN(now, n) {
		return 0
	}
	return b.wait(bucket, n, now)
}

// Look returns how long to wait for a token, without taking it.
func (b *Buckets) Look(name string, now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.buckets[name]
	if bucket == nil || bucket.TokensAt(now) >= 1 {
		return 0
	}
	return b.wait(bucket, 1, now)
}

// Forget gives a name all of its tokens back.
func (b *Buckets) Forget(name string) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.buckets, name)
}

func (b *Buckets) wait(bucket *rate.Limiter, n int, now time.Time) time.Duration {
	missing := float64(n) - bucket.TokensAt(now)
	return max(time.Duration(missing*float64(b.every)), time.Millisecond)
}

// makeRoom forgets who has all tokens again, and if those are few, others: to begin anew
// costs little beside memory without end. It forgets many at once, since it looks at all.
// The caller holds the lock.
func (b *Buckets) makeRoom(now time.Time) {
	if len(b.buckets) < MaxNames {
		return
	}
	for name, bucket := range b.buckets {
		if bucket.TokensAt(now) >= float64(b.burst) {
			delete(b.buckets, name)
		}
	}
	for name := range b.buckets {
		if len(b.buckets) <= MaxNames*3/4 {
			return
		}
		delete(b.buckets, name)
	}
}

// Network returns what is counted as one address: who has an IPv6 address has all of
// its /64.
func Network(from string) string {
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
