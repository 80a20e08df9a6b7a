// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"container/list"
	"context"
	"sync"
)

// DefaultRemembered is how many events, and how many objects, a [Memory] remembers.
const DefaultRemembered = 100_000

// Memory is a [Store] that remembers the last events and objects, as long as the process
// lives. After a crash, events may be handled again that were handled before; and so may
// a repeat of one that is long forgotten.
type Memory struct {
	mu        sync.Mutex
	handled   recent[string, place]  // by id
	taken     map[place]string       // ids by place
	positions recent[string, uint64] // by object
	cursor    string
}

// place is a number among those of an object.
type place struct {
	object   string
	sequence uint64
}

// NewMemory returns a store that remembers so many events and objects; 0 for
// [DefaultRemembered].
func NewMemory(limit int) *Memory {
	if limit <= 0 {
		limit = DefaultRemembered
	}
	return &Memory{handled: newRecent[string, place](limit), taken: make(map[place]string), positions: newRecent[string, uint64](limit)}
}

// Look implements [Store].
func (m *Memory) Look(_ context.Context, id, object string, sequence uint64) (Seen, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.look(id, object, sequence), nil
}

func (m *Memory) look(id, object string, sequence uint64) Seen {
	var s Seen
	_, s.Handled = m.handled.by[id] // a repeat makes it no younger
	if object != "" {
		s.Position, _ = m.positions.get(object)
		other, taken := m.taken[place{object, sequence}]
		s.Taken = taken && other != id
	}
	return s
}

// Take implements [Store]. What handle has done is not taken back if the process dies
// before the event is remembered.
func (m *Memory) Take(ctx context.Context, step Step, handle func(context.Context) error) error {
	if err := m.check(step); err != nil {
		return err
	}
	if handle != nil {
		if err := handle(ctx); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := place{step.Object, step.Sequence}
	if id, old, forgotten := m.handled.put(step.ID, at); forgotten && m.taken[old] == id {
		delete(m.taken, old)
	}
	if step.Object == "" {
		return nil
	}
	if step.Sequence > 0 {
		m.taken[at] = step.ID
	}
	m.positions.put(step.Object, step.To)
	return nil
}

func (m *Memory) check(step Step) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.look(step.ID, step.Object, step.Sequence); s.Handled || step.Object != "" && s.Position != step.From {
		return ErrMoved
	}
	return nil
}

// Cursor implements [Store].
func (m *Memory) Cursor(context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursor, nil
}

// KeepCursor implements [Store].
func (m *Memory) KeepCursor(_ context.Context, cursor string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cursor = cursor
	return nil
}

// Forget implements [Store].
func (m *Memory) Forget(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.positions, m.cursor = newRecent[string, uint64](m.positions.limit), ""
	return nil
}

// recent is a map that forgets what was put or read longest ago.
type recent[K comparable, V any] struct {
	limit int
	by    map[K]*list.Element
	order *list.List
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](limit int) recent[K, V] {
	return recent[K, V]{limit, make(map[K]*list.Element), list.New()}
}

func (r *recent[K, V]) get(key K) (value V, ok bool) {
	at, ok := r.by[key]
	if !ok {
		return value, false
	}
	r.order.MoveToBack(at)
	return at.Value.(*entry[K, V]).value, true
}

// put keeps a value, and returns what it forgot for that.
func (r *recent[K, V]) put(key K, value V) (oldKey K, old V, forgotten bool) {
	if at, ok := r.by[key]; ok {
		at.Value.(*entry[K, V]).value = value
		r.order.MoveToBack(at)
		return oldKey, old, false
	}
	r.by[key] = r.order.PushBack(&entry[K, V]{key, value})
	if len(r.by) <= r.limit {
		return oldKey, old, false
	}
	first := r.order.Remove(r.order.Front()).(*entry[K, V])
	delete(r.by, first.key)
	return first.key, first.value, true
}
