// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

// pollInterval is the time between two checks whether a program is ready.
const pollInterval = 50 * time.Millisecond

// group runs programs that start and end together.
type group struct {
	// stages start one after the other, each when the previous one is ready.
	stages [][]program
	// out receives the programs' output.
	out *prefixer
	// probe requests a URL; no error means that it answers.
	probe func(ctx context.Context, url string) error
	// startTimeout limits how long a program takes to be ready, stopTimeout how
	// long it takes to end.
	startTimeout, stopTimeout time.Duration

	running []*process
	// died receives the first process that ends.
	died chan *process
}

// run starts everything, calls ready once everything answers, and returns when
// the context has ended (nil) or a program has failed (an error that names it).
// When it returns, nothing is running any more.
func (g *group) run(ctx context.Context, ready func()) error {
	g.died = make(chan *process, 1)
	err := g.startAll(ctx)
	if err == nil {
		ready()
		select {
		case dead := <-g.died:
			err = dead.death()
		case <-ctx.Done():
		}
	}
	g.stop()
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the group was told to end, so this is no failure
	}
	return err
}

// startAll starts the stages, once all ports are known to be free.
func (g *group) startAll(ctx context.Context) error {
	for _, stage := range g.stages {
		for _, p := range stage {
			if err := p.checkPorts(ctx); err != nil {
				return err
			}
		}
	}
	for _, stage := range g.stages {
		if err := g.start(ctx, stage); err != nil {
			return err
		}
	}
	return nil
}

// start starts the programs of a stage and waits until all are ready.
func (g *group) start(ctx context.Context, stage []program) error {
	for _, p := range stage {
		started, err := p.start(g.out.named(p.name))
		if err != nil {
			return err
		}
		g.running = append(g.running, started)
		go func() {
			<-started.done
			select {
			case g.died <- started:
			default: // another was first
			}
		}()
	}
	for _, p := range stage {
		for _, url := range p.ready {
			if err := g.waitReady(ctx, p, url); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *group) waitReady(ctx context.Context, p program, url string) error {
	deadline := time.NewTimer(g.startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		err := g.probe(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case dead := <-g.died:
			return dead.death()
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("%s is not ready after %s: %w", p.name, g.startTimeout, err)
		case <-poll.C:
		}
	}
}

// stop ends the running programs, last started first. It may be called again.
func (g *group) stop() {
	for i := len(g.running) - 1; i >= 0; i-- {
		g.running[i].stop(g.stopTimeout)
	}
	g.running = nil
	g.out.flush()
}
