// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// FeedView is a page of the feed of all events, in the order of their commits. The next
// page is behind Next, which moves although nothing is found. More says that there is
// more at once.
type FeedView struct {
	Items []FeedItem `json:"items"`
	Next  string     `json:"next"`
	More  bool       `json:"more"`
}

// FeedItem is an event of the feed, without its payload.
type FeedItem struct {
	// Position is the one behind the event.
	Position string    `json:"position"`
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Type     string    `json:"type"`
	Object   string    `json:"object"`
	Sequence uint64    `json:"sequence"`
	Op       event.Op  `json:"op,omitempty"`
	Tenant   string    `json:"tenant,omitempty"`
	// Endpoints counts those that the event has a delivery to; with AtLeast there may
	// be more.
	Endpoints int  `json:"endpoints"`
	AtLeast   bool `json:"at_least,omitempty"`
}

// The ends of the feed, as `after` names them.
const (
	FeedOldest = "oldest"
	FeedLatest = "latest"
)

// feed answers the events behind `after`: the `next` of a page, a time, or one of the
// ends of the feed. If there is none, it waits for one, for as long as `wait` says.
func (s *Server) feed(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	takes := []string{"after", "limit", "wait"}
	values, err := parseMeant(r, takes)
	if err != nil {
		return err
	}
	q, err := parseQuery(r, takes, queue.DefaultLimit)
	if err != nil {
		return err
	}
	wait, err := parseWait(values.Get("wait"))
	if err != nil {
		return err
	}
	after, err := feedPosition(r.Context(), store, values.Get("after"))
	if err != nil {
		return feedRefusal(err)
	}
	if r.Method == http.MethodHead {
		wait = 0
	}
	page, err := s.awaitFeed(r.Context(), store, after, q.page.Limit, wait)
	if err != nil {
		return feedRefusal(err)
	}
	view, err := feedView(r.Context(), store, page)
	if err != nil {
		return feedRefusal(err)
	}
	return writeJSON(w, http.StatusOK, view)
}

// feedPosition reads where the feed is to be read from. The default is its beginning.
func feedPosition(ctx context.Context, store queue.Store, text string) (queue.Position, error) {
	switch text {
	case "", FeedOldest:
		oldest, _, err := store.FeedEnds(ctx)
		return oldest, err
	case FeedLatest:
		_, latest, err := store.FeedEnds(ctx)
		return latest, err
	}
	if p, err := queue.ParsePosition(text); err == nil {
		return p, nil
	}
	at, err := parseWhen(text, time.Now())
	if err != nil {
		return queue.Position{}, fmt.Errorf("%w: after is `next` of the page before, a time as 2026-03-04T05:06:07Z, or 3h or 2d ago, %s or %s, not %q",
			errBadQuery, FeedOldest, FeedLatest, text)
	}
	return store.FeedSince(ctx, at)
}

// awaitFeed reads a page, and waits for an event if there is none. It does not wait
// beyond its configuration: Caddy, which then has another admin endpoint, would wait for
// the answer.
func (s *Server) awaitFeed(ctx context.Context, store queue.Store, after queue.Position, limit int, wait time.Duration) (queue.FeedPage, error) {
	page, err := store.ReadFeed(ctx, queue.Everything(), after, limit)
	if err != nil || wait == 0 {
		return page, err
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if s.Context != nil {
		defer context.AfterFunc(s.Context, cancel)()
	}
	for len(page.Entries) == 0 {
		if !page.More {
			err := store.AwaitFeed(waiting, queue.Everything(), page.Next)
			if err != nil && waiting.Err() == nil {
				return page, err
			}
		}
		if waiting.Err() != nil {
			return page, ctx.Err()
		}
		if page, err = store.ReadFeed(ctx, queue.Everything(), page.Next, limit); err != nil {
			return page, err
		}
	}
	return page, nil
}

// feedView returns a page as it is answered.
func feedView(ctx context.Context, store queue.History, page queue.FeedPage) (FeedView, error) {
	view := FeedView{Items: make([]FeedItem, len(page.Entries)), Next: page.Next.String(), More: page.More}
	for i := range page.Entries {
		e := &page.Entries[i].Event
		deliveries, next, err := store.Deliveries(ctx, queue.Filter{EventID: e.ID}, queue.Page{Limit: queue.MaxLimit})
		if err != nil {
			return view, err
		}
		view.Items[i] = FeedItem{
			page.Entries[i].Position.String(), e.ID, e.Time, e.Type, e.Key.String(), e.Sequence, e.Op, e.Tenant, len(deliveries), next != "",
		}
	}
	return view, nil
}

// feedRefusal returns the status of an error of the feed: 410 for a position from which
// it cannot be read without missing something.
func feedRefusal(err error) error {
	var expired *queue.ExpiredError
	switch {
	case errors.As(err, &expired):
		return refuse(http.StatusGone, "%s; go on from %s, or after=%s", expired, expired.Oldest, FeedOldest)
	case errors.Is(err, queue.ErrClosed):
		return errNotOpen
	}
	return err
}
