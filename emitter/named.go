// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"crypto/sha256"
	"errors"
	"net"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Receivers that requests name belong to people who do not know each other, and
// some of them mean harm. So places, breakers and pauses are each receiver's own,
// and those that are not known to answer have places of their own.

// rank is what is known of a receiver that a request has named.
type rank int

const (
	// answering: it answered its last delivery.
	answering rank = iota
	// unknown: it has not been sent any yet, or nothing is remembered of it.
	unknown
	// silent: it did not answer its last delivery.
	silent
	ranks
)

// places returns how many attempts receivers of a rank may have in flight
// together, for an endpoint's concurrency. Those that do not answer hold their
// places much longer, and there may be many of them at once.
func (r rank) places(concurrency int) int {
	switch r {
	case unknown:
		return 4 * concurrency
	case silent:
		return 2 * concurrency
	default:
		return concurrency
	}
}

const (
	// namedShare divides an endpoint's concurrency: one receiver gets an eighth.
	// One host, which may be a gateway of many, gets all of it.
	namedShare = 8
	// hurry is how long an attempt may take when many places of its rank, or of
	// its host, are taken, and hurryTimes how many times as long as the last
	// answer of its receiver or of its host took.
	hurry      = 2 * time.Second
	hurryTimes = 4
	// patient divides the places: so many attempts may take the endpoint's
	// timeout before others have to hurry.
	patient = 4
)

// receiverKey names a receiver. Its URL may hold secrets, and is not kept.
func receiverKey(url string) string {
	sum := sha256.Sum256([]byte(url))
	return string(sum[:16])
}

// rank returns the rank of a receiver that may not be remembered.
func (r *receiver) rank() rank {
	switch {
	case r == nil:
		return unknown
	case r.proven:
		return answering
	case r.failed:
		return silent
	default:
		return unknown
	}
}

// beginNamed takes a place for an attempt at a receiver that a request has named,
// or returns how long to wait before trying again.
func (s *standing) beginNamed(l limits, to *destination, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.present().Status != queue.EndpointActive {
		return forever
	}
	known := s.receivers[to.receiver]
	of := known.rank()
	size := of.places(l.concurrency)
	host := s.hosts[to.host]
	crowd := &s.crowds[of]
	wait := time.Duration(0)
	switch {
	case host != nil && host.breaker.wait(now) > 0:
		return host.breaker.wait(now)
	case known != nil && known.breaker.wait(now) > 0:
		return known.breaker.wait(now)
	case known != nil && known.inFlight >= known.breaker.allowed(l.perReceiver):
		wait = queueUp(&known.postponed, l.perReceiver)
	case host != nil && host.inFlight >= host.breaker.allowed(l.concurrency):
		wait = queueUp(&host.postponed, l.concurrency)
	case crowd.inFlight >= size:
		wait = queueUp(&crowd.postponed, size)
	}
	if wait > 0 {
		return wait
	}
	if known == nil {
		known = s.receiver(to.receiver)
	}
	if host == nil {
		host = &receiver{}
		s.hosts[to.host] = host
	}
	for _, one := range []*receiver{known, host, crowd} {
		one.inFlight++
		one.postponed = max(0, one.postponed-1)
	}
	to.rank = of
	if crowd.inFlight > size/patient || host.inFlight > l.concurrency/patient {
		to.timeout = max(hurry, hurryTimes*max(known.took, host.took))
	}
	return 0
}

// queueUp counts one more delivery that is postponed for want of a place, and
// returns for how long.
func queueUp(postponed *int, places int) time.Duration {
	*postponed++
	return min(maxPostponement, time.Duration(1+*postponed/max(1, places))*postponement)
}

// vacateNamed returns a place after an attempt that says nothing about its
// receiver.
func (s *standing) vacateNamed(to *destination, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveNamed(to, now)
}

// endNamed returns a place after an attempt.
func (s *standing) endNamed(l limits, to *destination, f finished, unreachable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, host := s.receiver(to.receiver), s.hosts[to.host]
	known.breaker = known.breaker.after(f, l.perReceiver)
	known.proven, known.failed = !f.down, f.down
	if !f.down {
		known.took = f.ended.Sub(f.began)
	}
	if host != nil {
		if !f.down {
			host.took = known.took
		}
		// What one receiver answers says nothing about others of its host. That
		// there is no connection does.
		said := f
		said.down, said.throttled, said.asked = unreachable, false, 0
		host.breaker = host.breaker.after(said, l.concurrency)
	}
	s.leaveNamed(to, f.ended)
}

// leaveNamed returns a place. The caller holds the lock.
func (s *standing) leaveNamed(to *destination, now time.Time) {
	s.crowds[to.rank].inFlight--
	if host := s.hosts[to.host]; host != nil {
		host.inFlight--
		host.last = now
	}
	known := s.receiver(to.receiver)
	known.inFlight--
	known.last = now
	s.shrink(now)
	s.signal()
}

const (
	// maxRemembered is how many receivers, and how many hosts, are remembered: some
	// 5 MB.
	maxRemembered = 16 << 10
	// remembered is for how long. A breaker's rest, and the retries of a delivery
	// that matter most, come within that.
	remembered = 30 * time.Minute
	// shrinkEvery is how often the others are looked for.
	shrinkEvery = time.Minute
)

// shrink forgets receivers that have had no attempt for long, or any, if there
// are too many. The caller holds the lock.
func (s *standing) shrink(now time.Time) {
	many := len(s.receivers) > maxRemembered || len(s.hosts) > maxRemembered
	if !many && now.Sub(s.shrunk) < shrinkEvery {
		return
	}
	s.shrunk = now
	forget(s.receivers, now)
	forget(s.hosts, now)
}

// forget forgets what is old. If there is too much, it forgets a quarter of it, so
// that it need not look through all of it again soon.
func forget(known map[string]*receiver, now time.Time) {
	most := maxRemembered
	if len(known) > maxRemembered {
		most -= maxRemembered / 4
	}
	for name, r := range known {
		old := now.Sub(r.last) > remembered && r.breaker.wait(now) == 0
		if r.inFlight == 0 && (old || len(known) > most) {
			delete(known, name)
		}
	}
}

// unreachable reports whether an attempt failed because there was no connection
// to the host.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
