// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// markWriters is how many writers mark objects at once.
const markWriters = 128

// measureMarks prints P2: durable marks per second of the queue, divided by
// those of batches of the same bytes written to Badger alone with the same
// sync.
func measureMarks(l *lab) error {
	store, err := badger.Open(badger.Options{Dir: filepath.Join(l.dir, "marks")})
	if err != nil {
		return err
	}
	defer store.Close()
	dir := filepath.Join(l.dir, "batches")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	db, err := badgerdb.Open(badgerdb.DefaultOptions(dir).WithLogger(nil).WithMemTableSize(32 << 20).WithDetectConflicts(false))
	if err != nil {
		return err
	}
	defer db.Close()

	var ratios, marks, batches []float64
	var number atomic.Uint64
	for i := range pairs + 1 {
		a, err := markFor(store, &number, l.slice)
		if err != nil {
			return err
		}
		b, err := batchFor(db, &number, l.slice)
		if err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		ratios, marks, batches = append(ratios, a/b), append(marks, a), append(batches, b)
	}
	fmt.Printf("P2 %.2f (queue %.0f marks/s, bare Badger %.0f marks/s in batches of %d, synced)\n",
		median(ratios), median(marks), median(batches), markWriters)
	return nil
}

func markFor(store *badger.Store, number *atomic.Uint64, d time.Duration) (float64, error) {
	begin := time.Now()
	var done atomic.Uint64
	var failed atomic.Pointer[error]
	var work sync.WaitGroup
	for range markWriters {
		work.Go(func() {
			for time.Since(begin) < d {
				mark := queue.Mark{
					Key:   event.Key{Resource: "items", ID: strconv.FormatUint(number.Add(1), 10)},
					Hints: queue.HintUpdated,
					Cause: event.Cause{Rule: "PATCH /items/:id", Outcome: event.OutcomeChanged, At: begin},
				}
				if err := store.ResolveIntent(context.Background(), 0, queue.Resolution{Marks: []queue.Mark{mark}}, true); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	work.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}

// markBytes is about the size of a stored mark, markKeyBytes that of its key.
const markBytes, markKeyBytes = 80, 20

// batchFor writes batches as large as the number of writers, with one
// transaction and one sync each, which is the best that Badger can do for them.
func batchFor(db *badgerdb.DB, number *atomic.Uint64, d time.Duration) (float64, error) {
	begin := time.Now()
	done := 0
	for time.Since(begin) < d {
		txn := db.NewTransaction(true)
		for range markWriters {
			key, value := make([]byte, markKeyBytes), make([]byte, markBytes)
			binary.BigEndian.PutUint64(key[markKeyBytes-8:], number.Add(1))
			if err := txn.Set(key, value); err != nil {
				txn.Discard()
				return 0, err
			}
		}
		if err := txn.Commit(); err != nil {
			return 0, err
		}
		if err := db.Sync(); err != nil {
			return 0, err
		}
		done += markWriters
	}
	return float64(done) / time.Since(begin).Seconds(), nil
}
