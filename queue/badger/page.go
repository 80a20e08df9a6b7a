// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// rows collects one page of a list.
type rows[T any] struct {
	list  cursor.List
	limit int
	page  []T
	last  cursor.Place
	next  queue.Cursor
	// looked counts the rows that were not taken, and most is how many may be.
	looked, most int
}

// newRows returns an empty page, and the place where the last page ended, if
// there was one.
func newRows[T any](list cursor.List, page queue.Page) (*rows[T], *cursor.Place, error) {
	r := &rows[T]{list: list, limit: cursor.Limit(page), most: maxLooked}
	place, ok, err := cursor.Decode(list, page.Cursor)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return r, nil, nil
	}
	if place.Position == 0 {
		// Positions begin at 1.
		return nil, nil, queue.ErrBadCursor
	}
	return r, &place, nil
}

func (r *rows[T]) full() bool {
	return len(r.page) == r.limit
}

// add takes a row and reports whether the page wants more. It does not take a
// row beyond the limit, which only shows that there is another page.
func (r *rows[T]) add(place cursor.Place, row T) bool {
	if r.full() {
		r.next = cursor.Encode(r.list, r.last)
		return false
	}
	r.page, r.last = append(r.page, row), place
	return true
}

// pass passes over a row that the page is not to have, and reports whether it is to look
// further: where few rows of many match, a page ends before its limit.
func (r *rows[T]) pass(place cursor.Place) bool {
	if r.looked++; r.looked < r.most {
		return true
	}
	r.next = cursor.Encode(r.list, place)
	return false
}

// eachKey visits the records with a prefix, backwards from a key on, until
// visit returns false, the caller leaves, or the store closes.
func (s *Store) eachKey(
	ctx context.Context, txn *badgerdb.Txn, prefix, from []byte,
	visit func(item *badgerdb.Item) (bool, error),
) error {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: prefix, Reverse: true})
	defer it.Close()
	for it.Seek(from); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.isClosing() {
			return queue.ErrClosed
		}
		more, err := visit(it.Item())
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// eachFrom visits the records with a prefix, from a key on, until visit
// returns false, the caller leaves, or the store closes.
func (s *Store) eachFrom(
	ctx context.Context, txn *badgerdb.Txn, prefix, from []byte,
	visit func(item *badgerdb.Item) (bool, error),
) error {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Seek(from); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.isClosing() {
			return queue.ErrClosed
		}
		more, err := visit(it.Item())
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// next returns the first key after another.
func next(key []byte) []byte {
	return append(key, 0)
}

// skip returns nil for an unreadable row that a list may leave out.
func (s *Store) skip(kind string, err error) error {
	switch {
	case errors.Is(err, queue.ErrNotFound) || errors.Is(err, badgerdb.ErrKeyNotFound):
		return nil
	case errors.Is(err, errDamaged) || errors.Is(err, queue.ErrNewerFormat):
		s.damaged(kind, err)
		return nil
	default:
		return err
	}
}
