// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"math"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// placeKind is a kind of rows that have a place in a list.
type placeKind struct {
	kind byte
	// numbered rows have their number in the key; all others have number.
	numbered bool
	number   uint64
	// wanted, if not nil, reports whether a row has a place. The list passes
	// over all others.
	wanted func(record []byte) (bool, error)
}

// deliveryPlaces are the places of deliveries.
var deliveryPlaces = []placeKind{{kind: kindDelivery}}

// key returns the key of a place's row.
func (k *placeKind) key(place cursor.Place) []byte {
	key := binary.BigEndian.AppendUint64(endpointPrefix(nil, k.kind, place.Endpoint), place.Position)
	if k.numbered {
		key = binary.BigEndian.AppendUint32(key, uint32(min(place.Number, math.MaxUint32)))
	}
	return key
}

// parse returns the place of an endpoint's row, by the rest of its key behind
// the endpoint.
func (k *placeKind) parse(endpoint string, tail []byte) (cursor.Place, bool) {
	place := cursor.Place{Endpoint: endpoint, Number: k.number}
	if k.numbered {
		if len(tail) != 12 {
			return place, false
		}
		place.Number = uint64(binary.BigEndian.Uint32(tail[8:]))
	} else if len(tail) != 8 {
		return place, false
	}
	place.Position = binary.BigEndian.Uint64(tail)
	// Positions begin at 1.
	return place, place.Position > 0
}

// before returns the highest place that comes after another in a list. Lists
// are newest first.
func before(place cursor.Place) cursor.Place {
	if place.Number > 0 {
		place.Number--
	} else {
		place.Position, place.Number = place.Position-1, math.MaxUint64
	}
	return place
}

// comparePlaces orders places as lists do: by their events' age, then by their
// endpoints' names, then by number.
func comparePlaces(a, b cursor.Place) int {
	return cmp.Or(cmp.Compare(b.Position, a.Position), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(b.Number, a.Number))
}

// reach says whose places a list has: those of some endpoints, which are sorted, or of all.
// The zero reach has none.
type reach struct {
	all       bool
	endpoints []string
}

// reachOf returns the reach of a filter.
func reachOf(filter queue.Filter) reach {
	if filter.Endpoint == "" {
		return reach{all: true}
	}
	return reach{endpoints: []string{filter.Endpoint}}
}

// one returns the only endpoint of a reach, and false if there are others, or none.
func (r reach) one() (endpoint string, alone bool) {
	if len(r.endpoints) == 1 {
		return r.endpoints[0], true
	}
	return "", false
}

// eachPlace visits the places of a list, each once, beginning after the place
// where the last page ended. The rows of one endpoint stand together in their
// order, so eachPlace merges those of all endpoints, with a seek for each.
// Events cannot lead to the rows: they may have expired before their
// deliveries, or have been replayed to endpoints that they do not name. Of rows
// of several kinds with the same place, it visits the kind that is named first.
func (s *Store) eachPlace(
	ctx context.Context, txn *badgerdb.Txn, kinds []placeKind, of reach, eventID string, after *cursor.Place,
	visit func(place cursor.Place, kind *placeKind) (bool, error),
) error {
	m := merging{s: s, after: after, only: math.MaxUint64}
	if eventID != "" {
		position, err := s.positionOf(txn, eventID)
		if err != nil {
			return s.skip("event", err)
		}
		m.only = position
	}
	defer m.close()
	for i := range kinds {
		if err := m.begin(ctx, txn, &kinds[i], i, of); err != nil {
			return err
		}
	}
	heap.Init(&m)
	var last cursor.Place
	for m.Len() > 0 {
		head := &m.heads[0]
		if head.place != last {
			last = head.place
			if more, err := visit(head.place, head.kind); err != nil || !more {
				return err
			}
		}
		more, err := m.seek(ctx, head, before(head.place))
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&m, 0)
		default:
			heap.Pop(&m)
		}
	}
	return nil
}

// merging is the rest of a list, by endpoint and by kind of rows.
type merging struct {
	s     *Store
	after *cursor.Place
	// only is the one position that is wanted, or the highest for all.
	only  uint64
	heads []mergeHead
	// iterators has one for each kind, which its heads share.
	iterators []*badgerdb.Iterator
}

