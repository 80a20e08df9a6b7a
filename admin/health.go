// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Status is the answer to GET /webhooks/status.
type Status struct {
	// Queue counts what is in the queue.
	Queue queue.Stats `json:"queue"`
	// Dir is the queue's directory, and Durability what a write survives.
	Dir        string `json:"dir"`
	Durability string `json:"durability"`
	// Resources names the configured resources. The endpoints are in
	// /webhooks/endpoints.
	Resources []string `json:"resources"`
	// Shows says how the Shows of each resource fare.
	Shows []pipeline.Shows `json:"shows"`
}

// status answers with [Status].
func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	stats, err := s.stats(r)
	if err != nil {
		return err
	}
	status := Status{Queue: stats, Dir: s.Pipeline.Engine().Dir(), Durability: s.Durability.String(), Resources: []string{}, Shows: append([]pipeline.Shows{}, s.Pipeline.Shows()...)}
	for _, resource := range s.Resources {
		status.Resources = append(status.Resources, resource.Name)
	}
	return writeJSON(w, http.StatusOK, status)
}

// stats counts what is in the open queue.
func (s *Server) stats(r *http.Request) (queue.Stats, error) {
	store, err := s.store()
	if err != nil {
		return queue.Stats{}, err
	}
	return store.Stats(r.Context())
}

// lagging limits the age of the oldest mark. Most objects are reconciled within
// milliseconds; one that waits for minutes means that the API cannot be read.
const lagging = 10 * time.Minute

// Health is the answer to GET /webhooks/health.
type Health struct {
	// Status is "ok" or "failing".
	Status string `json:"status"`
	// Problems say in words what is wrong.
	Problems []string `json:"problems"`
	// Endpoints are those that are failing or disabled, the first hundred. They are
	// their receivers' problems, and do not make Status failing.
	Endpoints []EndpointTrouble `json:"endpoints,omitempty"`
	// Notices say what may be wrong, and turns nothing red: words of the configuration
	// that have no effect.
	Notices []string `json:"notices,omitempty"`
}

// EndpointTrouble is an endpoint that fails, in the words of /webhooks/endpoints.
type EndpointTrouble struct {
	Name   string               `json:"name"`
	Status queue.EndpointStatus `json:"status"`
	Since  time.Time            `json:"since,omitzero"`
	Reason string               `json:"reason,omitempty"`
}

// maxTroubled limits how many endpoints health tells of.
const maxTroubled = 100

// troubled returns the endpoints that are failing or disabled, by name.
func (s *Server) troubled() []EndpointTrouble {
	working := s.Pipeline.Emitter()
	if working == nil {
		return nil
	}
	var troubled []EndpointTrouble
	standings := working.Standings()
	for _, name := range slices.Sorted(maps.Keys(standings)) {
		of := standings[name]
		if of.Status != emitter.StatusFailing && of.Status != queue.EndpointDisabled {
			continue
		}
		if troubled = append(troubled, EndpointTrouble{name, of.Status, of.Since, of.Reason}); len(troubled) == maxTroubled {
			break
		}
	}
	return troubled
}

// health answers whether the queue is open and its work is done.
func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	problems := append([]string{}, s.Pipeline.Problems()...)
	stats, err := s.stats(r)
	switch {
	case err != nil && len(problems) == 0:
		problems = append(problems, fmt.Sprintf("the queue cannot be read: %v", err))
	case !stats.OldestMark.IsZero() && time.Since(stats.OldestMark) > lagging:
		problems = append(problems, fmt.Sprintf("an object has waited for %s to be reconciled; see caddy webhooks status",
			time.Since(stats.OldestMark).Round(time.Second)))
	}
	var notices []string
	for _, line := range s.words() {
		if line.Leaks {
			problems = append(problems, line.String())
		} else {
			notices = append(notices, line.String())
		}
	}
	answer := Health{Status: "ok", Problems: problems, Endpoints: s.troubled(), Notices: notices}
	if len(problems) > 0 {
		answer.Status = "failing"
		return writeJSON(w, http.StatusServiceUnavailable, answer)
	}
	return writeJSON(w, http.StatusOK, answer)
}
