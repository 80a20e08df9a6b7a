// SPDX-License-Identifier: Apache-2.0

package deadline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/deadline"
)

// Callers that come at about the same time share a context, which is no shorter
// for them than promised. All contexts end with the parent.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 2 * time.Second
		parent, end := context.WithCancel(t.Context())
		p := deadline.New(parent, timeout)
		first := p.Context()
		time.Sleep(timeout/20 - time.Nanosecond)
		if p.Context() != first {
			t.Error("a context is not shared")
		}
		time.Sleep(time.Nanosecond)
		second := p.Context()
		if end, _ := second.Deadline(); time.Until(end) != timeout {
			t.Errorf("the next ends in %s", time.Until(end))
		}
		if first.Err() != nil {
			t.Error("the first ends with the second")
		}
		time.Sleep(timeout - timeout/20)
		synctest.Wait()
		if !errors.Is(first.Err(), context.DeadlineExceeded) || second.Err() != nil {
			t.Errorf("got %v and %v", first.Err(), second.Err())
		}
		end()
		if second.Err() == nil {
			t.Error("the second goes on")
		}
	})
}
