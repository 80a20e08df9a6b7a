// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// endpointView is an endpoint with how it stands. Of its URL it has the part that
// may be shown.
type endpointView struct {
	emitter.Standing
	Host    string   `json:"host"`
	Tenant  string   `json:"tenant,omitempty"`
	Events  []string `json:"events"`
	Pending int      `json:"pending"`
	// Expired counts deliveries that were given up since Caddy began, because
	// the endpoint gets none and they had waited for too long.
	Expired int `json:"expired,omitempty"`
}

// endpointGone is the status of an endpoint that is not configured any more,
// and still has deliveries.
const endpointGone queue.EndpointStatus = "gone"

// emitter returns who delivers.
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
		return fmt.Errorf("%w: the queue cannot be read: %w", errNotOpen, err)
	}
	standings, expired := working.Standings(), s.Pipeline.Keeper().Expired()
	for _, names := range []map[string]int{stats.PendingDeliveries, expired} {
		for name := range names {
			if _, configured := standings[name]; !configured {
				standings[name] = emitter.Standing{EndpointState: queue.EndpointState{Name: name, Status: endpointGone}}
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
		declared, _ := s.Endpoints.Get(name)
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

// maxReason limits the reason why an endpoint is paused, in bytes.
const maxReason = 500

// pause stops deliveries to an endpoint until it is resumed. The request may have
// a body {"reason": …}.
func (s *Server) pause(w http.ResponseWriter, r *http.Request) error {
	working, err := s.emitter()
	if err != nil {
		return err
	}
	var body struct {
		Reason string `json:"reason"`
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, 64<<10))
	if err := decoder.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf(`%w: the body is JSON, as {"reason": "maintenance"}, or empty`, errBadQuery)
	}
	if len(body.Reason) > maxReason {
		return fmt.Errorf("%w: the reason is longer than %d bytes", errBadQuery, maxReason)
	}
	name := r.PathValue("name")
	return answerStanding(w, working, name, working.Pause(r.Context(), name, body.Reason))
}

// resume lets deliveries to an endpoint go on that was paused or disabled.
func (s *Server) resume(w http.ResponseWriter, r *http.Request) error {
	working, err := s.emitter()
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	return answerStanding(w, working, name, working.Resume(r.Context(), name))
}

// answerStanding answers how an endpoint stands after an operator's verb.
func answerStanding(w http.ResponseWriter, working *emitter.Emitter, name string, err error) error {
	if errors.Is(err, emitter.ErrUnknownEndpoint) {
		return fmt.Errorf("%w: %w", queue.ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, working.Standings()[name])
}
