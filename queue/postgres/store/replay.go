// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// replays are the events of one step of a replay, for one endpoint.
type replays struct {
	rows
	resources, ids [][]byte
	sequences      []int64

	// last is the position of the last event that was looked at, and looked how many were.
	last   int64
	looked int
}

// Replay implements [queue.Operations].
func (s *Store) Replay(ctx context.Context, endpoint string, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	place, begun, err := cursor.Decode(cursor.Replay, page.Cursor)
	if err != nil {
		return 0, "", err
	}
	w, possible, err := s.selection(ctx, &selection)
	if err != nil || !possible {
		return 0, "", errors.Join(err, s.enter(ctx))
	}
	if begun {
		w.and("position > %s", int64(place.Position))
	}
	limit := cursor.Limit(page)
	of, err := s.replayed(ctx, endpoint, &selection, w, limit)
	if err != nil {
		return 0, "", err
	}
	changed, err := s.changeRows(ctx, &of.rows, func(b *batch, _ *rows, now int64, changed *int) {
		reopen(b, &of.rows, now, changed)
		b.count(changed, `insert into webhooks.pending (endpoint, position, day, event, type, object, resource, id, sequence, hastened, created, due, routed, format)
			select u.endpoint, e.position, e.day, e.event, e.type, e.object, u.resource, u.id, u.sequence, $7, e.created, $6, false, ''
			from unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[]) u (endpoint, position, resource, id, sequence)
			join webhooks.event e on e.position = u.position
			on conflict (endpoint, position) do nothing`, of.endpoints, of.positions, of.resources, of.ids, of.sequences, now, int64(never))
	})
	if err != nil {
		return 0, "", err
	}
	if changed > 0 {
		s.sleepers.Wake([]queue.Scope{queue.OfEndpoint(endpoint)})
	}
	if of.looked < limit {
		return changed, "", nil
	}
	return changed, at(cursor.Replay, of.last), nil
}

// replayed reads a part of the selected events, and asks for each whether the endpoint may
// have it.
func (s *Store) replayed(ctx context.Context, endpoint string, selection *queue.Selection, w *where, limit int) (*replays, error) {
	of, name := &replays{}, []byte(endpoint)
	if selection.Tenant != "" {
		w.inFeed(selection.Tenant)
	}
	w.and("not snapshot")
	row, routed := &eventRow{}, false
	to := w.arg(name)
	sql := "select " + bareColumns + `, exists (select from webhooks.pending p where p.endpoint = ` + to + ` and p.position = e.position and p.routed)
		or exists (select from webhooks.decided p where p.endpoint = ` + to + ` and p.position = e.position and p.routed)
		from webhooks.event e where ` + w.String() + " order by position limit " + w.arg(limit)
	err := s.read(ctx, func(b *batch) {
		b.each(append(row.into(), &routed), func() error {
			of.last = row.position
			of.looked++
			e, err := row.whole()
			if err != nil || selection.Permit != nil && !selection.Permit(endpoint, &e, routed) {
				return err
			}
			of.add(name, objectOf(e.Key), row.position)
			of.resources, of.ids = append(of.resources, []byte(e.Key.Resource)), append(of.ids, []byte(e.Key.ID))
			of.sequences = append(of.sequences, int64(e.Sequence))
			return nil
		}, sql, w.args...)
	})
	return of, err
}
