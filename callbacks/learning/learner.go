// SPDX-License-Identifier: Apache-2.0

// Package learning learns the schemas of types of events from the events that are
// committed, and keeps them as records of the queue.
//
// It costs those who commit a look into a table, and a place in a list that never blocks:
// of the events of a type only some are looked at, by a goroutine of its own, and what they
// have widened is written some seconds later. A schema holds no value, so it is the same for
// all tenants. It names what was hidden when it was learned, and counts no more when other
// fields are.
package learning

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Kind is the kind of the records of schemas. Their ids are those of [catalogue.Made].
const Kind = "schema"

// How much is looked at: all of what is rare, and of the rest what costs nothing that
// could be measured.
const (
	eachEvery = time.Second
	eachBurst = 32
	allPerSec = 100
	// maxWaiting is how many events wait to be looked at, and MaxPayload how large one of
	// them may be, in bytes. What is larger is not learned from.
	maxWaiting = 64
	MaxPayload = 256 << 10
	// writeEvery is how often what was learned is written, and stopFor how long that may
	// take at the end.
	writeEvery = 2 * time.Second
	stopFor    = 2 * time.Second
)

// Store keeps what was learned.
type Store interface {
	Record(ctx context.Context, kind, id string) (queue.Record, error)
	Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error)
	Change(ctx context.Context, changes ...queue.Record) (version uint64, err error)
}

// Learner learns the schemas of one configuration's types.
type Learner struct {
	store    func() queue.Store
	now      func() time.Time
	log      *zap.Logger
	subjects map[string]*subject
	// exact has the subjects with one type, by resource and type, and open those whose
	// types have values of the Show in their names, by resource.
	exact  map[[2]string]*subject
	open   map[string][]*subject
	all    *rate.Limiter
	offers chan offer

	stopping context.CancelFunc
	ended    sync.WaitGroup
	pruned   bool
}

// offer is an event that may be learned from.
type offer struct {
	of      *subject
	payload []byte
}

// New returns a Learner that learns nothing before Start. Store returns the open queue, nil
// while it is not open.
func New(made []catalogue.Made, store func() queue.Store, now func() time.Time, log *zap.Logger) *Learner {
	l := &Learner{
		store: store, now: now, log: log, subjects: make(map[string]*subject), exact: make(map[[2]string]*subject), open: make(map[string][]*subject),
		all: rate.NewLimiter(allPerSec, allPerSec), offers: make(chan offer, maxWaiting),
	}
	for _, m := range made {
		if l.subjects[m.ID()] != nil {
			continue
		}
		s := &subject{made: m, budget: rate.NewLimiter(rate.Every(eachEvery), eachBurst)}
		l.subjects[m.ID()] = s
		if len(m.Type.Paths()) == 0 {
			l.exact[[2]string{m.Resource, m.Type.String()}] = s
			continue
		}
		l.open[m.Resource] = append(l.open[m.Resource], s)
	}
	return l
}

// See takes an event that was committed. It never waits. The payload must not change any
// more.
func (l *Learner) See(e *event.Event) {
	if len(e.Payload) > MaxPayload {
		return
	}
	if s := l.exact[[2]string{e.Key.Resource, e.Type}]; s != nil {
		l.offer(s, e.Payload)
	}
	for _, s := range l.open[e.Key.Resource] {
		if s.made.Type.May(e.Type) {
			l.offer(s, e.Payload)
		}
	}
}

func (l *Learner) offer(s *subject, payload []byte) {
	now := l.now()
	if !s.budget.AllowN(now, 1) || !l.all.AllowN(now, 1) {
		return
	}
	select {
	case l.offers <- offer{s, payload}:
	default:
	}
}

// Start begins to learn.
func (l *Learner) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stopping = cancel
	l.ended.Go(func() { l.run(ctx) })
}

// Stop writes what was learned, and ends. It is idempotent, and nil has nothing to end.
func (l *Learner) Stop() {
	if l == nil || l.stopping == nil {
		return
	}
	l.stopping()
	l.ended.Wait()
}

func (l *Learner) run(ctx context.Context) {
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	for {
		select {
		case o := <-l.offers:
			o.of.learn(o.payload)
		case <-ticker.C:
			l.write(ctx)
		case <-ctx.Done():
			l.finish()
			return
		}
	}
}

// finish takes in what waits, and writes it.
func (l *Learner) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), stopFor)
	defer cancel()
	for {
		select {
		case o := <-l.offers:
			o.of.learn(o.payload)
		default:
			l.write(ctx)
			return
		}
	}
}

// write writes what has been widened. What cannot be written now stays, and is written
// later.
func (l *Learner) write(ctx context.Context) {
	store := l.store()
	if store == nil {
		return
	}
	if !l.pruned {
		if err := l.prune(ctx, store); err != nil {
			l.log.Debug("schemas of types that there are no more could not be removed", zap.Error(err))
			return
		}
		l.pruned = true
	}
	for _, s := range l.subjects {
		if err := s.write(ctx, store); err != nil {
			l.log.Debug("a schema could not be written, and is written later", zap.String("type", s.made.ID()), zap.Error(err))
			return
		}
	}
}

// prune removes the records of types that the configuration does not make, or whose hidden
// fields are others now: there are never more records than types.
func (l *Learner) prune(ctx context.Context, store Store) error {
	var page queue.Page
	for {
		kept, next, err := store.Records(ctx, Kind, page)
		if err != nil {
			return err
		}
		for i := range kept {
			if s := l.subjects[kept[i].ID]; s != nil {
				if _, err := catalogue.Decode(kept[i].Value, s.made.Projection); err == nil {
					continue
				}
			}
			kept[i].Value = nil
			if _, err := store.Change(ctx, kept[i]); err != nil {
				return err
			}
		}
		if page.Cursor = next; next == "" {
			return nil
		}
	}
}

// Schema returns what is known of what some rules make: what is kept, and what this process
// has seen since.
func (l *Learner) Schema(ctx context.Context, made []catalogue.Made) (catalogue.Schema, error) {
	var all catalogue.Schema
	store := l.store()
	if store == nil {
		return all, queue.ErrNotOpen
	}
	for _, m := range made {
		s := l.subjects[m.ID()]
		if s == nil {
			continue
		}
		known, err := s.known(ctx, store)
		if err != nil {
			return all, err
		}
		all = all.Merge(known)
	}
	return all, nil
}
