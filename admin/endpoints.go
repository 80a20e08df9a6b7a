// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// endpointView is an endpoint with how it stands.
type endpointView struct {
	emitter.Standing
	// Host is the part of its URL that may be shown.
	Host    string   `json:"host"`
	Tenant  string   `json:"tenant,omitempty"`
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

// endpoints answers how the endpoints stand, by name. The cursor is the last name
// of the page before.
func (s *Server) endpoints(w http.ResponseWriter, r *http.Request) error {
	working, err := s.emitter()
	if err != nil {
		return err
	}
	q, err := parseQuery(r, pageParameters, queue.DefaultLimit)
	if err != nil {
		return err
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
	answer := listView{Items: []any{}}
	for _, name := range slices.Sorted(maps.Keys(standings)) {
		if name <= string(q.page.Cursor) {
			continue
		}
		if len(answer.Items) == q.page.Limit {
			break
		}
		declared, _ := s.Pipeline.Endpoints().Get(name)
		view := endpointView{
			Standing: standings[name], Tenant: declared.Tenant,
			Events: declared.Events.Patterns(), Pending: stats.PendingDeliveries[name], Expired: expired[name],
		}
		if declared.URL != "" {
			view.Host = endpoint.PublicURL(declared.URL)
		}
		answer.Items = append(answer.Items, view)
		answer.Next = queue.Cursor(name)
	}
	if len(answer.Items) < q.page.Limit {
		answer.Next = ""
	}
	return writeJSON(w, http.StatusOK, answer)
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
	return writeJSON(w, http.StatusOK, working.Standings()[name])
}
