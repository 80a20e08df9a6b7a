// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Limits of what waits to be compared, and of what is remembered of it.
const (
	maxObservations = 256
	maxSuspected    = 10_000
)

// observedRule is the rule of the looks that passing Shows cause.
const observedRule = "show"

// Observation is a Show that passed because a client asked for it.
type Observation struct {
	// Key names the object.
	Key event.Key
	// Version is the path of the object's version in the Show, "" for none.
	Version string
	// Show is the answer. Its body may still have its Content-Encoding.
	Show show.Show
	// Comparison says what of it counts.
	Comparison Comparison
	// Budget is how many looks clients may cause, nil for any number. They get a
	// part of all looks, so that those of `watch` and `list` come, too.
	Budget *rate.Limiter
}

// Observer compares Shows that passed with what is known of their objects, one
// after the other and apart from the requests they passed in. An object that
// looks different is marked, to be looked at.
type Observer struct {
	store  ObserverQueue
	hasher event.Hasher
	log    *zap.Logger
	work   chan Observation
	once   sync.Once
	end    chan struct{}
	done   chan struct{}

	// suspected remembers which Shows led to a look already.
	suspected map[event.Key]suspicion
}

// suspicion is what led to the last look at an object. A caller may see another
// Show than the operator for good, and that is no reason to ask the API each time.
// Nor is a Show that differs whenever somebody asks for it: the wait for the next
// look doubles with each, and is forgotten when there was none for a while.
type suspicion struct {
	hash []byte
	at   time.Time
	wait time.Duration
}

// Limits of the wait between two looks at one object that clients cause.
const (
	firstSuspicion = time.Second
	lastSuspicion  = 10 * time.Minute
)

// next returns the suspicion after another Show, and false if it is too early for a
// look.
func (s suspicion) next(hash []byte, now time.Time) (suspicion, bool) {
	switch {
	case s.at.IsZero(), now.Sub(s.at) > 2*lastSuspicion:
		return suspicion{hash: hash, at: now, wait: firstSuspicion}, true
	case bytes.Equal(s.hash, hash), now.Sub(s.at) < s.wait:
		return s, false
	}
	return suspicion{hash: hash, at: now, wait: min(2*s.wait, lastSuspicion)}, true
}

// ObserverQueue is what an Observer needs of the queue.
type ObserverQueue interface {
	queue.Intents
	Object(ctx context.Context, key event.Key) (event.Snapshot, error)
	Instance() queue.Instance
}

// NewObserver returns an Observer that is at work. The default logger says
// nothing.
func NewObserver(store ObserverQueue, log *zap.Logger) *Observer {
	if log == nil {
		log = zap.NewNop()
	}
	o := &Observer{
		store: store, hasher: event.NewHasher(store.Instance().HashKey), log: log,
		work: make(chan Observation, maxObservations), end: make(chan struct{}), done: make(chan struct{}),
		suspected: make(map[event.Key]suspicion),
	}
	go o.run()
	return o
}

// Observe takes an observation and returns at once. One that finds the Observer
// busy is dropped: there will be others.
func (o *Observer) Observe(observation Observation) {
	select {
	case o.work <- observation:
	default:
	}
}

// Stop ends the work and waits for it. Observations that were not compared are
// forgotten. It is idempotent.
func (o *Observer) Stop() {
	o.once.Do(func() { close(o.end) })
	<-o.done
}

func (o *Observer) run() {
	defer close(o.done)
	for {
		var next Observation
		select {
		case next = <-o.work:
		case <-o.end:
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), queue.Timeout)
		if err := o.compare(ctx, next); err != nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, context.DeadlineExceeded) {
			o.log.Warn("comparing a Show that passed", zap.String("object", next.Key.String()), zap.Error(err))
		}
		cancel()
	}
}

// compare marks an object that was seen otherwise than it is known.
func (o *Observer) compare(ctx context.Context, seen Observation) error {
	plain, err := body.Decode(seen.Show.Body, seen.Show.Header.Get("Content-Encoding"))
	if err != nil {
		return nil //nolint:nilerr // nothing can be learned from it
	}
	if plain, _, err = body.Unicode(plain, seen.Show.Header.Get("Content-Type")); err != nil {
		return nil //nolint:nilerr // nothing can be learned from it
	}
	seen.Show.Body = plain
	document := seen.Show.Document()
	known, err := o.store.Object(ctx, seen.Key)
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	hash := seen.Comparison.hash(o.hasher, document)
	if err == nil && (bytes.Equal(known.Hash, hash) || older(seen.Version, document, known)) {
		return nil
	}
	now := time.Now()
	suspected, due := o.suspected[seen.Key].next(hash, now)
	if !due || seen.Budget != nil && !seen.Budget.AllowN(now, 1) {
		return nil
	}
	if len(o.suspected) >= maxSuspected {
		clear(o.suspected)
	}
	o.suspected[seen.Key] = suspected
	return o.store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{
		Key: seen.Key, Hints: queue.HintLooked,
		Cause: event.Cause{Rule: observedRule, Outcome: event.OutcomeUnknown, At: now},
	}}}, false)
}

// older reports whether a Show that passed is older than what is known: a cache
// may have answered.
func older(version string, document event.Document, known event.Snapshot) bool {
	if version == "" || known.Gone {
		return false
	}
	order, ok := event.CompareVersions(event.Text(document.Field(version)), known.Version)
	return ok && order < 0
}
