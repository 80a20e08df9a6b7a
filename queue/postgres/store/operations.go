// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// selection returns the conditions of a selection of deliveries, or of events, and whether
// any can meet them.
func (s *Store) selection(ctx context.Context, selection *queue.Selection) (w *where, possible bool, err error) {
	w = &where{}
	if selection.EventID != "" {
		position, found, err := s.positionOf(ctx, selection.EventID)
		if err != nil || !found {
			return nil, false, err
		}
		w.and("position = %s", position)
	}
	w.event(queue.Filter{Key: selection.Key})
	if len(selection.Types) > 0 {
		types := make([][]byte, len(selection.Types))
		for i, one := range selection.Types {
			types[i] = []byte(one)
		}
		w.and("type = any(%s)", types)
	}
	if !selection.From.IsZero() {
		w.and("created >= %s", nanos(s.clock.in(selection.From)))
	}
	if !selection.To.IsZero() {
		w.and("created < %s", nanos(s.clock.in(selection.To)))
	}
	return w, true, nil
}

// selectedRow is a delivery that is selected, with its event if that is kept.
type selectedRow struct {
	listedRow
	record []byte
}

func (r *selectedRow) into() []any { return append(r.listedRow.into(), &r.record) }

// selected reads a part of the selected deliveries, by endpoint, oldest first, and asks for
// each whether it may be.
func (s *Store) selected(ctx context.Context, selection *queue.Selection, after cursor.Place, begun bool, limit int) (rows []selectedRow, permitted []bool, err error) {
	w, possible, err := s.selection(ctx, selection)
	if err != nil || !possible {
		return nil, nil, err
	}
	if selection.Endpoint != "" {
		w.and("endpoint = %s", []byte(selection.Endpoint))
	}
	if begun {
		w.and("(endpoint, position) > (%s, %s)", []byte(after.Endpoint), int64(after.Position))
	}
	const order = "endpoint, position"
	sql := "select d.*, e.record from (" + s.withStatuses(w, selection.Statuses, order, limit) + ") d left join webhooks.event e on e.position = d.position and e.day = d.day order by d.endpoint, d.position"
	row := &selectedRow{}
	err = s.read(ctx, func(b *batch) {
		b.each(row.into(), func() error {
			may := true
			if selection.Permit != nil {
				if row.record == nil {
					may = false
				} else if e, err := parseEvent(row.record); err != nil {
					return err
				} else {
					may = selection.Permit(string(row.endpoint), &e, row.routed)
				}
			}
			rows, permitted = append(rows, row.clone()), append(permitted, may)
			return nil
		}, sql, w.args...)
	})
	return rows, permitted, err
}

// clone copies what the next row would overwrite.
func (r *selectedRow) clone() selectedRow {
	kept := *r
	kept.endpoint, kept.object = append([]byte{}, r.endpoint...), append([]byte{}, r.object...)
	return kept
}

// withStatuses returns a query of deliveries that have one of some statuses, or any.
func (s *Store) withStatuses(w *where, statuses []queue.Status, order string, limit int) string {
	if len(statuses) == 0 {
		return everyDelivery(w, order, limit)
	}
	pending := false
	var decided []string
	for _, status := range statuses {
		if status == queue.StatusPending {
			pending = true
		} else {
			decided = append(decided, string(status))
		}
	}
	if len(decided) == 0 {
		return oneKind(listedPending, "pending", w, order, limit)
	}
	ended := &where{conditions: slices.Clone(w.conditions), args: w.args}
	ended.and("status = any(%s)", decided)
	sql := oneKind(listedDecided, "decided", ended, order, limit)
	w.args = ended.args
	if pending {
		sql = oneKind(listedPending, "pending", w, order, limit) + " union all " + sql + " order by " + order + " limit " + w.arg(limit)
	}
	return sql
}

// rows are deliveries that an operation changes.
type rows struct {
	endpoints, objects [][]byte
	positions          []int64
}

func (r *rows) add(endpoint, object []byte, position int64) {
	r.endpoints, r.objects, r.positions = append(r.endpoints, endpoint), append(r.objects, object), append(r.positions, position)
}

// notLeased is the condition that nobody has leased the pending delivery p.
const notLeased = `not exists (select from webhooks.lane l where l.endpoint = p.endpoint
	and l.lane in (p.object, ''::bytea, int8send(p.position)) and l.leased = p.position and l.until > $3)`

// Redeliver implements [queue.Operations].
func (s *Store) Redeliver(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	return s.change(ctx, selection, page, func(b *batch, of *rows, now int64, changed *int) {
		b.count(changed, `update webhooks.pending p set hastened = case when p.hastened = $4 then p.due else p.hastened end, due = $3
			from unnest($1::bytea[], $2::bigint[]) u (endpoint, position)
			where p.endpoint = u.endpoint and p.position = u.position and p.due > $3 and `+notLeased+`
			and exists (select from webhooks.event e where e.position = p.position and e.day = p.day)`, of.endpoints, of.positions, now, int64(never))
		reopen(b, of, now, changed)
	})
}

// reopen makes decided deliveries pending again, due at once.
func reopen(b *batch, of *rows, now int64, changed *int) {
	b.count(changed, `with back as (delete from webhooks.decided d using unnest($1::bytea[], $2::bigint[]) u (endpoint, position)
			where d.endpoint = u.endpoint and d.position = u.position returning d.*)
		insert into webhooks.pending (endpoint, position, day, event, type, object, resource, id, sequence, attempts, prior, hastened, created, due, routed, format)
		select endpoint, position, day, event, type, object, resource, id, sequence, attempts, attempts, $4, created, $3, routed, format from back`,
		of.endpoints, of.positions, now, int64(never))
}

