// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// A Show that differs whenever a client asks for it causes ever fewer looks.
func TestSuspicion(t *testing.T) {
	var s suspicion
	now, looks := testTime, 0
	for range 24 * 3600 {
		now = now.Add(time.Second)
		next, due := s.next(fmt.Append(nil, now), now)
		if due {
			looks++
		}
		s = next
	}
	if looks < 24*6 || looks > 24*6+12 {
		t.Errorf("%d looks in a day", looks)
	}
	if _, due := s.next(s.hash, now.Add(lastSuspicion+time.Second)); due {
		t.Error("the same Show causes another look")
	}
	if next, due := s.next([]byte("x"), now.Add(3*lastSuspicion)); !due || next.wait != firstSuspicion {
		t.Errorf("after a while, the next look is %v, and then waits for %s", due, next.wait)
	}
}

// Clients who read many objects whose Shows differ use up their part of the looks,
// and no more.
func TestLooksOfClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(time.Now)
		defer store.Close()
		o := NewObserver(store, nil)
		defer o.Stop()
		budget := rate.NewLimiter(5, 5)
		for second := range 60 {
			for id := range 20 {
				o.Observe(Observation{
					Key: event.Key{Resource: "items", ID: fmt.Sprint(second, "-", id)}, Budget: budget,
					Show: answer(200, fmt.Sprintf(`{"nonce":%d}`, second)),
				})
				synctest.Wait()
			}
			time.Sleep(time.Second)
		}
		stats, err := store.Stats(t.Context())
		if err != nil || stats.Looks < 60*5 || stats.Looks > 61*5 {
			t.Errorf("%d looks in a minute, %v", stats.Looks, err)
		}
	})
}
