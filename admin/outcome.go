// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Outcome says what came of an operator's look or list.
type Outcome struct {
	DoneView
	// Result is one of the words below, "" if nobody waited.
	Result string `json:"result,omitempty"`
	// Events are the events that the look has led to, the last first.
	Events []OutcomeEvent `json:"events,omitempty"`
	// Objects counts those that a list had.
	Objects int `json:"objects,omitempty"`
	// Name is the real name of an object that was asked for by another one.
	Name string `json:"name,omitempty"`
	// Reason says why it failed, what is unresolved, or what is to be known of a
	// list. DueAt is when it is tried again.
	Reason string    `json:"reason,omitempty"`
	DueAt  time.Time `json:"due_at,omitzero"`
}

// OutcomeEvent is an event that a look has led to.
type OutcomeEvent struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Sequence uint64 `json:"sequence"`
}

// The results of a look.
const (
	// ResultWaiting: the time to wait was over before it was done.
	ResultWaiting = "waiting"
	// ResultFailing: it was tried, and is tried again.
	ResultFailing = "failing"
	// ResultEvents: the object has changed, and events say so.
	ResultEvents = "events"
	// ResultUnchanged: the object is as it was known, or as no event is about.
	ResultUnchanged = "unchanged"
	// ResultKnown: the object is known from now on, without an event.
	ResultKnown = "known"
	// ResultGone: the object is gone, as was known.
	ResultGone = "gone"
	// ResultUnknown: nothing is known of the object, and the API does not have it.
	ResultUnknown = "unknown"
	// ResultUnresolved: a record says what could not be told.
	ResultUnresolved = "unresolved"
	// ResultListed: the list is complete.
	ResultListed = "listed"
)

const (
	// maxWait limits how long a request may wait for an outcome.
	maxWait = time.Minute
	// glance is how often the queue is looked at meanwhile.
	glance = 50 * time.Millisecond
	// outcomeRows limits how many of the newest rows are searched for what came of a
	// look.
	outcomeRows = 20
)

// look is an operator's look at an object, or at all of a list.
type look struct {
	store queue.Store
	key   event.Key
	began time.Time
	// before is what was known of the object, nil for nothing.
	before *event.Snapshot
}

// newLook notes what is known before a look.
func newLook(ctx context.Context, store queue.Store, key event.Key) (look, error) {
	before, err := known(ctx, store, key)
	return look{store, key, time.Now(), before}, err
}

// known returns what is known of an object, nil for nothing.
func known(ctx context.Context, store queue.Store, key event.Key) (*event.Snapshot, error) {
	snapshot, err := store.Object(ctx, key)
	if errors.Is(err, queue.ErrNotFound) {
		return nil, nil
	}
	return &snapshot, err
}

// parseWait reads how long a request waits for what comes of it.
func parseWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > maxWait {
		return 0, fmt.Errorf("%w: wait is a time up to %s, as 10s, not %q", errBadQuery, maxWait, text)
	}
	return wait, nil
}

// until waits until done reports an outcome, or for a time. It fails only if the
// request is over, or done fails.
func until(ctx context.Context, wait time.Duration, done func() (Outcome, bool, error)) (Outcome, error) {
	over := time.Now().Add(wait)
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		outcome, is, err := done()
		if err != nil || is || !time.Now().Before(over) {
			return outcome, err
		}
		select {
		case <-ctx.Done():
			return Outcome{}, ctx.Err()
		case <-ticker.C:
		}
	}
}

// waiting returns the outcome of a look that is not done: it waits, or has failed
// since. It reports false if there is no mark any more. Of too many marks it cannot
// tell, and says that it waits.
func (l *look) waiting(ctx context.Context) (o Outcome, waits bool, err error) {
	marks, err := l.store.Pending(ctx, queue.MaxLimit)
	if err != nil {
		return Outcome{}, false, err
	}
	for i := range marks {
		if m := &marks[i]; m.Key == l.key {
			if m.Tries > 0 {
				return Outcome{Result: ResultFailing, Reason: m.LastError, DueAt: m.DueAt}, true, nil
			}
			return Outcome{Result: ResultWaiting}, true, nil
		}
	}
	return Outcome{Result: ResultWaiting}, len(marks) == queue.MaxLimit, nil
}

// ofObject returns what has come of a look at an object, and whether that is
// settled.
func (l *look) ofObject(ctx context.Context) (Outcome, bool, error) {
	outcome, waits, err := l.waiting(ctx)
	if err != nil || outcome.Result == ResultFailing {
		return outcome, true, err
	}
	after, err := known(ctx, l.store, l.key)
	if err != nil {
		return Outcome{}, true, err
	}
	// Among too many marks, only a newer snapshot shows that it is done.
	if waits && (after == nil || !after.Time.After(l.began)) {
		return outcome, false, nil
	}
	if outcome, err = l.found(ctx); err != nil || outcome.Result != "" {
		return outcome, true, err
	}
	switch {
	case after == nil:
		return Outcome{Result: ResultUnknown}, true, nil
	case after.Alias != "":
		return Outcome{Result: ResultKnown, Name: event.Key{Resource: l.key.Resource, ID: after.Alias}.String()}, true, nil
	case after.Gone:
		return Outcome{Result: ResultGone}, true, nil
	case l.before == nil:
		return Outcome{Result: ResultKnown}, true, nil
	}
	return Outcome{Result: ResultUnchanged}, true, nil
}

// found returns the events and the record that a look has led to; no result if
// there are none.
func (l *look) found(ctx context.Context) (Outcome, error) {
	sequence := uint64(0)
	if l.before != nil {
		sequence = l.before.Sequence
	}
	events, _, err := l.store.Events(ctx, queue.Filter{Key: l.key}, queue.Page{Limit: outcomeRows})
	if err != nil {
		return Outcome{}, err
	}
	outcome := Outcome{}
	for i := range events {
		if e := &events[i]; e.Sequence > sequence && !e.Time.Before(l.began) {
			outcome.Result = ResultEvents
			outcome.Events = append(outcome.Events, OutcomeEvent{e.ID, e.Type, e.Sequence})
		}
	}
	if outcome.Result != "" {
		return outcome, nil
	}
	records, _, err := l.store.Unresolved(ctx, queue.Page{Limit: outcomeRows})
	if err != nil {
		return Outcome{}, err
	}
	for i := range records {
		if r := &records[i]; r.Key == l.key && !r.At.Before(l.began) {
			return Outcome{Result: ResultUnresolved, Reason: r.Reason}, nil
		}
	}
	return Outcome{}, nil
}

// ofList returns what has come of a list of all objects of a resource, and whether
// that is settled.
func (l *look) ofList(ctx context.Context, listings []pipeline.Listing, resource string) (Outcome, bool, error) {
	for _, listing := range listings {
		if listing.Resource == resource && listing.Complete.After(l.began) {
			return Outcome{Result: ResultListed, Objects: listing.Objects, Reason: listing.Note}, true, nil
		}
	}
	outcome, _, err := l.waiting(ctx)
	return outcome, outcome.Result == ResultFailing, err
}
