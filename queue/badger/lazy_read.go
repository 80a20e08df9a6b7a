// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"runtime/debug"

	badgerdb "github.com/dgraph-io/badger/v4"
)

// lazyRead is a transaction that begins when it is first needed. Badger lets a
// transaction begin only after the commit under way, and there is nearly always
// one: reading for each delivery means waiting much of the time, and most
// deliveries can be leased without.
type lazyRead struct {
	db  *badgerdb.DB
	txn *badgerdb.Txn
}

// begun returns the transaction.
func (l *lazyRead) begun() *badgerdb.Txn {
	if l.txn == nil {
		l.txn = l.db.NewTransaction(false)
	}
	return l.txn
}

func (l *lazyRead) end() {
	if l.txn != nil {
		l.txn.Discard()
	}
}

// readLazily is view for reads that may need no transaction.
func (s *Store) readLazily(ctx context.Context, read func(l *lazyRead) error) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer s.ground.recovered(&err)
	l := &lazyRead{db: s.db}
	defer l.end()
	return read(l)
}
