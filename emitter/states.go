// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// States is the part of the queue that keeps the states of endpoints, as records of
// [queue.KindState].
type States interface {
	Change(ctx context.Context, changes ...queue.Record) (version uint64, err error)
	Record(ctx context.Context, kind, id string) (queue.Record, error)
	Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error)
}

// restore reads the states of endpoints that an earlier process stored. The
// caller holds the lock.
func (e *Emitter) restore() error {
	if e.restored || e.options.States == nil {
		e.restored = true
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), restoreTimeout)
	defer cancel()
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		kept, next, err := e.options.States.Records(ctx, queue.KindState, page)
		if err != nil {
			return fmt.Errorf("reading which endpoints are paused or disabled: %w", err)
		}
		for _, r := range kept {
			e.restoreOne(r)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	e.restored = true
	return nil
}

func (e *Emitter) restoreOne(r queue.Record) {
	s := e.standing(r.ID)
	s.version = r.Version
	state, err := queue.EndpointStateOf(r)
	if err != nil {
		e.options.Logger.Error("the state of an endpoint cannot be read, and it gets deliveries",
			zap.Error(err), zap.String("remedy", "if it was paused, caddy webhooks pause "+r.ID))
		return
	}
	s.restore(state)
}

// author is who changes an endpoint's state.
type author bool

const (
	byAttempt  author = false
	byOperator author = true
)

// save writes an endpoint's state. If several are written at once, the latest
// is written last. If another process has written one meanwhile, what an operator
// has said there counts, see [merged].
func (e *Emitter) save(ctx context.Context, s *standing, by author) error {
	if e.options.States == nil {
		return nil
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	for {
		s.mu.Lock()
		state := s.state
		s.mu.Unlock()
		kept, err := state.Record(s.version)
		if err == nil {
			var version uint64
			if version, err = e.options.States.Change(ctx, kept); err == nil {
				s.version = version
				if kept.Value == nil {
					s.version = 0
				}
				return nil
			}
		}
		if errors.Is(err, queue.ErrConflict) {
			err = e.adopt(ctx, s, by)
		}
		if err != nil {
			return fmt.Errorf("storing the state of endpoint %s: %w", s.name, err)
		}
	}
}

// adopt merges what another process has written into an endpoint's state. An
// operator also overwrites what cannot be read.
func (e *Emitter) adopt(ctx context.Context, s *standing, by author) error {
	theirs := queue.EndpointState{Name: s.name, Status: queue.EndpointActive}
	kept, err := e.options.States.Record(ctx, queue.KindState, s.name)
	s.version = kept.Version
	if err == nil {
		theirs, err = queue.EndpointStateOf(kept)
	}
	switch {
	case errors.Is(err, queue.ErrNotFound):
		s.version = 0
	case err != nil && (by != byOperator || ctx.Err() != nil || errors.Is(err, queue.ErrClosed)):
		return err
	case err != nil:
		s.version = queue.AnyVersion
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = merged(s.state, theirs, by)
	s.signal()
	return nil
}

// merged returns the state of an endpoint that two processes have changed: what an
// operator said last, and otherwise what stops deliveries.
func merged(ours, theirs queue.EndpointState, by author) queue.EndpointState {
	switch {
	case by == byOperator, theirs.Status == queue.EndpointActive:
		return ours
	case ours.Status == queue.EndpointActive, theirs.Status == queue.EndpointPaused:
		return theirs
	}
	return ours
}
