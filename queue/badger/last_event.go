// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"math"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// LastEvent implements [queue.History].
func (s *Store) LastEvent(ctx context.Context, tenant string, key event.Key) (event.Event, error) {
	var found event.Event
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		look := lastLook{s: s, txn: txn, tenant: tenant, key: key}
		err := look.back(ctx)
		if err == nil && look.at == 0 {
			err = queue.ErrNotFound
		}
		if err != nil {
			return err
		}
		record, err := s.readEvent(txn, look.at, true)
		found = record.Event
		return err
	})
	return found, err
}

// lastLook looks for the last event of an object that a tenant may see.
type lastLook struct {
	s      *Store
	txn    *badgerdb.Txn
	tenant string
	key    event.Key

	// at is the position of the event, 0 if it is not found yet. Looked counts the rows.
	at     uint64
	looked int
}

func (l *lastLook) back(ctx context.Context) error {
	from := uint64(math.MaxUint64)
	if l.tenant != "" {
		prefix := endpointPrefix(nil, kindTenant, indexedTenant(l.tenant))
		if err := l.rows(ctx, prefix, from); err != nil || l.at > 0 || l.looked >= queue.MaxLastLooked {
			return err
		}
		// Those that an earlier version has committed stand in no index.
		if from = l.s.events.withoutIndex(); from == 0 {
			return nil
		}
	}
	return l.rows(ctx, []byte{kindEvent}, from)
}

// rows looks at the events that rows name, newest first.
func (l *lastLook) rows(ctx context.Context, prefix []byte, from uint64) error {
	return l.s.eachKey(ctx, l.txn, prefix, placed(prefix, from), func(item *badgerdb.Item) (bool, error) {
		position, err := positionBehind(item.Key(), prefix)
		if err != nil {
			return true, l.s.skip("event", err)
		}
		l.looked++
		record, err := l.s.readEvent(l.txn, position, false)
		switch {
		case err != nil:
			err = l.s.skip("event", err)
		case record.Key == l.key && record.InFeedOf(l.tenant):
			l.at = position
		}
		return l.at == 0 && l.looked < queue.MaxLastLooked, err
	})
}
