// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"math"
	"slices"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// eachPlace visits the places of deliveries, or of those that have attempts, by
// their events' age and then their endpoints' names, beginning at the place
// where the last page ended. The rows of each endpoint stand together in their
// order, so those of all are merged with a seek for each: events may have
// expired before their deliveries, or have been replayed to endpoints that they
// know nothing of, and cannot lead to them.
func (s *Store) eachPlace(
	ctx context.Context, txn *badgerdb.Txn, kind byte, filter queue.Filter, after *cursor.Place,
	visit func(position uint64, endpoint string) (bool, error),
) error {
	m := merging{kind: kind, after: after, only: math.MaxUint64}
	if filter.EventID != "" {
		position, err := s.positionOf(txn, filter.EventID)
		if err != nil {
			return s.skip("event", err)
		}
		m.only = position
	}
	endpoints := []string{filter.Endpoint}
	if filter.Endpoint == "" {
		var err error
		if endpoints, err = s.endpointsOf(ctx, txn, kind); err != nil {
			return err
		}
	}
	m.it = txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kind}, Reverse: true})
	defer m.it.Close()
	for _, endpoint := range endpoints {
		m.begin(endpoint)
	}
	heap.Init(&m)
	for m.Len() > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.isClosing() {
			return queue.ErrClosed
		}
		head := &m.heads[0]
		if more, err := visit(head.position, head.endpoint); err != nil || !more {
			return err
		}
		if m.seek(head, head.position-1) {
			heap.Fix(&m, 0)
		} else {
			heap.Pop(&m)
		}
	}
	return nil
}

// merging is what is left to visit of each endpoint.
type merging struct {
	it    *badgerdb.Iterator
	kind  byte
	after *cursor.Place
	// only is the one position that is wanted, if it is not the highest.
	only  uint64
	heads []mergeHead
}

type mergeHead struct {
	endpoint string
	position uint64
}

// begin finds the first row of an endpoint.
func (m *merging) begin(endpoint string) {
	from := m.only
	if m.after != nil {
		from = min(from, m.after.Position)
		if endpoint < m.after.Endpoint {
			// That of the same event was on the last page.
			from = min(from, m.after.Position-1)
		}
	}
	head := mergeHead{endpoint: endpoint}
	if m.seek(&head, from) {
		m.heads = append(m.heads, head)
	}
}

// seek finds an endpoint's first row from a position on, backwards.
func (m *merging) seek(head *mergeHead, from uint64) bool {
	prefix := endpointPrefix(nil, m.kind, head.endpoint)
	key := binary.BigEndian.AppendUint64(slices.Clip(prefix), from)
	m.it.Seek(append(key, 0xff, 0xff, 0xff, 0xff))
	if !m.it.Valid() {
		return false
	}
	found := m.it.Item().Key()
	if !bytes.HasPrefix(found, prefix) || len(found) < len(prefix)+8 {
		return false
	}
	head.position = binary.BigEndian.Uint64(found[len(prefix):])
	return m.only == math.MaxUint64 || head.position == m.only
}

// Len implements [heap.Interface].
func (m *merging) Len() int { return len(m.heads) }

// Less implements [heap.Interface].
func (m *merging) Less(i, j int) bool {
	a, b := &m.heads[i], &m.heads[j]
	return cmp.Or(cmp.Compare(b.position, a.position), cmp.Compare(a.endpoint, b.endpoint)) < 0
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
