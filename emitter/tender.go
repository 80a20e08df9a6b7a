// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// hastenTimeout limits how long bringing deliveries forward may take: there may
// be very many.
const hastenTimeout = time.Minute

// tender brings deliveries forward when an endpoint's recovery says so. It has no
// goroutine while there is nothing to do, as is usual.
type tender struct {
	mu    sync.Mutex
	over  bool
	timer *time.Timer
	// at is when the timer fires; zero if it does not.
	at    time.Time
	under sync.WaitGroup
}

// schedule has tend called at a time, unless it is called before.
func (t *tender) schedule(at, now time.Time, tend func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || !t.at.IsZero() && !at.Before(t.at) {
		return
	}
	t.at = at
	wait := max(0, at.Sub(now))
	if t.timer != nil {
		t.timer.Reset(wait)
		return
	}
	t.timer = time.AfterFunc(wait, func() {
		t.mu.Lock()
		if t.over {
			t.mu.Unlock()
			return
		}
		t.at = time.Time{}
		t.under.Add(1)
		t.mu.Unlock()
		defer t.under.Done()
		tend()
	})
}

// end ends the tender, and waits for what is under way.
func (t *tender) end() {
	t.mu.Lock()
	t.over = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	t.under.Wait()
}

// plan has deliveries brought forward when that is due. Receivers that requests
// name belong to people who do not know each other: that one works again says
// nothing of the others.
func (d *dispatcher) plan() {
	if d.target.Resolve != nil {
		return
	}
	now := d.options.Now()
	if what, at := d.standing.forward(d.limits.receiver); what != nothing {
		d.tender.schedule(at, now, d.tend)
	}
}

// tend brings forward what is due to be.
func (d *dispatcher) tend() {
	now := d.options.Now()
	what, at := d.standing.forward(d.limits.receiver)
	switch {
	case what == nothing:
		return
	case at.After(now):
		d.tender.schedule(at, now, d.tend)
		return
	}
	// What fails from here on may be brought forward again.
	d.standing.forwarded(what, now)
	ctx, cancel := context.WithTimeout(context.Background(), hastenTimeout)
	defer cancel()
	n, err := d.store.HastenDeliveries(ctx, d.target.Endpoint.Name, queue.Hasten{Next: what == oneOf})
	switch {
	case errors.Is(err, queue.ErrClosed):
	case err != nil:
		d.options.Metrics.QueueFailed(d.target.Endpoint.Name)
		d.logger.Error("bringing deliveries forward failed; they are sent when they are due", zap.Error(err))
	case n > 0 && what == allOf:
		d.logger.Info("the receiver works; what waited for it is sent now", zap.Int("deliveries", n))
	}
	// The end of a trial's attempt plans the next one.
}

// forward returns what of an endpoint's deliveries is to be brought forward, and
// when; nothing of an endpoint that gets none.
func (s *standing) forward(receiver string) (forward, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.present().Status != queue.EndpointActive {
		return nothing, time.Time{}
	}
	return s.recovery.next(s.receiver(receiver).breaker)
}

func (s *standing) forwarded(what forward, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovery = s.recovery.done(what, now)
}
