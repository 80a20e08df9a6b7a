// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// deliveryVerb is an operation of operators on deliveries:
//
//	/webhooks/resend   sends one event again, to all or one of its endpoints
//	/webhooks/recover  sends again the dead deliveries of events found since a time
//	/webhooks/replay   sends the events of a time to an endpoint, whether or not it got them
//	/webhooks/cancel   gives up pending deliveries
//
// GET counts the deliveries that are meant, and does nothing. POST acts on at
// most `limit` of them, and answers how many it changed and where to go on:
// with the answer's `next` as `cursor`, until there is none. Deliveries that are
// already as the verb would make them are left, so a repeated request does no
// harm. So are those whose endpoint's tenant may not have the event: the answer
// counts them as refused.
type deliveryVerb struct {
	// takes names the parameters that may be given, and needs those of which
	// one must be.
	takes, needs []string
	// narrow, if not nil, completes the selection.
	narrow func(*queue.Selection)
	// sends is true if the verb sends events, which their endpoint's tenant must
	// be allowed to have.
	sends bool
	count func(context.Context, queue.Store, queue.Selection) (CountView, error)
	// act returns how many deliveries it has changed, and where to go on.
	act func(context.Context, queue.Operations, queue.Selection, queue.Page) (int, queue.Cursor, error)
}

var deliveryVerbs = map[string]deliveryVerb{
	"resend": {
		takes: []string{"event", "endpoint"}, needs: []string{"event"}, sends: true,
		count: countDeliveries, act: redeliver,
	},
	"recover": {
		takes: []string{"since", "until", "endpoint", "type", "object"}, needs: []string{"since"}, sends: true,
		narrow: func(s *queue.Selection) { s.Statuses = []queue.Status{queue.StatusDead} },
		count:  countDeliveries, act: redeliver,
	},
	"replay": {
		takes: []string{"endpoint", "since", "until", "type", "object", "event"}, needs: []string{"endpoint"}, sends: true,
		// The deliveries that a replay makes do not exist yet, so its events are
		// counted.
		count: countEvents,
		act: func(ctx context.Context, q queue.Operations, s queue.Selection, p queue.Page) (int, queue.Cursor, error) {
			return q.Replay(ctx, s.Endpoint, s, p)
		},
	},
	"cancel": {
		takes: []string{"endpoint", "event", "type", "object", "since", "until"}, needs: []string{"endpoint", "event", "type", "object"},
		narrow: func(s *queue.Selection) { s.Statuses = []queue.Status{queue.StatusPending} },
		count:  countDeliveries,
		act: func(ctx context.Context, q queue.Operations, s queue.Selection, p queue.Page) (int, queue.Cursor, error) {
			return q.Cancel(ctx, s, p)
		},
	},
}

func redeliver(ctx context.Context, q queue.Operations, s queue.Selection, p queue.Page) (int, queue.Cursor, error) {
	return q.Redeliver(ctx, s, p)
}

// CountView is the answer to GET of a verb.
type CountView struct {
	// Count counts the deliveries that are meant; with AtLeast there may be more.
	Count   int  `json:"count"`
	AtLeast bool `json:"at_least,omitempty"`
	// Refused counts deliveries that are selected but not made, since their
	// endpoint's tenant may not have the event.
	Refused int `json:"refused,omitempty"`
}

// ActView is the answer to POST of a verb.
type ActView struct {
	// Changed counts the deliveries that were changed.
	Changed int `json:"changed"`
	// Refused counts deliveries that were selected but left, since their
	// endpoint's tenant may not have the event.
	Refused int `json:"refused,omitempty"`
	// Next is the cursor for the next request, "" at the end.
	Next queue.Cursor `json:"next,omitempty"`
}

