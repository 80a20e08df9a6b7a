// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// A waiting worker gets a mark that is made later, and a retried mark when it
// is due.
func TestLeaseMarkWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(time.Now)
		defer store.Close()
		key := event.Key{Resource: "items", ID: "1"}
		began := time.Now()
		leased := make(chan queue.MarkLease)
		go func() {
			defer close(leased)
			for range 2 {
				lease, err := store.LeaseMark(t.Context(), "items", time.Minute)
				if err != nil {
					t.Errorf("LeaseMark: %v", err)
					return
				}
				if err := store.RetryMark(t.Context(), lease, time.Now().Add(time.Hour), "busy"); err != nil {
					t.Errorf("RetryMark: %v", err)
				}
				leased <- lease
			}
		}()
		synctest.Wait()
		if err := store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); err != nil {
			t.Fatal(err)
		}
		if got := <-leased; got.Key != key || got.Tries != 0 {
			t.Errorf("got %+v", got)
		}
		if got := <-leased; got.Tries != 1 {
			t.Errorf("got %+v", got)
		}
		if waited := time.Since(began); waited != time.Hour {
			t.Errorf("waited %v", waited)
		}
	})
}
