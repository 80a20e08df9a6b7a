// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"container/list"
	"context"
	"sync"
)

const (
	// DefaultMemory is how many bytes of payloads may be in flight at once,
	// over all endpoints.
	DefaultMemory = 64 << 20
	// shares divides the memory: one endpoint may fill a sixteenth. One more
	// payload may be in flight, however large.
	shares = 16
)

// class separates receivers that answered their last delivery from those that
// did not, or have not been sent any yet. Three quarters of the memory are for
// the former: receivers that hang, however many, do not hold up one that works.
type class int

const (
	proven class = iota
	unproven
	classes
)

const (
	// overheadKept is what an attempt counts for, besides its payload, to an endpoint's
	// one receiver that answers: a connection with its buffers and those of TLS,
	// headers, goroutines. So some eight hundred small deliveries to such receivers are
	// in flight at once, over all endpoints, and their connections are kept: the
	// transport keeps a thousand that are idle, and a handshake costs more than a
	// delivery.
	overheadKept = 60 << 10
	// overhead is the same for others, of whom many may hang. It is less than they need,
	// as one that answers may be among them.
	overhead = 8 << 10
)

// gate limits the memory of deliveries in flight. Waiters are admitted in
// order, each class by itself.
type gate struct {
	mu    sync.Mutex
	pools [classes]pool
	// total is the memory of both pools together.
	total int64
}

// pool is the memory of a class.
type pool struct {
	size, used int64
	// waiting holds *waiter.
	waiting list.List
}

// waiter is a request for memory that waits at the gate.
type waiter struct {
	size  int64
	ready chan struct{}
}

func newGate(total int64) *gate {
	g := &gate{total: total}
	g.pools[unproven].size = total / 4
	g.pools[proven].size = total - total/4
	return g
}

// weigh returns the memory that a payload and what it needs besides count for: never more
// than the smaller pool has.
func (g *gate) weigh(payload, overhead int64) int64 {
	return min(payload+overhead, g.pools[unproven].size)
}

// share returns how much one endpoint may have in flight before it must wait.
func (g *gate) share() int64 {
	return g.total / shares
}

// try takes memory if there is room and nobody waits for it.
func (g *gate) try(size int64, of class) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &g.pools[of]
	if p.waiting.Len() > 0 || p.used+size > p.size {
		return false
	}
	p.used += size
	return true
}

// take takes memory whether or not there is room.
func (g *gate) take(size int64, of class) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pools[of].used += size
}

// wait takes memory as soon as there is room.
func (g *gate) wait(ctx context.Context, size int64, of class) error {
	g.mu.Lock()
	p := &g.pools[of]
	w := &waiter{size: size, ready: make(chan struct{})}
	place := p.waiting.PushBack(w)
	p.serve()
	g.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.ready:
		p.used -= size
	default:
		p.waiting.Remove(place)
	}
	p.serve()
	return ctx.Err()
}

// free returns memory.
func (g *gate) free(size int64, of class) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pools[of].used -= size
	g.pools[of].serve()
}

// inFlight returns the memory in use.
func (g *gate) inFlight() (total int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.pools {
		total += g.pools[i].used
	}
	return total
}

// serve admits waiters as long as there is room.
func (p *pool) serve() {
	for p.waiting.Len() > 0 {
		first := p.waiting.Front()
		w := first.Value.(*waiter)
		if p.used+w.size > p.size {
			return
		}
		p.waiting.Remove(first)
		p.used += w.size
		close(w.ready)
	}
}
