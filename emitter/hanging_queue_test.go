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

// timed is a queue that never records, and measures how long callers wait for
// it.
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

// TestQueueThatHangs holds up no recording beyond the timeout, and gives up
// none much sooner.
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
			if took > recordTimeout || took <= recordTimeout-recordTimeout/20 {
				t.Errorf("one took %s", took)
			}
		}
	})
}

// observed is a queue that keeps the context of the last recording.
type observed struct {
	queue.Deliveries
	last context.Context
}

func (q *observed) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	q.last = ctx
	return q.Deliveries.FinishAttempt(ctx, lease, attempt, verdict)
}

// TestTimeoutEnds checks that the timeout ends with its dispatcher: no timer is
// left behind.
func TestTimeoutEnds(t *testing.T) {
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