// mergeHead is the next row of a kind and an endpoint.
type mergeHead struct {
	kind *placeKind
	// rank is the place of the kind among the kinds.
	rank  int
	it    *badgerdb.Iterator
	place cursor.Place
}

func (m *merging) close() {
	for _, it := range m.iterators {
		it.Close()
	}
}

// begin finds the first rows of a kind.
func (m *merging) begin(ctx context.Context, txn *badgerdb.Txn, kind *placeKind, rank int, of reach) error {
	prefix, endpoints := []byte{kind.kind}, of.endpoints
	if one, alone := of.one(); alone {
		prefix = endpointPrefix(nil, kind.kind, one)
	} else if of.all {
		var err error
		if endpoints, err = m.s.endpointsOf(ctx, txn, kind.kind); err != nil {
			return err
		}
	}
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: prefix, Reverse: true})
	m.iterators = append(m.iterators, it)
	for _, endpoint := range endpoints {
		head := mergeHead{kind: kind, rank: rank, it: it, place: cursor.Place{Endpoint: endpoint}}
		found, err := m.seek(ctx, &head, m.from(endpoint))
		if err != nil {
			return err
		}
		if found {
			m.heads = append(m.heads, head)
		}
	}
	return nil
}

// from returns the first place that an endpoint may have on this page.
func (m *merging) from(endpoint string) cursor.Place {
	from := cursor.Place{Position: math.MaxUint64, Endpoint: endpoint, Number: math.MaxUint64}
	if m.after != nil {
		switch cmp.Compare(endpoint, m.after.Endpoint) {
		case -1:
			// The last page had those of the same event.
			from.Position = m.after.Position - 1
		case 0:
			from = before(*m.after)
		case 1:
			from.Position = m.after.Position
		}
	}
	if m.only < from.Position {
		from.Position, from.Number = m.only, math.MaxUint64
	}
	return from
}

// seek finds the first row of an endpoint from a place on, backwards.
func (m *merging) seek(ctx context.Context, head *mergeHead, from cursor.Place) (bool, error) {
	kind := head.kind
	if from.Number < kind.number {
		from.Position, from.Number = from.Position-1, math.MaxUint64
	}
	prefix := endpointPrefix(nil, kind.kind, from.Endpoint)
	for head.it.Seek(kind.key(from)); head.it.Valid(); head.it.Next() {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if m.s.isClosing() {
			return false, queue.ErrClosed
		}
		item := head.it.Item()
		key := item.Key()
		if !bytes.HasPrefix(key, prefix) {
			return false, nil
		}
		place, ok := kind.parse(from.Endpoint, key[len(prefix):])
		if !ok {
			continue
		}
		if m.only != math.MaxUint64 && place.Position != m.only {
			return false, nil
		}
		wanted, err := m.wanted(kind, item)
		if err != nil {
			return false, err
		}
		if wanted {
			head.place = place
			return true, nil
		}
	}
	return false, nil
}

// wanted reports whether a row has a place in the list.
func (m *merging) wanted(kind *placeKind, item *badgerdb.Item) (wanted bool, err error) {
	if kind.wanted == nil {
		return true, nil
	}
	err = item.Value(func(record []byte) error {
		var err error
		wanted, err = kind.wanted(record)
		return err
	})
	if err != nil {
		return false, m.s.skip("delivery", err)
	}
	return wanted, nil
}

// Len implements [heap.Interface].
func (m *merging) Len() int { return len(m.heads) }

// Less implements [heap.Interface].
func (m *merging) Less(i, j int) bool {
	a, b := &m.heads[i], &m.heads[j]
	return cmp.Or(comparePlaces(a.place, b.place), cmp.Compare(a.rank, b.rank)) < 0
}

// Swap implements [heap.Interface].
func (m *merging) Swap(i, j int) { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }

// Push implements [heap.Interface].
func (m *merging) Push(head any) { m.heads = append(m.heads, head.(mergeHead)) }

// Pop implements [heap.Interface].
func (m *merging) Pop() any {
	last := len(m.heads) - 1
	head := m.heads[last]
	m.heads = m.heads[:last]
	return head
}
