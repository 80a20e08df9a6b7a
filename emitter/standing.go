// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// standing is what is known of one endpoint, however often its settings change.
type standing struct {
	name string
	// wake wakes the dispatcher after a change that it may wait for.
	wake chan struct{}
	// saving lets one state at a time be written, the latest last. It guards
	// version, that of the stored state, 0 if none is.
	saving  sync.Mutex
	version uint64

	mu sync.Mutex
	// state says whether the endpoint gets deliveries, and why not.
	state  queue.EndpointState
	health health
	// waits is true while the endpoint's owner wants its deliveries to wait. It is
	// not part of the state, which is the operator's and the emitter's.
	waits bool
	// recovery says when what waits is brought forward.
	recovery recovery
	// receivers holds what is known of the endpoint's receivers: one, by its
	// URL; or those that requests have named, by receiverKey.
	receivers map[string]*receiver
	// hosts holds what is known of the hosts of receivers that requests have
	// named, and crowds of all receivers of a rank together. shrunk is when
	// receivers were last forgotten.
	hosts    map[string]*receiver
	crowds   [ranks]receiver
	shrunk   time.Time
	inFlight int
	// held is how much memory the endpoint's attempts have taken.
	held int64
	// limiter enforces the endpoint's rate; nil is no limit.
	limiter *rate.Limiter
	limited endpoint.Rate
	// unrecorded holds the results of attempts that the queue could not record,
	// by event.
	unrecorded map[string]unrecorded
	// rest is when a queue that failed may be used again, and pause how long it
	// rests next time.
	rest  time.Time
	pause time.Duration
}

// receiver is what is known of one receiver of deliveries.
type receiver struct {
	breaker  breaker
	inFlight int
	// postponed counts deliveries that wait because too many are in flight.
	postponed int
	// proven is true if the receiver answered its last delivery.
	proven bool

	// Of a receiver that a request has named: whether it did not answer its last
	// delivery, how long its last answer took, and when its last attempt ended.
	failed bool
	took   time.Duration
	last   time.Time
}

func newStanding(name string) *standing {
	return &standing{
		name: name, wake: make(chan struct{}, 1), receivers: map[string]*receiver{}, hosts: map[string]*receiver{}, unrecorded: map[string]unrecorded{},
		state: queue.EndpointState{Name: name, Status: queue.EndpointActive},
	}
}

// restore restores what was known before a restart.
func (s *standing) restore(state queue.EndpointState) {
	s.state = state
	if !state.FailingSince.IsZero() {
		s.health = health{since: state.FailingSince, failures: state.Failures, reason: state.Reason, announced: true}
	}
}

// configure applies the settings of a new target.
func (s *standing) configure(t Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = t.Endpoint.Paused
	if rated := t.Endpoint.Rate; rated != s.limited {
		s.limited, s.limiter = rated, nil
		if !rated.IsZero() {
			s.limiter = rate.NewLimiter(rate.Limit(rated.PerSecond()), rated.Burst())
		}
	}
	if t.Resolve != nil {
		return
	}
	// Another URL is another receiver, about which nothing is known.
	for url, r := range s.receivers {
		if url != t.Endpoint.URL && r.inFlight == 0 {
			delete(s.receivers, url)
		}
	}
}

// present returns whether the endpoint gets deliveries, and why not. The caller holds
// the lock.
func (s *standing) present() queue.EndpointState {
	state := s.state
	if s.waits && state.Status == queue.EndpointActive {
		state.Status, state.Reason = queue.EndpointPaused, OwnerPaused
	}
	return state
}

// changed notes that the endpoint's settings have changed.
func (s *standing) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovery = s.recovery.changed()
}

// signal wakes the dispatcher.
func (s *standing) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// limits are the limits of a dispatcher.
type limits struct {
	concurrency int
	// perReceiver is the part of concurrency that one receiver gets.
	perReceiver int
	// underWay limits the deliveries that are being looked up, attempted or
	// recorded. Recording takes time in which the receiver is free for others.
	underWay int
	// memory is how much may be in flight before the endpoint waits.
	memory int64
	// receiver is the endpoint's one receiver; "" if requests name them.
	receiver string
}

// forever is a wait that only a signal ends.
const forever = time.Duration(1<<63 - 1)

// ready returns 0 if an attempt may begin, and otherwise how long to wait
// before checking again, unless there is a signal before.
func (s *standing) ready(l limits, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.present().Status != queue.EndpointActive:
		return forever
	case s.rest.After(now):
		return s.rest.Sub(now)
	case s.inFlight >= l.underWay || s.held >= l.memory:
		return forever
	}
	if l.receiver != "" {
		if wait := s.receiver(l.receiver).wait(l.perReceiver, now); wait > 0 {
			return wait
		}
	}
	if s.limiter != nil {
		if missing := 1 - s.limiter.TokensAt(now); missing > 0 {
			return max(time.Microsecond, time.Duration(missing/float64(s.limiter.Limit())*float64(time.Second)))
		}
	}
	return 0
}

