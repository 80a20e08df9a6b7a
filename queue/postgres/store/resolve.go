// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// resolving is a resolution on its way.
type resolving struct {
	number     int64
	resolution queue.Resolution
	// awaited is true if its caller waits to hear that it is done.
	awaited bool
	done    chan error
}

// maxMarks limits the marks of one step. The contract asks for 10,000.
const maxMarks = 20_000

// ResolveIntent implements [queue.Intents].
func (s *Store) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	if len(resolution.Marks) > maxMarks {
		return fmt.Errorf("%w: %d marks", queue.ErrTooLarge, len(resolution.Marks))
	}
	r := &resolving{number: int64(id), resolution: resolution, awaited: durable, done: make(chan error, 1)}
	r.resolution.Marks = slices.Clone(resolution.Marks)
	for i := range r.resolution.Marks {
		m := &r.resolution.Marks[i]
		m.Callback = bytes.Clone(m.Callback)
	}
	if err := s.resolves.give(ctx, r); err != nil || !durable {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resolve closes intents, and makes their marks, in one transaction. If that fails, each is
// tried alone, so that nobody pays for another one's.
func (s *Store) resolve(all []*resolving) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, one := range all {
		s.awaitNote(ctx, one.number)
	}
	landed := s.outage.begin()
	err := s.transact(ctx, kept, func(t *step) error { return s.resolveIn(ctx, t, all) })
	landed(err)
	if err != nil && len(all) > 1 && !unanswered(err) {
		for _, one := range all {
			s.resolve([]*resolving{one})
		}
		return
	}
	for _, one := range all {
		if unanswered(err) && !one.awaited && s.outage.keep(one) {
			continue
		}
		if err != nil {
			s.logger.Error("the outcome of an exchange could not be kept; its object is looked at when the exchange counts as stale", zap.Error(err))
		}
		one.done <- err
	}
}

// awaitNote waits for an intent that is still on its way, as its caller may have left before
// it was written. Otherwise it would be written after it was closed, and stay open for good.
func (s *Store) awaitNote(ctx context.Context, number int64) {
	if n, ok := s.writing.Load(number); ok {
		select {
		case <-n.(*noting).written:
		case <-ctx.Done():
		}
	}
}

func (s *Store) resolveIn(ctx context.Context, t *step, all []*resolving) error {
	var keys, receivers []event.Key
	for _, one := range all {
		for i := range one.resolution.Marks {
			keys = append(keys, one.resolution.Marks[i].Key)
		}
		receivers = append(receivers, receiversOf(one.resolution.Marks)...)
	}
	b := &batch{}
	now := s.now()
	if len(keys) > 0 {
		m, err := s.lock(ctx, t, keys, receivers, true)
		if err != nil {
			return err
		}
		for _, one := range all {
			for _, added := range one.resolution.Marks {
				m.add(added)
			}
		}
		m.write(b)
	}
	var numbers []int64
	for _, one := range all {
		if one.resolution.Unresolved != "" {
			b.do(`with closed as (delete from webhooks.intent where id = $1 returning id, resource, record)
				insert into webhooks.unresolved (id, resource, at, reason, record) select id, resource, $2, $3, record from closed`,
				one.number, now, []byte(one.resolution.Unresolved))
		} else if one.number != 0 {
			numbers = append(numbers, one.number)
		}
	}
	if len(numbers) > 0 {
		b.do("delete from webhooks.intent where id = any($1)", numbers)
	}
	if err := t.end(ctx, b); err != nil {
		return err
	}
	s.ringMarks(keys)
	return nil
}

// ringMarks wakes those who wait for marks of some resources.
func (s *Store) ringMarks(keys []event.Key) {
	rung := make(map[string]bool)
	for _, key := range keys {
		if !rung[key.Resource] {
			rung[key.Resource] = true
			s.waiting.ring(marksOf(key.Resource))
		}
	}
}
