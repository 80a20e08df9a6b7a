// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// maxAhead is how many deliveries may wait for the endpoint before the run does: its
	// receiver may be slow, and what is committed takes disk.
	maxAhead = 500
	// countEvery is after how many steps it is looked.
	countEvery = 50
)

// turn waits for the run's turn: until there is room on the disk, not too much waits for
// the endpoint already, and the pace of all runs allows a step. What is replayed is on the
// disk anyway, and the endpoint is sent nothing before it is all there.
func (r *run) turn(ctx context.Context) error {
	for {
		free := queue.LevelOf(r.Store) == queue.SpaceEnough
		if free && !r.IsReplay() && r.steps%countEvery == 0 {
			stats, err := r.Store.Stats(ctx)
			if err != nil {
				return err
			}
			free = stats.PendingDeliveries != nil && stats.PendingDeliveries[r.name] < maxAhead
		}
		if free {
			r.steps++
			return r.pace.Wait(ctx)
		}
		if err := r.wait(ctx, again); err != nil {
			return err
		}
	}
}
