// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
)

func benchMark(n int64) queue.Mark {
	return queue.Mark{
		Key:   event.Key{Resource: "items", ID: strconv.FormatInt(n, 10)},
		Cause: event.Cause{Rule: "PATCH /items/:id", Outcome: event.OutcomeChanged, At: time.Unix(1_800_000_000, 0)},
	}
}

// spread runs do b.N times on as many goroutines as are given.
func spread(b *testing.B, writers int, do func(n int64) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkMarks measures durable marks, and bare Badger with the same bytes in
// batches of as many as there are writers, with the same sync. The ratio of the
// two is budget P2.
func BenchmarkMarks(b *testing.B) {
	for _, durability := range []queue.Durability{queue.Power, queue.Process} {
		for _, writers := range []int{1, 64, 128, 512} {
			b.Run(fmt.Sprintf("%s/%d", durability, writers), func(b *testing.B) {
				// Others use the machine too: half of the baseline before, half
				// after.
				bare := bareBatches(b, durability, writers)
				s, err := Open(Options{Dir: b.TempDir(), Durability: durability})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				ctx := context.Background()
				b.ReportAllocs()
				b.ResetTimer()
				spread(b, writers, func(n int64) error {
					return s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{benchMark(n)}}, true)
				})
				b.StopTimer()
				rate := float64(b.N) / b.Elapsed().Seconds()
				bare = (bare + bareBatches(b, durability, writers)) / 2
				b.ReportMetric(rate, "marks/s")
				b.ReportMetric(bare, "bare/s")
				b.ReportMetric(rate/bare, "P2")
				b.ReportMetric(float64(b.N)/float64(s.committer.commits.Load()), "marks/commit")
			})
		}
	}
}

// bareBatches returns how many of the marks' records Badger writes in a second
// in transactions of a size.
func bareBatches(b *testing.B, durability queue.Durability, size int) float64 {
	db, err := badgerdb.Open(engineOptions(Options{Dir: b.TempDir()}.withDefaults()).WithSyncWrites(durability == queue.Power))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	began := time.Now()
	marks := (b.N + 1) / 2
	for n := 0; n < marks; n += size {
		txn := db.NewTransaction(true)
		for i := n; i < min(n+size, marks); i++ {
			record := mark.New(benchMark(int64(i)), began)
			if err := txn.Set(objectKey(nil, kindMark, record.Key), appendMark(nil, &record)); err != nil {
				b.Fatal(err)
			}
		}
		if err := txn.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(marks) / time.Since(began).Seconds()
}

// BenchmarkSync compares the two ways to make a commit durable: Badger's own,
// and a sync after the commit.
func BenchmarkSync(b *testing.B) {
	for _, own := range []bool{false, true} {
		for _, size := range []int{1, 128} {
			b.Run(fmt.Sprintf("after=%v/%d", own, size), func(b *testing.B) {
				db, err := badgerdb.Open(engineOptions(Options{Dir: b.TempDir()}.withDefaults()).WithSyncWrites(!own))
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				value := make([]byte, 80)
				for n := 0; b.Loop(); n++ {
					txn := db.NewTransaction(true)
					for i := range size {
						if err := txn.Set(numberKey(nil, kindMark, uint64(n*size+i)), value); err != nil {
							b.Fatal(err)
						}
					}
					if err := txn.Commit(); err != nil {
						b.Fatal(err)
					}
					if own {
						if err := db.Sync(); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

// BenchmarkChange measures all that the queue does for one change that goes to
// one endpoint: intent, mark, reconciliation, delivery.
func BenchmarkChange(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(strconv.Itoa(writers), func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			payload := make([]byte, 1<<10)
			b.ReportAllocs()
			b.ResetTimer()
			spread(b, writers, func(n int64) error { return change(s, n, payload) })
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}

func change(s *Store, n int64, payload []byte) error {
	ctx := context.Background()
	m := benchMark(n)
	id, err := s.NoteIntent(ctx, queue.Intent{Resource: "items", Key: m.Key, Rule: m.Cause.Rule})
	if err != nil {
		return err
	}
	if err := s.ResolveIntent(ctx, id, queue.Resolution{Marks: []queue.Mark{m}}, false); err != nil {
		return err
	}
	held, err := s.LeaseMark(ctx, "items", time.Minute)
	if err != nil {
		return err
	}
	e := event.Event{ID: "evt_" + held.Key.ID, Type: "items.updated", Key: held.Key, Sequence: 1, Payload: payload}
	err = s.CommitReconciled(ctx, held, queue.Reconciled{
		AskedAt:  time.Now(),
		Snapshot: &event.Snapshot{Key: held.Key, Sequence: 1, Hash: payload[:32]},
		Events:   []queue.Routed{{Event: e, Endpoints: []string{"erp"}}},
	})
	if err != nil {
		return err
	}
	delivery, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Minute})
	if err != nil {
		return err
	}
	return s.FinishAttempt(ctx, delivery, queue.Attempt{Code: 200}, queue.Verdict{Status: queue.StatusDelivered})
}
