// SPDX-License-Identifier: Apache-2.0

package wake

import (
	"errors"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func asleep(woken <-chan struct{}) bool {
	select {
	case <-woken:
		return false
	default:
		return true
	}
}

// An event wakes the readers of its feeds and no others, and nothing is left of those
// who have left.
func TestWake(t *testing.T) {
	s := New()
	join := func(of queue.Scope) (<-chan struct{}, func()) {
		t.Helper()
		woken, leave, err := s.Join(of)
		if err != nil {
			t.Fatal(err)
		}
		return woken, leave
	}
	acme, leaveAcme := join(queue.OfTenant("acme"))
	also, leaveAlso := join(queue.OfTenant("acme"))
	erp, leaveErp := join(queue.OfEndpoint("acme"))
	s.Wake([]queue.Scope{queue.Everything(), queue.OfTenant("acme"), queue.OfTenant("acme")})
	if asleep(acme) || asleep(also) || !asleep(erp) {
		t.Error("the wrong ones are awake")
	}
	again, leaveAgain := join(queue.OfTenant("acme"))
	leaveAcme()
	leaveAlso()
	if len(s.of) != 2 || !asleep(again) {
		t.Errorf("%d rooms are left", len(s.of))
	}
	leaveAgain()
	leaveErp()
	if len(s.of) != 0 {
		t.Errorf("%d rooms are left", len(s.of))
	}
	last, _ := join(queue.Everything())
	s.Close()
	if asleep(last) {
		t.Error("closing wakes nobody")
	}
	if _, _, err := s.Join(queue.Everything()); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
