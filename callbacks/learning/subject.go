// SPDX-License-Identifier: Apache-2.0

package learning

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// subject is what is learned of one type.
type subject struct {
	made   catalogue.Made
	budget *rate.Limiter

	mu sync.Mutex
	// seen is what this process has seen, and written what the record is known to have.
	seen, written catalogue.Schema
}

// learn widens the schema by a payload. One that is not JSON teaches nothing. What is
// hidden was taken out when the event was made.
func (s *subject) learn(payload []byte) {
	shape, err := catalogue.Infer(payload, event.Projection{})
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = s.seen.Merge(shape)
}

// write writes the record, if something was seen that it does not have. The record may have
// been widened by another process.
func (s *subject) write(ctx context.Context, store Store) error {
	s.mu.Lock()
	seen, written := s.seen, s.written
	s.mu.Unlock()
	if written.Merge(seen).Equal(written) {
		return nil
	}
	for {
		known, version, err := s.kept(ctx, store)
		if err != nil {
			return err
		}
		merged := known.Merge(seen)
		if !merged.Equal(known) {
			_, err = store.Change(ctx, queue.Record{Kind: Kind, ID: s.made.ID(), Version: version, Value: merged.Encode(s.made.Projection)})
		}
		switch {
		case errors.Is(err, queue.ErrConflict):
			continue
		case err != nil:
			return err
		}
		s.mu.Lock()
		s.written = merged
		s.mu.Unlock()
		return nil
	}
}

// kept returns the schema of the record, and its version. A record that cannot be used
// knows nothing: it was learned when other fields were hidden, or by another version of
// this module.
func (s *subject) kept(ctx context.Context, store Store) (catalogue.Schema, uint64, error) {
	record, err := store.Record(ctx, Kind, s.made.ID())
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return catalogue.Schema{}, 0, nil
	case err != nil:
		return catalogue.Schema{}, 0, err
	}
	if known, err := catalogue.Decode(record.Value, s.made.Projection); err == nil {
		return known, record.Version, nil
	}
	// It is written anew, whatever of it was known.
	s.mu.Lock()
	s.written = catalogue.Schema{}
	s.mu.Unlock()
	return catalogue.Schema{}, record.Version, nil
}

// known returns what is kept, and what was seen since.
func (s *subject) known(ctx context.Context, store Store) (catalogue.Schema, error) {
	kept, _, err := s.kept(ctx, store)
	if err != nil {
		return kept, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return kept.Merge(s.seen), nil
}
