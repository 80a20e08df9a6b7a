// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
)

const (
	// monitorEvery is how often the free space is checked. Another program may
	// fill the disk within moments, and what Badger writes until it is closed
	// still has to fit in.
	monitorEvery = 100 * time.Millisecond
	// restEvery is how often while nothing changes on the disk and nothing is to be
	// done: looking is a third of what an idle queue costs. Each batch checks the
	// space by itself.
	restEvery = time.Second
	// retryEvery is how often the opening of a queue is tried again.
	retryEvery = 2 * time.Second
	// suspendTimeout limits how long workers keep a queue from being closed when
	// its disk is full.
	suspendTimeout = time.Second
)

// monitor closes the queue before its disk is full and when its disk cannot be
// used, opens it when that has passed, and has the gaps repaired that this made. It
// also runs the retention.
type monitor struct {
	pipeline *Pipeline
	cancel   context.CancelFunc
	done     chan struct{}
	kept     chan struct{} // closed when the retention has ended
	low      chan struct{} // wakes the retention when little space is left
	tried    time.Time     // when the opening was last tried
	level    queue.SpaceLevel
	free     uint64 // when it was last looked, in bytes
	// seen is the queue that was last checked for missing changes.
	seen queue.Store
}

func newMonitor(p *Pipeline) *monitor {
	ctx, cancel := context.WithCancel(context.Background())
	m := &monitor{pipeline: p, cancel: cancel, done: make(chan struct{}), kept: make(chan struct{}), low: make(chan struct{}, 1), tried: time.Now()}
	go m.run(ctx)
	go func() {
		defer close(m.kept)
		p.keeper.Run(ctx, m.low, p.Queue)
	}()
	return m
}

// stop ends monitoring and waits for it. It is idempotent.
func (m *monitor) stop() {
	m.cancel()
	<-m.done
	<-m.kept
}

func (m *monitor) run(ctx context.Context) {
	defer close(m.done)
	timer := time.NewTimer(monitorEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			m.look(ctx)
			timer.Reset(m.pause())
		}
	}
}

// pause returns how long to wait before the next look.
func (m *monitor) pause() time.Duration {
	before, store := m.free, m.pipeline.Queue()
	if store == nil {
		return monitorEvery
	}
	m.free, _ = queue.SpacerOf(store).FreeSpace()
	intake := m.pipeline.Intake
	if m.free != before || m.level != queue.SpaceEnough || intake.Unrepaired() || intake.Waiting() > 0 {
		return monitorEvery
	}
	return restEvery
}

// look does what is necessary now.
func (m *monitor) look(ctx context.Context) {
	p := m.pipeline
	store := p.Queue()
	if store == nil {
		m.tryOpening(ctx)
		return
	}
	if err := queue.CheckerOf(store).Check(); err != nil {
		p.suspend(err)
		return
	}
	m.checkSpace(store)
	p.mu.Lock()
	if p.idle != nil {
		p.takeUp(p.open())
	}
	p.mu.Unlock()
	if store = p.Queue(); store == nil {
		return
	}
	if m.seen != store {
		m.seen = store
		p.lookAtAll(ctx, store)
	}
	if p.Intake.HandOver(ctx, store) && m.level == queue.SpaceEnough {
		p.Intake.Repair(ctx, store, p.resources())
	}
}

// checkSpace closes the queue if its disk is nearly full, and reports a level of
// free space that has changed.
func (m *monitor) checkSpace(store queue.Store) {
	p := m.pipeline
	level := queue.SpacerOf(store).CheckSpace()
	if level == m.level && level != queue.SpaceCritical {
		return
	}
	m.level = level
	switch level {
	case queue.SpaceCritical:
		p.suspend(fmt.Errorf("%w: less than its critical free space is left", queue.ErrFull))
	case queue.SpaceLow:
		p.log.Warn("the disk of the queue has little free space: history is trimmed, and intents are noted by resource only")
		select {
		case m.low <- struct{}{}:
		default: // it is awake already
		}
	case queue.SpaceEnough:
		p.log.Info("the disk of the queue has enough free space")
	}
}

// resources returns the configured resources; nil while no configuration has
// started.
func (p *Pipeline) resources() []intake.Resource {
	c := p.Started()
	if c == nil {
		return nil
	}
	if c.Resources == nil {
		return []intake.Resource{}
	}
	return c.Resources
}

// lookAtAll has all objects looked at if changes are missing in a queue.
func (p *Pipeline) lookAtAll(ctx context.Context, store queue.Store) {
	recovered := queue.RecovererOf(store)
	if recovered.Lost() == 0 && !recovered.WasRestored() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, p.env.DiskTimeout)
	defer cancel()
	err := p.Intake.Whole(ctx)
	if err == nil {
		err = recovered.ForgetRestored()
	}
	if err != nil {
		p.log.Error("noting that the queue was restored; the next start will look at all objects again", zap.Error(err))
	}
}

// suspend closes the queue, because its disk is full or cannot be used, and leaves
// the API to go on without it.
func (p *Pipeline) suspend(reason error) {
	p.mu.Lock()
	session := p.open()
	if session == nil || p.state.Load().ended {
		p.mu.Unlock()
		return
	}
	p.fail(reason)
	p.change(func(s *state) { s.closing = true })
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.change(func(s *state) { s.closing = false })
	}()
	ctx, cancel := context.WithTimeout(context.Background(), suspendTimeout)
	defer cancel()
	var err error
	if errors.Is(reason, queue.ErrFull) {
		err = queue.FilerOf(p.engine).ReleaseReserve()
	}
	// This takes until the disk has taken what is only in logs.
	if err = errors.Join(err, session.stop(ctx, p.log)); err != nil {
		p.log.Error("closing the queue", zap.Error(err))
	}
}

// tryOpening opens the queue if that may work now.
func (m *monitor) tryOpening(ctx context.Context) {
	o := m.beginOpening()
	if o == nil {
		return
	}
	select {
	case <-o.done:
		if o.err == nil {
			m.level = queue.SpaceEnough
		}
	case <-ctx.Done():
		// The pipeline is ending, and waits for the opening itself.
	}
}

// beginOpening begins to open a queue that is not open, unless it is too early.
func (m *monitor) beginOpening() *opening {
	p := m.pipeline
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state.Load()
	if s.ended || s.trouble == nil || s.opening != nil {
		return nil
	}
	if errors.Is(s.trouble.err, queue.ErrFull) {
		if enough, _, _ := queue.FilerOf(p.engine).Room(p.nextOpening().Space); !enough {
			return nil
		}
	} else if time.Since(m.tried) < retryEvery {
		return nil
	}
	m.tried = time.Now()
	return p.beginOpening()
}
