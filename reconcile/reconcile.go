// SPDX-License-Identifier: Apache-2.0

// Package reconcile turns marks into events: it leases a mark, reads the
// object's Show, compares it with the snapshot, and commits the result. It is
// level-triggered: a mark says that an object may differ, never how.
package reconcile

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// leaseTime limits how long one reading of a Show holds its mark. It is longer
// than any reading and its commit take, so a lease only expires if its worker
// is lost.
const leaseTime = 2 * time.Minute

// crowded is how long a look waits that found no free place: about as long as a
// slow Show takes.
const crowded = time.Second

// maxRetryAfter limits the wait that an API can ask for.
const maxRetryAfter = time.Hour

// ErrNoCredential is returned by a Resource's Read if the Show may only be read
// with the credential of a caller, and none is at hand.
var ErrNoCredential = errors.New("the caller's credential is gone; the next exchange about the object brings another")

// ErrNever is wrapped by the error of a Show or a query that can never be asked
// for, such as one whose body takes a number and whose object's id is none.
var ErrNever = errors.New("it can never be read")

// Store is the part of the queue that reconcile needs.
type Store interface {
	queue.Intents
	queue.Marks
	queue.Objects
	queue.Unresolveds
	// Epoch is that of [queue.Records].
	Epoch(ctx context.Context, kind string) (uint64, error)
	Await(ctx context.Context, kind string, after uint64) (uint64, error)
	Instance() queue.Instance
}

// Options configure a Reconciler.
type Options struct {
	// Logger receives messages for operators. Default: none.
	Logger *zap.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Jitter returns a number from 0 to 1. Default: math/rand.
	Jitter func() float64
	// Metrics counts what happens. Default: none.
	Metrics Metrics
}

// Reconciler reconciles the resources passed to Apply.
type Reconciler struct {
	store    Store
	hasher   event.Hasher
	instance [16]byte
	log      *zap.Logger
	now      func() time.Time
	jitter   func() float64
	metrics  Metrics
	troubles *troubles
	// noStored is the routing of resources that have none of their own.
	noStored *noStored

	mu      sync.Mutex
	stopped bool
	// lists holds the ID of each resource's list, and listings how they fare.
	lists    map[string]string
	listings map[string]Listing
	// sighted holds the resources of the plan, by name.
	sighted map[string]*Resource
	// unplaced has one for each object that gave its place back before its
	// reconciliation is committed.
	unplaced chan struct{}
	cancel   context.CancelFunc // cancels the dispatchers of the last Apply
	work     sync.WaitGroup
	ctx      context.Context // cancels reconciliations under way
	abort    context.CancelFunc
}

// New returns a Reconciler that does nothing until Apply.
func New(store Store, opts Options) *Reconciler {
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Jitter == nil {
		opts.Jitter = rand.Float64
	}
	if opts.Metrics == nil {
		opts.Metrics = noMetrics{}
	}
	instance := store.Instance()
	ctx, abort := context.WithCancel(context.Background())
	return &Reconciler{
		store: store, hasher: event.NewHasher(instance.HashKey), instance: instance.ID,
		log: opts.Logger, now: opts.Now, jitter: opts.Jitter, metrics: opts.Metrics,
		noStored: &noStored{store: store},
		ctx:      ctx, abort: abort, listings: make(map[string]Listing), unplaced: make(chan struct{}, maxUnplaced), troubles: newTroubles(opts.Logger),
	}
}

// Plan is everything that a Reconciler works on.
type Plan struct {
	// Resources are the kinds of objects whose Shows are read.
	Resources []Resource
	// Queries are the requests by which rules find the objects of an exchange.
	Queries []Query
	// Lists are the requests that list all objects of a resource.
	Lists []List
}

// Apply replaces what is reconciled. Reconciliations under way end with the old
// plan; marks of a resource that is gone wait until it returns.
func (r *Reconciler) Apply(plan Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	if r.cancel != nil {
		r.cancel()
	}
	r.planLists(plan.Lists)
	r.planSights(plan.Resources)
	r.troubles.ask(plan.Resources)
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(r.ctx)
	var seeded []job
	for _, j := range r.jobs(plan) {
		if j.seeded {
			seeded = append(seeded, j)
			continue
		}
		r.work.Go(func() { r.dispatch(ctx, j) })
	}
	r.work.Go(func() {
		r.seed(ctx, plan.Resources, plan.Lists)
		// A list that was begun before its mark is made would be read twice.
		for _, j := range seeded {
			r.work.Go(func() { r.dispatch(ctx, j) })
		}
	})
	r.work.Go(func() { r.sweep(ctx, newOverdue(plan)) })
}

// job is one kind of marks, and the work they need.
type job struct {
	name  string // the resource of the marks' keys
	lease time.Duration
	limit *Limit
	// looks is the budget of the marks that are looks; nil means no limit.
	looks *rate.Limiter
	// unconfirmed is the budget of the marks that only clients ask for; nil
	// means no limit.
	unconfirmed *rate.Limiter
	// seeded is true if the configuration alone can make such a mark.
	seeded bool
	// do reconciles one mark, and reports whether the API answered. Late is how
	// long a mark that yields has waited for its turn. It may give the place back
	// before it returns, once the API has been asked.
	do func(ctx context.Context, lease queue.MarkLease, late time.Duration, place *place) bool
}