// parse reads the selection and the page.
func (v deliveryVerb) parse(r *http.Request) (query, error) {
	takes := slices.Concat(v.takes, pageParameters)
	q, err := parseQuery(r, takes, queue.MaxLimit)
	if err != nil {
		return q, err
	}
	if !slices.ContainsFunc(v.needs, func(name string) bool { return slices.Contains(q.given, name) }) {
		return q, fmt.Errorf("%w: say which deliveries are meant: %s", errBadQuery, strings.Join(v.needs, " or "))
	}
	if _, err := parseMeant(r, takes); err != nil {
		return q, err
	}
	if v.narrow != nil {
		v.narrow(&q.selection)
	}
	return q, nil
}

// permit says which deliveries a verb may select, and counts those that it may
// not. Nothing is known of the tenant behind an endpoint that is not configured,
// or whose receivers are named by requests: it gets what was meant for it.
func (s *Server) permit(v deliveryVerb, refused *int) queue.Permit {
	if !v.sends {
		return nil
	}
	return func(name string, e *event.Event, routed bool) bool {
		permitted := routed
		if declared, ok := s.Pipeline.Endpoints().Get(name); ok {
			permitted = e.VisibleTo(declared.Tenant)
		}
		if !permitted {
			*refused++
		}
		return permitted
	}
}

// count returns the handler that counts the deliveries of a verb.
func (s *Server) count(v deliveryVerb) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		store, err := s.store()
		if err != nil {
			return err
		}
		q, err := v.parse(r)
		if err != nil {
			return err
		}
		refused := 0
		q.selection.Permit = s.permit(v, &refused)
		count, err := v.count(r.Context(), store, q.selection)
		if err != nil {
			return err
		}
		count.Refused = refused
		if count.Count == 0 && refused == 0 {
			if err := s.requireKnown(r.Context(), store, q.filter); err != nil {
				return err
			}
		}
		return writeJSON(w, http.StatusOK, count)
	}
}

// act returns the handler that has a verb act on a page of deliveries.
func (s *Server) act(v deliveryVerb) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		store, err := s.store()
		if err != nil {
			return err
		}
		q, err := v.parse(r)
		if err != nil {
			return err
		}
		var acted ActView
		q.selection.Permit = s.permit(v, &acted.Refused)
		if acted.Changed, acted.Next, err = v.act(r.Context(), store, q.selection, q.page); err != nil {
			return err
		}
		if acted == (ActView{}) && q.page.Cursor == "" {
			if err := s.requireKnown(r.Context(), store, q.filter); err != nil {
				return err
			}
		}
		return writeJSON(w, http.StatusOK, acted)
	}
}

func countDeliveries(ctx context.Context, store queue.Store, selection queue.Selection) (CountView, error) {
	n, err := store.Count(ctx, selection)
	return CountView{Count: n, AtLeast: n >= queue.MaxCount}, err
}

// Counting events reads them, so it takes small pages and has a lower limit than
// counting deliveries.
const (
	countedEvents = 1000
	countingPage  = 20
)

// countEvents counts the events that are selected, newest first.
func countEvents(ctx context.Context, store queue.Store, selection queue.Selection) (CountView, error) {
	filter := queue.Filter{EventID: selection.EventID, Key: selection.Key}
	if len(selection.Types) == 1 {
		filter.Type = selection.Types[0]
	}
	page := queue.Page{Limit: countingPage}
	for n := 0; ; {
		events, next, err := store.Events(ctx, filter, page)
		if err != nil {
			return CountView{}, err
		}
		for i := range events {
			e := &events[i]
			if !selection.From.IsZero() && e.Time.Before(selection.From) {
				return CountView{Count: n}, nil
			}
			wanted := len(selection.Types) == 0 || slices.Contains(selection.Types, e.Type)
			// Whether the event was meant for the endpoint is not read here, so this
			// may count too many for an endpoint that is not configured.
			if wanted && (selection.To.IsZero() || e.Time.Before(selection.To)) && selection.Permit(selection.Endpoint, e, true) {
				n++
			}
		}
		if next == "" || n >= countedEvents {
			return CountView{Count: n, AtLeast: n >= countedEvents}, nil
		}
		page.Cursor = next
	}
}
