// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"fmt"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// RetryView is the answer to POST /webhooks/endpoints/NAME/retry.
type RetryView struct {
	emitter.Standing
	// Hastened counts the retries that were brought forward.
	Hastened int `json:"hastened"`
}

// retry has what waits for an endpoint attempted now, with ?object=KEY only that of
// one object, and answers how many retries it brought forward and how the endpoint
// stands.
func (s *Server) retry(w http.ResponseWriter, r *http.Request) error {
	working, err := s.emitter()
	if err != nil {
		return err
	}
	values, err := parseMeant(r, []string{"object"})
	if err != nil {
		return err
	}
	var key event.Key
	if object := values.Get("object"); object != "" {
		if key, err = event.ParseKey(object); err != nil {
			return fmt.Errorf("%w: object: %w", errBadQuery, err)
		}
	}
	name := r.PathValue("name")
	hastened, err := working.Retry(r.Context(), name, key)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, RetryView{working.Standings()[name], hastened})
}
