// SPDX-License-Identifier: Apache-2.0

// Package reconcile turns marks into events: it leases a mark, reads the
// object's Show, compares it with the snapshot, and commits what follows. It
// is level-triggered: a mark says that an object may differ, never how.
package reconcile

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// leaseTime bounds how long a mark is held by one reading of its Show. It is
// longer than any reading and its commit take, so a lease only runs out when
// its worker is lost.
const leaseTime = 2 * time.Minute

// crowded is how long a look waits that has found no place: about as long as a
// slow Show takes.
const crowded = time.Second

// maxRetryAfter bounds how long an API can ask to be left alone.
const maxRetryAfter = time.Hour

// ErrNoCredential is returned by a Resource's Read where the Show may only be
// read with the credential of a caller, and none is at hand.
var ErrNoCredential = errors.New("the caller's credential is gone; the next exchange about the object brings another")

// Store is what reconcile needs of the queue.
type Store interface {
	queue.Intents
	queue.Marks
	queue.Objects
	queue.Unresolveds
	Instance() queue.Instance
}

// Result is how one reconciliation ended; a label in metrics.
type Result string

// The results of a reconciliation.
const (
	ResultEvent        Result = "event"         // the object differs: a new snapshot, and the events it makes
	ResultNoDifference Result = "no_difference" // the object is as it was last known
	ResultKnown        Result = "known"         // an object that was not known, taken as it is
	ResultListed       Result = "listed"        // a listing was read, and what it names is marked
	ResultAlias        Result = "alias"         // the object has another name, by which it is marked
	ResultEarly        Result = "early"         // no difference yet; looked at again
	ResultNoCaller     Result = "no_credential" // the caller's credential is not there
	ResultStale        Result = "stale"         // the Show is older than what is known; asked again
	ResultMissing      Result = "missing"       // no Show and no proof of a delete; asked again
	ResultFailed       Result = "failed"        // no usable Show; asked again
	ResultGivenUp      Result = "given_up"      // missing for a day; not asked again
	ResultLost         Result = "lease_lost"    // somebody else holds the object
)

// Metrics is told what happens. Its methods must not block.
type Metrics interface {
	// Reconciled counts a reconciliation and how long reading Show took.
	Reconciled(resource string, result Result, took time.Duration)
	// Event counts an event.
	Event(eventType string)
	// Unresolved counts a change whose object is not known.
	Unresolved(resource string)
	// Ownerless counts an event whose object has no owner although its
	// resource has tenants.
	Ownerless(resource string)
	// ConditionFailed counts a condition of an event that could not be
	// evaluated.
	ConditionFailed(resource string)
}

// Options are what a Reconciler is made with.
type Options struct {
	// Logger receives what operators should know. Default: none.
	Logger *zap.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Jitter returns a number from 0 to 1. Default: math/rand.
	Jitter func() float64
	// Metrics is told what happens. Default: nobody.
	Metrics Metrics
}

// Reconciler reconciles the resources it is given by Apply.
type Reconciler struct {
	store    Store
	hasher   event.Hasher
	instance [16]byte
	log      *zap.Logger
	now      func() time.Time
	jitter   func() float64
	metrics  Metrics

	mu      sync.Mutex
	stopped bool
	cancel  context.CancelFunc // ends the dispatchers of the last Apply
	work    sync.WaitGroup
	ctx     context.Context // ends reconciliations under way
	abort   context.CancelFunc
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
		ctx: ctx, abort: abort,
	}
}

// Plan is all that a Reconciler works on.
type Plan struct {
	Resources []Resource
	Listings  []Listing
	Scans     []Scan
}

