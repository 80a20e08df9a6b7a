// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"time"
)

// attempts is how often a step is tried that others are faster with: another process
// that handles the same object.
const attempts = 8

// How often the store is looked at for an event that waits.
const (
	looksWhileHeld = 10
	minLook        = 10 * time.Millisecond
)

// passage is the way of one event through its lane.
type passage struct {
	r    *Receiver
	e    *Event
	lane *lane
	// holding is true while the event is among those that wait.
	holding bool
	// fetched is true once the feed was read to its end: what is still missing will not
	// come.
	fetched bool
	// failures are those of the lane that are known. Again is true if there was another: the
	// time of waiting begins again.
	failures int
	again    bool
}

// take handles an event at its turn, unless it was handled. It returns nil when it is
// handled.
func (r *Receiver) take(ctx context.Context, e *Event) (err error) {
	name := "object " + e.Object
	if !e.ordered() {
		name = "event " + e.ID
	}
	p := &passage{r: r, e: e, lane: r.lanes.enter(name), fetched: e.FromFeed}
	defer r.lanes.leave(p.lane)
	defer func() { p.stop(err) }()
	moved, err := p.look(ctx)
	if err == nil && moved != nil {
		err = p.await(ctx, moved)
	}
	return err
}

// fetch is the end of reading the feed.
type fetch struct{ err error }

// await waits for the event's turn, and handles it.
func (p *passage) await(ctx context.Context, moved <-chan struct{}) error {
	held := time.NewTimer(max(p.r.options.Hold, 0))
	defer held.Stop()
	// Another process may handle what is missing; it wakes nobody here.
	again := time.NewTicker(max(p.r.options.Hold/looksWhileHeld, minLook))
	defer again.Stop()
	var fetched chan fetch
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		if fetched != nil {
			<-fetched
		}
	}()
	for {
		select {
		case <-moved:
		case <-again.C:
		case <-held.C:
			if p.r.feed == nil || p.fetched {
				p.giveUp()
				break
			}
			if fetched != nil {
				break
			}
			// What is fetched may have to wait for this event: it goes on looking.
			fetched = make(chan fetch, 1)
			go func() { fetched <- fetch{p.r.CatchUp(ctx)} }()
		case done := <-fetched:
			fetched = nil
			if done.err != nil {
				return p.failed(ctx, errors.Join(ErrFeed, done.err))
			}
			p.fetched = true
			p.giveUp()
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if moved, err = p.look(ctx); err != nil || moved == nil {
			return err
		}
		if p.again {
			held.Reset(max(p.r.options.Hold, 0))
			p.again = false
		}
	}
}

// look handles the event if it is its turn. Otherwise it returns what is closed when it
// should look again.
func (p *passage) look(ctx context.Context) (moved <-chan struct{}, err error) {
	if err := p.lane.lock(ctx); err != nil {
		return nil, err
	}
	defer p.lane.unlock()
	for range attempts {
		var seen Seen
		seen, err = p.r.options.Store.Look(ctx, p.e.ID, p.object(), p.e.Sequence)
		if err != nil {
			return nil, p.failed(ctx, err)
		}
		t := turnOf(p.e, seen)
		if t == early && !p.mayPass() || t == now && p.e.Op == OpSnapshot && !p.lane.first(p.e.Sequence) {
			return p.wait()
		}
		err = p.handle(ctx, seen, t)
		if !errors.Is(err, ErrMoved) {
			break
		}
	}
	if err != nil {
		p.lane.fail()
	}
	p.lane.wake()
	if err != nil {
		return nil, p.failed(ctx, err)
	}
	return nil, nil
}

func (p *passage) object() string {
	if p.e.ordered() {
		return p.e.Object
	}
	return ""
}

// mayPass reports whether an event may go although others are missing before it. The
// lowest of those that wait goes first.
func (p *passage) mayPass() bool {
	if p.r.options.Partial || p.fetched {
		p.lane.given = max(p.lane.given, p.e.Sequence)
	}
	if p.e.Sequence > p.lane.given {
		return false
	}
	if p.lane.first(p.e.Sequence) {
		return true
	}
	p.lane.wake()
	return false
}

// wait has the event wait for others, if there is room.
func (p *passage) wait() (<-chan struct{}, error) {
	if p.holding {
		if p.failures != p.lane.failures {
			p.failures, p.again = p.lane.failures, true
		}
		return p.lane.moved, nil
	}
	p.failures = p.lane.failures
	if len(p.lane.waiting) >= maxHeldOfObject || !p.r.lanes.reserve(p.r.options.MaxHeld) {
		return nil, ErrBusy
	}
	p.lane.waiting = append(p.lane.waiting, p.e.Sequence)
	p.holding = true
	return p.lane.moved, nil
}

// stop ends the waiting of an event, however it ended.
func (p *passage) stop(err error) {
	if !p.holding && err == nil {
		return
	}
	<-p.lane.free
	defer p.lane.unlock()
	if err != nil {
		p.lane.fail()
	}
	if p.holding {
		p.lane.stop(p.e.Sequence)
		p.r.lanes.release()
	}
	p.lane.wake()
}

// giveUp lets the event, and those before it that wait, go without what is missing.
func (p *passage) giveUp() {
	<-p.lane.free
	defer p.lane.unlock()
	if p.failures != p.lane.failures {
		return // meanwhile one has failed, which comes again
	}
	p.lane.given = max(p.lane.given, p.e.Sequence)
	p.lane.wake()
}

// handle handles the event, and remembers it.
func (p *passage) handle(ctx context.Context, seen Seen, t turn) error {
	if t == repeated {
		return nil
	}
	handle := p.r.options.Handle
	notice := Notice{Event: p.e, After: seen.Position, Before: p.e.Sequence}
	switch {
	case t == outdated, p.e.filtered:
		handle = nil
	case t == late:
		handle, notice.Kind = p.r.options.Late, Late
	case t == rewound:
		notice.Kind = Rewound
	case p.e.Op == OpTest:
		handle = p.r.options.Test
	case t == early && !p.fetched && !p.r.options.Partial:
		notice.Kind = Gap
	}
	if notice.Kind != "" && (t != late || handle == nil) {
		// Before, not after: a crash between the two must not make a loss a silent one.
		p.r.options.Notice(ctx, notice)
	}
	// The sender may go away meanwhile; see call.
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.r.options.Timeout)
	defer cancel()
	return p.r.options.Store.Take(limited, stepOf(p.e, seen, t), p.r.call(handle, p.e))
}

// failed tells of an error, which the sender is not told.
func (p *passage) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err // nobody waits for it any more
	}
	p.r.options.Notice(ctx, Notice{Kind: Failed, Event: p.e, Err: err})
	return err
}
