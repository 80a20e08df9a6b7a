// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// listed answers with the page of a list that read returns. Takes names what the list
// can be narrowed by.
func listed[V any](s *Server, w http.ResponseWriter, r *http.Request, takes []string, read func(context.Context, queue.Store, query) (List[V], error)) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	q, err := parseQuery(r, takes, queue.DefaultLimit)
	if err != nil {
		return err
	}
	page, err := read(r.Context(), store, q)
	if err != nil {
		return err
	}
	if len(page.Items) == 0 && q.page.Cursor == "" {
		if err := s.requireKnown(r.Context(), store, q.filter); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, page)
}

// some reads pages until there is something on one: where few rows of many match, there may
// be nothing on the first. An operator who asks for them waits.
func some[T any](page queue.Page, read func(queue.Page) ([]T, queue.Cursor, error)) ([]T, queue.Cursor, error) {
	for {
		rows, next, err := read(page)
		if err != nil || len(rows) > 0 || next == "" {
			return rows, next, err
		}
		page.Cursor = next
	}
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	return listed(s, w, r, eventParameters, func(ctx context.Context, store queue.Store, q query) (List[EventView], error) {
		rows, next, err := some(q.page, func(page queue.Page) ([]event.Event, queue.Cursor, error) {
			return store.Events(ctx, q.filter, page)
		})
		return list(rows, next, func(e event.Event) EventView { return newEventView(e, false) }), err
	})
}

func (s *Server) deliveries(w http.ResponseWriter, r *http.Request) error {
	return listed(s, w, r, deliveryParameters, func(ctx context.Context, store queue.Store, q query) (List[DeliveryView], error) {
		rows, next, err := some(q.page, func(page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
			return store.Deliveries(ctx, q.filter, page)
		})
		if err != nil {
			return List[DeliveryView]{}, err
		}
		return deliveriesView(ctx, store, rows, next)
	})
}

func (s *Server) attempts(w http.ResponseWriter, r *http.Request) error {
	return listed(s, w, r, attemptParameters, func(ctx context.Context, store queue.Store, q query) (List[AttemptView], error) {
		rows, next, err := store.Attempts(ctx, q.filter, q.page)
		return list(rows, next, func(t queue.Attempt) AttemptView { return AttemptView{t, string(t.Response)} }), err
	})
}

func (s *Server) unresolved(w http.ResponseWriter, r *http.Request) error {
	return listed(s, w, r, pageParameters, func(ctx context.Context, store queue.Store, q query) (List[UnresolvedView], error) {
		rows, next, err := store.Unresolved(ctx, q.page)
		return list(rows, next, newUnresolvedView), err
	})
}

func (s *Server) marks(w http.ResponseWriter, r *http.Request) error {
	return listed(s, w, r, limitParameter, func(ctx context.Context, store queue.Store, q query) (List[MarkView], error) {
		rows, err := store.Pending(ctx, q.page.Limit)
		return list(rows, "", newMarkView), err
	})
}

// event answers with one event and its payload.
func (s *Server) event(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	id := event.IDOf(r.PathValue("id"))
	if err := s.requireKnown(r.Context(), store, queue.Filter{EventID: id}); err != nil {
		return err
	}
	e, err := store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newEventView(e, true))
}