// Apply replaces what is reconciled. What is under way ends as it began; marks
// of a resource that is gone wait until it returns.
func (r *Reconciler) Apply(plan Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	if r.cancel != nil {
		r.cancel()
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(r.ctx)
	for _, j := range r.jobs(plan) {
		r.work.Go(func() { r.dispatch(ctx, j) })
	}
	r.work.Go(func() { r.seed(ctx, plan.Resources, plan.Scans) })
	r.work.Go(func() { r.sweep(ctx) })
}

// job is one kind of marks, and what to do with them.
type job struct {
	name  string // the resource of the marks' keys
	lease time.Duration
	limit *Limit
	// looks is the budget of marks that are looks, nil for none.
	looks *rate.Limiter
	// do reconciles one mark, and tells whether the API answered. Late is how
	// long a look has waited for its turn.
	do func(ctx context.Context, lease queue.MarkLease, late time.Duration) bool
}

func (r *Reconciler) jobs(plan Plan) []job {
	var jobs []job
	for i := range plan.Resources {
		resource := plan.Resources[i]
		resource.paths = event.Paths(resource.Triggers)
		jobs = append(jobs, job{
			name: resource.Name, lease: leaseTime, limit: resource.Limit, looks: resource.Looks,
			do: func(ctx context.Context, lease queue.MarkLease, late time.Duration) bool {
				return r.reconcile(ctx, &resource, lease, late)
			},
		})
		if resource.Every > 0 {
			jobs = append(jobs, job{
				name: resource.Name + watchSuffix, lease: scanLease, limit: NewLimit(1),
				do: func(ctx context.Context, lease queue.MarkLease, _ time.Duration) bool {
					return r.rewatch(ctx, &resource, lease)
				},
			})
		}
	}
	for i := range plan.Listings {
		listing := plan.Listings[i]
		jobs = append(jobs, job{
			name: listing.Name, lease: leaseTime, limit: listing.Limit, looks: listing.Looks,
			do: func(ctx context.Context, lease queue.MarkLease, _ time.Duration) bool {
				return r.list(ctx, &listing, lease)
			},
		})
	}
	for i := range plan.Scans {
		scan := plan.Scans[i]
		jobs = append(jobs, job{
			name: scan.Resource + scanSuffix, lease: scanLease, limit: NewLimit(1),
			do: func(ctx context.Context, lease queue.MarkLease, _ time.Duration) bool {
				return r.scan(ctx, &scan, lease)
			},
		})
	}
	return jobs
}

// Stop ends all work and waits for it, at most until ctx ends. What was under
// way is found again by the next start. It is idempotent.
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

// dispatch leases one mark after the other and has each reconciled, as many at
// once as the upstream's limit allows.
func (r *Reconciler) dispatch(ctx context.Context, j job) {
	turns := new(turns)
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
		if lease.Look {
			r.look(ctx, j, turns, lease)
			continue
		}
		if j.limit.Acquire(ctx) != nil {
			r.release(lease)
			return
		}
		r.work.Go(func() {
			answered := false
			defer func() { j.limit.Release(answered) }()
			answered = j.do(r.ctx, lease, 0)
		})
	}
}

// look has a look reconciled if it is its turn and there is a place for it.
// Otherwise it goes back to the queue: it must not be waited for here, where a
// mark would wait for it, nor keep its object leased.
func (r *Reconciler) look(ctx context.Context, j job, turns *turns, lease queue.MarkLease) {
	now := r.now()
	delay, late, free := turns.take(lease.Key, j.looks, now)
	if free && !j.limit.TryLook() {
		delay, free = crowded, false
	}
	if !free {
		r.postpone(ctx, lease, now.Add(delay))
		return
	}
	r.work.Go(func() {
		answered := false
		defer func() { j.limit.ReleaseLook(answered) }()
		answered = j.do(r.ctx, lease, late)
	})
}

// reconcile reads one object's Show and commits what follows. It returns
// whether the API answered.
func (r *Reconciler) reconcile(ctx context.Context, resource *Resource, lease queue.MarkLease, late time.Duration) (answered bool) {
	asked := r.now()
	answer, err := resource.Read(ctx, lease)
	failpoint.Here("show.read")
	took := r.now().Sub(asked)
	if errors.Is(err, ErrNoCredential) {
		return r.noCredential(ctx, resource, lease)
	}
	if err != nil {
		return r.readFailed(ctx, resource.Name, lease, err, took)
	}
	now := r.now()
	d := resource.decide(r.hasher, lease, answer, now)
	result := r.act(ctx, resource, lease, d, answer, asked, late)
	r.metrics.Reconciled(resource.Name, result, took)
	return !overloaded(answer)
}

