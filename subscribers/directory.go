// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Records is the part of the queue that a Directory follows.
type Records interface {
	Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error)
	Epoch(ctx context.Context, kind string) (uint64, error)
	Await(ctx context.Context, kind string, after uint64) (uint64, error)
}

// Directory is a copy of the endpoints that events are routed to: those that the
// operator has declared, and those that are stored in a queue. It is safe for
// concurrent use.
type Directory struct {
	records Records
	sealer  func() Sealer
	log     *zap.Logger

	set   atomic.Pointer[endpoint.Set]
	epoch atomic.Uint64
	// changes counts how often the stored endpoints have changed.
	changes atomic.Uint64

	mu       sync.Mutex
	declared *endpoint.Set
	template endpoint.Endpoint
	offer    Offer
	known    map[string]*stored
	// unread is how many stored endpoints cannot be read at present.
	unread atomic.Int64
}

// stored is a stored endpoint as it was last read. An endpoint that cannot be read
// has an err, and is tried again with each refresh.
type stored struct {
	version  uint64
	owner    string
	endpoint Endpoint
	err      error
	seen     bool
}

// NewDirectory returns a directory without endpoints. The sealer may be another one
// each time; nil is none.
func NewDirectory(records Records, sealer func() Sealer, log *zap.Logger) *Directory {
	return &Directory{records: records, sealer: sealer, log: log, known: map[string]*stored{}}
}

// Set returns the endpoints. It may be old, see [Directory.Epoch].
func (d *Directory) Set() *endpoint.Set { return d.set.Load() }

// Epoch implements [reconcile.Routing].
func (d *Directory) Epoch() uint64 { return d.epoch.Load() }

// Unread returns how many stored endpoints cannot be read, and get no events.
func (d *Directory) Unread() int { return int(d.unread.Load()) }

// Apply replaces the declared endpoints, and what the stored ones have: the template, see
// [Endpoint.Resolve], and what of their own is offered.
func (d *Directory) Apply(declared *endpoint.Set, template endpoint.Endpoint, offer Offer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.declared, d.template, d.offer = declared, template, offer
	tenants := make(map[string]bool)
	for _, s := range d.known {
		tenants[s.owner] = true
	}
	d.set.Store(declared.With(d.resolved(tenants)))
}

// Refresh implements [reconcile.Routing].
func (d *Directory) Refresh(ctx context.Context) error {
	epoch, err := d.records.Epoch(ctx, queue.KindEndpoint)
	if err != nil {
		return fmt.Errorf("reading whether endpoints have changed: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// While this one waited for another, that may have read all.
	if epoch <= d.epoch.Load() && d.unread.Load() == 0 {
		return nil
	}
	tenants, err := d.read(ctx)
	if err != nil {
		return fmt.Errorf("reading the stored endpoints: %w", err)
	}
	if len(tenants) > 0 {
		d.set.Store(d.set.Load().With(d.resolved(tenants)))
		d.changes.Add(1)
	}
	// Only now: whoever reads the epoch first must find the set.
	d.epoch.Store(max(epoch, d.epoch.Load()))
	return nil
}

// read reads all records, opens those that have changed, and returns their owners.
func (d *Directory) read(ctx context.Context) (tenants map[string]bool, err error) {
	for _, s := range d.known {
		s.seen = false
	}
	tenants = make(map[string]bool)
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		records, next, err := d.records.Records(ctx, queue.KindEndpoint, page)
		if err != nil {
			return nil, err
		}
		for i := range records {
			d.note(&records[i], tenants)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	unread := 0
	for id, s := range d.known {
		switch {
		case !s.seen:
			delete(d.known, id)
			tenants[s.owner] = true
		case s.err != nil:
			unread++
		}
	}
	d.unread.Store(int64(unread))
	return tenants, nil
}

// note notes a record as it is now.
func (d *Directory) note(r *queue.Record, tenants map[string]bool) {
	before := d.known[r.ID]
	if before != nil {
		before.seen = true
		if before.version == r.Version && before.err == nil {
			return
		}
	}
	now := &stored{version: r.Version, owner: r.Owner, seen: true}
	if sealer := d.sealer(); sealer != nil {
		now.endpoint, _, now.err = opened(*r, sealer)
	} else {
		now.err = errNoKey
	}
	d.known[r.ID] = now
	switch {
	case now.err == nil:
	case before != nil && before.version == r.Version:
		return // it is known that it cannot be read
	default:
		d.log.Error("a stored endpoint cannot be read, and gets no events", zap.String("endpoint", r.ID), zap.Error(now.err),
			zap.String("remedy", "put its key back into secrets_key, or delete it"))
	}
	tenants[r.Owner] = true
	if before != nil {
		tenants[before.owner] = true
	}
}

var errNoKey = errors.New("there is no key to open it with")

// resolved returns the stored endpoints of tenants as they are routed and delivered to.
func (d *Directory) resolved(tenants map[string]bool) map[string][]endpoint.Endpoint {
	all := make(map[string][]endpoint.Endpoint, len(tenants))
	for tenant := range tenants {
		all[tenant] = nil
	}
	for id, s := range d.known {
		if s.err != nil || !tenants[s.owner] {
			continue
		}
		held := s.endpoint
		d.offer.Hold(&held)
		made, err := held.Resolve(d.template)
		if err != nil {
			if !errors.Is(err, ErrNoURL) {
				d.log.Error("a stored endpoint cannot be delivered to, and gets no events", zap.String("endpoint", id), zap.Error(err),
					zap.String("remedy", "change it, or what the configuration says of subscribers' endpoints"))
			}
			continue
		}
		all[s.owner] = append(all[s.owner], made)
	}
	for _, endpoints := range all {
		slices.SortFunc(endpoints, func(a, b endpoint.Endpoint) int { return strings.Compare(a.Name, b.Name) })
	}
	return all
}

// rests is how many times as long as it works Follow rests after a change, so that
// changes of many endpoints, one after the other, take a fifth of a processor at most.
const rests = 4

// retryAfter is how long Follow waits after the queue has failed.
const retryAfter = time.Second

// Follow keeps the directory up to date until the context ends, and calls a function
// after changes. Whoever routes events need not wait for it, see [Directory.Refresh].
func (d *Directory) Follow(ctx context.Context, changed func()) {
	type state struct{ changes, epoch uint64 }
	told := state{}
	for ctx.Err() == nil {
		began := time.Now()
		err := d.Refresh(ctx)
		// Whoever routes events may have read the change first, or read another one
		// at any time from here on: the epoch that is awaited has to be from before
		// it is seen what has changed. The epoch counts, too, as it may move on after
		// what it stands for was read, and somebody waits for it.
		now := state{epoch: d.epoch.Load()}
		if now.changes = d.changes.Load(); now != told {
			told = now
			changed()
			pause(ctx, rests*time.Since(began))
		}
		if err == nil {
			_, err = d.records.Await(ctx, queue.KindEndpoint, now.epoch)
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		d.log.Error("following the stored endpoints", zap.Error(err))
		pause(ctx, retryAfter)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
