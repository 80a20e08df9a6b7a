// SPDX-License-Identifier: Apache-2.0

// Package retention keeps the queue from growing without end: it removes history
// before its time if there is too much, forgets objects that have been gone for
// long, and ends deliveries that have waited too long for endpoints that get none.
package retention

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// MinAge is the least that history may be kept for.
const MinAge = time.Hour

// every is how often a [Keeper] checks whether there is anything to do.
const every = 5 * time.Second

// maintenance names the work of a Keeper, which one process does for each queue.
const maintenance = "retention"

// Settings say how much history is kept.
type Settings struct {
	// Age is how long history is kept. While it is 0, as before a configuration
	// is at work, no object is forgotten.
	Age time.Duration
	// Size limits the queue's tables, in bytes; 0 for no limit.
	Size uint64
	// Lag is how far the API's replicas may lag behind, the longest of all
	// resources.
	Lag time.Duration
}

// Metrics counts deliveries that are given up.
type Metrics interface {
	// Expired counts deliveries that were ended because of their age, or of the
	// size of the queue.
	Expired(why string, n int)
}

// Options configure a [Keeper].
type Options struct {
	// Settings returns how much history is kept now.
	Settings func() Settings
	// Tables returns the size of the queue's tables, in bytes.
	Tables func() int64
	// Receives reports whether an endpoint gets deliveries at present.
	Receives func(endpoint string) bool

	// Metrics counts deliveries that are given up.
	Metrics Metrics
	// Logger logs what is removed, and ExpiryLogger which deliveries are ended.
	Logger, ExpiryLogger *zap.Logger
}

// Keeper keeps the retention of a queue.
type Keeper struct {
	opts       Options
	expiring   *expiring
	forgetting forgetting
	tables     growth
	// swept is when deliveries that have waited too long were last ended.
	swept time.Time
}

// NewKeeper returns a Keeper.
func NewKeeper(options Options) *Keeper {
	return &Keeper{opts: options, expiring: newExpiring(options.ExpiryLogger, options.Metrics)}
}

// Run keeps the retention of the queue that open returns, until ctx ends: every few
// seconds, and when now says that the disk has little space left. Open returns nil
// while the queue is not open.
func (k *Keeper) Run(ctx context.Context, now <-chan struct{}, open func() queue.Store) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-now:
		}
		if store := open(); store != nil {
			k.Step(ctx, store, time.Now())
		}
	}
}

// Expired returns how many deliveries were ended since the process began, by
// endpoint.
func (k *Keeper) Expired() map[string]int {
	return k.expiring.all()
}

// Step does what is necessary at a time, if this process keeps the retention.
func (k *Keeper) Step(ctx context.Context, store queue.Store, now time.Time) {
	held, err := store.LeaseMaintenance(ctx, maintenance, 3*every)
	k.report(ctx, "asking whether another process keeps the retention", err)
	if !held || err != nil {
		return
	}
	settings := k.opts.Settings()
	removed := k.trim(ctx, store, settings)
	k.report(ctx, "forgetting objects that are gone", k.forgetting.step(ctx, k, store, settings, now))
	tables, oversize := k.size(settings)
	if grown := k.tables.grown(tables); grown && oversize && removed == 0 {
		k.report(ctx, "ending deliveries that make the queue too large", k.expiring.relieve(ctx, store, k.opts.Receives))
	}
	if now.Sub(k.swept) >= expireEvery {
		k.swept = now
		k.report(ctx, "ending deliveries that have waited for too long", k.expiring.sweep(ctx, store, k.opts.Receives, now.Add(-settings.Age)))
	}
}

// trim removes the oldest events without pending deliveries, as far as necessary,
// and returns how many.
func (k *Keeper) trim(ctx context.Context, store queue.Store, settings Settings) (removed int) {
	for k.overfull(store, settings) {
		n, more, err := queue.TrimmerOf(store).Trim(ctx)
		removed += n
		k.report(ctx, "trimming history", err)
		if err != nil || !more {
			break
		}
	}
	if removed > 0 {
		k.opts.Logger.Info("history was trimmed before its time", zap.Int("events", removed))
	}
	return removed
}

// report logs an error, unless its cause is that the queue closes.
func (k *Keeper) report(ctx context.Context, what string, err error) {
	closes := errors.Is(err, queue.ErrClosed) || errors.Is(err, queue.ErrFull) || errors.Is(err, queue.ErrDisk)
	if err != nil && !closes && ctx.Err() == nil {
		k.opts.Logger.Error(what, zap.Error(err))
	}
}

// overfull reports whether history must be removed before its time.
func (k *Keeper) overfull(store queue.Store, settings Settings) bool {
	if queue.LevelOf(store) != queue.SpaceEnough {
		return true
	}
	_, oversize := k.size(settings)
	return oversize
}

// size returns the size of the queue's tables, and reports whether that is more
// than the settings allow.
func (k *Keeper) size(settings Settings) (tables int64, oversize bool) {
	if settings.Size == 0 {
		return 0, false
	}
	tables = k.opts.Tables()
	return tables, uint64(tables) > settings.Size
}
