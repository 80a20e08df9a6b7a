// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// feedPage shows a feed from a position on, and how far behind it a reader is.
type feedPage struct {
	// Hooks are the feeds that there are: that of all events, and those of webhooks.
	Hooks   []option
	Webhook string
	After   string
	Rows    []feedRow
	// Next is the cursor behind what is shown, and Latest the one behind all.
	Next, Latest string
	More         bool
	// First is when the first event behind the cursor was found: how far behind its reader is; zero if none waits.
	First  time.Time
	Errors fieldErrors
	// Oldest is the first cursor that there is, if the one that was given is too old.
	Oldest string
}

// feedRow is an event of a feed.
type feedRow struct {
	Cursor, Type, Object, ID string
	Time                     time.Time
	// State is where its delivery stands, nil in the feed of all events.
	State *state
}

// feedSince is where a feed is shown from, if nobody says it.
const feedSince = "1d"

// showFeed shows a feed: where a reader is, and what is behind.
func showFeed(v *visit) error {
	asked := v.r.URL.Query()
	p := feedPage{Webhook: asked.Get("webhook"), After: asked.Get("after"), Hooks: []option{{Value: "", Text: "All events that you may see"}}}
	path := []string{"feed"}
	var chosen *callbacks.EndpointView
	if p.Webhook != "" {
		path = []string{"endpoints", p.Webhook, "feed"}
		done, err := v.api.endpoint(p.Webhook)
		if err != nil {
			return err
		}
		chosen = &done.Body
	}
	hooks, err := v.hooks(chosen)
	if err != nil {
		return err
	}
	p.Hooks = append(p.Hooks, hooks...)
	latest, err := ask[callbacks.FeedPage](&v.api, get(path...).with("after", "latest", "limit", "1"))
	if err != nil {
		return err
	}
	p.Latest = latest.Body.Next
	status, err := v.readFeed(&p, path)
	if err != nil {
		return err
	}
	return v.show(status, View{Name: "feed", Title: "Feed", Section: "feed", Data: p})
}

// readFeed reads the events behind the position that was asked for.
func (v *visit) readFeed(p *feedPage, path []string) (status int, err error) {
	after := p.After
	if after == "" {
		after = feedSince
	}
	done, err := ask[callbacks.FeedPage](&v.api, get(path...).with("after", after, "limit", "50"))
	if problem := asProblem(err); problem != nil && (problem.Status == http.StatusBadRequest || problem.Status == http.StatusGone) {
		p.Oldest, p.Errors = problem.Oldest, parameterErrors(problem)
		if problem.Status == http.StatusGone {
			p.Errors["after"] = sentence(problem.Detail)
		}
		return problem.Status, nil
	}
	if err != nil {
		return 0, err
	}
	p.Next, p.More = done.Body.Next, done.Body.More
	for i := range done.Body.Data {
		item := &done.Body.Data[i]
		row := feedRow{Cursor: item.Cursor, Type: item.Headers["webhook-event"], Object: item.Headers["webhook-object"], ID: item.Headers["webhook-id"], Time: item.Time}
		if item.Delivery != "" {
			s := stateOf(deliveryStates, item.Delivery)
			row.State = &s
		}
		p.Rows = append(p.Rows, row)
	}
	if len(p.Rows) > 0 {
		p.First = p.Rows[0].Time
	}
	return http.StatusOK, nil
}
