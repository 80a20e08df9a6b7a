// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"context"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// maxAhead is how many deliveries may wait for the endpoint before the run does: its
	// receiver may be slow, and what is committed takes disk.
	maxAhead = 500
	// countEvery is after how many steps it is looked.
	countEvery = 50
	// lastPoll is the longest that a run does not look whether it can go on.
	lastPoll = 10 * time.Second
)

// waiting knows how much waits for endpoints. To count it takes longer with each of them,
// so all runs share it.
type waiting struct {
	mu      sync.Mutex
	counted time.Time
	// pending is nil while nobody knows.
	pending map[string]int
}

// free reports whether an endpoint has few enough deliveries that wait.
func (w *waiting) free(ctx context.Context, store queue.Store, name string, now time.Time) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.counted) >= again {
		stats, err := store.Stats(ctx)
		if err != nil {
			return false, err
		}
		w.counted, w.pending = now, stats.PendingDeliveries
	}
	return w.pending != nil && w.pending[name] < maxAhead, nil
}

// turn waits for the run's turn: until there is room on the disk, not too much waits for
// the endpoint already, and the pace of all runs allows a step. What is replayed is on the
// disk anyway, and the endpoint is sent nothing before it is all there.
func (r *run) turn(ctx context.Context) error {
	for poll := again; ; poll = min(2*poll, lastPoll) {
		free := queue.LevelOf(r.Store) == queue.SpaceEnough
		if free && !r.IsReplay() && r.steps%countEvery == 0 {
			var err error
			if free, err = r.waiting.free(ctx, r.Store, r.name, r.Now()); err != nil {
				return err
			}
		}
		if free {
			r.steps++
			return r.pace.Wait(ctx)
		}
		if err := r.wait(ctx, poll); err != nil {
			return err
		}
	}
}
