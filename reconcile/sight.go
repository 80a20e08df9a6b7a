// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Sight is how an object is, for somebody who has never heard of it.
type Sight struct {
	// Is says what was found.
	Is SightIs
	// Payload is the object as it is sent, if it is as it is known, and Document what
	// fields are read from.
	Payload     []byte
	ContentType string
	Document    event.Document
	// Freshness says how the Show was proven fresh.
	Freshness event.Freshness
}

// SightIs is how an object is, compared with what is known of it.
type SightIs int

const (
	// SightSame: it is as it is known.
	SightSame SightIs = iota
	// SightMoved: it is not. It is marked, to be looked at.
	SightMoved
	// SightGone: the API has no such object. It is marked as well.
	SightGone
)

// ErrUnsighted is wrapped by the error of a Sight that the API's answer does not give.
var ErrUnsighted = errors.New("it cannot be read at present")

// ErrUnplanned is returned for an object of a resource that is not reconciled.
var ErrUnplanned = errors.New("no resource of that name is configured")

// sightRule is the rule of the looks that a Sight causes.
const sightRule = "snapshot"

// planSights notes the resources whose objects can be sighted.
func (r *Reconciler) planSights(resources []Resource) {
	r.sighted = make(map[string]*Resource, len(resources))
	for i := range resources {
		r.sighted[resources[i].Name] = &resources[i]
	}
}

// Sight returns how an object is of which something is known: by the Show that is kept of
// it, or else by one that is read within the budget of looks. If that is not what is
// known, it is for reconciling to find out why.
func (r *Reconciler) Sight(ctx context.Context, known event.Snapshot) (Sight, error) {
	r.mu.Lock()
	resource := r.sighted[known.Key.Resource]
	r.mu.Unlock()
	if resource == nil {
		return Sight{}, ErrUnplanned
	}
	sight := Sight{Freshness: event.FreshnessUnproven}
	if resource.Version != "" && !resource.ETag && known.Version != "" {
		sight.Freshness = event.FreshnessVersion
	}
	if resource.KeepShow && len(known.Show) > 0 {
		err := sight.keep(resource, &known)
		return sight, err
	}
	answer, err := resource.look(ctx, known)
	if err != nil {
		if ctx.Err() != nil {
			return sight, ctx.Err()
		}
		return sight, fmt.Errorf("%w: %w", ErrUnsighted, err)
	}
	if sight.Is, err = resource.sights(r.hasher, &known, answer); err != nil {
		return sight, err
	}
	if sight.Is != SightSame {
		return sight, r.markAll(ctx, []queue.Mark{{
			Key: known.Key, Hints: queue.HintLooked, Cause: event.Cause{Rule: sightRule, Outcome: event.OutcomeUnknown, At: r.now()},
		}})
	}
	err = sight.show(resource, answer)
	return sight, err
}

// show takes a Show that was read, without what is hidden.
func (s *Sight) show(resource *Resource, answer show.Show) (err error) {
	s.ContentType, s.Payload, s.Document = answer.Header.Get("Content-Type"), answer.Body, answer.Document()
	if resource.Projection.IsZero() {
		return nil
	}
	if s.Payload, err = resource.Projection.Apply(answer.Body); err != nil {
		return fmt.Errorf("%w: removing hidden fields from Show: %w", ErrUnsighted, err)
	}
	s.Document = documentOf(s.Payload, s.ContentType)
	return nil
}

// keep takes the Show that is kept, without what is hidden by now.
func (s *Sight) keep(resource *Resource, known *event.Snapshot) (err error) {
	s.Payload, s.ContentType = known.Show, known.ContentType
	if known.Hidden != resource.Projection.ID() {
		if s.Payload, err = resource.Projection.Apply(known.Show); err != nil {
			return fmt.Errorf("%w: removing hidden fields from Show: %w", ErrUnsighted, err)
		}
	}
	s.Document = documentOf(s.Payload, s.ContentType)
	return nil
}

// look reads an object's Show when the budget of looks allows it.
func (r *Resource) look(ctx context.Context, known event.Snapshot) (answer show.Show, err error) {
	if r.Looks != nil {
		if err := r.Looks.Wait(ctx); err != nil {
			return answer, err
		}
	}
	if r.Limit != nil {
		if err := r.Limit.AcquireLook(ctx); err != nil {
			return answer, err
		}
		begun := time.Now()
		defer func() {
			r.Limit.ReleaseLook(ctx.Err() != nil || blameless(err) || err == nil && !overloaded(answer), time.Since(begun))
		}()
	}
	return r.Read(ctx, queue.MarkLease{Mark: queue.Mark{Key: known.Key, Hints: queue.HintLooked}, Snapshot: &known, Look: true})
}

// sights compares the API's answer with what is known of an object. It is pure.
func (r *Resource) sights(hasher event.Hasher, known *event.Snapshot, answer show.Show) (SightIs, error) {
	switch status := answer.Status; {
	case isGone(answer):
		return SightGone, nil
	case status >= 300 && status <= 399 || answer.Redirect.Elsewhere:
		return SightMoved, nil
	case status < 200 || status > 299 || len(answer.Body) == 0:
		return 0, fmt.Errorf("%w: Show was answered with %d", ErrUnsighted, status)
	}
	document := answer.Document()
	if reason := r.noShow(known, answer, document); reason != "" {
		return 0, fmt.Errorf("%w: %s", ErrUnsighted, reason)
	}
	if r.Moved != nil {
		if _, elsewhere := r.Moved(known.Key, answer); elsewhere {
			return SightMoved, nil
		}
	}
	switch {
	case r.Canonical != nil && r.Canonical(known.Key, document) != known.Key,
		// What does not count may be whose it is.
		r.Tenant != "" && event.Text(document.Field(r.Tenant)) != known.Tenant,
		!bytes.Equal(known.Hash, r.Comparison.hash(hasher, document)):
		return SightMoved, nil
	}
	return SightSame, nil
}
