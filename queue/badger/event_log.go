// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"cmp"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// spanShare is the part of the retention that a span takes: so early at most are readers
// told that a position has expired, and about so many spans there are.
const spanShare = 1024

// eventLog knows where the log of events begins and ends for its readers. What is left
// of the log does not show that: Badger drops expired rows by itself, trimming leaves
// events whose deliveries are pending, and retentions change. So a few numbers are kept
// with the events: the last position, the horizon, and the spans, by which the horizon
// moves while nobody writes anything.
type eventLog struct {
	// opened is the highest position that may have been given out before the queue was
	// opened.
	opened uint64

	// mu guards the rest. The committer alone changes it.
	mu sync.Mutex
	logState
	spans []span
	// durable is the last position that readers may see.
	durable uint64
}

// horizon returns the position up to which events may have been removed, and the last
// that readers may see.
func (l *eventLog) horizon(now time.Time, retention time.Duration) (horizon, durable uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.removedBy(now, retention), l.durable
}

func (l *eventLog) removedBy(now time.Time, retention time.Duration) uint64 {
	horizon := l.removed
	if l.unread {
		horizon = max(horizon, l.unindexed)
	}
	for i, s := range slices.Backward(l.spans) {
		if !s.over(now, retention) {
			continue
		}
		if i+1 < len(l.spans) {
			return max(horizon, l.spans[i+1].first-1)
		}
		return max(horizon, l.durable)
	}
	return horizon
}

// over reports whether events of the span may be gone: because Badger has dropped them, or
// because a shorter retention has come since.
func (s *span) over(now time.Time, retention time.Duration) bool {
	unix := now.Unix()
	return unix >= int64(s.expires) || unix >= int64(s.made)+int64(retention/time.Second)
}

// holds reports whether an event, which would be the first of the next span, belongs into
// this one.
func (s *span) holds(next *span) bool {
	length := max(1, next.life()/spanShare)
	return next.made >= s.made && next.made < s.made+length &&
		next.expires >= s.expires && next.expires < s.expires+length
}

// life is how long the first event is kept.
func (s *span) life() uint64 {
	return s.expires - min(s.made, s.expires)
}

// until returns a time at which all events of the span have expired. As holds lets one in
// that expires at most a share of its own life later than the first, that share of the
// first one's is little less.
func (s *span) until() uint64 {
	return s.expires + s.life()/(spanShare-1) + 1
}

// expiryOf returns a time at which the event at a position has expired, 0 for one that no
// reader can expect any more. Only the committer may call it.
func (l *eventLog) expiryOf(position uint64) uint64 {
	behind := sort.Search(len(l.spans), func(i int) bool { return l.spans[i].first > position })
	if behind == 0 {
		return 0
	}
	return l.spans[behind-1].until()
}

// since returns the positions between which the first event stands that was committed at
// a time or later: all others are behind it. The clock may have been set back.
func (l *eventLog) since(t time.Time) (after, upTo uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.spans {
		if i+1 == len(l.spans) {
			return l.spans[i].first - 1, l.durable
		}
		next := &l.spans[i+1]
		if int64(max(l.spans[i].made, next.made)) > t.Unix() {
			return l.spans[i].first - 1, next.first - 1
		}
	}
	return l.durable, l.durable
}

// adopting reports whether it is not known yet when the events of an earlier version were
// committed.
func (l *eventLog) adopting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unread
}

// withoutIndex returns the last position at which events may stand that no index has.
func (l *eventLog) withoutIndex() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unindexed
}

// publish makes the events of synced batches readable.
func (l *eventLog) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.durable = l.last
}

// logChange is what a batch changes of the log of events.
type logChange struct {
	logState
	// spans are new ones, and spent the first positions of those that are over.
	spans []span
	spent []uint64
}

// begin makes the change one that changes nothing yet. It needs no lock, as only the
// committer changes the log.
func (c *logChange) begin(l *eventLog) {
	c.logState = l.logState
	c.spans, c.spent = c.spans[:0], c.spent[:0]
}