func (r *Reconciler) jobs(plan Plan) []job {
	var jobs []job
	resources := slices.Clone(plan.Resources)
	for i := range resources {
		resources[i].paths = event.Paths(resources[i].Triggers)
	}
	linkFamilies(resources)
	for i := range resources {
		resource := resources[i]
		resource.records = queue.NewRecordBudget()
		if resource.Routing == nil {
			resource.Routing = r.noStored
		}
		jobs = append(jobs, job{
			name: resource.Name, lease: leaseTime, limit: resource.Limit, looks: resource.Looks, unconfirmed: resource.Unconfirmed,
			do: func(ctx context.Context, lease queue.MarkLease, late time.Duration, place *place) bool {
				return r.reconcile(ctx, &resource, lease, late, place)
			},
		})
		if resource.Parent != nil {
			jobs = append(jobs, job{
				name: resource.Name + queue.ChildrenSuffix, lease: listLease, limit: NewLimit(1, nil),
				unconfirmed: rate.NewLimiter(rate.Every(unconfirmedOrphans), 10),
				do: func(ctx context.Context, lease queue.MarkLease, _ time.Duration, _ *place) bool {
					return r.orphans(ctx, &resource, lease)
				},
			})
		}
		if resource.Every > 0 {
			jobs = append(jobs, job{
				name: resource.Name + watchSuffix, lease: listLease, limit: NewLimit(1, nil), seeded: true,
				do: func(ctx context.Context, lease queue.MarkLease, _ time.Duration, _ *place) bool {
					return r.rewatch(ctx, &resource, lease)
				},
			})
		}
	}
	for i := range plan.Queries {
		query := plan.Queries[i]
		query.records = queue.NewRecordBudget()
		jobs = append(jobs, job{
			name: query.Name, lease: leaseTime, limit: query.Limit, looks: query.Looks, unconfirmed: query.Unconfirmed,
			do: func(ctx context.Context, lease queue.MarkLease, _ time.Duration, place *place) bool {
				return r.query(ctx, &query, lease, place)
			},
		})
	}
	for i := range plan.Lists {
		list := plan.Lists[i]
		jobs = append(jobs, job{
			name: queue.ListKey(list.Resource).Resource, lease: listLease, limit: NewLimit(1, nil), seeded: true,
			do: func(ctx context.Context, lease queue.MarkLease, _ time.Duration, _ *place) bool {
				return r.list(ctx, &list, lease)
			},
		})
	}
	return jobs
}

// Stop ends all work and waits for it, at most until ctx ends. The next start
// finds interrupted work again. It is idempotent.
func (r *Reconciler) Stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopped = true
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	r.abort()

	done := make(chan struct{})
	go func() {
		r.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dispatch leases one mark after the other and reconciles each, as many at once
// as the upstream's limit allows.
func (r *Reconciler) dispatch(ctx context.Context, j job) {
	looks, unconfirmed := new(turns), new(turns)
	for ctx.Err() == nil {
		lease, err := r.store.LeaseMark(ctx, j.name, j.lease)
		if errors.Is(err, queue.ErrClosed) {
			return
		}
		if err != nil {
			if ctx.Err() == nil {
				r.log.Error("leasing a mark", zap.String("resource", j.name), zap.Error(err))
				wait(ctx, time.Second)
			}
			continue
		}
		failpoint.Here("mark.leased")
		switch {
		case lease.Look:
			r.yielding(ctx, j, looks, j.looks, lease)
			continue
		case lease.Hints.AreUnconfirmed():
			r.yielding(ctx, j, unconfirmed, j.unconfirmed, lease)
			continue
		}
		if j.limit.Acquire(ctx) != nil {
			r.release(lease)
			return
		}
		place := &place{begun: r.now(), back: func(answered bool, took time.Duration) {
			j.limit.Release(answered || lease.Tries >= ownTrouble, took)
		}}
		r.work.Go(func() {
			answered := false
			defer func() { place.giveBack(answered, r.now()) }()
			answered = j.do(r.ctx, lease, 0, place)
		})
	}
}

// ownTrouble is after how many failures in a row an object's Show is its own
// trouble, and says nothing of the API.
const ownTrouble = 3

// yielding reconciles a mark that yields to others if it is its turn and a place
// is free. Otherwise it returns the mark to the queue: waiting here would hold up
// one that does not yield, and keep this one's object leased.
func (r *Reconciler) yielding(ctx context.Context, j job, turns *turns, budget *rate.Limiter, lease queue.MarkLease) {
	now := r.now()
	delay, late, free := turns.take(lease.Key, budget, now)
	if free && !j.limit.TryLook() {
		delay, free = crowded, false
	}
	if !free {
		r.postpone(ctx, lease, now.Add(delay))
		return
	}
	place := &place{back: func(bool, time.Duration) { j.limit.ReturnLook() }}
	r.work.Go(func() {
		defer place.giveBack(true, now)
		j.do(r.ctx, lease, late, place)
	})
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
