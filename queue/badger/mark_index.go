// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"container/list"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// marks knows which objects are marked, or only to be looked at, and when they
// are due. The rest of a mark is read when it is leased: there may be many
// marks.
type marks struct {
	due *schedule.Schedule[markState]

	// mu is taken while the schedule's own lock is held, never the other way
	// round.
	mu sync.Mutex
	// ages holds an aged of each mark that yields to none, unconfirmed one of each
	// that yields and is no look; both oldest first.
	ages, unconfirmed *list.List
	failing           int
	looks             int
}

type markState struct {
	// age is nil for a look.
	age     *list.Element
	failing bool
	// yields is true if the mark waits until no other is due.
	yields bool
}

func (s *markState) look() bool { return s.age == nil }

func (s *markState) second() bool { return s.yields || s.look() }

// aged is when a mark was made.
type aged struct {
	at  time.Time
	key event.Key
}

func newMarks(now func() time.Time) *marks {
	return &marks{due: schedule.New(now, schedule.Hooks[markState]{Second: (*markState).second}), ages: list.New(), unconfirmed: list.New()}
}

// list returns the list that has the marks of a kind.
func (m *marks) list(yields bool) *list.List {
	if yields {
		return m.unconfirmed
	}
	return m.ages
}

func (m *marks) has(key event.Key) bool {
	return m.due.Has(key.Resource, key.ID)
}

// note applies an object's record after marks were merged into it. Of new
// records, the oldest must come first.
func (m *marks) note(r *mark.Record) {
	known := m.due.Touch(r.Key.Resource, r.Key.ID, func(state *markState, _ bool) (int64, bool) {
		m.set(state, r)
		return schedule.Nanos(r.DueAt), true
	})
	if known {
		return
	}
	state := markState{}
	m.mu.Lock()
	m.count(&state, r)
	m.mu.Unlock()
	m.due.Put(r.Key.Resource, r.Key.ID, schedule.Nanos(r.DueAt), state)
}

// set sets a state by its record.
func (m *marks) set(state *markState, r *mark.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if state.look() || r.IsLook() || state.yields != r.Yields() {
		m.uncount(state)
		m.count(state, r)
		return
	}
	if made := state.age.Value.(*aged); !made.at.Equal(r.MarkedAt) {
		made.at = r.MarkedAt
		m.list(state.yields).MoveToBack(state.age)
	}
	m.fails(state, r.Tries > 0)
}

func (m *marks) fails(state *markState, failing bool) {
	if failing && !state.failing {
		m.failing++
	} else if !failing && state.failing {
		m.failing--
	}
	state.failing = failing
}

func (m *marks) count(state *markState, r *mark.Record) {
	if r.IsLook() {
		m.looks++
		return
	}
	state.yields = r.Yields()
	state.age = m.list(state.yields).PushBack(&aged{at: r.MarkedAt, key: r.Key})
	m.fails(state, r.Tries > 0)
}

func (m *marks) uncount(state *markState) {
	if state.look() {
		m.looks--
		return
	}
	m.list(state.yields).Remove(state.age)
	m.fails(state, false)
	state.age = nil
}

// clear ends a pinned lease and forgets its mark.
func (m *marks) clear(lease schedule.Lease[markState]) {
	m.due.Finish(lease.Fence, func(state *markState) (int64, bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.uncount(state)
		return 0, false
	})
}

// stay ends a pinned lease whose mark stays.
func (m *marks) stay(lease schedule.Lease[markState], r *mark.Record) {
	m.due.Finish(lease.Fence, func(state *markState) (int64, bool) {
		m.set(state, r)
		return schedule.Nanos(r.DueAt), true
	})
}

// postpone ends a pinned lease whose object cannot be read from the queue.
func (m *marks) postpone(lease schedule.Lease[markState], dueAt time.Time) {
	m.due.Finish(lease.Fence, func(state *markState) (int64, bool) {
		if !state.look() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.fails(state, true)
		}
		return schedule.Nanos(dueAt), true
	})
}

// later gives the lease of a look back without writing: after a crash the look
// is due as it was. It reports whether the lease was of a look that nobody has
// asked for meanwhile.
func (m *marks) later(fence uint64, at time.Time) (bool, error) {
	held, err := m.due.Pin(fence)
	if err != nil {
		return false, err
	}
	if !held.Value.look() {
		m.due.Unpin(fence)
		return false, nil
	}
	m.due.Finish(fence, func(state *markState) (int64, bool) {
		if !state.look() {
			return held.Due, true
		}
		return schedule.Nanos(at), true
	})
	return true, nil
}

// postponed returns a mark as it is due: that a look waits is not written, see later.
func (m *marks) postponed(pending pendingMark) pendingMark {
	r := &pending.record
	if !r.IsLook() {
		return pending
	}
	if _, info, scheduled := m.due.Get(r.Key.Resource, r.Key.ID); scheduled && info.Due > schedule.Nanos(r.DueAt) {
		r.DueAt = time.Unix(0, info.Due)
	}
	return pending
}

// oldest returns marks that are not looks, oldest first.
func (m *marks) oldest(limit int) []event.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []event.Key
	next, unconfirmed := m.ages.Front(), m.unconfirmed.Front()
	for len(keys) < limit && (next != nil || unconfirmed != nil) {
		from := &next
		if next == nil || unconfirmed != nil && unconfirmed.Value.(*aged).at.Before(next.Value.(*aged).at) {
			from = &unconfirmed
		}
		keys = append(keys, (*from).Value.(*aged).key)
		*from = (*from).Next()
	}
	return keys
}

// stats adds the figures of the marks.
func (m *marks) stats(stats *queue.Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stats.Marks, stats.FailingMarks, stats.Looks = m.ages.Len()+m.unconfirmed.Len(), m.failing, m.looks
	if oldest := m.ages.Front(); oldest != nil {
		stats.OldestMark = oldest.Value.(*aged).at
	}
}