// maxUnproven is how many attempts may be in flight to a receiver that has not
// answered yet, or did not answer its last delivery. Without it, a receiver
// that hangs would get a connection, with its handshake, for each event until
// the first of them times out, and other receivers would have to wait for that.
const maxUnproven = 8

// wait returns how long to wait before an attempt may begin.
func (r *receiver) wait(concurrency int, now time.Time) time.Duration {
	if !r.proven {
		concurrency = min(concurrency, maxUnproven)
	}
	if r.inFlight >= r.breaker.allowed(concurrency) {
		return forever
	}
	return r.breaker.wait(now)
}

// receiver returns what is known of a receiver. The caller holds the lock.
func (s *standing) receiver(name string) *receiver {
	r, ok := s.receivers[name]
	if !ok {
		r = &receiver{}
		s.receivers[name] = r
	}
	return r
}

// class returns the class of the endpoint's one receiver. If requests name the
// receivers, it is proven: some of them surely answered.
func (s *standing) class(l limits) class {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.receiver == "" || s.receiver(l.receiver).proven {
		return proven
	}
	return unproven
}

// postponement is how long a delivery waits if its receiver has as many
// attempts in flight as allowed; those that wait come back one after another.
const (
	postponement    = 100 * time.Millisecond
	maxPostponement = 30 * time.Second
)

// occupy takes a place for an attempt, and leave returns it.
func (s *standing) occupy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight++
	if s.limiter != nil {
		s.limiter.AllowN(now, 1)
	}
}

func (s *standing) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	s.signal()
}

// begin takes a place at a receiver, or returns how long to wait before trying
// again.
func (s *standing) begin(l limits, name string, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.present().Status != queue.EndpointActive {
		return forever
	}
	r := s.receiver(name)
	switch wait := r.wait(l.perReceiver, now); {
	case wait == forever:
		r.postponed++
		return min(maxPostponement, time.Duration(1+r.postponed/l.perReceiver)*postponement)
	case wait > 0:
		return wait
	}
	r.inFlight++
	r.postponed = max(0, r.postponed-1)
	return 0
}

// vacate returns a place at a receiver, after an attempt that says nothing
// about it.
func (s *standing) vacate(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receiver(name).inFlight--
	s.signal()
}

// end returns a place at a receiver after an attempt. Its results are what
// changed for the endpoint, and the endpoint's state.
func (s *standing) end(l limits, name string, f finished, disableAfter time.Duration) (change, queue.EndpointState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.receiver(name)
	r.inFlight--
	s.signal()
	r.breaker, r.proven = r.breaker.after(f, l.perReceiver), !f.down
	s.recovery = s.recovery.after(f)
	var changed change
	if !f.ours {
		s.health, changed = s.health.after(f.delivered, f.reason, f.ended, disableAfter)
	}
	if s.state.Status == queue.EndpointDisabled {
		changed = unchanged
	}
	switch {
	case s.state.Status != queue.EndpointDisabled && (f.disable != "" || changed == exhausted):
		reason := f.disable
		if reason == "" {
			reason = "every attempt failed for " + disableAfter.String()
		}
		s.state = queue.EndpointState{Name: s.name, Status: queue.EndpointDisabled, Reason: reason, Since: f.ended}
		changed = exhausted
		s.state.FailingSince, s.state.Failures = s.health.since, s.health.failures
	case changed == nowFailing:
		s.state.FailingSince, s.state.Failures, s.state.Reason = s.health.since, s.health.failures, s.health.reason
	case changed == recovered:
		s.state.FailingSince, s.state.Failures, s.state.Reason = time.Time{}, 0, ""
	}
	return changed, condition(s.present(), s.health)
}

// hold adds to the memory of the endpoint's attempts; a negative size returns
// it.
func (s *standing) hold(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += size
	if size < 0 {
		s.signal()
	}
}

// set changes whether the endpoint gets deliveries, and reports whether that is
// a change. An endpoint that returns starts anew.
func (s *standing) set(status queue.EndpointStatus, reason string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Status == status {
		return false
	}
	s.state = queue.EndpointState{Name: s.name, Status: status, Reason: reason, Since: now}
	if status == queue.EndpointActive {
		s.health = health{}
		for _, known := range []map[string]*receiver{s.receivers, s.hosts} {
			for _, r := range known {
				r.breaker = breaker{}
			}
		}
	} else {
		s.state.FailingSince, s.state.Failures = s.health.since, s.health.failures
	}
	s.signal()
	return true
}
