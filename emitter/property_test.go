// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// lane is one endpoint's deliveries of one object, as receivers see them.
type lane struct {
	inFlight bool
	// last is the sequence attempted last. decided is true if it was recorded
	// as delivered or dead, and must not come again.
	last    uint64
	decided bool
}

// checker is a receiver that answers at random and checks every request against
// the promises about lanes.
type checker struct {
	mu sync.Mutex
	// rolls holds the random numbers behind the answers.
	rolls   []int
	roll    int
	lanes   map[string]*lane
	retries int
	sent    map[string][]byte
	faults  []string
	// order and coalesce are those of the endpoints; inFlight counts by host.
	order    endpoint.Order
	coalesce bool
	inFlight map[string]int
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *checker) next() int {
	c.roll++
	return c.rolls[c.roll%len(c.rolls)]
}

// answer is the answer of receivers.
func (c *checker) answer(ctx context.Context, g got) (int, error) {
	sequence, _ := strconv.ParseUint(g.header.Get("webhook-sequence"), 10, 64)
	l, roll := c.begin(g, sequence)
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		l.inFlight = false
		c.inFlight[g.host]--
	}()
	switch roll % 6 {
	case 0:
		return http.StatusInternalServerError, nil
	case 1:
		return hang(ctx)
	case 2:
		return 0, errors.New("connection lost")
	case 3:
		select {
		case <-time.After(time.Duration(roll) * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return http.StatusOK, nil
}

func (c *checker) begin(g got, sequence uint64) (*lane, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := strings.TrimSuffix(g.host, ".example") + " " + g.header.Get("webhook-object")
	l := c.lane(name)
	c.inFlight[g.host]++
	if l.inFlight || c.order == endpoint.OrderEndpoint && c.inFlight[g.host] > 1 {
		c.fault("%s: %s comes while another is in flight", name, g.event())
	}
	switch {
	case sequence == l.last && l.decided:
		c.fault("%s: %s comes again after it was decided", name, g.event())
	case sequence == l.last:
	case sequence == l.last+1 && l.decided, c.coalesce && sequence > l.last:
		l.last, l.decided = sequence, false
	default:
		c.fault("%s: %d comes after %d, decided %t", name, sequence, l.last, l.decided)
	}
	if !bytes.Equal(g.body, c.sent[g.event()]) {
		c.fault("%s: %s has another body", name, g.event())
	}
	l.inFlight = true
	return l, c.next()
}

// lane returns the lane with a name. The caller holds the lock.
func (c *checker) lane(name string) *lane {
	l, ok := c.lanes[name]
	if !ok {
		l = &lane{decided: true}
		c.lanes[name] = l
	}
	return l
}

// recording is a queue that passes what it records to the checker.
type recording struct {
	queue.Deliveries
	check *checker
}

// FinishAttempt notes the verdict first: the lane's next event may be sent
// before the queue returns.
func (r recording) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	r.check.record(lease, attempt, verdict)
	return r.Deliveries.FinishAttempt(ctx, lease, attempt, verdict)
}

func (c *checker) record(lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lane(lease.Endpoint + " " + lease.Key.String()).decided = verdict.Status != queue.StatusPending
	want := queue.StatusPending
	switch {
	case attempt.Code == http.StatusOK && attempt.Error == "":
		want = queue.StatusDelivered
	case lease.HastenedFrom.IsZero() && lease.Attempts-lease.ExtraAttempts == c.retries:
		want = queue.StatusDead
	}
	if verdict.Status != want {
		c.fault("%s is %s after attempt %d: %+v", lease.EventID, verdict.Status, lease.Attempts+1, attempt)
	}
	if attempt.Error == describe(context.Canceled) {
		c.fault("%s: an attempt that Stop cancelled was recorded as failed", lease.EventID)
	}
}

// TestLanesUnderFire publishes, reloads, stops and resumes at random, with
// receivers that fail in every way, and checks all promises about lanes.
func TestLanesUnderFire(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rolls := rapid.SliceOfN(rapid.IntRange(0, 2000), 1, 40).Draw(rt, "rolls")
		steps := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 40).Draw(rt, "steps")
		retries := rapid.IntRange(0, 3).Draw(rt, "retries")
		order := rapid.SampledFrom([]endpoint.Order{endpoint.OrderObject, endpoint.OrderEndpoint}).Draw(rt, "order")
		coalesce := rapid.Bool().Draw(rt, "coalesce")
		var faults []string
		synctest.Test(t, func(t *testing.T) { faults = fire(t, rolls, steps, retries, order, coalesce) })
		if len(faults) > 0 {
			rt.Fatalf("%q", faults)
		}
	})
}

// fire plays the steps and returns the broken promises.
func fire(t *testing.T, rolls, steps []int, retries int, order endpoint.Order, coalesce bool) []string {
	store := memory.New(time.Now)
	p := newPublisher(store)
	check := &checker{
		rolls: rolls, lanes: map[string]*lane{}, retries: retries, sent: map[string][]byte{},
		order: order, coalesce: coalesce, inFlight: map[string]int{},
	}
	r := &receivers{answer: check.answer}
	names := []string{"e0", "e1"}
	targets := func(concurrency int) []Target {
		var list []Target
		for _, name := range names {
			target := newTarget(t, name, r)
			target.Endpoint.Timeout = time.Second
			target.Endpoint.Concurrency = concurrency
			target.Endpoint.Order, target.Endpoint.Coalesce = order, coalesce
			target.Endpoint.Schedule = make([]time.Duration, retries)
			for i := range target.Endpoint.Schedule {
				target.Endpoint.Schedule[i] = time.Duration(i+1) * 3 * time.Second
			}
			list = append(list, target)
		}
		return list
	}
	queued := recording{store, check}
	emitter := New(queued, Options{Jitter: noJitter})
	apply := func(list []Target) {
		if err := emitter.Apply(list); err != nil {
			t.Fatal(err)
		}
	}
	apply(targets(2))
	for i, step := range steps {
		switch step {
		default:
			p.publish(t, strconv.Itoa(step), names, func(ev *event.Event) {
				check.mu.Lock()
				defer check.mu.Unlock()
				check.sent[ev.ID] = ev.Payload
			})
		case 5, 6:
			time.Sleep(time.Duration(rolls[i%len(rolls)]) * 2 * time.Millisecond)
		case 7:
			apply(targets(1 + rolls[i%len(rolls)]%3))
		case 8:
			apply(targets(2)[:1])
		case 9:
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rolls[i%len(rolls)])*time.Millisecond)
			emitter.Stop(ctx)
			cancel()
			emitter = New(queued, Options{Jitter: noJitter})
			apply(targets(2))
		}
	}
	apply(targets(2))
	// A receiver that always fails gets an attempt a minute.
	time.Sleep(72 * time.Hour)
	synctest.Wait()
	emitter.Stop(context.Background())

	check.mu.Lock()
	defer check.mu.Unlock()
	for _, delivery := range deliveries(t, store, queue.Filter{}) {
		if delivery.Status == queue.StatusPending {
			check.fault("%s is still pending at %s", delivery.EventID, delivery.Endpoint)
		}
	}
	for name, l := range check.lanes {
		if !l.decided && !coalesce {
			check.fault("%s: %d was given up before its last attempt", name, l.last)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return check.faults
}
