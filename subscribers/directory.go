// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
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
	Record(ctx context.Context, kind, id string) (queue.Record, error)
	Epoch(ctx context.Context, kind string) (uint64, error)
	Changed(ctx context.Context, kind string, after uint64) (ids []string, known bool, err error)
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
	copied   copied
	// unread is how many stored endpoints cannot be read at present.
	unread atomic.Int64
}

// NewDirectory returns a directory without endpoints. The sealer may be another one
// each time; nil is none.
func NewDirectory(records Records, sealer func() Sealer, log *zap.Logger) *Directory {
	return &Directory{records: records, sealer: sealer, log: log, copied: newCopied()}
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
	d.set.Store(declared.With(d.resolved(maps.Keys(d.copied.of))))
}

// Refresh implements [reconcile.Routing]. Its cost is that of what has changed, but for
// the maps of the set.
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
	if err := d.read(ctx); err != nil {
		return fmt.Errorf("reading the stored endpoints: %w", err)
	}
	d.unread.Store(int64(len(d.copied.unread)))
	if len(d.copied.touched) > 0 {
		d.set.Store(d.set.Load().With(d.resolved(maps.Keys(d.copied.touched))))
		clear(d.copied.touched)
		d.changes.Add(1)
	}
	// Only now: whoever reads the epoch first must find the set.
	d.epoch.Store(max(epoch, d.epoch.Load()))
	return nil
}

// read reads the records that have changed since the copy was made, and those that could
// not be read until now. If nobody knows which have changed, it reads all.
func (d *Directory) read(ctx context.Context) error {
	ids, known, err := d.records.Changed(ctx, queue.KindEndpoint, d.epoch.Load())
	if err != nil {
		return err
	}
	if !known {
		return d.readAll(ctx)
	}
	ids = slices.AppendSeq(ids, maps.Keys(d.copied.unread))
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		record, err := d.records.Record(ctx, queue.KindEndpoint, id)
		switch {
		case err == nil:
			d.note(&record)
		case errors.Is(err, queue.ErrNotFound):
			d.copied.drop(id)
		default:
			// A list leaves out what is damaged.
			return d.readAll(ctx)
		}
	}
	return nil
}

// readAll reads all records.
func (d *Directory) readAll(ctx context.Context) error {
	seen := make(map[string]bool)
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		records, next, err := d.records.Records(ctx, queue.KindEndpoint, page)
		if err != nil {
			return err
		}
		for i := range records {
			seen[records[i].ID] = true
			d.note(&records[i])
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	for id := range d.copied.known {
		if !seen[id] {
			d.copied.drop(id)
		}
	}
	return nil
}

// note notes a record as it is now.
func (d *Directory) note(r *queue.Record) {
	before := d.copied.known[r.ID]
	if before != nil && before.version == r.Version && before.err == nil {
		return
	}
	now := &stored{version: r.Version, owner: r.Owner}
	if sealer := d.sealer(); sealer != nil {
		now.endpoint, _, now.err = opened(*r, sealer)
	} else {
		now.err = errNoKey
	}
	if now.err != nil && before != nil && before.version == r.Version {
		return // it is known that it cannot be read
	}
	d.copied.put(r.ID, now)
	if now.err != nil {
		d.log.Error("a stored endpoint cannot be read, and gets no events", zap.String("endpoint", r.ID), zap.Error(now.err),
			zap.String("remedy", "put its key back into secrets_key, or delete it"))
	}
}

var errNoKey = errors.New("there is no key to open it with")

// resolved returns the stored endpoints of tenants as they are routed and delivered to.
func (d *Directory) resolved(tenants iter.Seq[string]) map[string][]endpoint.Endpoint {
	all := make(map[string][]endpoint.Endpoint)
	for tenant := range tenants {
		all[tenant] = nil
		for id, s := range d.copied.of[tenant] {
			if made, ok := d.made(id, s); ok {
				all[tenant] = append(all[tenant], made)
			}
		}
		slices.SortFunc(all[tenant], func(a, b endpoint.Endpoint) int { return strings.Compare(a.Name, b.Name) })
	}
	return all
}

// made returns a stored endpoint as it is routed and delivered to, and false if it is not.
func (d *Directory) made(id string, s *stored) (endpoint.Endpoint, bool) {
	if s.err != nil {
		return endpoint.Endpoint{}, false
	}
	held := s.endpoint
	d.offer.Hold(&held)
	made, err := held.Resolve(d.template)
	if err != nil && !errors.Is(err, ErrNoURL) {
		d.log.Error("a stored endpoint cannot be delivered to, and gets no events", zap.String("endpoint", id), zap.Error(err),
			zap.String("remedy", "change it, or what the configuration says of subscribers' endpoints"))
	}
	return made, err == nil
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
