// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// TenantView is what a tenant has. It is known by that: a tenant with neither an endpoint
// nor a key is in no list.
type TenantView struct {
	// Name is "" for what all callers share, and what the configuration gives to no tenant.
	Name string `json:"name"`
	// Endpoints counts those that it has made, Declared those that the configuration has
	// for it, and Keys its API keys.
	Endpoints int `json:"endpoints"`
	Declared  int `json:"declared,omitempty"`
	Keys      int `json:"keys"`
	// Pending counts deliveries that wait; it is nil before they are counted, as when the
	// queue has just been opened. Dead counts those that were given up; with DeadAtLeast there
	// may be more, as an endpoint has more than [queue.MaxCount], or counting took too long.
	Pending     *int `json:"pending,omitempty"`
	Dead        int  `json:"dead"`
	DeadAtLeast bool `json:"dead_at_least,omitempty"`

	names []string
}

const (
	// maxScanned is how many endpoints, and how many keys, are looked through for the
	// names of tenants.
	maxScanned = 100_000
	// deadTime limits the counting of dead deliveries for a page: it reads all that an
	// endpoint has.
	deadTime = 5 * time.Second
)

// afterTenant begins a cursor, as the last name of a page may be "".
const afterTenant = "after:"

// tenants lists who has endpoints or keys, by name. The cursor has the last name of the
// page before.
func (s *Server) tenants(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	q, err := parseQuery(r, pageParameters, queue.DefaultLimit)
	if err != nil {
		return err
	}
	known, err := s.tenantsOf(r.Context(), store)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(known))
	if q.page.Cursor != "" {
		after, is := strings.CutPrefix(string(q.page.Cursor), afterTenant)
		if !is {
			return queue.ErrBadCursor
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name <= after })
	}
	next := queue.Cursor("")
	if len(names) > q.page.Limit {
		names = names[:q.page.Limit]
		next = queue.Cursor(afterTenant + names[len(names)-1])
	}
	rows := make([]*TenantView, len(names))
	for i, name := range names {
		rows[i] = known[name]
	}
	if err := countOf(r.Context(), store, rows); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, List[*TenantView]{rows, next})
}

// tenantsOf returns who has something, with the names of the endpoints. Sealed values are
// not opened.
func (s *Server) tenantsOf(ctx context.Context, store queue.Store) (map[string]*TenantView, error) {
	known := make(map[string]*TenantView)
	of := func(name string) *TenantView {
		if known[name] == nil {
			known[name] = &TenantView{Name: name}
		}
		return known[name]
	}
	for kind, note := range map[string]func(*queue.Record){
		queue.KindEndpoint: func(r *queue.Record) {
			t := of(r.Owner)
			t.Endpoints++
			t.names = append(t.names, r.ID)
		},
		subscribers.KindKey: func(r *queue.Record) { of(r.Owner).Keys++ },
	} {
		if err := eachRecord(ctx, store, kind, note); err != nil {
			return nil, err
		}
	}
	for e := range s.Pipeline.Endpoints().All() {
		if !subscribers.IsID(e.Name) {
			t := of(e.Tenant)
			t.Declared++
			t.names = append(t.names, e.Name)
		}
	}
	return known, nil
}

// eachRecord visits the records of a kind.
func eachRecord(ctx context.Context, store queue.Store, kind string, visit func(*queue.Record)) error {
	page := queue.Page{Limit: queue.MaxLimit}
	for n := 0; ; {
		rows, next, err := store.Records(ctx, kind, page)
		if err != nil {
			return err
		}
		for i := range rows {
			visit(&rows[i])
		}
		if n, page.Cursor = n+len(rows), next; next == "" {
			return nil
		}
		if n >= maxScanned {
			return fmt.Errorf("there are more than %d records of %ss, too many to look through", maxScanned, kind)
		}
	}
}

// countOf counts the deliveries of tenants, as far as that takes no long time.
func countOf(ctx context.Context, store queue.Store, tenants []*TenantView) error {
	stats, err := store.Stats(ctx)
	if err != nil {
		return err
	}
	counting, cancel := context.WithTimeout(ctx, deadTime)
	defer cancel()
	for _, t := range tenants {
		pending := 0
		for _, name := range t.names {
			pending += stats.PendingDeliveries[name]
			n, err := store.Count(counting, queue.Selection{Endpoint: name, Statuses: []queue.Status{queue.StatusDead}})
			if err != nil && counting.Err() == nil {
				return err
			}
			t.Dead += n
			t.DeadAtLeast = t.DeadAtLeast || err != nil || n >= queue.MaxCount
		}
		if stats.PendingDeliveries != nil {
			t.Pending = &pending
		}
	}
	return ctx.Err()
}
