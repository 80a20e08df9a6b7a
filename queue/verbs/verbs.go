// SPDX-License-Identifier: Apache-2.0

// Package verbs is what operators and subscribers do to deliveries. Whoever offers it,
// on whatever way, leads here: so there is one way to change anything.
package verbs

import (
	"context"
	"errors"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Verb is an operation on deliveries. Those that are already as it would make them are
// left, so to repeat it does no harm.
type Verb struct {
	// Narrow, if not nil, completes the selection.
	Narrow func(*queue.Selection)
	// Sends is true if the verb sends events, which their endpoint's tenant must be
	// allowed to have.
	Sends bool
	// Count counts what is meant, and does nothing.
	Count func(context.Context, queue.Store, queue.Selection) (Counted, error)
	// Act acts on a page of it. It returns how many deliveries it has changed, and
	// where to go on.
	Act func(context.Context, queue.Operations, queue.Selection, queue.Page) (int, queue.Cursor, error)
}

// Counted is how much is meant; with AtLeast there may be more.
type Counted struct {
	Count   int
	AtLeast bool
}

var (
	// Resend sends events again, to all or one of their endpoints.
	Resend = Verb{Sends: true, Count: countDeliveries, Act: redeliver}
	// Recover sends dead deliveries again.
	Recover = Verb{
		Sends: true, Count: countDeliveries, Act: redeliver,
		Narrow: func(s *queue.Selection) { s.Statuses = []queue.Status{queue.StatusDead} },
	}
	// Replay sends events to an endpoint, whether or not it got them. Those that somebody
	// made up have not happened, and are left out.
	Replay = Verb{
		Sends: true,
		// The deliveries that a replay makes do not exist yet, so its events are
		// counted.
		Count: func(ctx context.Context, store queue.Store, s queue.Selection) (Counted, error) {
			s.Permit = happened(s.Permit)
			if s.Tenant != "" && s.EventID == "" {
				return countOfTenant(ctx, store, s)
			}
			return countEvents(ctx, store, s)
		},
		Act: func(ctx context.Context, q queue.Operations, s queue.Selection, p queue.Page) (int, queue.Cursor, error) {
			s.Permit = happened(s.Permit)
			return q.Replay(ctx, s.Endpoint, s, p)
		},
	}
	// Cancel gives up pending deliveries.
	Cancel = Verb{
		Narrow: func(s *queue.Selection) { s.Statuses = []queue.Status{queue.StatusPending} },
		Count:  countDeliveries,
		Act: func(ctx context.Context, q queue.Operations, s queue.Selection, p queue.Page) (int, queue.Cursor, error) {
			return q.Cancel(ctx, s, p)
		},
	}
)

// CancelAll gives up all that is pending for an endpoint and not leased.
func CancelAll(ctx context.Context, q queue.Operations, endpoint string) error {
	selection := queue.Selection{Endpoint: endpoint}
	Cancel.Narrow(&selection)
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		_, next, err := Cancel.Act(ctx, q, selection, page)
		if err != nil || next == "" {
			return err
		}
		page.Cursor = next
	}
}

func redeliver(ctx context.Context, q queue.Operations, s queue.Selection, p queue.Page) (int, queue.Cursor, error) {
	return q.Redeliver(ctx, s, p)
}

func countDeliveries(ctx context.Context, store queue.Store, selection queue.Selection) (Counted, error) {
	n, err := store.Count(ctx, selection)
	return Counted{Count: n, AtLeast: n >= queue.MaxCount}, err
}

// happened permits what is permitted, of the events that have happened.
func happened(permit queue.Permit) queue.Permit {
	return func(endpoint string, e *event.Event, routed bool) bool {
		return e.Op != event.OpTest && (permit == nil || permit(endpoint, e, routed))
	}
}

// Counting events reads them, so it takes small pages and has a lower limit than
// counting deliveries.
const (
	countedEvents = 1000
	countingPage  = 20
)

// countEvents counts the events that are selected, newest first.
func countEvents(ctx context.Context, store queue.Store, selection queue.Selection) (Counted, error) {
	filter := queue.Filter{EventID: selection.EventID, Key: selection.Key}
	if len(selection.Types) == 1 {
		filter.Type = selection.Types[0]
	}
	page := queue.Page{Limit: countingPage}
	for n := 0; ; {
		events, next, err := store.Events(ctx, filter, page)
		if err != nil {
			return Counted{}, err
		}
		for i := range events {
			e := &events[i]
			if !selection.From.IsZero() && e.Time.Before(selection.From.Add(-queue.CommittedWithin)) {
				return Counted{Count: n}, nil
			}
			if !e.Time.Before(selection.From) && counts(&selection, e) {
				n++
			}
		}
		if next == "" || n >= countedEvents {
			return Counted{Count: n, AtLeast: n >= countedEvents}, nil
		}
		page.Cursor = next
	}
}

// counts reports whether an event is one of a selection that begins at its time or before.
// Whether it was meant for the endpoint is not read here, so there may be too many for an
// endpoint that is not configured.
func counts(selection *queue.Selection, e *event.Event) bool {
	return e.Op != event.OpSnapshot && (len(selection.Types) == 0 || slices.Contains(selection.Types, e.Type)) &&
		(selection.To.IsZero() || e.Time.Before(selection.To)) && (selection.Key.IsZero() || selection.Key == e.Key) && permits(selection, e)
}

// maxCountLooked is how many events of a tenant are read to count some of them.
const maxCountLooked = 10 * countedEvents

// countOfTenant counts the events that are selected of those that a tenant may see, and
// reads no others: oldest first, as its feed has them.
func countOfTenant(ctx context.Context, store queue.Store, selection queue.Selection) (Counted, error) {
	after, err := store.FeedSince(ctx, selection.From)
	for n, looked := 0, 0; err == nil; {
		var page queue.FeedPage
		page, err = store.ReadFeed(ctx, queue.OfTenant(selection.Tenant), after, countingPage)
		var expired *queue.ExpiredError
		if errors.As(err, &expired) {
			// The oldest have gone meanwhile.
			after, err = expired.Oldest, nil
			continue
		}
		looked += len(page.Entries)
		for i := range page.Entries {
			if e := &page.Entries[i].Event; !e.Time.Before(selection.From) && counts(&selection, e) {
				n++
			}
		}
		if more := n >= countedEvents || looked >= maxCountLooked; more || !page.More {
			return Counted{Count: n, AtLeast: more}, err
		}
		after = page.Next
	}
	return Counted{}, err
}

// permits reports whether the endpoint of a selection may have an event.
func permits(selection *queue.Selection, e *event.Event) bool {
	return selection.Permit == nil || selection.Permit(selection.Endpoint, e, true)
}
