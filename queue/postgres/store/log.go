// SPDX-License-Identifier: Apache-2.0

package store

import (
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Locks that hold the nodes apart where rows are not enough. They are those of PostgreSQL
// that end with their transaction, which is one message from the lock to the commit: no
// process that is stopped keeps one. Whoever takes several takes them in this order.
const (
	// lockClass sets our locks apart from other programs' in the same database.
	lockClass = "1751474788"
	// announcementLock: the sequences of operational events, whose keys nobody marks.
	announcementLock = "0"
	// recordsLock: versions of records rise in the order in which they can be read.
	recordsLock = "1"
	// logLock: positions of events rise in the order in which they can be read; and what
	// is in lanes is not taken apart and put together by two at once.
	logLock = "2"
	// daysLock, which is taken alone: partitions are made once. It stands in make_day.
)

func (s *Store) lockLog(b *batch) {
	b.do("select pg_advisory_xact_lock(" + lockClass + ", " + logLock + ")")
}

// requireEpoch ends the transaction if the endpoints are not those of an epoch any more. It
// comes after lockLog, which whoever changes endpoints takes as well.
func (s *Store) requireEpoch(b *batch, epoch uint64) {
	b.do("select webhooks.require(coalesce((select version from webhooks.epoch where kind = $1), 0) = $2, '"+stateStale+"', 'the endpoints have changed')",
		[]byte(queue.KindEndpoint), int64(epoch))
}

// requireRecord ends the transaction if a record is not in its version. It comes before
// lockLog: whoever changes records takes its lock, too, so none is made meanwhile.
func (s *Store) requireRecord(b *batch, guard *queue.Record) {
	b.do("select pg_advisory_xact_lock(" + lockClass + ", " + recordsLock + ")")
	b.do("select webhooks.require(coalesce((select version from webhooks.record where kind = $1 and id = $2 and (expires = $3 or expires > $4)), 0) = $5, '"+stateStale+"', 'what the events were routed by has changed')",
		[]byte(guard.Kind), []byte(guard.ID), int64(never), s.now(), int64(guard.Version))
}

// latestPosition is behind the last event that can be read.
const latestPosition = "greatest((select max(position) from webhooks.event), (select removed from webhooks.setting))"

// log adds an event and its deliveries. It comes after lockLog.
func (s *Store) log(b *batch, routed *queue.Routed, now int64) {
	e := &routed.Event
	bare := *e
	bare.Payload, bare.PreviousShow = nil, nil
	object, day := objectOf(e.Key), dayOf(moment(now))
	var feed []byte
	if e.Tenant != "" && e.InFeedOf(e.Tenant) {
		feed = tenantOf(e.Tenant)
	}
	b.do(`insert into webhooks.event (day, position, event, type, object, created, feed, operated, snapshot, size, record, payload, previous)
		values ($1, nextval('webhooks.position'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		day, []byte(e.ID), []byte(e.Type), object, now, feed, e.InFeedOf(""), e.Op == event.OpSnapshot,
		int64(len(e.Payload)+len(e.PreviousShow)), appendEvent(nil, &bare), orNull(e.Payload), orNull(e.PreviousShow))
	var endpoints, formats, filtered, filteredFormats [][]byte
	for i, endpoint := range routed.Endpoints {
		if !slices.Contains(routed.Endpoints[:i], endpoint) {
			endpoints, formats = append(endpoints, []byte(endpoint)), append(formats, []byte(routed.Formats[endpoint]))
		}
	}
	for i, endpoint := range routed.Filtered {
		if !slices.Contains(routed.Endpoints, endpoint) && !slices.Contains(routed.Filtered[:i], endpoint) {
			filtered, filteredFormats = append(filtered, []byte(endpoint)), append(filteredFormats, []byte(routed.Formats[endpoint]))
		}
	}
	if len(endpoints) > 0 {
		b.do(`insert into webhooks.pending (endpoint, position, day, event, type, object, resource, id, sequence, hastened, created, due, routed, format)
			select d.endpoint, currval('webhooks.position'), $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, true, d.format
			from unnest($1::bytea[], $2::bytea[]) d (endpoint, format)`,
			endpoints, formats, day, []byte(e.ID), []byte(e.Type), object, []byte(e.Key.Resource), []byte(e.Key.ID),
			int64(e.Sequence), int64(never), now)
		b.do(`insert into webhooks.lane as l (endpoint, lane, wake)
			select d.endpoint, webhooks.lane_of(coalesce(e.ordering, 0::smallint), $2, currval('webhooks.position')), $3
			from unnest($1::bytea[]) d (endpoint) left join webhooks.endpoint e on e.name = d.endpoint order by 1
			on conflict (endpoint, lane) do update set grown = l.grown + 1`, endpoints, object, now)
	}
	if len(filtered) > 0 {
		b.do(`insert into webhooks.filtered (endpoint, position, day, format)
			select endpoint, currval('webhooks.position'), $3, format from unnest($1::bytea[], $2::bytea[]) f (endpoint, format)`,
			filtered, filteredFormats, day)
	}
}

// orNull has what is empty stored as nothing.
func orNull(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// ringEvents wakes those who wait for events that are committed.
func (s *Store) ringEvents(events []queue.Routed) {
	for i := range events {
		e := &events[i]
		for _, endpoint := range e.Endpoints {
			s.waiting.ring(deliveriesOf(endpoint))
		}
		s.sleepers.Wake(queue.ScopesOf(nil, &e.Event, e.Endpoints, e.Filtered))
	}
}
