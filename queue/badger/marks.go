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

// marks knows which objects are marked and when they are due. What else a
// mark tells is read when it is leased: there may be many of them.
type marks struct {
	due *schedule.Schedule[markState]

	mu sync.Mutex
	// ages holds when each mark was made, oldest first.
	ages    *list.List
	failing int
}

type markState struct {
	age     *list.Element
	failing bool
}

func newMarks(now func() time.Time) *marks {
	return &marks{due: schedule.New[markState](now), ages: list.New()}
}

func (m *marks) has(key event.Key) bool {
	return m.due.Update(key.Resource, key.ID, func(*markState) {})
}

// note makes a mark due at once, whether or not it is new.
func (m *marks) note(key event.Key, now time.Time) {
	if m.has(key) {
		m.due.Retime(key.Resource, key.ID, schedule.Nanos(now))
		return
	}
	m.add(key, now, now, false)
}

// add adds a mark. Marks must be added in the order in which they were made.
func (m *marks) add(key event.Key, markedAt, dueAt time.Time, failing bool) {
	m.mu.Lock()
	state := markState{age: m.ages.PushBack(markedAt), failing: failing}
	if failing {
		m.failing++
	}
	m.mu.Unlock()
	m.due.Put(key.Resource, key.ID, schedule.Nanos(dueAt), state)
}

// clear ends a pinned lease and forgets its mark.
func (m *marks) clear(lease schedule.Lease[markState]) {
	m.mu.Lock()
	m.ages.Remove(lease.Value.age)
	if lease.Value.failing {
		m.failing--
	}
	m.mu.Unlock()
	m.due.Remove(lease.Fence)
}

// stay ends a pinned lease whose mark stays, as its record says.
func (m *marks) stay(lease schedule.Lease[markState], record *mark.Record) {
	failing := record.Tries > 0
	m.mu.Lock()
	if lease.Value.failing && !failing {
		m.failing--
	} else if !lease.Value.failing && failing {
		m.failing++
	}
	if age := lease.Value.age; !age.Value.(time.Time).Equal(record.MarkedAt) {
		age.Value = record.MarkedAt
		m.ages.MoveToBack(age)
	}
	m.mu.Unlock()
	m.due.Finish(lease.Fence, schedule.Nanos(record.DueAt), func(state *markState) { state.failing = failing })
}

// postpone ends a pinned lease whose object cannot be read from the queue.
func (m *marks) postpone(lease schedule.Lease[markState], dueAt time.Time) {
	if !lease.Value.failing {
		m.mu.Lock()
		m.failing++
		m.mu.Unlock()
	}
	m.due.Finish(lease.Fence, schedule.Nanos(dueAt), func(state *markState) { state.failing = true })
}

// count adds what it knows to the queue's figures.
func (m *marks) count(stats *queue.Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stats.Marks = m.ages.Len()
	stats.FailingMarks = m.failing
	if oldest := m.ages.Front(); oldest != nil {
		stats.OldestMark = oldest.Value.(time.Time)
	}
}
