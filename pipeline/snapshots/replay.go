// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// replayPage is how many events are read at once.
const replayPage = 100

// replay sends the endpoint the events since a position that it asks for, until those
// that were routed to it anyway.
func (r *run) replay(ctx context.Context) error {
	if r.To == "" {
		// All that is committed from now on goes to the endpoint by itself.
		_, latest, err := r.Store.FeedEnds(ctx)
		if err != nil {
			return err
		}
		r.To = latest.String()
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	from, err := queue.ParsePosition(r.From)
	if err != nil {
		return err
	}
	to, err := queue.ParsePosition(r.To)
	if err != nil {
		return err
	}
	for from.Before(to) {
		read, err := r.Store.ReadFeed(ctx, queue.OfTenant(r.tenant), from, replayPage)
		if errors.Is(err, queue.ErrExpired) {
			r.Partial = true
			break
		}
		if err != nil {
			return err
		}
		for i := range read.Entries {
			if to.Before(read.Entries[i].Position) {
				break
			}
			if err := r.resend(ctx, &read.Entries[i].Event); err != nil {
				return err
			}
		}
		if from = read.Next; !read.More {
			break
		}
		r.From = from.String()
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	r.End(subscribers.Done, r.Now())
	return r.save(ctx)
}

// resend has an event sent to the endpoint, if it asks for it and was not sent it.
func (r *run) resend(ctx context.Context, e *event.Event) error {
	to, err := r.recipient(ctx)
	if err != nil || !to.Events.Match(e.Type) {
		return err
	}
	known, err := r.Store.DeliveriesOf(ctx, e.ID, r.name)
	if err != nil || len(known) > 0 {
		return err
	}
	r.Done++
	r.Of = max(r.Of, r.Done)
	document := show.Show{Header: http.Header{"Content-Type": {e.ContentType}}, Body: e.Payload}.Document()
	if !keeps(&to.Endpoint, e, document) {
		r.Filtered++
		return nil
	}
	if err := r.turn(ctx); err != nil {
		return err
	}
	_, _, err = r.Store.Replay(ctx, r.name, queue.Selection{EventID: e.ID}, queue.Page{})
	return err
}
