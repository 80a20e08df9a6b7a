// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const (
	// maxWait is how long a request may wait for an event.
	maxWait = time.Minute
	// maxFeedLimit is how many events a page of a feed has at most.
	maxFeedLimit = 1000
)

// FeedPage is a page of a feed.
type FeedPage struct {
	Data []FeedItem `json:"data"`
	// Next is how far was looked, also if nothing was found. More says that there is
	// more at once.
	Next string `json:"next"`
	More bool   `json:"more"`
}

// FeedItem is an event as a delivery would send it.
type FeedItem struct {
	// Cursor is the one behind the event, and Time is when it was found.
	Cursor  string            `json:"cursor"`
	Time    time.Time         `json:"time"`
	Headers map[string]string `json:"headers"`
	// Body is the payload; one that is no text is in base64.
	Body       *string `json:"body,omitempty"`
	BodyBase64 *string `json:"body_base64,omitempty"`
	// Delivery is where its delivery to the endpoint stands, or filtered.
	Delivery string `json:"delivery,omitempty"`
}

// feed is a feed that a caller may read.
type feed struct {
	call  *call
	scope queue.Scope
	// endpoint is whose feed it is; nil for the tenant's.
	endpoint *subscribers.Endpoint
	// as says how events are sent. With pulls, it is an endpoint without a URL, whose
	// feed is what it would be sent.
	as    endpoint.Endpoint
	pulls *endpoint.Set
}

// nowhere stands in for the URL of an endpoint that has none.
const nowhere = "https://feed.invalid/"

// feed returns the feed that the path names.
func (c *call) feed(ofEndpoint bool) (*feed, error) {
	if !ofEndpoint {
		format, err := payload.New(payload.Config{Kind: payload.Standard})
		if err != nil {
			return nil, err
		}
		return &feed{call: c, scope: queue.OfTenant(c.caller.Tenant), as: endpoint.Endpoint{URL: nowhere, Tenant: c.caller.Tenant, Payload: format}}, nil
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	f := &feed{call: c, scope: queue.OfEndpoint(e.ID), endpoint: &e}
	if f.as, err = readAs(e, c.options.Template); err != nil {
		return nil, err
	}
	if e.URL == "" {
		f.scope = queue.OfTenant(c.caller.Tenant)
		f.pulls = (*endpoint.Set)(nil).With(map[string][]endpoint.Endpoint{e.Tenant: {f.as}})
	}
	return f, nil
}

// readAs returns an endpoint as what is read of its feed is made for it, also if it has no URL.
func readAs(e subscribers.Endpoint, template endpoint.Endpoint) (endpoint.Endpoint, error) {
	if e.URL == "" {
		e.URL = nowhere
	}
	as, err := e.Resolve(template)
	return as.WithDefaults(), err
}

// page reads a page of the feed.
func (f *feed) page(ctx context.Context, after queue.Position, limit int) (FeedPage, queue.Position, error) {
	read, err := f.call.store.ReadFeed(ctx, f.scope, after, limit)
	if err != nil {
		return FeedPage{}, after, err
	}
	p := FeedPage{Data: make([]FeedItem, 0, len(read.Entries)), Next: read.Next.String(), More: read.More}
	for i := range read.Entries {
		item, has, err := f.item(&read.Entries[i])
		if err != nil {
			return FeedPage{}, after, err
		}
		if has {
			p.Data = append(p.Data, item)
		}
	}
	return p, read.Next, nil
}

// item returns an entry as the caller may have it, and false if it is not in this feed.
func (f *feed) item(entry *queue.FeedEntry) (FeedItem, bool, error) {
	item := FeedItem{Cursor: entry.Position.String(), Time: entry.Event.Time, Headers: make(map[string]string)}
	switch {
	case entry.Event.Op == event.OpTest && (f.endpoint == nil || f.pulls != nil):
		// It was sent to those that it was made up for, and is no part of what happened.
		return item, false, nil
	case f.pulls != nil:
		if entry.Event.Time.Before(f.endpoint.Created) {
			return item, false, nil
		}
		to, filtered := f.pulls.Route(&entry.Event, func() event.Document { return event.NewDocument(entry.Event.Payload) }, func(string, error) {})
		if len(to) == 0 && len(filtered) == 0 {
			return item, false, nil
		}
		if len(filtered) > 0 {
			item.Delivery = filteredDelivery
		}
	case f.endpoint != nil && entry.Filtered:
		item.Delivery = filteredDelivery
	case f.endpoint != nil:
		item.Delivery = string(entry.Status)
	}
	header, body, err := emitter.Compose(&f.as, &entry.Event, entry.Format, f.call.options.Now())
	if err != nil {
		return item, false, err
	}
	for name := range header {
		item.Headers[strings.ToLower(name)] = header.Get(name)
	}
	if text := string(body); utf8.ValidString(text) {
		item.Body = &text
	} else {
		text = base64.StdEncoding.EncodeToString(body)
		item.BodyBase64 = &text
	}
	return item, true, nil
}

// filteredDelivery stands in place of a delivery's status if a filter left the event out.
const filteredDelivery = "filtered"

// readFeed returns the action that reads a tenant's feed, or an endpoint's.
func readFeed(ofEndpoint bool) action {
	return func(c *call) (*answer, error) {
		values, err := parameters(c.r, "after", "limit", "wait")
		if err != nil {
			return nil, err
		}
		f, err := c.feed(ofEndpoint)
		if err != nil {
			return nil, err
		}
		streams := wantsStream(c.r)
		limit, wait, err := feedLimits(values.Get("limit"), values.Get("wait"))
		if err != nil {
			return nil, err
		}
		begin := values.Get("after")
		if last := c.r.Header.Get("Last-Event-ID"); streams && last != "" {
			begin = last
		}
		after, err := c.position(begin)
		if err != nil {
			return nil, err
		}
		if streams && c.r.Method != http.MethodHead {
			return nil, f.stream(after)
		}
		page, err := f.await(after, limit, wait)
		if err != nil {
			return nil, feedProblem(err)
		}
		return ok(page)
	}
}

// await reads a page, and waits for an event if there is none.
func (f *feed) await(after queue.Position, limit int, wait time.Duration) (FeedPage, error) {
	ctx := f.call.r.Context()
	page, next, err := f.page(ctx, after, limit)
	if err != nil || wait <= 0 || len(page.Data) > 0 || page.More || f.call.r.Method == http.MethodHead {
		return page, err
	}
	leave, err := f.call.limits.waits(f.call.caller.Tenant)
	if err != nil {
		return page, err
	}
	defer leave()
	waiting, cancel := f.call.patience(wait)
	defer cancel()
	for {
		err := f.call.store.AwaitFeed(waiting, f.scope, next)
		if err != nil && waiting.Err() == nil {
			return page, err
		}
		if page, next, err = f.page(ctx, next, limit); err != nil || len(page.Data) > 0 || waiting.Err() != nil {
			return page, err
		}
	}
}

// endingEvery is how often it is looked whether the process is about to end.
const endingEvery = time.Second

// patience returns a context for what waits for a time: it ends with the request too, and
// before the process does.
func (c *call) patience(wait time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(c.r.Context(), wait)
	go func() {
		tick := time.NewTicker(endingEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if c.options.Ending() {
					cancel()
				}
			}
		}
	}()
	return ctx, cancel
}

