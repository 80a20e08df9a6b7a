// SPDX-License-Identifier: Apache-2.0

package patience_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/patience"
)

// A context is shared by those who come at about the same time, and no shorter
// for them than was promised. All end with the one that was given.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound = 2 * time.Second
		all, end := context.WithCancel(t.Context())
		p := patience.New(all, bound)
		first := p.Context()
		time.Sleep(bound/20 - time.Nanosecond)
		if p.Context() != first {
			t.Error("a context is not shared")
		}
		time.Sleep(time.Nanosecond)
		second := p.Context()
		if deadline, _ := second.Deadline(); time.Until(deadline) != bound {
			t.Errorf("the next ends in %s", time.Until(deadline))
		}
		if first.Err() != nil {
			t.Error("the first ends with the second")
		}
		time.Sleep(bound - bound/20)
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
