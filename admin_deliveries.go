// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// operatorVerb is something that operators do to deliveries, on Caddy's admin
// endpoint:
//
//	/webhooks/resend   sends one event again, to all or one of its endpoints
//	/webhooks/recover  sends again what is dead of the events found since a time
//	/webhooks/replay   sends the events of a time to an endpoint, had or not
//	/webhooks/cancel   gives up what is pending
//
// GET tells how many deliveries are meant, and does nothing. POST acts on at
// most `limit` of them, and answers how many it changed and where to go on:
// with the answer's `next` as `cursor`, until there is none. What is as it would
// be made already is left, so a request that is repeated does no harm.
type operatorVerb struct {
	// takes are the parameters that may be given, and needs those of which one
	// must be.
	takes, needs []string
	// narrow completes the selection.
	narrow func(*queue.Selection)
	act    func(context.Context, queue.Operations, queue.Selection, queue.Page) (int, queue.Cursor, error)
}

var operatorVerbs = map[string]operatorVerb{
	"resend": {
		takes: []string{"event", "endpoint"}, needs: []string{"event"},
		act: redeliver,
	},
	"recover": {
		takes: []string{"since", "until", "endpoint", "type", "object"}, needs: []string{"since"},
		narrow: func(s *queue.Selection) { s.Statuses = []queue.Status{queue.StatusDead} },
		act:    redeliver,
	},
	"replay": {
		takes: []string{"endpoint", "since", "until", "type", "object", "event"}, needs: []string{"endpoint"},
		act: func(ctx context.Context, q queue.Operations, s queue.Selection, p queue.Page) (int, queue.Cursor, error) {
			return q.Replay(ctx, s.Endpoint, s, p)
		},
	},
	"cancel": {
		takes: []string{"endpoint", "event", "type", "object", "since", "until"}, needs: []string{"endpoint", "event", "type", "object"},
		narrow: func(s *queue.Selection) { s.Statuses = []queue.Status{queue.StatusPending} },
		act: func(ctx context.Context, q queue.Operations, s queue.Selection, p queue.Page) (int, queue.Cursor, error) {
			return q.Cancel(ctx, s, p)
		},
	},
}

func redeliver(ctx context.Context, q queue.Operations, s queue.Selection, p queue.Page) (int, queue.Cursor, error) {
	return q.Redeliver(ctx, s, p)
}

// CountView is what GET of an operator's verb answers.
type CountView struct {
	// Count is how many deliveries are meant; there may be more if AtLeast.
	Count   int  `json:"count"`
	AtLeast bool `json:"at_least,omitempty"`
}

// ActView is what POST of an operator's verb answers.
type ActView struct {
	// Changed is how many deliveries were changed.
	Changed int `json:"changed"`
	// Next is the cursor for the next request, "" at the end.
	Next queue.Cursor `json:"next,omitempty"`
}

// operate serves the verbs of operators, and tells whether the request was for
// one.
func (adminAPI) operate(w http.ResponseWriter, r *http.Request, app *App, view string) (bool, error) {
	working := app.engine.working()
	verb, isVerb := operatorVerbs[view]
	name, isEndpoint := strings.CutPrefix(view, "endpoints/")
	switch {
	case !isVerb && !isEndpoint && view != "endpoints":
		return false, nil
	case working == nil:
		return true, refuse(http.StatusServiceUnavailable, errors.New("the queue is not open"))
	case isEndpoint:
		return true, operateEndpoint(w, r, working, name)
	case view == "endpoints":
		return true, listEndpoints(w, r, app, working)
	}
	selection, page, err := verb.parse(r.URL.Query())
	if err != nil {
		return true, refuse(http.StatusBadRequest, err)
	}
	var answer any
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		answer, err = verb.count(r.Context(), working.store, view, selection)
	case http.MethodPost:
		var acted ActView
		acted.Changed, acted.Next, err = verb.act(r.Context(), working.store, selection, page)
		answer = acted
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		return true, refuse(http.StatusMethodNotAllowed, fmt.Errorf("%s is not possible here; GET counts, POST acts", r.Method))
	}
	switch {
	case errors.Is(err, queue.ErrBadCursor):
		return true, refuse(http.StatusBadRequest, err)
	case err != nil:
		return true, refuse(http.StatusInternalServerError, err)
	}
	return true, writeJSON(w, http.StatusOK, answer)
}

