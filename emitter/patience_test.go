// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestPatience is shared by those who come at about the same time, and no
// shorter for them than was promised. What was shared ends with the dispatcher.
func TestPatience(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all, end := context.WithCancel(t.Context())
		p := patience{all: all}
		first := p.context()
		time.Sleep(sharedPatience - time.Nanosecond)
		if p.context() != first {
			t.Error("a context is not shared")
		}
		time.Sleep(time.Nanosecond)
		second := p.context()
		if deadline, _ := second.Deadline(); time.Until(deadline) != recordTimeout {
			t.Errorf("the next ends in %s", time.Until(deadline))
		}
		if first.Err() != nil {
			t.Error("the first ends with the second")
		}
		time.Sleep(recordTimeout - sharedPatience)
		synctest.Wait()
		if !errors.Is(first.Err(), context.DeadlineExceeded) || second.Err() != nil {
			t.Errorf("got %v and %v", first.Err(), second.Err())
		}
		end()
		if second.Err() == nil {
			t.Error("the second goes on")
		}
	})
}

// timed is a queue that never records, and tells how long it was waited for.
type timed struct {
	queue.Deliveries
	mu   sync.Mutex
	took []time.Duration
}

func (q *timed) FinishAttempt(ctx context.Context, _ queue.DeliveryLease, _ queue.Attempt, _ queue.Verdict) error {
	began := time.Now()
	<-ctx.Done()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.took = append(q.took, time.Since(began))
	return ctx.Err()
}

// TestQueueThatHangs holds up no recording for longer than it may, and gives
// up none much sooner.
func TestQueueThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		q := &timed{Deliveries: w.store}
		w.emitter.store = q
		w.apply(t, w.target(t, "erp"))
		const records = 8
		for i := range records {
			w.publish(t, strconv.Itoa(i), []string{"erp"}, nil)
			time.Sleep(90 * time.Millisecond)
		}
		time.Sleep(recordTimeout)
		synctest.Wait()
		q.mu.Lock()
		defer q.mu.Unlock()
		if len(q.took) != records {
			t.Errorf("%d were given up", len(q.took))
		}
		for _, took := range q.took {
			if took > recordTimeout || took <= recordTimeout-sharedPatience {
				t.Errorf("one was waited for %s", took)
			}
		}
	})
}

// observed is a queue that remembers the context of the last recording.
type observed struct {
	queue.Deliveries
	last context.Context
}

func (q *observed) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	q.last = ctx
	return q.Deliveries.FinishAttempt(ctx, lease, attempt, verdict)
}

// TestPatienceEnds with its dispatcher: no timer is left behind.
func TestPatienceEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		q := &observed{Deliveries: w.store}
		w.emitter.store = q
		w.apply(t, w.target(t, "erp"))
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		if q.last == nil || q.last.Err() != nil {
			t.Fatalf("got %v", q.last)
		}
		w.emitter.Stop(t.Context())
		if !errors.Is(q.last.Err(), context.Canceled) {
			t.Errorf("got %v", q.last.Err())
		}
	})
}
