// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// put is the operation that writes one record, or deletes it if it is nil.
type put struct {
	waiter
	key, record []byte
}

func (s *Store) put(ctx context.Context, key, record []byte) error {
	if len(key) > maxKey {
		return queue.ErrTooLarge
	}
	op := &put{key: key, record: record}
	op.durable = true
	op.need(len(key), len(record))
	return s.submit(ctx, op)
}

func (op *put) stage(b *batch) error {
	if op.record == nil {
		b.delete(op.key)
	} else {
		b.set(op.key, op.record)
	}
	return nil
}

func (op *put) committed(*Store) {}
func (op *put) aborted(*Store)   {}

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
