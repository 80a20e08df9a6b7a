// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
)

// markings are marks that a write makes.
type markings []marking

// marking is a mark, and then its object's record with that mark.
type marking struct {
	mark     queue.Mark
	callback []byte
	record   mark.Record
}

func newMarkings(marks []queue.Mark) markings {
	if len(marks) == 0 {
		return nil
	}
	made := make(markings, len(marks))
	for i := range marks {
		made[i].mark = marks[i]
		if sealed := marks[i].Callback; len(sealed) > 0 {
			made[i].callback = appendCallback(nil, &queue.Callback{Sealed: sealed})
			made[i].mark.Callback = nil
		}
	}
	return made
}

// need counts the records of the marks, or fails with [queue.ErrTooLarge].
func (m markings) need(w *waiter) error {
	for i := range m {
		made := &m[i].mark
		key := len(made.Key.Resource) + len(made.Key.ID)
		if key > maxKey || len(m[i].callback) > queue.MaxCallback {
			return queue.ErrTooLarge
		}
		w.need(key, len(made.Version), causeSize(made), 48)
		if m[i].callback != nil {
			w.need(key, len(m[i].callback))
		}
	}
	return nil
}

func causeSize(m *queue.Mark) int {
	cause := &m.Cause
	return len(cause.Rule) + len(cause.Outcome) + len(cause.Method) + len(cause.Path) + len(cause.Resource) +
		len(cause.TraceParent) + len(cause.Hops)
}

// many is the number of marks from which on a write has no room for the errors
// of marks that it merges with.
const many = 1000

func (m markings) stage(b *batch, now time.Time) {
	for i := range m {
		made := &m[i]
		pending := b.mark(made.mark.Key)
		if pending.exists {
			pending.record.Merge(made.mark, now)
		} else {
			pending.record = mark.New(made.mark, now)
		}
		if len(m) > many {
			pending.record.LastError = clip(pending.record.LastError, 32)
		}
		made.record = pending.record
		b.setMark(&made.record)
		if made.callback != nil && b.takesCallback(&made.mark) {
			b.s.callbacks.Store(true)
			b.set(b.key(func(k []byte) []byte { return objectKey(k, kindCallback, made.mark.Key) }), made.callback)
		}
	}
}

func (m markings) committed(s *Store) {
	for i := range m {
		s.marks.note(&m[i].record)
	}
}
