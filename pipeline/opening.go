// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// opening is an attempt to open the queue. It goes on when nobody waits for it
// any more.
type opening struct {
	since time.Time
	done  chan struct{}
	// owned is closed when the directory belongs to this process: from then on,
	// the journal takes intents.
	owned chan struct{}
	// store and err are the result, once done is closed.
	store queue.Store
	err   error
}

// wait waits for the queue until ctx ends, or the opening has taken as long as
// timeout. After the timeout it still waits for the directory to belong to this
// process, since no intent survives a crash before that, but no longer than disk.
func (o *opening) wait(ctx context.Context, timeout, disk time.Duration) (queue.Store, error) {
	select {
	case <-o.done:
		return o.store, o.err
	default:
	}
	ctx, cancel := context.WithDeadline(ctx, o.since.Add(timeout+disk))
	defer cancel()
	enough := time.NewTimer(time.Until(o.since.Add(timeout)))
	defer enough.Stop()
	owned := (<-chan struct{})(nil) // nil until the timeout
	for {
		select {
		case <-o.done:
			return o.store, o.err
		case <-enough.C:
			owned = o.owned
		case <-owned:
			return nil, queue.ErrNotOpen
		case <-ctx.Done():
			return nil, queue.ErrNotOpen
		}
	}
}

// Enter returns the open queue, and begins to open it at its first use by a
// request or at the start of a configuration, whichever comes first: Caddy starts
// its apps in no certain order. If the queue cannot be opened, or not soon, the
// error is [queue.ErrNotOpen].
func (p *Pipeline) Enter(ctx context.Context) (queue.Store, error) {
	for {
		switch s := p.state.Load(); {
		case s.session != nil:
			return s.session.store, nil
		case s.trouble != nil:
			return nil, queue.ErrNotOpen
		case s.opening != nil:
			return s.opening.wait(ctx, p.env.OpenTimeout, p.env.DiskTimeout)
		}
		if err := p.openFirst(); err != nil {
			return nil, err
		}
	}
}

// openFirst begins to open the queue, unless that has been tried before.
func (p *Pipeline) openFirst() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state.Load()
	if s.ended {
		return queue.ErrClosed
	}
	if s.undecided() && s.opening == nil {
		p.beginOpening()
	}
	return nil
}

// beginOpening begins to open the queue. No other opening may be under way. The
// caller holds the lock.
func (p *Pipeline) beginOpening() *opening {
	o := &opening{since: time.Now(), done: make(chan struct{}), owned: make(chan struct{})}
	how := p.nextOpening()
	options := queue.OpenOptions{
		Settings: how.Settings, Space: how.Space, Place: p.place, Logger: p.env.Logger("queue"),
		Owned: func() {
			p.Intake.Own(how.Durability)
			p.loadKeyring(how.Keys)
			close(o.owned)
		},
	}
	p.change(func(s *state) { s.opening = o })
	go func() {
		defer close(o.done)
		// Without the lock: this may take long.
		store, err := p.engine.Open(options)
		if err == nil {
			p.Intake.Drain(store)
		}
		if o.store, o.err = p.finishOpening(o, store, err); o.store == nil && store != nil {
			// The pipeline has ended in the meantime, and nobody waits for it.
			if err := store.Close(); err != nil {
				p.log.Error("closing the queue", zap.Error(err))
			}
		}
	}()
	return o
}

// finishOpening puts an open queue to use, or notes why there is none.
func (p *Pipeline) finishOpening(o *opening, store queue.Store, err error) (queue.Store, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.change(func(s *state) { s.opening = nil })
	if p.state.Load().ended {
		return nil, queue.ErrClosed
	}
	if queue.Misconfigured(err) {
		err = fmt.Errorf("opening the queue: %w", err)
		if len(p.started) == 0 {
			// The configuration that is about to start gets the error.
			return nil, err
		}
	} else {
		p.Intake.OwnGaps()
	}
	if p.monitor == nil {
		p.monitor = newMonitor(p)
	}
	if err != nil {
		p.fail(err)
		store, err = nil, queue.ErrNotOpen
	} else {
		p.use(o, store)
	}
	// A configuration may have started in the meantime, without the queue.
	if last := len(p.started) - 1; last >= 0 {
		p.loadKeyring(p.started[last].Keys)
		p.takeUp(p.open())
	}
	return store, err
}

// use puts an open queue to use.
func (p *Pipeline) use(o *opening, store queue.Store) {
	before := p.state.Load().trouble
	p.place = queue.CheckerOf(store).Place()
	opened := newSession(store, p.env)
	p.newDirectory(opened)
	p.change(func(s *state) { s.session, s.trouble = opened, nil })
	if before != nil {
		p.log.Info("the queue is open again", zap.Duration("after", time.Since(before.since)))
	} else if took := time.Since(o.since); took > p.env.OpenTimeout {
		p.log.Info("the queue is open", zap.Duration("after", took))
	}
}

// fail notes why the queue is not open.
func (p *Pipeline) fail(err error) {
	before := p.state.Load().trouble
	p.change(func(s *state) { s.session, s.trouble = nil, &trouble{err: err, since: time.Now()} })
	if before == nil || before.err.Error() != err.Error() {
		p.log.Error("the queue is not open: the API goes on, changes are not told of until it is", zap.Error(err))
	}
}
