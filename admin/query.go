// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// query is the parameters of a request, as the queue takes them.
type query struct {
	filter    queue.Filter
	selection queue.Selection
	page      queue.Page
	// given names the parameters that have a value.
	given []string
}

var (
	// pageParameters say which part of a list is meant; the list of marks has one
	// page.
	pageParameters = []string{"cursor", "limit"}
	limitParameter = []string{"limit"}

	// These narrow the lists of what they are named after. One that a list's rows
	// do not have is refused: it would narrow nothing.
	eventParameters    = append([]string{"event", "type", "object"}, pageParameters...)
	deliveryParameters = append([]string{"event", "type", "object", "endpoint", "status"}, pageParameters...)
	attemptParameters  = append([]string{"event", "endpoint"}, pageParameters...)
)

// parseValues reads a request's parameters, of which takes names all that it may
// have. One that cannot be read is refused, since a request without it would mean
// more than was written.
func parseValues(r *http.Request, takes []string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadQuery, err)
	}
	for name := range values {
		if !slices.Contains(takes, name) {
			return nil, fmt.Errorf("%w: unknown parameter %q; it takes %s", errBadQuery, name, strings.Join(takes, ", "))
		}
	}
	return values, nil
}

// parseMeant reads the parameters that say what a request acts on. One that is
// empty would widen that to everything, and one given twice would leave half of it
// out, so both are refused; a selection can have several types.
func parseMeant(r *http.Request, takes []string) (url.Values, error) {
	meant, err := parseValues(r, takes)
	if err != nil {
		return nil, err
	}
	for _, name := range takes {
		values := meant[name]
		if slices.Contains(values, "") && name != "cursor" {
			return nil, fmt.Errorf("%w: %s is empty; give it a value or leave it out", errBadQuery, name)
		}
		if len(values) > 1 && name != "type" {
			return nil, fmt.Errorf("%w: %s is given more than once", errBadQuery, name)
		}
	}
	return meant, nil
}

// parseQuery reads the parameters of a list or a selection. Limit is that of a
// page where none is given.
func parseQuery(r *http.Request, takes []string, limit int) (query, error) {
	q := query{page: queue.Page{Limit: limit}}
	parameters, err := parseValues(r, takes)
	if err != nil {
		return q, err
	}
	for name, values := range parameters {
		if err := q.parse(name, values); err != nil {
			return q, err
		}
		if values[len(values)-1] != "" {
			q.given = append(q.given, name)
		}
	}
	return q, nil
}

// parse reads one parameter. Of several values, the last counts; a selection has
// all types.
func (q *query) parse(name string, values []string) error {
	value := values[len(values)-1]
	var err error
	switch name {
	case "event":
		id := event.IDOf(value)
		q.filter.EventID, q.selection.EventID = id, id
	case "endpoint":
		q.filter.Endpoint, q.selection.Endpoint = value, value
	case "type":
		q.filter.Type, q.selection.Types = value, values
	case "status":
		q.filter.Status = queue.Status(value)
		switch q.filter.Status {
		case queue.StatusPending, queue.StatusDelivered, queue.StatusDead, queue.StatusSuperseded, queue.StatusCancelled:
		default:
			return fmt.Errorf("%w: status is pending, delivered, dead, superseded or cancelled, not %q", errBadQuery, value)
		}
	case "object":
		if q.filter.Key, err = event.ParseKey(value); err != nil {
			return fmt.Errorf("%w: object: %w", errBadQuery, err)
		}
		q.selection.Key = q.filter.Key
	case "since":
		q.selection.From, err = parseWhen(value, time.Now())
	case "until":
		q.selection.To, err = parseWhen(value, time.Now())
	case "cursor":
		q.page.Cursor = queue.Cursor(value)
	case "limit":
		q.page.Limit, err = strconv.Atoi(value)
		if err != nil || q.page.Limit < 1 || q.page.Limit > queue.MaxLimit {
			return fmt.Errorf("%w: limit is a number from 1 to %d, not %q", errBadQuery, queue.MaxLimit, value)
		}
	}
	return err
}

// parseWhen reads a time, or how long ago it was.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	ago, err := caddy.ParseDuration(text)
	if err == nil && ago < 0 {
		err = errors.New("it is negative")
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %q is not a time; write it as 2026-03-04T05:06:07Z, or as how long ago it was, as 3h or 2d", errBadQuery, text)
	}
	return now.Add(-ago), nil
}
