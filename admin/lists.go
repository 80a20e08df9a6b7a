// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// listed answers with the page of a list that read returns.
func (s *Server) listed(w http.ResponseWriter, r *http.Request, read func(context.Context, queue.Store, query) (listView, error)) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	q, err := parseQuery(r, listParameters, queue.DefaultLimit)
	if err != nil {
		return err
	}
	page, err := read(r.Context(), store, q)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, page)
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	return s.listed(w, r, func(ctx context.Context, store queue.Store, q query) (listView, error) {
		rows, next, err := store.Events(ctx, q.filter, q.page)
		return list(rows, next, func(e event.Event) any { return newEventView(e, false) }), err
	})
}

func (s *Server) deliveries(w http.ResponseWriter, r *http.Request) error {
	return s.listed(w, r, func(ctx context.Context, store queue.Store, q query) (listView, error) {
		rows, next, err := store.Deliveries(ctx, q.filter, q.page)
		return list(rows, next, func(d queue.Delivery) any { return deliveryView{d, d.Key.String()} }), err
	})
}

func (s *Server) attempts(w http.ResponseWriter, r *http.Request) error {
	return s.listed(w, r, func(ctx context.Context, store queue.Store, q query) (listView, error) {
		rows, next, err := store.Attempts(ctx, q.filter, q.page)
		return list(rows, next, func(t queue.Attempt) any { return attemptView{t, string(t.Response)} }), err
	})
}

func (s *Server) unresolved(w http.ResponseWriter, r *http.Request) error {
	return s.listed(w, r, func(ctx context.Context, store queue.Store, q query) (listView, error) {
		rows, next, err := store.Unresolved(ctx, q.page)
		return list(rows, next, func(u queue.Unresolved) any { return newUnresolvedView(u) }), err
	})
}

func (s *Server) marks(w http.ResponseWriter, r *http.Request) error {
	return s.listed(w, r, func(ctx context.Context, store queue.Store, q query) (listView, error) {
		rows, err := store.Pending(ctx, q.page.Limit)
		return list(rows, "", func(m queue.PendingMark) any { return newMarkView(m) }), err
	})
}

// event answers with one event and its payload.
func (s *Server) event(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	e, err := store.Event(r.Context(), event.IDOf(r.PathValue("id")))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newEventView(e, true))
}
