// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"github.com/caddy-webhooks/caddy-webhooks/show"
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// Bounds of what waits to be compared, and of what is remembered of it.
const (
	maxSightings = 256
	maxSighted   = 10_000
)

// sightings compares Shows that passed with what is known of their objects,
// one after the other and apart from the requests they passed in. One that
// finds it busy is dropped: there will be others.
type sightings struct {
	store  sightingStore
	hasher event.Hasher
	log    *zap.Logger
	work   chan seen
	once   sync.Once
	end    chan struct{}
	done   chan struct{}

	// sighted holds the hashes of Shows that led to a look already. A caller
	// may see another Show than the operator for good, and that is no reason
	// to ask the API each time.
	sighted map[event.Key][]byte
}

// sighting is a Show that passed.
type sighting struct {
	key  event.Key
	show show.Show
}

type seen struct {
	resource *rules.Resource
	sighting sighting
}

// sightingStore is what sightings needs of the queue.
type sightingStore interface {
	queue.Intents
	Object(ctx context.Context, key event.Key) (event.Snapshot, error)
}

func newSightings(store sightingStore, hasher event.Hasher, log *zap.Logger) *sightings {
	s := &sightings{
		store: store, hasher: hasher, log: log,
		work: make(chan seen, maxSightings), end: make(chan struct{}), done: make(chan struct{}),
		sighted: make(map[event.Key][]byte),
	}
	go s.run()
	return s
}

// add takes a sighting, if there is room.
func (s *sightings) add(r *rules.Resource, sighted sighting) {
	select {
	case s.work <- seen{r, sighted}:
	default:
	}
}

// stop ends the work and waits for it. What was not compared is forgotten.
func (s *sightings) stop() {
	s.once.Do(func() { close(s.end) })
	<-s.done
}

func (s *sightings) run() {
	defer close(s.done)
	for {
		var seen seen
		select {
		case seen = <-s.work:
		case <-s.end:
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), queue.Timeout)
		if err := s.compare(ctx, seen); err != nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, context.DeadlineExceeded) {
			s.log.Warn("comparing a Show that passed", zap.String("object", seen.sighting.key.String()), zap.Error(err))
		}
		cancel()
	}
}

// compare marks an object that was seen otherwise than it is known.
func (s *sightings) compare(ctx context.Context, seen seen) error {
	passed := seen.sighting.show
	plain, err := body.Decode(passed.Body, passed.Header.Get("Content-Encoding"))
	if err != nil {
		return nil //nolint:nilerr // nothing can be learned from it
	}
	passed.Body = plain
	document := passed.Document()
	known, err := s.store.Object(ctx, seen.sighting.key)
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	hash := s.hasher.Show(document)
	if err == nil && (bytes.Equal(known.Hash, hash) || s.older(seen.resource, document, known)) {
		return nil
	}
	if bytes.Equal(s.sighted[seen.sighting.key], hash) {
		return nil
	}
	if len(s.sighted) >= maxSighted {
		clear(s.sighted)
	}
	s.sighted[seen.sighting.key] = hash
	return s.store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{
		Key: seen.sighting.key, Hints: queue.HintLooked,
		Cause: event.Cause{Rule: "show", Outcome: event.OutcomeUnknown, At: time.Now()},
	}}}, false)
}

// older tells whether a Show that passed is older than what is known: a cache
// may have answered.
func (s *sightings) older(r *rules.Resource, document event.Document, known event.Snapshot) bool {
	if r.Version == "" || known.Gone {
		return false
	}
	order, ok := event.CompareVersions(event.Text(document.Field(r.Version)), known.Version)
	return ok && order < 0
}

// sight compares a Show that passed with what is known, when there is time.
func (e *engine) sight(r *rules.Resource, passed sighting) {
	if s := e.sightings.Load(); s != nil {
		s.add(r, passed)
	}
}
