// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// EndpointView is an endpoint with how it stands.
type EndpointView struct {
	emitter.Standing
	// Host is the part of its URL that may be shown.
	Host   string `json:"host"`
	Tenant string `json:"tenant,omitempty"`
	// Stored is true for one that its tenant has made, and Label is what the tenant calls
	// it; that is told only where the list is of one tenant.
	Stored  bool     `json:"stored,omitempty"`
	Label   string   `json:"label,omitempty"`
	Events  []string `json:"events"`
	Pending int      `json:"pending"`
	// Expired counts deliveries that were given up since Caddy began, because
	// the endpoint gets none and they had waited too long.
	Expired int `json:"expired,omitempty"`
}

// emitter returns the emitter of the open queue.
func (s *Server) emitter() (*emitter.Emitter, error) {
	e := s.Pipeline.Emitter()
	if e == nil {
		return nil, errNotOpen
	}
	return e, nil
}

// StatusFeed is the status of an endpoint without a URL: it is sent nothing, and its feed is
// read.
const StatusFeed queue.EndpointStatus = "feed"

var endpointParameters = append([]string{"tenant", "state", "name"}, pageParameters...)

// endpointStates are the states that endpoints can be listed by.
var endpointStates = append([]queue.EndpointStatus{emitter.StatusGone, StatusFeed}, emitter.Statuses...)

