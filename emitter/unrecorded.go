// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"errors"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// maxUnrecorded limits how many results of attempts that the queue could
	// not record are remembered, for each endpoint. Beyond that, nothing is
	// sent until some are recorded.
	maxUnrecorded = 4096
	// A queue that fails is used again after minPause, then after ever longer
	// pauses, up to maxPause.
	minPause = time.Second
	maxPause = 30 * time.Second
)

// unrecorded is the result of an attempt that the queue could not record. The
// event is not sent again because of that: when its delivery is leased again,
// this is recorded.
type unrecorded struct {
	attempts int // of the delivery, before this one
	attempt  queue.Attempt
	verdict  queue.Verdict
	// until is when the result no longer counts; zero is never. A lost lease
	// may have been lost to an operator.
	until time.Time
}

// remember keeps a result that could not be recorded, and pauses the use of the
// queue.
func (s *standing) remember(lease *queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict, err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := unrecorded{attempts: lease.Attempts, attempt: attempt, verdict: verdict}
	if errors.Is(err, queue.ErrLeaseLost) {
		kept.until = now.Add(10 * time.Minute)
	} else {
		s.falter(now)
	}
	// The queue may have refused it because of its size.
	kept.attempt.Response = nil
	for event, old := range s.unrecorded {
		if !old.until.IsZero() && now.After(old.until) {
			delete(s.unrecorded, event)
		}
	}
	if len(s.unrecorded) < maxUnrecorded {
		s.unrecorded[lease.EventID] = kept
	}
}

// falter pauses the use of a queue that failed. The caller holds the lock.
func (s *standing) falter(now time.Time) time.Duration {
	if s.rest.After(now) {
		return s.pause
	}
	s.pause = min(max(2*s.pause, minPause), maxPause)
	s.rest = now.Add(s.pause)
	return s.pause
}

// rested records that the queue works, and that an event is recorded.
func (s *standing) rested(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause, s.rest = 0, time.Time{}
	if len(s.unrecorded) > 0 {
		delete(s.unrecorded, event)
	}
}

// recall returns the remembered result of a delivery, and whether there is room
// to attempt the delivery if there is none.
func (s *standing) recall(lease *queue.DeliveryLease, now time.Time) (kept unrecorded, found, room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unrecorded) == 0 {
		return unrecorded{}, false, true
	}
	kept, found = s.unrecorded[lease.EventID]
	if found && (kept.attempts != lease.Attempts || !kept.until.IsZero() && now.After(kept.until)) {
		delete(s.unrecorded, lease.EventID)
		found = false
	}
	return kept, found, len(s.unrecorded) < maxUnrecorded
}
