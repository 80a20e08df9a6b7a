// SPDX-License-Identifier: Apache-2.0

// Package schedule holds items in memory until they are due. Items live in
// groups that wait on their own: a group without due items costs others
// nothing. An item is leased to one worker at a time, and comes back when the
// lease passes.
//
// A schedule may hold a million items: they stand in chunks that are never
// copied, refer to each other by number, and share one index by hash.
package schedule

import (
	"hash/maphash"
	"math"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Schedule holds items of one kind, each with a value of type V. All methods
// may be called at the same time.
//
// Times are in nanoseconds since 1970, as [Nanos] makes them.
type Schedule[V any] struct {
	now   func() time.Time
	hooks Hooks[V]

	mu     sync.Mutex
	closed bool
	groups map[string]*group
	// orders has the orders of groups that are not [queue.OrderObject]. It
	// outlives the groups.
	orders map[string]queue.Order
	items  slab[V]
	// index finds the first item of a hash. Items with the same hash are
	// chained.
	index map[uint64]uint32
	seed  maphash.Seed
	// mask selects bits of a hash. Tests make it small, for collisions.
	mask uint64

	// There are as few leases as workers, so the state of leased items is kept
	// here.
	held   map[uint32]*hold
	fences map[uint64]*hold
	fence  uint64
}

// Hooks read and change the values of a schedule's items. Those that are not
// used may be nil.
type Hooks[V any] struct {
	// Second reports whether an item is leased only while no other of its group
	// is due.
	Second func(value *V) bool
	// Position orders the items of a group with [queue.OrderEndpoint].
	Position func(value *V) uint64
	// Reset prepares an item for another order, in which it is due at once.
	Reset func(value *V)
	// Absorb puts a split part back into its whole, which may be the zero
	// value.
	Absorb func(whole *V, part V)
}

// New returns an empty schedule that takes the time from now. Its timers run
// on the clock of package time.
func New[V any](now func() time.Time, hooks Hooks[V]) *Schedule[V] {
	return &Schedule[V]{
		now:    now,
		hooks:  hooks,
		groups: make(map[string]*group),
		orders: make(map[string]queue.Order),
		index:  make(map[uint64]uint32),
		seed:   maphash.MakeSeed(),
		mask:   math.MaxUint64,
		held:   make(map[uint32]*hold),
		fences: make(map[uint64]*hold),
	}
}

// Info is the state of an item.
type Info struct {
	// Due is when the item is due, or was when it was leased. A lease that passes
	// leaves it as it was.
	Due int64
	// Leased is true while a worker holds the item, Pinned while the worker's
	// result is being committed.
	Leased, Pinned bool
}

// Put adds an item. If it is there already, Put replaces its value and, unless
// it is leased, its time.
func (s *Schedule[V]) Put(name, key string, due int64, value V) {
	s.mu.Lock()
	defer s.mu.Unlock()

	g := s.group(name)
	if ref := s.find(g, key); ref == 0 {
		s.insert(g, key, due, value)
	} else {
		s.items.at(ref).value = value
		s.rank(ref)
		s.retime(ref, due)
	}
	s.serve(g)
}

// Has reports whether an item is there.
func (s *Schedule[V]) Has(name, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookup(name, key) != 0
}

// Update changes the value of an item and reports whether the item is there.
func (s *Schedule[V]) Update(name, key string, change func(value *V)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	ref := s.lookup(name, key)
	if ref == 0 {
		return false
	}
	change(&s.items.at(ref).value)
	s.rank(ref)
	return true
}

// Touch changes the value of an item, and, unless it is leased, when it is due
// if change says so. It reports whether the item is there.
func (s *Schedule[V]) Touch(name, key string, change func(value *V, leased bool) (due int64, set bool)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	ref := s.lookup(name, key)
	if ref == 0 {
		return false
	}
	due, set := change(&s.items.at(ref).value, s.info(ref).Leased)
	s.rank(ref)
	if set {
		s.expire(ref)
		s.retime(ref, due)
		s.serve(s.items.at(ref).band.of)
	}
	return true
}

// expire forgets a lease that has passed: the item is due as it was before.
func (s *Schedule[V]) expire(ref uint32) {
	if h := s.held[ref]; h != nil && !h.pinned && h.expires <= Nanos(s.now()) {
		s.end(h)
		it := s.items.at(ref)
		it.at = h.due
		s.fix(it.band, int(it.place))
	}
}

// rank moves an item to where its value belongs.
func (s *Schedule[V]) rank(ref uint32) {
	it := s.items.at(ref)
	b := &it.band.of.bands[s.bandOf(&it.value)]
	if b == it.band {
		if b.of.order == queue.OrderEndpoint && it.place != outside {
			s.fix(b, int(it.place))
		}
		return
	}
	if it.place == outside {
		it.band = b
		return
	}
	s.pull(it.band, int(it.place))
	it.band = b
	s.push(b, ref)
}

func (s *Schedule[V]) bandOf(value *V) int {
	if s.hooks.Second != nil && s.hooks.Second(value) {
		return 1
	}
	return 0
}

// Retime sets when an item is due, unless it is leased: then its leaseholder
// decides.
func (s *Schedule[V]) Retime(name, key string, due int64) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if ref := s.lookup(name, key); ref != 0 {
		s.retime(ref, due)
		s.serve(s.items.at(ref).band.of)
	}
}

