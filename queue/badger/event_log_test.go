// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"
	"pgregory.net/rapid"
)

// What is kept about an event never goes before the event, and hardly later, whatever the
// retention was when the events of its span were committed.
func TestExpiryOfPositions(t *testing.T) {
	db, err := badgerdb.Open(badgerdb.DefaultOptions("").WithInMemory(true).WithLogger(nil))
	must(t, err)
	defer db.Close()
	rapid.Check(t, func(t *rapid.T) {
		clock := newClock(time.Unix(1_700_000_000, 0))
		s := &Store{now: clock.now}
		b := newBatch(s)
		b.txn = db.NewTransaction(true)
		defer b.txn.Discard()
		for position := uint64(1); position <= 60; position++ {
			retention := rapid.SampledFrom([]time.Duration{
				50 * time.Second, 2000 * time.Second, 2002 * time.Second, 720 * time.Hour, 721 * time.Hour,
			}).Draw(t, "retention")
			s.retention.Store(int64(retention))
			clock.add(rapid.SampledFrom([]time.Duration{0, time.Second / 3, time.Second, time.Hour}).Draw(t, "wait"))
			b.log.begin(&s.events)
			expires := s.expiry()
			b.extend(position, expires)
			s.events.apply(&b.log)
			found := s.events.expiryOf(position)
			if most := expires + uint64(retention/time.Second)/500 + 2; found < expires || found > most {
				t.Fatalf("the event at %d expires at %d, and what is about it at %d; %+v", position, expires, found, s.events.spans)
			}
		}
		if s.events.expiryOf(0) != 0 {
			t.Fatal("it is known when an event expires that is none")
		}
	})
}