// act does what follows from a decision.
func (r *Reconciler) act(ctx context.Context, resource *Resource, lease queue.MarkLease, d decision, answer show.Show, asked time.Time, late time.Duration) Result {
	now := r.now()
	reconciled := queue.Reconciled{AskedAt: asked}
	result := ResultNoDifference
	switch d.finding {
	case moved, known:
		var conditions, err error
		reconciled, conditions, err = resource.transition(r.instance, lease, d, answer, now)
		if err != nil {
			r.retry(ctx, lease, ResultFailed, err.Error(), 0)
			return ResultFailed
		}
		r.noteTransition(resource, lease, reconciled, conditions)
		reconciled.AskedAt = asked
		if result = ResultEvent; d.finding == known {
			result = ResultKnown
		}
	case aliased:
		reconciled.Snapshot = &event.Snapshot{Key: lease.Key, Sequence: lastSequence(lease), Alias: d.name.ID, Time: now}
		reconciled.Marks = []queue.Mark{aliasMark(lease, d.name)}
		result = ResultAlias
	case early:
		r.postpone(ctx, lease, now.Add(d.again))
		return ResultEarly
	case stale:
		r.retry(ctx, lease, ResultStale, d.reason, 0)
		return ResultStale
	case unusable:
		r.retry(ctx, lease, ResultFailed, d.reason, retryAfter(answer.Header, now))
		return ResultFailed
	case missing:
		if result = r.missing(ctx, lease, d); result == ResultMissing {
			return result
		}
	case nothing:
		if wait := between(lease.MarkedAt, lease.SettleAt, now); wait > 0 {
			r.postpone(ctx, lease, now.Add(wait))
			return ResultEarly
		}
		reconciled.Snapshot = resource.refreshed(lease.Snapshot, d.next)
	}
	reconciled.LookAt = resource.lookAt(lease, d, now, late, r.jitter())
	return r.commit(ctx, lease, reconciled, result)
}

// aliasMark hands a mark over to the object's own name.
func aliasMark(lease queue.MarkLease, name event.Key) queue.Mark {
	mark := lease.Mark
	mark.Key = name
	if lease.Callback != nil && !lease.Callback.Closed {
		mark.Callback = lease.Callback.Sealed
	}
	return mark
}

// noteTransition tells operators what they should know of a transition.
func (r *Reconciler) noteTransition(resource *Resource, lease queue.MarkLease, reconciled queue.Reconciled, conditions error) {
	if conditions != nil {
		r.metrics.ConditionFailed(resource.Name)
		r.log.Warn("a condition of an event could not be evaluated, so it does not hold",
			zap.String("object", lease.Key.String()), zap.Error(conditions))
	}
	if resource.Tenant != "" && reconciled.Snapshot.Tenant == "" && len(reconciled.Events) > 0 {
		r.metrics.Ownerless(resource.Name)
	}
}

// noCredential leaves a mark whose Show only its caller may read until the
// next exchange brings a credential.
func (r *Reconciler) noCredential(ctx context.Context, resource *Resource, lease queue.MarkLease) bool {
	r.metrics.Reconciled(resource.Name, ResultNoCaller, 0)
	if err := r.store.RetryMark(ctx, lease, r.now().Add(lastRetry), ErrNoCredential.Error()); err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrLeaseLost) {
		r.log.Error("recording a retry", zap.String("object", lease.Key.String()), zap.Error(err))
	}
	return true
}

// readFailed has a mark asked for again whose answer did not come. It returns
// whether the API is to be asked as before.
func (r *Reconciler) readFailed(ctx context.Context, name string, lease queue.MarkLease, err error, took time.Duration) bool {
	if ctx.Err() != nil {
		r.release(lease)
		return true
	}
	r.retry(ctx, lease, ResultFailed, err.Error(), 0)
	r.metrics.Reconciled(name, ResultFailed, took)
	return false
}

