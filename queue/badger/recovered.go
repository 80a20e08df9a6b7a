// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

// damaged records a row that cannot be used.
func (s *Store) damaged(kind string, err error) {
	s.log.Error("a record of the queue cannot be used", zap.String("kind", kind), zap.Error(err))
	s.damage.Add(1)
	s.ground.distrust()
}

// Damaged implements [queue.Recoverer].
func (s *Store) Damaged() uint64 {
	return s.damage.Load()
}

// Lost implements [queue.Recoverer]. It counts batches.
func (s *Store) Lost() uint64 {
	return s.inspection.lost()
}

// WasRestored implements [queue.Recoverer].
func (s *Store) WasRestored() bool {
	err := s.view(context.Background(), func(txn *badgerdb.Txn) error {
		_, err := txn.Get(restoredKey)
		return err
	})
	return err == nil
}

// ForgetRestored implements [queue.Recoverer].
func (s *Store) ForgetRestored() error {
	if err := s.enter(context.Background()); err != nil {
		return err
	}
	defer s.leave()
	return s.ground.commit(func() error {
		return s.db.Update(func(txn *badgerdb.Txn) error { return txn.Delete(restoredKey) })
	})
}
