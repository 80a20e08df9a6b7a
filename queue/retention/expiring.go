// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// expireEvery is how often deliveries that have waited too long are ended.
	// Retention is at least an hour.
	expireEvery = 10 * time.Minute
	// expireParts limits how many parts a sweep does. A part changes at most a
	// thousand deliveries and reads ten thousand; the next sweep goes on where
	// this one stops.
	expireParts = 128
	// relievedShare is the part of an endpoint's deliveries that is given up
	// when the queue is larger than it may be: a quarter, each time that it has
	// grown.
	relievedShare = 4
	// maxExpiredNames limits how many endpoints have an expiry count.
	maxExpiredNames = 1000
)

// Why a delivery has expired.
const (
	expiredByAge  = "age"
	expiredBySize = "size"
)

// expiring ends pending deliveries of endpoints that get none at present, because
// they are disabled or paused, or not configured any more. Such deliveries are kept
// in case the endpoint returns, but not for ever. Deliveries of all other endpoints
// end by their own schedule.
type expiring struct {
	log     *zap.Logger
	metrics Metrics

	mu sync.Mutex
	// counts has how many deliveries have expired since the process began, by
	// endpoint.
	counts map[string]int
	// at is where the last sweep stopped, zero if it came to the end.
	at expiryPlace
}

// expiryPlace is where a sweep goes on: with an endpoint, after a cursor.
type expiryPlace struct {
	endpoint string
	cursor   queue.Cursor
}

// expiringQueue is the part of the queue that expiring needs.
type expiringQueue interface {
	Expire(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error)
	Stats(ctx context.Context) (queue.Stats, error)
}

func newExpiring(log *zap.Logger, metrics Metrics) *expiring {
	return &expiring{log: log, metrics: metrics, counts: make(map[string]int)}
}

// sweep ends the pending deliveries of events from before a time, to endpoints that
// do not receive. It does a limited part of that; the next sweep goes on there.
func (x *expiring) sweep(ctx context.Context, q expiringQueue, receives func(endpoint string) bool, before time.Time) error {
	stats, err := q.Stats(ctx)
	if err != nil {
		return err
	}
	place := x.place()
	names := slices.Sorted(maps.Keys(stats.PendingDeliveries))
	from, found := slices.BinarySearch(names, place.endpoint)
	if !found {
		place.cursor = ""
	}
	parts := expireParts
	for _, name := range names[from:] {
		expired := 0
		for !receives(name) {
			if parts == 0 {
				x.expired(name, expired, expiredByAge)
				x.goOn(expiryPlace{endpoint: name, cursor: place.cursor})
				return nil
			}
			parts--
			n, next, err := q.Expire(ctx, pendingOf(name, before), queue.Page{Cursor: place.cursor, Limit: queue.MaxLimit})
			expired += n
			if err != nil {
				x.expired(name, expired, expiredByAge)
				return err
			}
			if place.cursor = next; next == "" {
				break
			}
		}
		place.cursor = ""
		x.expired(name, expired, expiredByAge)
	}
	x.goOn(expiryPlace{})
	return nil
}

// relieve ends the oldest part of the pending deliveries to endpoints that do not
// receive.
func (x *expiring) relieve(ctx context.Context, q expiringQueue, receives func(endpoint string) bool) error {
	stats, err := q.Stats(ctx)
	if err != nil {
		return err
	}
	parts := expireParts
	for _, name := range slices.Sorted(maps.Keys(stats.PendingDeliveries)) {
		expired, cursor := 0, queue.Cursor("")
		for left := (stats.PendingDeliveries[name] + relievedShare - 1) / relievedShare; left > 0 && parts > 0 && !receives(name); parts-- {
			n, next, err := q.Expire(ctx, pendingOf(name, time.Time{}), queue.Page{Cursor: cursor, Limit: min(left, queue.MaxLimit)})
			expired += n
			if err != nil {
				x.expired(name, expired, expiredBySize)
				return err
			}
			left -= n
			if cursor = next; next == "" {
				break
			}
		}
		x.expired(name, expired, expiredBySize)
	}
	return nil
}

// pendingOf selects the pending deliveries to an endpoint, of events from before a
// time.
func pendingOf(endpoint string, before time.Time) queue.Selection {
	return queue.Selection{Endpoint: endpoint, Statuses: []queue.Status{queue.StatusPending}, To: before}
}

func (x *expiring) place() expiryPlace {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.at
}

func (x *expiring) goOn(at expiryPlace) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.at = at
}

// expired counts and logs deliveries that have expired.
func (x *expiring) expired(endpoint string, n int, why string) {
	if n == 0 {
		return
	}
	x.metrics.Expired(why, n)
	x.log.Warn("deliveries of an endpoint that gets none have expired",
		zap.String("endpoint", endpoint), zap.Int("deliveries", n), zap.String("by", why))
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.counts[endpoint]; known || len(x.counts) < maxExpiredNames {
		x.counts[endpoint] += n
	}
}

// all returns how many deliveries have expired since the process began, by
// endpoint.
func (x *expiring) all() map[string]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.counts)
}

// growth detects that the queue's tables grow. They become smaller only when the
// engine compacts them, some time after a deletion, so their size alone does not
// say whether more has to be deleted.
type growth struct {
	known bool
	least int64
}

// grown reports whether the tables are larger than their least size since it last
// reported true. The first call only takes note of the size.
func (g *growth) grown(tables int64) bool {
	if !g.known || tables < g.least {
		g.known, g.least = true, tables
		return false
	}
	if tables == g.least {
		return false
	}
	g.least = tables
	return true
}