// feedLimits reads how many events are wanted, and how long to wait for them.
func feedLimits(limitText, waitText string) (limit int, wait time.Duration, err error) {
	limit = queue.DefaultLimit
	if limitText != "" {
		if limit, err = strconv.Atoi(limitText); err != nil || limit < 1 || limit > maxFeedLimit {
			return 0, 0, malformed.in(FieldProblem{"?limit", "it is no number that is possible", "say 1 to " + strconv.Itoa(maxFeedLimit)})
		}
	}
	if waitText != "" {
		if wait, err = time.ParseDuration(waitText); err != nil || wait < 0 || wait > maxWait {
			return 0, 0, malformed.in(FieldProblem{"?wait", "it is no duration that is possible", "say 0s to " + maxWait.String() + ", as 30s"})
		}
	}
	return limit, wait, nil
}

// position reads where a feed is to be read from: a cursor, a time, `oldest`, which is
// the default, or `latest`.
func (c *call) position(text string) (queue.Position, error) {
	oldest, latest, err := c.store.FeedEnds(c.r.Context())
	switch {
	case err != nil:
		return queue.Position{}, err
	case text == "", text == "oldest":
		return oldest, nil
	case text == "latest":
		return latest, nil
	}
	if p, err := queue.ParsePosition(text); err == nil {
		return p, nil
	}
	at, err := timeOf(text, c.now)
	if err != nil {
		return queue.Position{}, malformed.in(FieldProblem{"?after", "it is no cursor and no time", "take `next` of the page before, a time as 2026-03-04T05:06:07Z or 6h, oldest or latest"})
	}
	return c.store.FeedSince(c.r.Context(), at)
}

// feedProblem returns the problem of a feed that cannot be read from where it was asked.
func feedProblem(err error) error {
	var expired *queue.ExpiredError
	if !errors.As(err, &expired) {
		return err
	}
	p := gone.problem("what came after this cursor may have been removed; read the objects anew, and go on from the oldest cursor")
	p.Oldest = expired.Oldest.String()
	return p
}