// count tells how many deliveries are meant. What a replay makes anew cannot be
// told from what is there, so its events are counted instead.
func (v operatorVerb) count(ctx context.Context, q operationsQueue, view string, selection queue.Selection) (CountView, error) {
	if view == "replay" {
		return countEvents(ctx, q, selection)
	}
	n, err := q.Count(ctx, selection)
	return CountView{Count: n, AtLeast: n >= queue.MaxCount}, err
}

// Counting events reads them, so it is done in small pages and ends sooner.
const (
	countedEvents = 1000
	countingPage  = 20
)

// countEvents counts the events that are selected, newest first.
func countEvents(ctx context.Context, q queue.History, selection queue.Selection) (CountView, error) {
	filter := queue.Filter{EventID: selection.EventID, Key: selection.Key}
	if len(selection.Types) == 1 {
		filter.Type = selection.Types[0]
	}
	page := queue.Page{Limit: countingPage}
	for n := 0; ; {
		events, next, err := q.Events(ctx, filter, page)
		if err != nil {
			return CountView{}, err
		}
		for i := range events {
			e := &events[i]
			if !selection.From.IsZero() && e.Time.Before(selection.From) {
				return CountView{Count: n}, nil
			}
			wanted := len(selection.Types) == 0 || slices.Contains(selection.Types, e.Type)
			if wanted && (selection.To.IsZero() || e.Time.Before(selection.To)) {
				n++
			}
		}
		if next == "" || n >= countedEvents {
			return CountView{Count: n, AtLeast: n >= countedEvents}, nil
		}
		page.Cursor = next
	}
}

// parseAgo reads how long ago something was.
func parseAgo(text string) (time.Duration, error) {
	ago, err := caddy.ParseDuration(text)
	if err == nil && ago < 0 {
		err = errors.New("it is negative")
	}
	return ago, err
}

// parsePage reads one parameter of a page.
func parsePage(page queue.Page, name, value string) (queue.Page, error) {
	var err error
	switch name {
	case "cursor":
		page.Cursor = queue.Cursor(value)
	case "limit":
		page.Limit, err = strconv.Atoi(value)
		if err != nil || page.Limit < 1 || page.Limit > queue.MaxLimit {
			return page, fmt.Errorf("%w: limit is a number from 1 to %d, not %q", errBadQuery, queue.MaxLimit, value)
		}
	default:
		return page, fmt.Errorf("%w: unknown parameter %q; it takes cursor and limit", errBadQuery, name)
	}
	return page, nil
}

// parse reads what is selected, and the page.
func (v operatorVerb) parse(query url.Values) (queue.Selection, queue.Page, error) {
	selection, page := queue.Selection{}, queue.Page{Limit: queue.MaxLimit}
	given := false
	for name, values := range query {
		given = given || slices.Contains(v.needs, name) && values[0] != ""
		if !slices.Contains(v.takes, name) && name != "cursor" && name != "limit" {
			return selection, page, fmt.Errorf("%w: unknown parameter %q; it takes %s, cursor and limit", errBadQuery, name, strings.Join(v.takes, ", "))
		}
		if err := selectBy(&selection, &page, name, values); err != nil {
			return selection, page, err
		}
	}
	if !given {
		return selection, page, fmt.Errorf("%w: say which deliveries are meant: %s", errBadQuery, strings.Join(v.needs, " or "))
	}
	if v.narrow != nil {
		v.narrow(&selection)
	}
	return selection, page, nil
}

// selectBy reads one parameter.
func selectBy(selection *queue.Selection, page *queue.Page, name string, values []string) error {
	value := values[len(values)-1]
	var err error
	switch name {
	case "event":
		selection.EventID = value
	case "endpoint":
		selection.Endpoint = value
	case "type":
		selection.Types = values
	case "object":
		if selection.Key, err = event.ParseKey(value); err != nil {
			return fmt.Errorf("%w: object: %w", errBadQuery, err)
		}
	case "since":
		selection.From, err = parseWhen(value, time.Now())
	case "until":
		selection.To, err = parseWhen(value, time.Now())
	case "cursor", "limit":
		*page, err = parsePage(*page, name, value)
	}
	return err
}

