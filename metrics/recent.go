// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/metrics/series"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
)

// Recent is what a process has done in the last day, and what waits in a queue. The samples
// outlive a configuration, as the counters do.
type Recent struct {
	set      *Set
	pipeline *pipeline.Pipeline
	cancel   context.CancelFunc
	done     chan struct{}
}

// StartRecent takes a sample every minute until [Recent.Stop].
func (c *Set) StartRecent(p *pipeline.Pipeline) *Recent {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Recent{set: c, pipeline: p, cancel: cancel, done: make(chan struct{})}
	go r.run(ctx)
	return r
}

// Stop ends the sampling. It is idempotent, and nil has nothing to end.
func (r *Recent) Stop() {
	if r != nil {
		r.cancel()
		<-r.done
	}
}

func (r *Recent) run(ctx context.Context) {
	defer close(r.done)
	ticker := time.NewTicker(series.Every)
	defer ticker.Stop()
	for {
		r.set.ring.Put(r.sample(ctx, time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sample returns what was counted until now, and what waits.
func (r *Recent) sample(ctx context.Context, now time.Time) series.Sample {
	var waiting series.Waiting
	if store := r.pipeline.Queue(); store != nil {
		if stats, err := store.Stats(ctx); err == nil {
			waiting.Marks, waiting.Deliveries = stats.Marks, sum(stats.PendingDeliveries)
			if !stats.OldestMark.IsZero() {
				waiting.Oldest = now.Sub(stats.OldestMark)
			}
		}
	}
	return r.set.counts.Sample(now, waiting)
}

// Since returns since when samples are kept.
func (r *Recent) Since() time.Time { return r.set.ring.Since() }

// Points returns what was done in a time until now, in n parts.
func (r *Recent) Points(ctx context.Context, now time.Time, period time.Duration, n int) []series.Point {
	return r.set.ring.Points(r.sample(ctx, now), period, n)
}
