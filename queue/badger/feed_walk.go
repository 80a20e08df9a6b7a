// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"context"
	"math"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// feedWalk walks through the rows of a feed, oldest first, from behind a position up to
// another.
type feedWalk struct {
	s           *Store
	ctx         context.Context
	txn         *badgerdb.Txn
	after, upTo uint64
}

// fed is a row of a feed.
type fed struct {
	position uint64
	// endpoint is the one whose feed it is, status where its delivery stands, and
	// filtered is true if there is none. format is the event's form if it was filtered.
	endpoint, format string
	status           queue.Status
	filtered         bool
}

// of visits the rows of a feed until visit returns false, and returns how far it has
// looked. That may be less than all, if many events are not of the feed.
func (w *feedWalk) of(of queue.Scope, visit func(*fed) (bool, error)) (looked uint64, err error) {
	if of.Everything() {
		return w.log(w.upTo, nil, visit)
	}
	if endpoint, ok := of.Endpoint(); ok {
		return w.endpoint(endpoint, visit)
	}
	tenant, ok := of.Tenant()
	if !ok {
		return w.upTo, nil
	}
	visible := func(e *eventRecord) bool { return e.InFeedOf(tenant) }
	if tenant == "" {
		// The operator may have nearly all events.
		return w.log(w.upTo, visible, visit)
	}
	if unindexed := w.s.events.withoutIndex(); w.after < unindexed {
		last := min(unindexed, w.upTo)
		if looked, err := w.log(last, visible, visit); err != nil || looked < last {
			return looked, err
		}
		w.after = last
	}
	return w.index(endpointPrefix(nil, kindTenant, indexedTenant(tenant)), visit)
}

// log walks through all events up to a position, of which it may pick some.
func (w *feedWalk) log(upTo uint64, pick func(*eventRecord) bool, visit func(*fed) (bool, error)) (looked uint64, err error) {
	rows, looked := 0, upTo
	err = w.each([]byte{kindEvent}, func(item *badgerdb.Item, position uint64) (bool, error) {
		if position > upTo {
			return false, nil
		}
		if rows++; rows > maxLooked {
			looked = position - 1
			return false, nil
		}
		if pick != nil {
			picked := false
			err := item.Value(func(value []byte) error {
				record, err := parseEvent(value)
				picked = err == nil && pick(&record)
				return err
			})
			if err != nil {
				return true, w.s.skip("event", err)
			}
			if !picked {
				return true, nil
			}
		}
		more, err := visit(&fed{position: position})
		if !more {
			looked = position
		}
		return more, err
	})
	return looked, err
}

// index walks through the rows of a tenant.
func (w *feedWalk) index(prefix []byte, visit func(*fed) (bool, error)) (looked uint64, err error) {
	looked = w.upTo
	err = w.each(prefix, func(_ *badgerdb.Item, position uint64) (bool, error) {
		more, err := visit(&fed{position: position})
		if !more {
			looked = position
		}
		return more, err
	})
	return looked, err
}

// each visits the rows with a prefix and a position, in their order.
func (w *feedWalk) each(prefix []byte, visit func(item *badgerdb.Item, position uint64) (bool, error)) error {
	return w.s.eachFrom(w.ctx, w.txn, prefix, placed(prefix, w.after+1), func(item *badgerdb.Item) (bool, error) {
		position, err := positionBehind(item.Key(), prefix)
		switch {
		case err != nil:
			return true, w.s.skip("event", err)
		case position > w.upTo:
			return false, nil
		}
		return visit(item, position)
	})
}

// placed returns the key of a position behind a prefix.
func placed(prefix []byte, position uint64) []byte {
	return append(bytes.Clone(prefix), numberKey(nil, 0, position)[1:]...)
}

// positionBehind is the inverse of placed.
func positionBehind(key, prefix []byte) (uint64, error) {
	if len(key) != len(prefix)+8 {
		return 0, errDamaged
	}
	return lastNumber(key)
}

// endpoint walks through the deliveries to an endpoint, and through what its filter has
// left out. What was filtered and replayed later is in both, and a delivery.
func (w *feedWalk) endpoint(endpoint string, visit func(*fed) (bool, error)) (looked uint64, err error) {
	filtered := w.rows(endpointPrefix(nil, kindFiltered, endpoint))
	defer filtered.close()
	deliveries := w.rows(endpointPrefix(nil, kindDelivery, endpoint))
	defer deliveries.close()
	for filtered.position <= w.upTo || deliveries.position <= w.upTo {
		if err := w.ctx.Err(); err != nil {
			return 0, err
		}
		if w.s.isClosing() {
			return 0, queue.ErrClosed
		}
		row := &fed{endpoint: endpoint, position: min(filtered.position, deliveries.position)}
		row.filtered = row.position < deliveries.position
		from := deliveries
		if row.filtered {
			from = filtered
		}
		err := from.it.Item().Value(func(value []byte) error {
			if row.filtered {
				row.format = string(value)
				return nil
			}
			fields, err := parseDeliveryFields(value)
			row.status = queue.Status(fields.status)
			return err
		})
		// The event is there even if its delivery cannot be read.
		if err := w.s.skip("delivery", err); err != nil {
			return 0, err
		}
		for _, rows := range []*feedRows{filtered, deliveries} {
			if rows.position == row.position {
				rows.it.Next()
				rows.find()
			}
		}
		if more, err := visit(row); err != nil || !more {
			return row.position, err
		}
	}
	return w.upTo, nil
}

// noPosition is behind all positions.
const noPosition = math.MaxUint64

// feedRows are the rows of a kind for one endpoint.
type feedRows struct {
	it     *badgerdb.Iterator
	prefix []byte
	// position is that of the row where it stands, the highest behind the last.
	position uint64
}

func (w *feedWalk) rows(prefix []byte) *feedRows {
	r := &feedRows{it: w.txn.NewIterator(badgerdb.IteratorOptions{Prefix: prefix}), prefix: prefix}
	r.it.Seek(placed(prefix, w.after+1))
	r.find()
	return r
}

// find goes to the next row that has a position.
func (r *feedRows) find() {
	for ; r.it.Valid(); r.it.Next() {
		var err error
		if r.position, err = positionBehind(r.it.Item().Key(), r.prefix); err == nil {
			return
		}
	}
	r.position = noPosition
}

func (r *feedRows) close() { r.it.Close() }
