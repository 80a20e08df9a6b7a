// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const (
	// sieved is how many events a filter is tried on.
	sieved = 200
	// sievedSince is since when, if nobody says it.
	sievedSince = "1d"
)

// SievedView is what a filter would have done to events.
type SievedView struct {
	// Looked is how many events it was tried on, and Kept how many of them it lets
	// through. Failed is for how many it could not be told: those are sent.
	Looked int `json:"looked_at"`
	Kept   int `json:"kept"`
	Failed int `json:"failed,omitempty"`
	// Error says why, for the first of them.
	Error string `json:"error,omitempty"`
	// Since is from when on events were looked at.
	Since time.Time `json:"since"`
}

// trySieve answers what a filter does to what has happened, before anybody depends on it:
// a filter that is wrong is a silent loss.
func trySieve(c *call) (*answer, error) {
	values, err := parameters(c.r, "filter", "type", "since")
	if err != nil {
		return nil, err
	}
	tried := subscribers.Endpoint{Filter: values.Get("filter"), Status: subscribers.Active}
	if text := values.Get("type"); text != "" {
		tried.Events = []string{text}
	}
	if tried.Filter == "" {
		return nil, malformed.in(FieldProblem{"?filter", "it is missing", "say which filter to try, as filter=object.amount > 100"})
	}
	if err := tried.Check(); err != nil {
		return nil, err
	}
	filter, err := when.CompileFilter(tried.Filter)
	if err != nil {
		return nil, err
	}
	text := sievedSince
	if given := values.Get("since"); given != "" {
		text = given
	}
	v := SievedView{}
	if v.Since, err = timeOf(text, c.now); err != nil {
		return nil, malformed.in(FieldProblem{"?since", "it is no time", "write it as 2026-03-04T05:06:07Z, or as how long ago it was, as 6h or 2d"})
	}
	if wait := c.limits.sieve(c.caller.Tenant, c.now); wait > 0 {
		return nil, tooMany.retry(wait, "wait before the next try of a filter")
	}
	if err := c.sieve(filter, &tried, &v); err != nil {
		return nil, feedProblem(err)
	}
	v.Since = v.Since.UTC()
	return ok(v)
}

// sieve tries a filter on the caller's events, of a bounded number of pages.
func (c *call) sieve(filter *when.Filter, of *subscribers.Endpoint, v *SievedView) error {
	after, err := c.store.FeedSince(c.r.Context(), v.Since)
	if err != nil {
		return err
	}
	for range maxPages {
		page, err := c.store.ReadFeed(c.r.Context(), queue.OfTenant(c.caller.Tenant), after, sieved)
		if err != nil {
			return err
		}
		for i := range page.Entries {
			if e := &page.Entries[i].Event; e.Op != event.OpTest && wants(of, e.Type) {
				c.tryFilter(filter, e, v)
			}
			if v.Looked == sieved {
				return nil
			}
		}
		if after = page.Next; !page.More {
			return nil
		}
	}
	return nil
}

// tryFilter counts what a filter does to one event, of which it sees what the caller may.
func (c *call) tryFilter(filter *when.Filter, e *event.Event, v *SievedView) {
	keeps, err := filter.Keeps(when.NewFacts(e.For(c.caller.Tenant), func() event.Document { return event.NewDocument(e.Payload) }))
	v.Looked++
	switch {
	case err != nil:
		if v.Failed++; v.Error == "" {
			v.Error = cause(err)
		}
	case keeps:
		v.Kept++
	}
}
