// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Resource says how the objects of one resource are reconciled.
type Resource struct {
	// Name is the resource's name.
	Name string
	// Read reads an object's Show. It fails with [ErrNoCredential] if that
	// needs a credential that is missing.
	Read func(ctx context.Context, lease queue.MarkLease) (show.Show, error)
	// Asks is the request of Show, for people: "GET /items/:id".
	Asks string
	// Version is the path of the version in Show, or "".
	Version string
	// ETag means that the version is the Show's ETag.
	ETag bool
	// Lag is how far the API's answers may lag behind its writes.
	Lag time.Duration
	// HTML means that a page of HTML can be a Show.
	HTML bool
	// Tenant is the path of the owner in Show, or "".
	Tenant string
	// Noted, if not nil, takes the Show of an object that is new or has changed, to note
	// what of it the configuration looks at.
	Noted func(document event.Document, header http.Header)
	// Made, if not nil, takes each event once it is committed. It must not wait, nor
	// change the event.
	Made func(e *event.Event)
	// Projection removes the fields from a Show that must not be stored or
	// sent. The zero Projection removes nothing.
	Projection event.Projection
	// Comparison says what counts when Shows are compared.
	Comparison Comparison
	// KeepShow keeps the whole Show in the snapshot.
	KeepShow bool
	// Canonical returns the key that an object has according to its Show. Nil
	// if objects have no other names.
	Canonical func(key event.Key, document event.Document) event.Key
	// Own is Canonical for resources whose objects have no other names: then the
	// key that the API confirms is right, whatever Show says. It reports false if
	// Show has no id. Nil means that no Show has.
	Own func(key event.Key, document event.Document) (event.Key, bool)
	// Listed means that all objects can be listed.
	Listed bool
	// Moved returns the key of the object to whose Show a Show was redirected, and
	// false if that is the object itself. Nil means that none is.
	Moved func(key event.Key, answer show.Show) (event.Key, bool)
	// Triggers say which transitions make events.
	Triggers []event.Trigger
	// Route names the endpoints that an event goes to, and those that it would go to
	// but for their filters.
	Route func(e *event.Event) (to, filtered []string)
	// Routing is what Route and Formats know of stored endpoints. Nil means that
	// they know none.
	Routing Routing
	// Passing, if not nil, says who is told of an object that passes to a tenant.
	Passing PassingFunc
	// Formats, if not nil, returns the current payload format of each endpoint.
	Formats func(endpoints []string) map[string]string
	// Callback, if not nil, sends events to the receiver that an exchange named
	// for the object.
	Callback *CallbackRule
	// Every is how often an object is looked at while it is not Final; 0 for
	// never.
	Every time.Duration
	Final func(document event.Document) bool
	// Until is Final in words. When it or Every changes, all objects are looked
	// at.
	Until string
	// Limit limits how many Shows are read at once. Resources of one upstream
	// share it.
	Limit *Limit
	// Looks is the budget of Shows that no exchange caused. Nil means no limit.
	// Resources of one upstream share it.
	Looks *rate.Limiter

	// Unconfirmed is the budget of Shows that only clients ask for, whose
	// requests the API did not confirm. Nil means no limit. Resources of one
	// upstream share it.
	Unconfirmed *rate.Limiter

	// Parent says which object of another resource an object belongs to, nil if
	// to none.
	Parent *Parent

	paths []string
	// children are the resources whose Parent this one is.
	children []string
	records  *queue.RecordBudget
}

// CallbackRule says which events an object's own receiver gets.
type CallbackRule struct {
	// Endpoint is the name under which the deliveries are queued.
	Endpoint string
	// Wants reports whether an event type is sent.
	Wants func(eventType string) bool
	// Last reports whether a Show is the last that is sent. Nil for never.
	Last func(document event.Document) bool
}

func (r *Resource) watched() []string { return r.paths }

func (r *Resource) hidden(path string) bool {
	return !r.Projection.IsZero() && r.Projection.Covers(path)
}
