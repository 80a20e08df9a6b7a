// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
)

// Coverage is what GET /webhooks/coverage answers: what could be missed.
type Coverage struct {
	// Unmatched are the kinds of unsafe requests that matched no rule, with a
	// draft of the rule that would catch them; Other counts those beyond what
	// is told apart.
	Unmatched []coverage.Line `json:"unmatched"`
	Other     uint64          `json:"other"`
	// Gaps are resources of which something passed without the queue, and that
	// are not made up for yet.
	Gaps []intake.Gap `json:"gaps"`
	// Unresolved counts records of changes whose object is not known.
	Unresolved int `json:"unresolved"`
	// OpenIntents counts exchanges under way or of unknown outcome.
	OpenIntents int `json:"open_intents"`
	// Marks counts objects that wait for reconciling, Failing those that were
	// tried in vain, and OldestMark is when the oldest was made.
	Marks      int       `json:"marks"`
	Failing    int       `json:"failing"`
	OldestMark time.Time `json:"oldest_mark,omitzero"`
	// Unproven lists resources without a version: nothing proves their Shows
	// fresh. Unlisted lists those without a list: what was there before is not
	// known, and a gap may hide a create.
	Unproven []string `json:"unproven"`
	Unlisted []string `json:"unlisted"`
}

// coverage answers what could be missed, also while the queue is not open.
func (s *Server) coverage(w http.ResponseWriter, r *http.Request) error {
	var stats queue.Stats
	if s.Pipeline.Queue() != nil {
		var err error
		if stats, err = s.stats(r); err != nil {
			return err
		}
	}
	report := s.Uncovered.Report()
	c := Coverage{
		Unmatched: report.Lines, Other: report.Other, Gaps: s.gaps(),
		Unresolved: stats.Unresolved, OpenIntents: stats.OpenIntents,
		Marks: stats.Marks, Failing: stats.FailingMarks, OldestMark: stats.OldestMark,
		Unproven: []string{}, Unlisted: []string{},
	}
	for _, resource := range s.Resources {
		if !resource.Proven {
			c.Unproven = append(c.Unproven, resource.Name)
		}
		if !resource.Listed {
			c.Unlisted = append(c.Unlisted, resource.Name)
		}
	}
	return writeJSON(w, http.StatusOK, c)
}

// gaps returns the open gaps, as JSON shows them.
func (s *Server) gaps() []intake.Gap {
	return append([]intake.Gap{}, s.Pipeline.Intake.Gaps()...)
}

// DoneView is what the verbs about detection answer.
type DoneView struct {
	// Done is how many objects or records the verb was for.
	Done int `json:"done"`
}

// look has an object looked at: ?object=KEY. With deleted=1, a Show that is gone
// proves its delete.
func (s *Server) look(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	key, err := event.ParseKey(r.URL.Query().Get("object"))
	if err != nil {
		return fmt.Errorf("%w: object: %w", errBadQuery, err)
	}
	if _, ok := s.resource(key.Resource); !ok {
		return fmt.Errorf("%w: there is no resource %q", errBadQuery, key.Resource)
	}
	hints := queue.HintMayBeUpdated
	if r.URL.Query().Get("deleted") == "1" {
		hints = queue.HintMayBeDeleted
	}
	return answerMark(w, r, store, key, hints)
}

// list has all objects of a resource listed: ?resource=NAME.
func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	name := r.URL.Query().Get("resource")
	resource, ok := s.resource(name)
	if !ok {
		return fmt.Errorf("%w: there is no resource %q", errBadQuery, name)
	}
	if !resource.Listed {
		return fmt.Errorf("%w: resource %s has no list; declare one, as `list GET /%s %s.#.id`", errBadQuery, name, name, name)
	}
	return answerMark(w, r, store, queue.ListKey(name), queue.HintMayBeUpdated)
}

// operatorRule stands for a rule in the cause of a mark that an operator made.
const operatorRule = "operator"

// answerMark makes a mark for an operator.
func answerMark(w http.ResponseWriter, r *http.Request, store queue.Intents, key event.Key, hints queue.Hints) error {
	err := store.ResolveIntent(r.Context(), 0, queue.Resolution{Marks: []queue.Mark{{
		Key: key, Hints: hints, Cause: event.Cause{Rule: operatorRule, Outcome: event.OutcomeUnknown, At: time.Now()},
	}}}, true)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, DoneView{1})
}

// dismiss forgets records of changes whose object is not known: ?id=N one of them;
// ?before=TIME those that are older, with resource=NAME those of one resource.
func (s *Server) dismiss(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	parameters := r.URL.Query()
	if text := parameters.Get("id"); text != "" {
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: id is a number, not %q", errBadQuery, text)
		}
		if err := store.DismissUnresolved(r.Context(), queue.IntentID(id)); err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, DoneView{1})
	}
	before, err := time.Parse(time.RFC3339, parameters.Get("before"))
	if err != nil {
		return fmt.Errorf("%w: say which, with id=N or before=TIME, as 2026-03-04T05:06:07Z", errBadQuery)
	}
	n, err := store.DismissUnresolvedBefore(r.Context(), parameters.Get("resource"), before)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, DoneView{n})
}