// Cancel implements [queue.Operations].
func (s *Store) Cancel(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	return s.endAs(ctx, selection, page, queue.StatusCancelled)
}

// Expire implements [queue.Operations].
func (s *Store) Expire(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	return s.endAs(ctx, selection, page, queue.StatusDead)
}

func (s *Store) endAs(ctx context.Context, selection queue.Selection, page queue.Page, status queue.Status) (int, queue.Cursor, error) {
	return s.change(ctx, selection, page, func(b *batch, of *rows, now int64, changed *int) {
		b.sum(changed, decide(`delete from webhooks.pending p using unnest($1::bytea[], $2::bigint[]) u (endpoint, position)
			where p.endpoint = u.endpoint and p.position = u.position and `+notLeased, "$4::text", "$3"), of.endpoints, of.positions, now, string(status))
	})
}

// change applies a change to a part of the selection.
func (s *Store) change(
	ctx context.Context, selection queue.Selection, page queue.Page, apply func(b *batch, of *rows, now int64, changed *int),
) (changed int, next queue.Cursor, err error) {
	after, begun, err := cursor.Decode(cursor.Selection, page.Cursor)
	if err != nil {
		return 0, "", err
	}
	limit := cursor.Limit(page)
	found, permitted, err := s.selected(ctx, &selection, after, begun, limit)
	if err != nil {
		return 0, "", err
	}
	of := &rows{}
	for i := range found {
		if permitted[i] {
			of.add(found[i].endpoint, found[i].object, found[i].position)
		}
	}
	if changed, err = s.changeRows(ctx, of, apply); err != nil || len(found) < limit {
		return changed, "", err
	}
	last := &found[len(found)-1]
	return changed, cursor.Encode(cursor.Selection, cursor.Place{Position: uint64(last.position), Endpoint: string(last.endpoint)}), nil
}

// touched are the lanes of some rows.
const touched = `(select distinct u.endpoint, webhooks.lane_of(coalesce(o.ordering, 0::smallint), u.object, u.position) as lane
	from unnest($1::bytea[], $2::bigint[], $3::bytea[]) u (endpoint, position, object) left join webhooks.endpoint o on o.name = u.endpoint)`

// changeRows changes deliveries and puts their lanes in order, in one message.
func (s *Store) changeRows(ctx context.Context, of *rows, apply func(b *batch, of *rows, now int64, changed *int)) (changed int, err error) {
	if len(of.positions) == 0 {
		return 0, s.enter(ctx)
	}
	now := s.now()
	err = s.in(ctx, kept, func(t *step) error {
		changed = 0
		b := &batch{}
		s.lockLog(b)
		b.do("select from webhooks.lane where (endpoint, lane) in "+touched+" order by endpoint, lane for update", of.endpoints, of.positions, of.objects)
		apply(b, of, now, &changed)
		b.do("insert into webhooks.lane (endpoint, lane, wake) select endpoint, lane, $4::bigint from "+touched+` t
			where webhooks.head(t.endpoint, t.lane) is not null order by endpoint, lane on conflict (endpoint, lane) do nothing`,
			of.endpoints, of.positions, of.objects, now)
		b.do("select webhooks.settle(t.endpoint, t.lane, 0, $4) from "+touched+" t", of.endpoints, of.positions, of.objects, now)
		return t.end(ctx, b)
	})
	if err != nil {
		return 0, err
	}
	for _, endpoint := range of.endpoints {
		s.waiting.ring(deliveriesOf(string(endpoint)))
	}
	return changed, nil
}

// Count implements [queue.Operations].
func (s *Store) Count(ctx context.Context, selection queue.Selection) (count int, err error) {
	place, begun := cursor.Place{}, false
	for count < queue.MaxCount {
		rows, permitted, err := s.selected(ctx, &selection, place, begun, queue.MaxLimit)
		if err != nil {
			return 0, err
		}
		for i := range permitted {
			if permitted[i] {
				count++
			}
		}
		if len(rows) < queue.MaxLimit {
			break
		}
		last := &rows[len(rows)-1]
		place, begun = cursor.Place{Position: uint64(last.position), Endpoint: string(last.endpoint)}, true
	}
	return min(count, queue.MaxCount), nil
}

// Announce implements [queue.Operations].
func (s *Store) Announce(ctx context.Context, e event.Event, endpoints []string) error {
	object := objectOf(e.Key)
	routed := queue.Routed{Event: e, Endpoints: endpoints}
	err := s.in(ctx, kept, func(t *step) error {
		routed.Event = e
		b := &batch{}
		if e.Op == event.OpTest {
			s.lockLog(b)
			s.log(b, &routed, s.now())
			return t.end(ctx, b)
		}
		row, found := &objectRow{}, false
		b.do("select pg_advisory_xact_lock(" + lockClass + ", " + announcementLock + ")")
		b.one(&found, row.into(), "select "+objectColumns+" from webhooks.object where object = $1", object)
		if err := t.send(ctx, b); err != nil {
			return err
		}
		var snapshot event.Snapshot
		if found {
			var err error
			if snapshot, err = row.snapshot(s); err != nil {
				return err
			}
		}
		now := s.now()
		snapshot.Key, snapshot.Time = e.Key, s.clock.out(moment(now))
		snapshot.Sequence++
		routed.Sequence = snapshot.Sequence
		routed.ID = event.ID(s.instance.ID, e.Key, snapshot.Sequence, e.Type, nil)
		b = &batch{}
		s.putObject(b, &snapshot)
		s.lockLog(b)
		s.log(b, &routed, now)
		return t.end(ctx, b)
	})
	if err == nil {
		s.ringEvents([]queue.Routed{routed})
	}
	return err
}
