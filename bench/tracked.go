// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// trackedObjects is the number of objects in the measured queue.
const trackedObjects = 1_000_000

// trackedBatch is how many objects are marked in one step.
const trackedBatch = 500

// measureTracked prints the cost of a known object that does not change: memory
// and disk, without and with `watch`. Its snapshot has a hash of the Show, a
// version and one watched field, like that of an object with an event on its
// state.
func measureTracked(l *lab) error {
	for _, m := range []struct {
		name string
		look time.Duration
	}{{"tracked", 0}, {"tracked.watched", 24 * time.Hour}} {
		if err := trackObjects(filepath.Join(l.dir, m.name), m.name, m.look); err != nil {
			return err
		}
	}
	return nil
}

func trackObjects(dir, name string, look time.Duration) error {
	store, err := badger.Open(badger.Options{Dir: dir, Durability: queue.Process})
	if err != nil {
		return err
	}
	if err := fillTracked(store, look); err != nil {
		store.Close()
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	// The measurement is of the next process, when it has settled.
	before := heap()
	begin := time.Now()
	if store, err = badger.Open(badger.Options{Dir: dir, Durability: queue.Process}); err != nil {
		return err
	}
	defer store.Close()
	opened := time.Since(begin)
	stats, err := store.Stats(context.Background())
	if err != nil {
		return err
	}
	fmt.Printf("%s %d objects: %.0f bytes of memory each, %.0f bytes of disk each (opened in %.2f s, %d looks)\n",
		name, trackedObjects, float64(heap()-before)/trackedObjects, float64(diskUsage(dir))/trackedObjects, opened.Seconds(), stats.Looks)
	return nil
}

// fillTracked records the objects in the queue, as reconciling does.
func fillTracked(store *badger.Store, look time.Duration) error {
	ctx := context.Background()
	hasher := event.NewHasher(store.Instance().HashKey)
	for at := 0; at < trackedObjects; at += trackedBatch {
		marks := make([]queue.Mark, trackedBatch)
		for i := range marks {
			marks[i] = queue.Mark{Key: event.Key{Resource: "items", ID: strconv.Itoa(1_000_000 + at + i)}, Hints: queue.HintLooked}
		}
		if err := store.ResolveIntent(ctx, 0, queue.Resolution{Marks: marks}, true); err != nil {
			return err
		}
		failed := make(chan error, trackedBatch)
		for range marks {
			lease, err := store.LeaseMark(ctx, "items", time.Minute)
			if err != nil {
				return err
			}
			go func() { failed <- commitTracked(ctx, store, hasher, lease, look) }()
		}
		for range marks {
			if err := <-failed; err != nil {
				return err
			}
		}
	}
	return nil
}

func commitTracked(ctx context.Context, store *badger.Store, hasher event.Hasher, lease queue.MarkLease, look time.Duration) error {
	now := time.Now()
	reconciled := queue.Reconciled{AskedAt: now, Snapshot: &event.Snapshot{
		Key: lease.Key, Hash: hasher.Show(event.NewDocument([]byte(lease.Key.ID))), Version: "2026-01-02T03:04:05Z",
		Watched: event.Fields{"items.state": json.RawMessage(`"pending"`)}, Time: now,
	}}
	if look > 0 {
		reconciled.LookAt = now.Add(look)
	}
	return store.CommitReconciled(ctx, lease, reconciled)
}

// heap returns the bytes of memory in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse
}

// diskUsage returns the size of a queue's tables and logs, counting only
// written blocks: a log has its final size from the beginning.
func diskUsage(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".sst" {
			return nil //nolint:nilerr // a table that has just been merged into another
		}
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}