// Get returns an item's value and its state.
func (s *Schedule[V]) Get(name, key string) (V, Info, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	ref := s.lookup(name, key)
	if ref == 0 {
		var none V
		return none, Info{}, false
	}
	return s.items.at(ref).value, s.info(ref), true
}

// Groups calls visit with each group that has items, and their number.
func (s *Schedule[V]) Groups(visit func(group string, items int)) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for name, g := range s.groups {
		if g.size > 0 {
			visit(name, g.size)
		}
	}
}

// Walk calls visit with each item, in no particular order, until it returns
// false. It must not call the schedule.
func (s *Schedule[V]) Walk(visit func(group, key string, value V, info Info) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for ref := uint32(1); ref <= s.items.used; ref++ {
		it := s.items.at(ref)
		if it.band == nil {
			continue
		}
		if !visit(it.band.of.name, it.key, it.value, s.info(ref)) {
			return
		}
	}
}

// Close ends all waiting leases with [queue.ErrClosed]. It is idempotent.
func (s *Schedule[V]) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.closed = true
	for _, g := range s.groups {
		for _, w := range g.waiters {
			w.served <- served{err: queue.ErrClosed}
		}
		g.waiters = nil
		g.disarm()
	}
}

func (s *Schedule[V]) info(ref uint32) Info {
	if h := s.held[ref]; h != nil {
		return Info{Due: h.due, Leased: h.pinned || h.expires > Nanos(s.now()), Pinned: h.pinned}
	}
	return Info{Due: s.items.at(ref).at}
}

// group returns the group of a name, and makes it if there is none.
func (s *Schedule[V]) group(name string) *group {
	g := s.groups[name]
	if g == nil {
		g = newGroup(name, maphash.String(s.seed, name), s.orders[name])
		s.groups[name] = g
	}
	return g
}

func (s *Schedule[V]) lookup(name, key string) uint32 {
	g := s.groups[name]
	if g == nil {
		return 0
	}
	return s.find(g, key)
}

func (s *Schedule[V]) retime(ref uint32, due int64) {
	if s.held[ref] != nil {
		return
	}
	it := s.items.at(ref)
	it.at = due
	s.fix(it.band, int(it.place))
}

// insert adds a new item.
func (s *Schedule[V]) insert(g *group, key string, due int64, value V) {
	hash := s.hash(g, key)
	ref := s.items.take()
	it := s.items.at(ref)
	*it = item[V]{key: key, value: value, at: due, band: &g.bands[s.bandOf(&value)], next: s.index[hash]}
	s.index[hash] = ref
	g.size++
	s.push(it.band, ref)
}

// remove removes an item that is in no heap and has no lease.
func (s *Schedule[V]) remove(ref uint32) {
	it := s.items.at(ref)
	g, hash := it.band.of, s.hash(it.band.of, it.key)

	if first := s.index[hash]; first != ref {
		before := s.items.at(first)
		for before.next != ref {
			before = s.items.at(before.next)
		}
		before.next = it.next
	} else if it.next != 0 {
		s.index[hash] = it.next
	} else {
		delete(s.index, hash)
	}
	s.items.give(ref)
	g.size--
	s.forget(g)
}

func (s *Schedule[V]) find(g *group, key string) uint32 {
	ref := s.index[s.hash(g, key)]
	for ref != 0 {
		it := s.items.at(ref)
		if it.band.of == g && it.key == key {
			return ref
		}
		ref = it.next
	}
	return 0
}

func (s *Schedule[V]) hash(g *group, key string) uint64 {
	return (maphash.String(s.seed, key) ^ g.salt) & s.mask
}

// forget removes a group without items and waiters, so that endpoints that come
// and go leave nothing behind.
func (s *Schedule[V]) forget(g *group) {
	if g.size == 0 && len(g.waiters) == 0 && s.groups[g.name] == g {
		g.disarm()
		delete(s.groups, g.name)
	}
}
