// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// slow is how long the slow disk of these tests takes for a sync, and timeout
// how long its callers wait, as an exchange does.
const (
	slow    = 2 * time.Second
	timeout = 2 * time.Second
)

// slowDisk makes every commit slow, and returns the numbers of writes, rows and
// bytes of each batch.
func slowDisk(s *Store) func() (writes, entries, bytes []int) {
	var mu sync.Mutex
	var writes, entries, bytes []int
	commit, sync := s.committer.commitTxn, s.committer.sync
	s.committer.commitTxn = func(b *batch) error {
		mu.Lock()
		defer mu.Unlock()
		writes, entries, bytes = append(writes, len(b.writes)), append(entries, b.rows), append(bytes, b.bytes)
		return commit(b)
	}
	s.committer.sync = func() error {
		time.Sleep(slow)
		return sync()
	}
	return func() ([]int, []int, []int) {
		mu.Lock()
		defer mu.Unlock()
		return writes, entries, bytes
	}
}

// A slow disk makes acknowledgements slow, and nothing else: waiting callers
// are limited in number and in time, batches in writes and in bytes, and what
// was acknowledged is there.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := mustOpen(t, Options{Dir: dir})
		batches := slowDisk(s)
		// The race detector does not take as many goroutines as may wait.
		const room, writers = 1000, 5000
		s.committer.maxWaiting = room

		// One is being committed when the others come.
		began := time.Now()
		markItem(t, s, "first")
		if took := time.Since(began); took != slow {
			t.Errorf("the first took %v", took)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var acknowledged []queue.IntentID
		ended := map[string]int{}
		wg.Go(func() { markItem(t, s, "second") })
		synctest.Wait()
		began = time.Now()
		for range writers {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				id, err := s.NoteIntent(ctx, queue.Intent{Resource: "items", Key: item("1")})
				mu.Lock()
				defer mu.Unlock()
				took := time.Since(began)
				switch {
				case err == nil:
					ended["acknowledged"]++
					acknowledged = append(acknowledged, id)
				case errors.Is(err, queue.ErrBusy):
					ended["busy"]++
					if took != 0 {
						t.Errorf("one was told to go after %v", took)
					}
				case errors.Is(err, context.DeadlineExceeded):
					ended["gave up"]++
				default:
					t.Errorf("got %v", err)
				}
				if took > timeout {
					t.Errorf("one waited for %v", took)
				}
			})
		}
		synctest.Wait()
		if queued, waiting := len(s.committer.queue), s.committer.waiting.Load(); queued != maxQueue || waiting != room {
			t.Errorf("%d are in the queue, and %d wait for it; want %d and %d", queued, waiting, maxQueue, room)
		}
		wg.Wait()
		if ended["busy"] != writers-maxQueue-room || ended["busy"]+ended["gave up"]+ended["acknowledged"] != writers {
			t.Errorf("ended as %v", ended)
		}

		// All callers that wait long enough are served, in batches of a limited
		// size, behind those that have left.
		markItem(t, s, "third")
		for range maxQueue + room {
			wg.Go(func() {
				id, err := s.NoteIntent(t.Context(), queue.Intent{Resource: "items", Key: item("1")})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				acknowledged = append(acknowledged, id)
			})
		}
		wg.Wait()
		writes, entries, _ := batches()
		most := 0
		for i := range writes {
			most = max(most, writes[i])
			if writes[i] > maxWrites || entries[i] > maxEntries {
				t.Errorf("a batch has %d writes and %d entries", writes[i], entries[i])
			}
		}
		if most != maxWrites {
			t.Errorf("the largest batch has %d writes, so this proves nothing", most)
		}

		// What was acknowledged is there, also for the next process.
		must(t, s.Close())
		s = mustOpen(t, Options{Dir: dir})
		open, err := s.StaleIntents(t.Context(), 2*writers)
		must(t, err)
		there := make(map[queue.IntentID]bool)
		for i := range open {
			there[open[i].ID] = true
		}
		for _, id := range acknowledged {
			if !there[id] {
				t.Fatalf("intent %d was acknowledged, and is lost", id)
			}
		}
	})
}

// Large writes fill a batch by their bytes.
func TestSlowDiskLargeWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, Options{})
		batches := slowDisk(s)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				mark := queue.Mark{Key: item("1"), Cause: event.Cause{Path: strings.Repeat("x", 10_000)}}
				must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{mark}}, true))
			})
		}
		wg.Wait()
		writes, _, bytes := batches()
		for i := range bytes {
			if bytes[i] > maxBytes/2 {
				t.Errorf("a batch has %d bytes", bytes[i])
			}
		}
		if len(writes) < 1000*10_000/(maxBytes/2) {
			t.Errorf("%d batches", len(writes))
		}
	})
}

// Callers do not wait for a queue that is being closed: its disk may hang.
func TestSlowClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, Options{})
		slowDisk(s)
		var wg sync.WaitGroup
		wg.Go(func() { markItem(t, s, "1") })
		synctest.Wait()
		wg.Go(func() { must(t, s.Close()) })
		synctest.Wait()
		began := time.Now()
		if _, err := s.NoteIntent(t.Context(), queue.Intent{}); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it waited for %v", took)
		}
		wg.Wait()
	})
}