// parseWhen reads a time, or how long ago it was.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	ago, err := parseAgo(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %q is not a time; write it as 2026-03-04T05:06:07Z, or as how long ago it was, as 3h or 2d", errBadQuery, text)
	}
	return now.Add(-ago), nil
}

// endpointView is an endpoint with how it stands.
type endpointView struct {
	emitter.Standing
	Host    string   `json:"host"`
	Tenant  string   `json:"tenant,omitempty"`
	Events  []string `json:"events"`
	Pending int      `json:"pending"`
	// Expired counts deliveries that were given up since Caddy began, because
	// the endpoint gets none and they had waited for too long.
	Expired int `json:"expired,omitempty"`
}

// endpointGone is the status of an endpoint that is not configured any more,
// and still has deliveries.
const endpointGone queue.EndpointStatus = "gone"

// listEndpoints answers how the endpoints stand, by name. The cursor is the
// last name of the page before.
func listEndpoints(w http.ResponseWriter, r *http.Request, app *App, working *operations) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return refuse(http.StatusMethodNotAllowed, fmt.Errorf("%s is not possible here; use GET, or POST to endpoints/NAME/pause", r.Method))
	}
	page := queue.Page{Limit: queue.DefaultLimit}
	for name, values := range r.URL.Query() {
		var err error
		if page, err = parsePage(page, name, values[len(values)-1]); err != nil {
			return refuse(http.StatusBadRequest, err)
		}
	}
	stats, err := healthStats(r, app.engine)
	if err != nil {
		return refuse(http.StatusServiceUnavailable, fmt.Errorf("the queue cannot be read: %w", err))
	}
	standings, expired := working.emitter.Standings(), app.engine.expiring.all()
	for _, names := range []map[string]int{stats.PendingDeliveries, expired} {
		for name := range names {
			if _, configured := standings[name]; !configured {
				standings[name] = emitter.Standing{EndpointState: queue.EndpointState{Name: name, Status: endpointGone}}
			}
		}
	}
	answer := listView{Items: []any{}}
	for _, name := range slices.Sorted(maps.Keys(standings)) {
		if name <= string(page.Cursor) {
			continue
		}
		if len(answer.Items) == page.Limit {
			break
		}
		declared, _ := app.endpoints.Get(name)
		view := endpointView{
			Standing: standings[name], Tenant: declared.Tenant,
			Events: declared.Events.Patterns(), Pending: stats.PendingDeliveries[name], Expired: expired[name],
		}
		if declared.URL != "" {
			view.Host = origin(declared.URL)
		}
		answer.Items = append(answer.Items, view)
		answer.Next = queue.Cursor(name)
	}
	if len(answer.Items) < page.Limit {
		answer.Next = ""
	}
	return writeJSON(w, http.StatusOK, answer)
}

// maxReason bounds why an endpoint is paused.
const maxReason = 500

// operateEndpoint pauses or resumes an endpoint: POST /webhooks/endpoints/NAME/pause,
// with an optional body {"reason": …}, or …/resume.
func operateEndpoint(w http.ResponseWriter, r *http.Request, working *operations, path string) error {
	name, verb, _ := strings.Cut(path, "/")
	if verb != "pause" && verb != "resume" {
		return refuse(http.StatusNotFound, fmt.Errorf("there is no %q of an endpoint; there are pause and resume", verb))
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return refuse(http.StatusMethodNotAllowed, fmt.Errorf("%s is not possible here; use POST", r.Method))
	}
	var err error
	if verb == "pause" {
		var body struct {
			Reason string `json:"reason"`
		}
		decoder := json.NewDecoder(io.LimitReader(r.Body, 64<<10))
		if err := decoder.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
			return refuse(http.StatusBadRequest, errors.New(`the body is JSON, as {"reason": "maintenance"}, or empty`))
		}
		if len(body.Reason) > maxReason {
			return refuse(http.StatusBadRequest, fmt.Errorf("the reason is longer than %d bytes", maxReason))
		}
		err = working.emitter.Pause(r.Context(), name, body.Reason)
	} else {
		err = working.emitter.Resume(r.Context(), name)
	}
	switch {
	case errors.Is(err, emitter.ErrUnknownEndpoint):
		return refuse(http.StatusNotFound, err)
	case err != nil:
		return refuse(http.StatusInternalServerError, err)
	}
	return writeJSON(w, http.StatusOK, working.emitter.Standings()[name])
}
