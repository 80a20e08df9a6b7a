// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/verbs"
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
	verbs.Verb
	// takes names the parameters that may be given, and needs those of which
	// one must be.
	takes, needs []string
}

var deliveryVerbs = map[string]deliveryVerb{
	"resend":  {verbs.Resend, []string{"event", "endpoint"}, []string{"event"}},
	"recover": {verbs.Recover, []string{"since", "until", "endpoint", "type", "object"}, []string{"since"}},
	"replay":  {verbs.Replay, []string{"endpoint", "since", "until", "type", "object", "event"}, []string{"endpoint"}},
	"cancel":  {verbs.Cancel, []string{"endpoint", "event", "type", "object", "since", "until"}, []string{"endpoint", "event", "type", "object"}},
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
	if v.Narrow != nil {
		v.Narrow(&q.selection)
	}
	return q, nil
}

// permit says which deliveries a verb may select, and counts those that it may
// not. Nothing is known of the tenant behind an endpoint that is not configured,
// or whose receivers are named by requests: it gets what was meant for it.
func (s *Server) permit(v deliveryVerb, refused *int) queue.Permit {
	if !v.Sends {
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
		counted, err := v.Count(r.Context(), store, q.selection)
		if err != nil {
			return err
		}
		count := CountView{counted.Count, counted.AtLeast, refused}
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
		if acted.Changed, acted.Next, err = v.Act(r.Context(), store, q.selection, q.page); err != nil {
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
