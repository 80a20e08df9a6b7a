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
	// shares is the part of the memory that one endpoint may fill: a sixteenth.
	// One payload more may be in flight, however large.
	shares = 16
	// overhead is what an attempt needs besides its payload: buffers, headers,
	// a goroutine.
	overhead = 8 << 10
)

// class tells receivers apart that answered when they were last sent something
// from those that did not, or have not been sent anything yet. Three quarters
// of the memory are for the former: those that hang, however many, hold up none
// that works.
type class int

const (
	proven class = iota
	unproven
	classes
)

// gate bounds the memory of what is in flight. Those who wait are let through
// in their order, each class by itself.
type gate struct {
	mu    sync.Mutex
	pools [classes]pool
	// total is what both pools have together.
	total int64
}

// pool is the memory of a class.
type pool struct {
	size, used int64
	// waiting holds *pass.
	waiting list.List
}

// pass is somebody who waits at the gate.
type pass struct {
	size  int64
	ready chan struct{}
}

func newGate(total int64) *gate {
	g := &gate{total: total}
	g.pools[unproven].size = total / 4
	g.pools[proven].size = total - total/4
	return g
}

// weigh returns what a payload counts: never more than there is.
func (g *gate) weigh(payload int64) int64 {
	return min(payload+overhead, g.pools[unproven].size)
}

// share returns how much one endpoint may have in flight before it waits.
func (g *gate) share() int64 {
	return g.total / shares
}

// try takes a size if there is room and nobody waits for it.
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

// take takes a size whether or not there is room.
func (g *gate) take(size int64, of class) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pools[of].used += size
}

// wait takes a size as soon as there is room.
func (g *gate) wait(ctx context.Context, size int64, of class) error {
	g.mu.Lock()
	p := &g.pools[of]
	waiter := &pass{size: size, ready: make(chan struct{})}
	place := p.waiting.PushBack(waiter)
	p.serve()
	g.mu.Unlock()
	select {
	case <-waiter.ready:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-waiter.ready:
		p.used -= size
	default:
		p.waiting.Remove(place)
	}
	p.serve()
	return ctx.Err()
}

// free gives a size back.
func (g *gate) free(size int64, of class) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pools[of].used -= size
	g.pools[of].serve()
}

// inFlight returns what is taken.
func (g *gate) inFlight() (total int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.pools {
		total += g.pools[i].used
	}
	return total
}

// serve lets those through for whom there is room.
func (p *pool) serve() {
	for p.waiting.Len() > 0 {
		first := p.waiting.Front()
		waiter := first.Value.(*pass)
		if p.used+waiter.size > p.size {
			return
		}
		p.waiting.Remove(first)
		p.used += waiter.size
		close(waiter.ready)
	}
}
