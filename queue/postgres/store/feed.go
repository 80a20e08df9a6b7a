// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"math"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// ends are the positions between which feeds can be read.
type ends struct{ removed, latest int64 }

func (e *ends) read(b *batch) {
	b.one(new(bool), []any{&e.removed, &e.latest}, "select removed, "+latestPosition+" from webhooks.setting")
}

func (s *Store) position(number int64) queue.Position {
	return queue.NewPosition(s.instance, uint64(number))
}

// number returns the number of a position from which a feed can be read.
func (s *Store) number(p queue.Position, within *ends) (int64, error) {
	number, ok := p.In(s.instance)
	if !ok || number > math.MaxInt64 || int64(number) > within.latest || int64(number) < within.removed {
		return 0, &queue.ExpiredError{Oldest: s.position(within.removed)}
	}
	return int64(number), nil
}

// ReadFeed implements [queue.Feed]. How far the log goes is asked first: what is committed
// after that is not looked at.
func (s *Store) ReadFeed(ctx context.Context, of queue.Scope, after queue.Position, limit int) (queue.FeedPage, error) {
	var within ends
	if err := s.read(ctx, within.read); err != nil {
		return queue.FeedPage{}, err
	}
	number, err := s.number(after, &within)
	if err != nil {
		return queue.FeedPage{}, err
	}
	limit = cursor.Limit(queue.Page{Limit: limit})
	found, err := s.foundInFeed(ctx, of, number, within.latest, limit+1)
	if err != nil {
		return queue.FeedPage{}, err
	}
	page := queue.FeedPage{Next: s.position(within.latest)}
	size := int64(0)
	for i := range found {
		if i == limit || size >= queue.MaxFeedPage {
			found = found[:i]
			break
		}
		size += found[i].size
	}
	if page.Entries, err = s.entries(ctx, found); err != nil {
		return queue.FeedPage{}, err
	}
	if n := len(found); n > 0 && (n == limit || size >= queue.MaxFeedPage) {
		page.Next = s.position(found[n-1].position)
		page.More = found[n-1].position < within.latest
	}
	return page, nil
}

// found is a place in a feed.
type found struct {
	position int64
	day      int32
	size     int64
	status   string
	filtered bool
	format   string
}

// foundInFeed finds the events of a feed behind a position and up to another, without what is
// in them.
func (s *Store) foundInFeed(ctx context.Context, of queue.Scope, after, until int64, limit int) (all []found, err error) {
	w := &where{}
	w.and("e.position > %s", after)
	w.and("e.position <= %s", until)
	columns, from := "'', false, ''::bytea", "webhooks.event e"
	if endpoint, ok := of.Endpoint(); ok {
		name := w.arg([]byte(endpoint))
		columns = "d.status, d.filtered, d.format"
		from = routedTo(name) + " d join webhooks.event e on e.position = d.position and e.day = d.day"
	} else if tenant, ok := of.Tenant(); ok {
		w.inFeed(tenant)
	} else if !of.Everything() {
		return nil, nil
	}
	var one found
	var format []byte
	err = s.read(ctx, func(b *batch) {
		b.each([]any{&one.position, &one.day, &one.size, &one.status, &one.filtered, &format}, func() error {
			one.format = string(format)
			all = append(all, one)
			return nil
		}, "select e.position, e.day, e.size, "+columns+" from "+from+" where "+w.String()+" order by e.position limit "+w.arg(limit), w.args...)
	})
	return all, err
}

// routedTo returns a query of what was meant for an endpoint, whether its filter has left it
// out or not. The first two arguments are the positions between which it is.
func routedTo(name string) string {
	const between = " and p.position > $1 and p.position <= $2"
	return `(select position, day, 'pending'::text as status, false as filtered, format from webhooks.pending p where endpoint = ` + name + between + `
		union all select position, day, status, false, format from webhooks.decided p where endpoint = ` + name + between + `
		union all select position, day, '', true, format from webhooks.filtered p where endpoint = ` + name + between + `
		  and not exists (select from webhooks.pending d where d.endpoint = p.endpoint and d.position = p.position)
		  and not exists (select from webhooks.decided d where d.endpoint = p.endpoint and d.position = p.position))`
}