// overloaded tells whether an answer asks for fewer requests.
func overloaded(answer show.Show) bool {
	return answer.Status == http.StatusTooManyRequests || answer.Status >= 500
}

// missing asks again for an object that the API does not know, for a day.
func (r *Reconciler) missing(ctx context.Context, lease queue.MarkLease, d decision) Result {
	if r.now().Sub(lease.MarkedAt) < missingFor {
		r.retry(ctx, lease, ResultMissing, d.reason, 0)
		return ResultMissing
	}
	r.log.Error("giving up on an object that the API does not know and nobody is known to have deleted",
		zap.String("object", lease.Key.String()), zap.Time("marked_at", lease.MarkedAt))
	return ResultGivenUp
}

func (r *Reconciler) commit(ctx context.Context, lease queue.MarkLease, reconciled queue.Reconciled, result Result) Result {
	failpoint.Here("reconciled.before")
	switch err := r.store.CommitReconciled(ctx, lease, reconciled); {
	case err == nil:
	case errors.Is(err, queue.ErrLeaseLost):
		return ResultLost
	case errors.Is(err, queue.ErrClosed), ctx.Err() != nil:
		// Stopped: the mark is still there.
		return ResultFailed
	default:
		r.log.Error("committing what reconciling found", zap.String("object", lease.Key.String()), zap.Error(err))
		r.retry(ctx, lease, ResultFailed, "the queue could not commit", 0)
		return ResultFailed
	}
	failpoint.Here("reconciled.after")
	for i := range reconciled.Events {
		e := &reconciled.Events[i]
		r.metrics.Event(e.Type)
		if c := r.log.Check(zap.DebugLevel, "event"); c != nil {
			c.Write(zap.String("event", e.ID), zap.String("type", e.Type), zap.String("object", e.Key.String()),
				zap.Uint64("sequence", e.Sequence), zap.Strings("endpoints", e.Endpoints))
		}
	}
	return result
}

func (r *Reconciler) retry(ctx context.Context, lease queue.MarkLease, result Result, reason string, atLeast time.Duration) {
	delay := max(backoff(lease.Tries, r.jitter()), atLeast)
	level := zap.WarnLevel
	if result != ResultFailed && lease.Tries < 3 {
		level = zap.DebugLevel // replicas lag; that is no trouble yet
	}
	if c := r.log.Check(level, "asking for a Show again"); c != nil {
		c.Write(zap.String("object", lease.Key.String()), zap.String("result", string(result)),
			zap.String("reason", reason), zap.Int("tries", lease.Tries+1), zap.Duration("in", delay))
	}
	err := r.store.RetryMark(ctx, lease, r.now().Add(delay), reason)
	if err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrLeaseLost) {
		r.log.Error("recording a retry", zap.String("object", lease.Key.String()), zap.Error(err))
	}
}

// postpone leaves a mark for later, without anything having failed.
func (r *Reconciler) postpone(ctx context.Context, lease queue.MarkLease, at time.Time) {
	err := r.store.RetryMark(ctx, lease, at, "")
	if err != nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrLeaseLost) {
		r.log.Error("leaving an object for later", zap.String("object", lease.Key.String()), zap.Error(err))
	}
}

// release gives a lease back that was not used.
func (r *Reconciler) release(lease queue.MarkLease) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// A lease that cannot be given back runs out by itself.
	_ = r.store.RetryMark(ctx, lease, r.now(), "")
}

// retryAfter reads the time an API asks to be left alone, in either form of
// RFC 9110, section 10.2.3.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if value == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(value); err == nil {
		return min(max(time.Duration(seconds)*time.Second, 0), maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

type noMetrics struct{}

func (noMetrics) Reconciled(string, Result, time.Duration) {}
func (noMetrics) Event(string)                             {}
func (noMetrics) Unresolved(string)                        {}
func (noMetrics) Ownerless(string)                         {}
func (noMetrics) ConditionFailed(string)                   {}
