// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// restoreTimeout limits the reading of endpoints' states.
const restoreTimeout = 10 * time.Second

// standing returns what is known of an endpoint. The caller holds the lock.
func (e *Emitter) standing(name string) *standing {
	s, ok := e.standings[name]
	if !ok {
		s = newStanding(name)
		e.standings[name] = s
	}
	return s
}

// Pause stops attempts at an endpoint until it is resumed, even across
// restarts. Its events are kept. Attempts in flight end normally. A disabled
// endpoint becomes a paused one. Pause is idempotent, and fails with
// [ErrUnknownEndpoint] for an endpoint that is not applied.
func (e *Emitter) Pause(ctx context.Context, name, reason string) error {
	return e.set(ctx, name, queue.EndpointPaused, reason)
}

// Resume lets attempts at an endpoint continue, even if it was disabled, forgets
// how long it has been failing, and brings forward what waits for a retry. It is
// idempotent, and fails with [ErrUnknownEndpoint] for an endpoint that is not
// applied.
func (e *Emitter) Resume(ctx context.Context, name string) error {
	return e.set(ctx, name, queue.EndpointActive, "")
}

func (e *Emitter) set(ctx context.Context, name string, status queue.EndpointStatus, reason string) error {
	e.mu.Lock()
	_, known := e.active[name]
	s := e.standings[name]
	e.mu.Unlock()
	if !known {
		return fmt.Errorf("%w: %s", ErrUnknownEndpoint, name)
	}
	was := e.Status(name)
	if !s.set(status, reason, e.options.Now()) {
		return nil
	}
	if was == queue.EndpointDisabled && status == queue.EndpointActive {
		e.options.Notify(Notice{Type: EndpointRecovered, At: e.options.Now(), State: s.view().EndpointState})
	}
	if err := e.save(ctx, s, byOperator); err != nil {
		return err
	}
	if status == queue.EndpointActive {
		e.resumed(ctx, name)
	}
	return nil
}

// Standing is the state of an endpoint and of its attempts.
type Standing struct {
	queue.EndpointState
	// InFlight counts attempts under way, and Allowed is how many there may be:
	// fewer than the endpoint's concurrency while its receiver is down or asks
	// for less. Allowed is 0 for an endpoint whose receivers are named by
	// requests.
	InFlight int `json:"in_flight"`
	Allowed  int `json:"allowed,omitempty"`
	// Down is true if the receiver was found down. RetryAt is when it is tried
	// again, or gets the next attempt.
	Down    bool      `json:"down,omitempty"`
	RetryAt time.Time `json:"retry_at,omitzero"`
	// Unrecorded counts attempts that the queue could not record yet.
	Unrecorded int `json:"unrecorded,omitempty"`
}

// Standings returns the standings of the applied endpoints, by name.
func (e *Emitter) Standings() map[string]Standing {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.options.Now()
	all := make(map[string]Standing, len(e.active))
	for name, d := range e.active {
		all[name] = d.standing.in(d.limits, now)
	}
	return all
}

// InFlight returns how many bytes are in flight, over all endpoints.
func (e *Emitter) InFlight() int64 {
	return e.gate.inFlight()
}

// Receives reports whether an endpoint gets deliveries: it is applied, and
// neither paused nor disabled. Before the first Apply, it reports true for
// every endpoint.
func (e *Emitter) Receives(name string) bool {
	e.mu.Lock()
	_, applied := e.active[name]
	known := e.restored
	e.mu.Unlock()
	return !known || applied && e.Status(name) == queue.EndpointActive
}

// Status returns whether an endpoint gets deliveries: active, unless paused or
// disabled is known. [Emitter.Standings] says how it fares.
func (e *Emitter) Status(name string) queue.EndpointStatus {
	e.mu.Lock()
	s, ok := e.standings[name]
	e.mu.Unlock()
	if !ok {
		return queue.EndpointActive
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.present().Status
}

func (s *standing) view() Standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Standing{EndpointState: condition(s.present(), s.health), InFlight: s.inFlight, Unrecorded: len(s.unrecorded)}
}

// in is view with the limits of the endpoint's one receiver.
func (s *standing) in(l limits, now time.Time) Standing {
	view := s.view()
	if l.receiver == "" {
		return view
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.receiver(l.receiver)
	view.Allowed, view.Down = r.breaker.allowed(l.concurrency), r.breaker.open()
	if r.breaker.wait(now) > 0 {
		view.RetryAt = r.breaker.until
	}
	return view
}

// report announces what an attempt changed for an endpoint, and saves it.
func (d *dispatcher) report(changed change, state queue.EndpointState, at time.Time) {
	notice := Notice{At: at, State: state}
	switch changed {
	case unchanged:
		return
	case nowFailing:
		notice.Type = EndpointFailing
		d.logger.Warn("the endpoint is failing", zap.Time("since", state.Since), zap.Int("failures", state.Failures),
			zap.String("reason", state.Reason), zap.String("remedy", "it is tried again, and gets what waits when it works; caddy webhooks retry "+state.Name))
	case recovered:
		notice.Type = EndpointRecovered
		d.logger.Info("the endpoint works again")
	case exhausted:
		notice.Type = EndpointDisabled
		d.logger.Error("the endpoint is disabled and gets nothing more until it is resumed",
			zap.Time("since", state.Since), zap.String("reason", state.Reason), zap.String("remedy", "caddy webhooks resume "+state.Name))
	}
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	if err := d.emitter.save(ctx, d.standing, byAttempt); err != nil {
		d.options.Metrics.QueueFailed(d.standing.name)
		d.logger.Error("the endpoint's state was not stored; a restart forgets it", zap.Error(err))
	}
	d.options.Notify(notice)
}