// entries reads the events of places in a feed.
func (s *Store) entries(ctx context.Context, places []found) ([]queue.FeedEntry, error) {
	if len(places) == 0 {
		return nil, nil
	}
	positions := make([]int64, len(places))
	byPosition := make(map[int64]*found, len(places))
	for i := range places {
		positions[i], byPosition[places[i].position] = places[i].position, &places[i]
	}
	var entries []queue.FeedEntry
	row := &eventRow{}
	err := s.read(ctx, func(b *batch) {
		b.each(row.into(), func() error {
			e, err := row.whole()
			place := byPosition[row.position]
			entries = append(entries, queue.FeedEntry{
				Position: s.position(row.position), Event: e, Status: queue.Status(place.status), Filtered: place.filtered, Format: place.format,
			})
			return err
		}, "select "+eventColumns+" from webhooks.event where position = any($1) order by position", positions)
	})
	return entries, err
}

// AwaitFeed implements [queue.Feed].
func (s *Store) AwaitFeed(ctx context.Context, of queue.Scope, after queue.Position) error {
	return s.sleepers.Await(ctx, of, func() (bool, error) { return s.feedHas(ctx, of, after) })
}

// feedHas reports whether a feed has an event behind a position.
func (s *Store) feedHas(ctx context.Context, of queue.Scope, after queue.Position) (bool, error) {
	var within ends
	if err := s.read(ctx, within.read); err != nil {
		return false, err
	}
	number, err := s.number(after, &within)
	if err != nil {
		return false, err
	}
	all, err := s.foundInFeed(ctx, of, number, within.latest, 1)
	return len(all) > 0, err
}

// FeedEnds implements [queue.Feed].
func (s *Store) FeedEnds(ctx context.Context) (oldest, latest queue.Position, err error) {
	var within ends
	err = s.read(ctx, within.read)
	return s.position(within.removed), s.position(within.latest), err
}

// sinceSlack is by how much earlier FeedSince begins: when an event is written is noted before
// its transaction waits for its turn in the log.
const sinceSlack = time.Minute

// FeedSince implements [queue.Feed].
func (s *Store) FeedSince(ctx context.Context, t time.Time) (queue.Position, error) {
	var number int64
	err := s.read(ctx, func(b *batch) {
		b.one(new(bool), []any{&number}, `select coalesce(
			(select coalesce((select max(position) from webhooks.event where position < f.first), s.removed)
			  from (select min(position) as first from webhooks.event where created >= $1) f where f.first is not null),
			`+latestPosition+`) from webhooks.setting s`, nanos(s.clock.in(t).Add(-sinceSlack)))
	})
	return s.position(number), err
}

// Filtered implements [queue.Filtereds].
func (s *Store) Filtered(ctx context.Context, endpoint string, page queue.Page) ([]event.Event, queue.Cursor, error) {
	place, begun, err := cursor.Decode(cursor.Filtered, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	before := int64(math.MaxInt64)
	if begun {
		before = int64(place.Position)
	}
	w := &where{}
	w.and("position in (select position from webhooks.filtered where endpoint = %s and position < %s order by position desc limit %s)",
		[]byte(endpoint), before, cursor.Limit(page)+1)
	listed, positions, more, err := s.listEvents(ctx, w, bareColumns, "desc", cursor.Limit(page))
	if err != nil || !more {
		return listed, "", err
	}
	return listed, at(cursor.Filtered, positions[len(positions)-1]), nil
}

// CountFiltered implements [queue.Filtereds].
func (s *Store) CountFiltered(ctx context.Context, endpoint string) (count int, err error) {
	err = s.read(ctx, func(b *batch) {
		b.sum(&count, "select count(*) from (select from webhooks.filtered where endpoint = $1 limit $2) f", []byte(endpoint), queue.MaxCount)
	})
	return count, err
}

// WasFiltered implements [queue.Filtereds].
func (s *Store) WasFiltered(ctx context.Context, endpoint, eventID string) (was bool, err error) {
	err = s.read(ctx, func(b *batch) {
		b.one(new(bool), []any{&was}, `select exists (select from webhooks.filtered f
			where f.endpoint = $1 and f.position = (select position from webhooks.event where event = $2 limit 1))`, []byte(endpoint), []byte(eventID))
	})
	return was, err
}
