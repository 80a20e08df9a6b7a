// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// narrow is a queue that takes few marks in one step, and may fail at one.
type narrow struct {
	queue.Intents
	most, failsAt int

	steps  int
	marked []string
	// closed is when the intent was closed, and with what.
	closed     int
	unresolved string
}

var errDisk = errors.New("input/output error")

func (n *narrow) ResolveIntent(_ context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) error {
	if len(resolution.Marks) > n.most {
		return queue.ErrTooLarge
	}
	n.steps++
	if n.steps == n.failsAt || !durable {
		return errDisk
	}
	for i := range resolution.Marks {
		n.marked = append(n.marked, resolution.Marks[i].Key.ID)
	}
	if id != 0 {
		n.closed, n.unresolved = n.steps, resolution.Unresolved
	}
	return nil
}

// However many marks an exchange makes, they come into the queue in their order,
// and the intent is closed when all of them are there.
func TestResolve(t *testing.T) {
	resolution := queue.Resolution{Unresolved: "why"}
	for i := range 10 {
		resolution.Marks = append(resolution.Marks, queue.Mark{Key: event.Key{Resource: "items", ID: fmt.Sprint(i)}})
	}
	for most := range 11 {
		q := &narrow{most: most}
		err := queue.Resolve(t.Context(), q, 7, resolution, true)
		if most == 0 {
			if !errors.Is(err, queue.ErrTooLarge) || q.closed != 0 {
				t.Errorf("%v, closed at %d", err, q.closed)
			}
			continue
		}
		if err != nil || fmt.Sprint(q.marked) != "[0 1 2 3 4 5 6 7 8 9]" || q.closed != q.steps || q.unresolved != "why" {
			t.Errorf("%d at once: %v, %v, closed at %d of %d with %q", most, err, q.marked, q.closed, q.steps, q.unresolved)
		}
		for at := 1; at <= q.steps; at++ {
			failing := &narrow{most: most, failsAt: at}
			if err := queue.Resolve(t.Context(), failing, 7, resolution, true); !errors.Is(err, errDisk) || failing.closed != 0 {
				t.Errorf("%d at once, with an error at %d: %v, closed at %d", most, at, err, failing.closed)
			}
		}
	}
}