// endpoints answers how the endpoints stand, by name: all that are delivered to, or those
// of a `tenant`, or in a `state`, or the one of a `name`. The cursor is the last name of the page before.
func (s *Server) endpoints(w http.ResponseWriter, r *http.Request) error {
	working, err := s.emitter()
	if err != nil {
		return err
	}
	values, err := parseMeant(r, endpointParameters)
	if err != nil {
		return err
	}
	q, err := parseQuery(r, endpointParameters, queue.DefaultLimit)
	if err != nil {
		return err
	}
	state := queue.EndpointStatus(values.Get("state"))
	if state != "" && !slices.Contains(endpointStates, state) {
		return fmt.Errorf("%w: state is one of %v, not %q", errBadQuery, endpointStates, state)
	}
	stats, err := s.stats(r)
	if err != nil {
		return refuse(http.StatusServiceUnavailable, "the queue cannot be read: %w", err)
	}
	if stats.PendingDeliveries == nil {
		return refuse(http.StatusServiceUnavailable, "the queue has just been opened, and what is pending for each endpoint is not known yet: try again in some seconds")
	}
	standings, expired := working.Standings(), s.Pipeline.Keeper().Expired()
	for _, names := range []map[string]int{stats.PendingDeliveries, expired} {
		for name := range names {
			if _, configured := standings[name]; !configured {
				standings[name] = emitter.Standing{EndpointState: queue.EndpointState{Name: name, Status: emitter.StatusGone}}
			}
		}
	}
	if values.Has("name") {
		name := values.Get("name")
		of, stands := standings[name]
		if !stands {
			return s.unknown(name)
		}
		standings = map[string]emitter.Standing{name: of}
	}
	var labels map[string]string
	if values.Has("tenant") {
		if labels, err = s.narrow(r.Context(), standings, values.Get("tenant")); err != nil {
			return err
		}
	}
	answer := List[EndpointView]{Items: []EndpointView{}}
	for _, name := range slices.Sorted(maps.Keys(standings)) {
		if name <= string(q.page.Cursor) || state != "" && standings[name].Status != state {
			continue
		}
		if len(answer.Items) == q.page.Limit {
			answer.Next = queue.Cursor(answer.Items[len(answer.Items)-1].Name)
			break
		}
		view := s.endpointView(name, standings[name])
		view.Pending, view.Expired, view.Label = stats.PendingDeliveries[name], expired[name], labels[name]
		if values.Has("tenant") {
			view.Tenant = values.Get("tenant")
		}
		answer.Items = append(answer.Items, view)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// endpointView returns an endpoint with how it stands, without counts.
func (s *Server) endpointView(name string, standing emitter.Standing) EndpointView {
	declared, _ := s.Pipeline.Endpoints().Get(name)
	view := EndpointView{Standing: standing, Tenant: declared.Tenant, Stored: subscribers.IsID(name), Events: declared.Events.Patterns()}
	if declared.URL != "" {
		view.Host = endpoint.PublicURL(declared.URL)
	}
	return view
}

// narrow leaves the endpoints of a tenant, adds those without a URL, and returns what the
// tenant calls them.
func (s *Server) narrow(ctx context.Context, standings map[string]emitter.Standing, tenant string) (labels map[string]string, err error) {
	for name := range standings {
		if declared, found := s.Pipeline.Endpoints().Get(name); !found || declared.Tenant != tenant {
			delete(standings, name)
		}
	}
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	keyring := s.Pipeline.Keyring()
	if keyring == nil {
		return nil, errNotOpen
	}
	labels = make(map[string]string)
	book := subscribers.Book{Store: store, Sealer: keyring, Now: time.Now}
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		endpoints, next, err := book.Of(ctx, tenant, page)
		if err != nil {
			return nil, err
		}
		for i := range endpoints {
			e := &endpoints[i]
			labels[e.ID] = e.Label
			if _, stands := standings[e.ID]; !stands && e.URL == "" {
				standings[e.ID] = emitter.Standing{EndpointState: queue.EndpointState{Name: e.ID, Status: StatusFeed}}
			}
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	if len(labels) > 0 || len(standings) > 0 {
		return labels, nil
	}
	keys, _, err := store.RecordsOf(ctx, subscribers.KindKey, tenant, queue.Page{Limit: 1})
	if err == nil && len(keys) == 0 {
		err = refuse(http.StatusNotFound, "no tenant %q has an endpoint or a key; see caddy webhooks tenants", tenant)
	}
	return labels, err
}

const (
	// maxReason limits the reason why an endpoint is paused, and maxPauseBody
	// the body that has it, in bytes.
	maxReason    = 500
	maxPauseBody = 64 << 10
)

// pause stops deliveries to an endpoint until it is resumed, and answers how it
// stands. The request may have a body {"reason": …}.
func (s *Server) pause(w http.ResponseWriter, r *http.Request) error {
	working, err := s.emitter()
	if err != nil {
		return err
	}
	var body struct {
		Reason string `json:"reason"`
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxPauseBody))
	if err := decoder.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, `the body is JSON, as {"reason": "maintenance"}, or empty`)
	}
	if len(body.Reason) > maxReason {
		return refuse(http.StatusBadRequest, "the reason is longer than %d bytes", maxReason)
	}
	name := r.PathValue("name")
	if err := working.Pause(r.Context(), name, body.Reason); err != nil {
		return err
	}
	if err := s.noteHeld(r, "endpoint.hold", name); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, working.Standings()[name])
}

// resume lets deliveries to an endpoint go on that was paused or disabled, and
// answers how it stands.
func (s *Server) resume(w http.ResponseWriter, r *http.Request) error {
	working, err := s.emitter()
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	if err := working.Resume(r.Context(), name); err != nil {
		return err
	}
	if err := s.noteHeld(r, "endpoint.release", name); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, working.Standings()[name])
}

// noteHeld has it in the audit that the operator holds a tenant's endpoint back, or does so
// no more; of an operator with a name, that of any endpoint.
func (s *Server) noteHeld(r *http.Request, action, name string) error {
	declared, found := s.Pipeline.Endpoints().Get(name)
	if subscribers.OperatorOf(r.Context()) == "" && (!found || !subscribers.IsID(name)) {
		return nil
	}
	store, err := s.store()
	if err != nil {
		return err
	}
	audited, err := audit(action, name, declared.Tenant, r)
	if err == nil {
		_, err = store.Change(r.Context(), audited)
	}
	return err
}
