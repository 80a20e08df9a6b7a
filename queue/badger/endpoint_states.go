// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// put is the write of one record, or of its deletion if the record is nil.
type put struct {
	waiter
	key, record []byte
}

func (s *Store) put(ctx context.Context, key, record []byte) error {
	if len(key) > maxKey {
		return queue.ErrTooLarge
	}
	wr := &put{key: key, record: record}
	wr.durable = true
	wr.need(len(key), len(record))
	return s.submit(ctx, wr)
}

func (wr *put) stage(b *batch) error {
	if wr.record == nil {
		b.delete(wr.key)
	} else {
		b.set(wr.key, wr.record)
	}
	return nil
}

func (wr *put) committed(*Store) {}
func (wr *put) aborted(*Store)   {}

func nameKey(kind byte, name string) []byte {
	return append([]byte{kind}, name...)
}

// PutEndpointState implements [queue.EndpointStates].
func (s *Store) PutEndpointState(ctx context.Context, state queue.EndpointState) error {
	var record []byte
	if !state.IsZero() {
		state.Reason = clip(state.Reason, maxReason)
		record = appendEndpointState(nil, &state)
	}
	return s.put(ctx, nameKey(kindEndpointState, state.Name), record)
}

// EndpointStates implements [queue.EndpointStates].
func (s *Store) EndpointStates(ctx context.Context) ([]queue.EndpointState, error) {
	var states []queue.EndpointState
	prefix := []byte{kindEndpointState}
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		return s.eachFrom(ctx, txn, prefix, prefix, func(item *badgerdb.Item) (bool, error) {
			return true, s.skip("endpoint state", item.Value(func(record []byte) error {
				state, err := parseEndpointState(string(item.Key()[1:]), record)
				if err == nil {
					states = append(states, state)
				}
				return err
			}))
		})
	})
	return states, err
}
