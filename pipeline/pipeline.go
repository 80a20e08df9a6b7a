// SPDX-License-Identifier: Apache-2.0

// Package pipeline holds a queue and its workers: the intake in front of it,
// reconciling, deliveries, retention. It outlives configurations: a configuration
// hands it one [Config] when it starts, and the last one that has started and not
// stopped is at work.
//
// While the queue cannot be open, because its disk is full or its files are
// damaged, the pipeline goes on without it, and opens it when it can. One immutable
// state says whether the queue is open.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
	"github.com/caddy-webhooks/caddy-webhooks/queue/retention"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

// stopTimeout limits how long stopping waits for Shows and attempts under way.
// Their marks and deliveries are in the queue, so cutting them short loses nothing.
const stopTimeout = 5 * time.Second

// closeTimeout limits how long the end of a queue holds up a reload or an exit.
const closeTimeout = 3 * stopTimeout

// Pipeline is a queue and its workers. Use [New].
type Pipeline struct {
	// Intake takes intents and resolutions.
	Intake *intake.Intake

	env    Environment
	engine queue.Engine
	log    *zap.Logger
	keeper *retention.Keeper

	// state says whether the queue is open. It is read without a lock, and
	// changed under mu only, by change.
	state atomic.Pointer[state]
	// keyring seals secrets in the queue; nil until the directory belongs to this
	// process, or if there is no key.
	keyring atomic.Pointer[seal.Keyring]
	// atWork is the configuration that was last put to work on an open queue.
	atWork atomic.Pointer[Config]

	mu      sync.Mutex
	monitor *monitor
	// opening says how the queue is opened while no configuration has started:
	// as the one that is about to start says, or the last that was at work.
	opening Opening
	// place is where the queue was when it was last open, "" before that.
	place string
	// idle is why the last configuration is not at work on the open queue.
	idle error
	// started holds the configurations that have started and not stopped,
	// oldest first: when a new one fails to start, the one before takes over
	// again.
	started []*Config
	// policy and transport lead to the receivers. Configurations with the same
	// policy share a transport and its connections, and the endpoints that
	// they share go on undisturbed.
	policy    egress.Policy
	transport *egress.Transport
}

// state says whether the queue is open, and why not. It is immutable. The zero
// state is that of a queue that nobody has used yet.
type state struct {
	// session is the open queue and its workers; nil while it is not open.
	session *session
	// opening is the attempt to open the queue that is under way, nil for none.
	opening *opening
	// trouble is why the queue is not open; nil while it is open, and until the
	// first attempt to open it has ended.
	trouble *trouble
	// closing is true while a queue that has failed is being closed.
	closing bool
	// ended is true when the pipeline has ended.
	ended bool
}

// undecided reports whether it is not known yet if the queue can be opened.
func (s *state) undecided() bool {
	return s.session == nil && s.trouble == nil
}

// trouble is why the queue is not open.
type trouble struct {
	err   error
	since time.Time
}

// New returns the pipeline of an engine's queue. It touches nothing on disk:
// configurations are also provisioned to be validated, while another process holds
// the queue. First says how the queue is opened if an exchange comes before a
// configuration has started.
func New(engine queue.Engine, first Opening, env Environment) *Pipeline {
	if env.OpenTimeout == 0 {
		env.OpenTimeout = queue.Timeout
	}
	if env.DiskTimeout == 0 {
		env.DiskTimeout = queue.Timeout
	}
	p := &Pipeline{env: env, engine: engine, opening: first, log: env.Logger("engine")}
	p.state.Store(new(state))
	p.Intake = intake.New(p, intake.Options{
		Dir: engine.Dir(), Timeout: env.DiskTimeout,
		Metrics: env.Metrics, Logger: p.log, GapsLogger: env.Logger("gaps"),
	})
	p.keeper = retention.NewKeeper(retention.Options{
		Settings: p.retention, Tables: p.tables, Receives: p.receives,
		Metrics: env.Metrics, Logger: p.log, ExpiryLogger: env.Logger("expiring"),
	})
	return p
}

// open returns the open queue and its workers, nil while it is not open.
func (p *Pipeline) open() *session {
	return p.state.Load().session
}

// Queue returns the open queue, nil while it is not open.
func (p *Pipeline) Queue() queue.Store {
	if s := p.open(); s != nil {
		return s.store
	}
	return nil
}

// Failed implements [intake.Door]. A server that is away says nothing of the disk that
// the journal is on.
func (p *Pipeline) Failed() bool {
	trouble := p.state.Load().trouble
	return trouble != nil && !errors.Is(trouble.err, queue.ErrAway)
}

// Engine returns the engine of the queue.
func (p *Pipeline) Engine() queue.Engine { return p.engine }

// Keeper returns the keeper of the retention.
func (p *Pipeline) Keeper() *retention.Keeper { return p.keeper }

// change replaces the state. The caller holds the lock.
func (p *Pipeline) change(change func(*state)) {
	next := *p.state.Load()
	change(&next)
	p.state.Store(&next)
}

// Start puts a configuration to work, now or as soon as the queue is open.
func (p *Pipeline) Start(c *Config) error {
	p.mu.Lock()
	if len(p.started) == 0 {
		p.opening = c.Opening
	}
	p.mu.Unlock()
	for {
		if _, err := p.Enter(context.Background()); err != nil && !errors.Is(err, queue.ErrNotOpen) {
			return err
		}
		if joined, err := p.join(c); joined || err != nil {
			return err
		}
		// The opening has failed in the meantime; the next round says why.
	}
}

// nextOpening returns how the queue is opened next. A configuration that could not
// start has no say in it. The caller holds the lock.
func (p *Pipeline) nextOpening() Opening {
	if last := len(p.started) - 1; last >= 0 {
		return p.started[last].Opening
	}
	return p.opening
}