// apply applies the change of a batch that is committed.
func (l *eventLog) apply(c *logChange) {
	if c.logState == l.logState {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logState = c.logState
	l.spans = slices.DeleteFunc(l.spans, func(s span) bool { return slices.Contains(c.spent, s.first) })
	l.spans = append(l.spans, c.spans...)
	slices.SortFunc(l.spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
}

// extend adds an event to the log that the batch will leave. Its rows expire at a time.
func (b *batch) extend(position, expires uint64) {
	now := b.s.now()
	retention := time.Duration(b.s.retention.Load())
	next := span{first: b.log.last + 1, made: uint64(max(0, now.Unix())), expires: expires}
	if last := b.lastSpan(); last == nil || !last.holds(&next) {
		b.beginSpan(next, now, retention)
	}
	b.log.last = position
}

// lastSpan returns the last span that the batch will leave, nil if there is none.
func (b *batch) lastSpan() (last *span) {
	for _, spans := range [][]span{b.s.events.spans, b.log.spans} {
		if n := len(spans); n > 0 && (last == nil || spans[n-1].first > last.first) {
			last = &spans[n-1]
		}
	}
	return last
}

// beginSpan begins another span, and keeps the horizon in place of those that are over.
func (b *batch) beginSpan(next span, now time.Time, retention time.Duration) {
	b.log.spans = append(b.log.spans, next)
	b.set(spanKey(nil, next.first), appendSpan(nil, &next))
	known := b.s.events.spans
	if len(known) == 0 || len(b.log.spent) > 0 {
		return
	}
	horizon, _ := b.s.events.horizon(now, retention)
	if b.log.unread || horizon <= b.log.removed {
		return
	}
	b.log.removed = horizon
	for i := range known[:len(known)-1] {
		if known[i+1].first-1 <= horizon {
			b.log.spent = append(b.log.spent, known[i].first)
			b.delete(spanKey(nil, known[i].first))
		}
	}
}

// writeLog writes where the log of events ends, if that has changed.
func (b *batch) writeLog() {
	if b.log.logState != b.s.events.logState {
		b.set(eventLogKey, b.key(func(k []byte) []byte { return appendLog(k, &b.log.logState) }))
	}
}

// raiseHorizon is the write that keeps a horizon, before what is below it is removed.
type raiseHorizon struct {
	waiter
	to uint64
}

func (wr *raiseHorizon) stage(b *batch) error {
	b.log.removed = max(b.log.removed, wr.to)
	return nil
}

func (wr *raiseHorizon) committed(*Store) {}
func (wr *raiseHorizon) aborted(*Store)   {}

// readable returns the oldest position from which feeds can be read, and the last that
// readers may see.
func (s *Store) readable() (oldest, latest uint64) {
	return s.events.horizon(s.now(), time.Duration(s.retention.Load()))
}

// placeOf returns the number of a position from which a feed can be read, and the last
// that readers may see.
func (s *Store) placeOf(p queue.Position) (number, latest uint64, err error) {
	number, ok := p.In(s.instance)
	oldest, latest := s.readable()
	if !ok || number < oldest || number > max(latest, s.events.opened) {
		return 0, latest, s.expired(oldest)
	}
	return number, latest, nil
}

func (s *Store) expired(oldest uint64) error {
	return &queue.ExpiredError{Oldest: queue.NewPosition(s.instance, oldest)}
}

// expiryOf returns the expiry of what is decided now about the event at a position. The
// feed of an endpoint finds its events by their deliveries, so these are kept as long as
// the event: it may be from a time of a longer retention, which may come back.
func (s *Store) expiryOf(position uint64) uint64 {
	return max(s.expiry(), s.events.expiryOf(position))
}

// behind returns a position behind which all events are that were committed at a time or
// later, 0 if that is not known.
func (s *Store) behind(t time.Time) uint64 {
	if t.IsZero() || s.events.adopting() {
		return 0
	}
	after, _ := s.events.since(t.Add(-late))
	return after
}
