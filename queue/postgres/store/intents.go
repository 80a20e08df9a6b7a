// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// noting is an intent on its way.
type noting struct {
	number    int64
	resource  []byte
	deadline  int64
	abandoned bool
	objects   [][]byte
	record    []byte
	done      chan error
	// written is closed when nothing more happens to it.
	written chan struct{}
}

const (
	// maxTogether is how many intents, or resolutions, share one transaction.
	maxTogether = 256
	// patience limits how long one such transaction may take; its callers have long left.
	patience = 10 * time.Second
)

// NoteIntent implements [queue.Intents].
func (s *Store) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	number := s.self.Load().number()
	intent = s.intentIn(intent)
	n := &noting{
		number: number, resource: []byte(intent.Resource), deadline: nanos(intent.Deadline), abandoned: intent.Abandoned,
		record: record.AppendIntent(nil, &intent), done: make(chan error, 1), written: make(chan struct{}),
	}
	for _, key := range append([]event.Key{intent.Key}, intent.Touches...) {
		if !key.IsZero() {
			n.objects = append(n.objects, objectOf(key))
		}
	}
	s.writing.Store(number, n)
	if err := s.notes.give(ctx, n); err != nil {
		s.writing.Delete(number)
		return 0, err
	}
	id := queue.IntentID(number)
	select {
	case err := <-n.done:
		return id, err
	case <-ctx.Done():
		return id, ctx.Err()
	}
}

// intentIn translates the times of an intent.
func (s *Store) intentIn(intent queue.Intent) queue.Intent {
	intent.Noted, intent.Deadline = s.clock.in(intent.Noted), s.clock.in(intent.Deadline)
	return intent
}

// note writes intents that have come together. A node that is dead writes none: they would
// be stale at once, while their exchanges are under way.
func (s *Store) note(all []*noting) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	now := s.now()
	numbers, deadlines := make([]int64, len(all)), make([]int64, len(all))
	abandoned, records, resources := make([]bool, len(all)), make([][]byte, len(all)), make([][]byte, len(all))
	var of []int64
	var objects [][]byte
	for i, n := range all {
		numbers[i], deadlines[i], abandoned[i], records[i] = n.number, n.deadline, n.abandoned, n.record
		resources[i] = n.resource
		for _, object := range n.objects {
			of, objects = append(of, n.number), append(objects, object)
		}
	}
	landed := s.outage.begin()
	err := s.transact(ctx, kept, func(t *step) error {
		b := &batch{}
		node := s.self.Load().node
		b.do("select webhooks.require(exists (select from webhooks.node where id = $1 and not dead), '"+stateDead+"', 'this node is dead')", node)
		b.do(`insert into webhooks.intent (id, node, resource, noted, deadline, abandoned, objects, record)
			select i.id, $1, i.resource, $2, i.deadline, i.abandoned,
			  coalesce((select array_agg(o.object) from unnest($7::bigint[], $8::bytea[]) o (id, object) where o.id = i.id), '{}'), i.record
			from unnest($3::bigint[], $4::bigint[], $5::boolean[], $6::bytea[], $9::bytea[]) i (id, deadline, abandoned, record, resource)`,
			node, now, numbers, deadlines, abandoned, records, of, objects, resources)
		return t.end(ctx, b)
	})
	landed(err)
	for _, n := range all {
		s.writing.Delete(n.number)
		close(n.written)
		n.done <- err
	}
}

// StaleIntents implements [queue.Intents].
func (s *Store) StaleIntents(ctx context.Context, limit int) (stale []queue.Intent, err error) {
	var id int64
	var abandoned bool
	var fields []byte
	err = s.read(ctx, func(b *batch) {
		b.each([]any{&id, &abandoned, &fields}, func() error {
			intent, err := record.ParseIntent(queue.IntentID(id), fields)
			if err != nil {
				return err
			}
			intent.Abandoned = abandoned
			stale = append(stale, s.intentOut(intent))
			return nil
		}, `select i.id, i.abandoned, i.record from webhooks.intent i left join webhooks.node n on n.id = i.node
			where i.abandoned or n.id is null or n.dead or i.deadline <> $1 and i.deadline <= $2
			order by i.noted, i.id limit $3`, int64(never), s.now(), limit)
	})
	return stale, err
}

// intentOut is the inverse of intentIn.
func (s *Store) intentOut(intent queue.Intent) queue.Intent {
	intent.Noted, intent.Deadline = s.clock.out(intent.Noted), s.clock.out(intent.Deadline)
	return intent
}