// join adds a configuration to those that have started.
func (p *Pipeline) join(c *Config) (joined bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state.Load()
	if s.ended {
		return false, queue.ErrClosed
	}
	if s.undecided() {
		if s.opening == nil {
			return false, nil
		}
		// It is put to work when the opening ends.
		p.log.Warn("the queue takes long to open: the API is served, and what passes is kept beside it until it is open")
		p.started = append(p.started, c)
		return true, nil
	}
	p.loadKeyring(c.Keys)
	if s.session != nil {
		if err := p.apply(s.session, c); err != nil {
			return false, err
		}
		p.idle = nil
	}
	p.started = append(p.started, c)
	return true, nil
}

// Stop takes a configuration from work. The queue stays open: requests of the
// configuration may still be under way. It is idempotent, and does nothing for a
// configuration that has not started.
func (p *Pipeline) Stop(c *Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	session := p.open()
	for i, other := range p.started {
		if other != c {
			continue
		}
		last := i == len(p.started)-1
		p.started = append(p.started[:i:i], p.started[i+1:]...)
		switch {
		case !last || session == nil:
		case i > 0:
			p.takeUp(session)
		default:
			session.rest(p.log)
		}
		return
	}
}

// Replace puts a configuration in the place of one that has started, and of which no
// more has changed than endpoints and keys. It does nothing if that one has stopped.
func (p *Pipeline) Replace(old, with *Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.started, old)
	if i < 0 {
		return
	}
	p.started[i] = with
	// Until the queue was opened, its directory may be another process's.
	if i == len(p.started)-1 && !p.state.Load().undecided() {
		p.loadKeyring(with.Keys)
		p.takeUp(p.open())
	}
}

// apply puts a configuration to work in place of the one before. The caller holds
// the lock.
func (p *Pipeline) apply(s *session, c *Config) error {
	transport := p.transport
	if transport == nil || !p.policy.Equal(c.Policy) {
		transport = c.Transport
	}
	if err := s.applyEndpoints(c); err != nil {
		return err
	}
	if err := p.deliver(s, c, transport); err != nil {
		return err
	}
	if p.transport != nil && p.transport != transport {
		p.transport.Close()
	}
	transport.Keep(c.receiverTLS())
	p.policy, p.transport = c.Policy, transport
	p.opening = c.Opening
	s.store.Configure(c.Settings)
	p.atWork.Store(c)
	s.reconciler.Apply(s.routed(c.Plan))
	return nil
}

// takeUp puts the last configuration to work, because the queue was opened after
// its start or because the one after it has stopped. If that fails, the monitor
// tries again. The caller holds the lock.
func (p *Pipeline) takeUp(s *session) {
	p.idle = nil
	last := len(p.started) - 1
	if s == nil || last < 0 {
		return
	}
	if p.idle = p.apply(s, p.started[last]); p.idle != nil {
		p.log.Error("the configuration cannot be put to work on the queue", zap.Error(p.idle))
	}
}

// Started returns the last configuration that has started and not stopped, nil for
// none.
func (p *Pipeline) Started() *Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.started) == 0 {
		return nil
	}
	return p.started[len(p.started)-1]
}

// Observe compares a Show that passed with what is known, when there is time.
func (p *Pipeline) Observe(observation reconcile.Observation) {
	if s := p.open(); s != nil {
		s.observer.Observe(observation)
	}
}

// retention returns how much history is kept.
func (p *Pipeline) retention() retention.Settings {
	c := p.atWork.Load()
	if c == nil {
		return retention.Settings{}
	}
	return retention.Settings{Age: c.Retention, Size: c.RetentionSize, Lag: c.Lag}
}

// tables returns the size of the queue's tables.
func (p *Pipeline) tables() int64 {
	tables, _, _ := queue.FilerOf(p.engine).DiskUsage()
	return tables
}

// receives reports whether an endpoint gets deliveries at present. While no
// configuration is at work, that is not known, and counts as true.
func (p *Pipeline) receives(endpoint string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.open()
	if len(p.started) == 0 || s == nil {
		return true
	}
	return s.sending.emitter.Receives(endpoint)
}

// Destruct ends all work and closes the queue, because no configuration uses it any
// more. If a disk hangs, Destruct returns an error, and the closing goes on in the
// background.
func (p *Pipeline) Destruct() error {
	ended := make(chan error, 1)
	go func() { ended <- p.end() }()
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case err := <-ended:
		return err
	case <-timeout.C:
		return fmt.Errorf("closing the queue in %s: its disk has not answered for %s", p.engine.Dir(), closeTimeout)
	}
}

// end ends all work and closes the queue.
func (p *Pipeline) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	p.mu.Lock()
	p.change(func(s *state) { s.ended = true })
	monitor, opening := p.monitor, p.state.Load().opening
	p.mu.Unlock()
	// The monitor ends first: it opens and closes the queue by itself.
	if monitor != nil {
		monitor.stop()
	}
	if opening != nil {
		select {
		case <-opening.done:
		case <-ctx.Done():
			p.log.Warn("the queue is still being opened; it is closed when it is open")
		}
	}
	p.mu.Lock()
	session := p.open()
	p.change(func(s *state) { s.session = nil })
	p.mu.Unlock()
	var err error
	if session != nil {
		err = session.stop(ctx, p.log)
	}
	if p.transport != nil {
		p.transport.Close()
	}
	if err := errors.Join(err, p.Intake.Close()); err != nil {
		return fmt.Errorf("closing the queue in %s: %w", p.engine.Dir(), err)
	}
	return nil
}
