// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// Uncovered is a kind of unsafe requests that matched no rule.
type Uncovered = coverage.Line

// Coverage is the answer to GET /webhooks/coverage: what could be missed.
type Coverage struct {
	// Since is when the requests began to be counted. Those that a new configuration
	// has a rule about are forgotten.
	Since time.Time `json:"since"`
	// Resources are those that are declared.
	Resources []string `json:"resources"`
	// Unmatched are the kinds of unsafe requests that matched no rule, with a
	// draft of the rule that would catch them; Other counts the requests of
	// further kinds.
	Unmatched []Uncovered `json:"unmatched"`
	Other     uint64      `json:"other"`
	// Words are those of the configuration that have no effect so far: a path that was
	// looked for and never found, a rule that matched none of the requests like its own.
	Words []effect.Line `json:"words"`
	// Gaps are resources whose changes passed without the queue, and are not
	// made up for yet.
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
	// fresh. Unlisted lists those without a list: objects from before are not
	// known, and a gap may hide a create.
	Unproven []string `json:"unproven"`
	Unlisted []string `json:"unlisted"`
	// Lists says how the lists of the others fare.
	Lists []pipeline.Listing `json:"lists"`
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
		Since: report.Since, Resources: []string{}, Unmatched: report.Lines, Other: report.Other, Words: s.words(), Gaps: s.gaps(),
		Unresolved: stats.Unresolved, OpenIntents: stats.OpenIntents,
		Marks: stats.Marks, Failing: stats.FailingMarks, OldestMark: stats.OldestMark,
		Unproven: []string{}, Unlisted: []string{}, Lists: append([]pipeline.Listing{}, s.Pipeline.Listings()...),
	}
	for _, resource := range s.Resources {
		c.Resources = append(c.Resources, resource.Name)
		if !resource.Proven {
			c.Unproven = append(c.Unproven, resource.Name)
		}
		if !resource.Listed {
			c.Unlisted = append(c.Unlisted, resource.Name)
		}
	}
	return writeJSON(w, http.StatusOK, c)
}

// words returns the words without effect, never nil: JSON shows [].
func (s *Server) words() []effect.Line {
	if s.Words == nil {
		return []effect.Line{}
	}
	return append([]effect.Line{}, s.Words()...)
}

// gaps returns the open gaps, never nil: JSON shows [].
func (s *Server) gaps() []intake.Gap {
	return append([]intake.Gap{}, s.Pipeline.Intake.Gaps()...)
}

// DoneView is the answer of look, list and dismiss.
type DoneView struct {
	// Done counts the objects or records that were meant.
	Done int `json:"done"`
}

// look has an object looked at: ?object=KEY. With deleted=1, a Show that is gone
// proves its delete. With wait=DURATION, the answer says what came of it by then.
func (s *Server) look(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	values, err := parseMeant(r, []string{"object", "deleted", "wait"})
	if err != nil {
		return err
	}
	key, err := event.ParseKey(values.Get("object"))
	if err != nil {
		return fmt.Errorf("%w: object: %w", errBadQuery, err)
	}
	if _, err := s.resource(key.Resource); err != nil {
		return err
	}
	wait, err := parseWait(values.Get("wait"))
	if err != nil {
		return err
	}
	hints := queue.HintMayBeUpdated
	switch deleted := values.Get("deleted"); deleted {
	case "":
	case "1":
		hints = queue.HintMayBeDeleted
	default:
		return fmt.Errorf("%w: deleted is 1 or left out, not %q", errBadQuery, deleted)
	}
	look, err := newLook(r.Context(), store, key)
	if err != nil {
		return err
	}
	return look.answer(w, r, hints, wait, func() (Outcome, bool, error) { return look.ofObject(r.Context()) })
}

// list has all objects of a resource listed: ?resource=NAME. With wait=DURATION, the
// answer says what came of it by then.
func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	values, err := parseMeant(r, []string{"resource", "wait"})
	if err != nil {
		return err
	}
	name := values.Get("resource")
	resource, err := s.resource(name)
	if err != nil {
		return err
	}
	if !resource.Listed {
		return fmt.Errorf("%w: resource %s has no list; declare one, as `list GET /%s %s.#.id`", errBadQuery, name, name, name)
	}
	wait, err := parseWait(values.Get("wait"))
	if err != nil {
		return err
	}
	look := look{store: store, key: queue.ListKey(name), began: time.Now()}
	return look.answer(w, r, queue.HintMayBeUpdated, wait, func() (Outcome, bool, error) {
		return look.ofList(r.Context(), s.Pipeline.Listings(), name)
	})
}

// operatorRule takes the place of a rule in the cause of an operator's mark.
const operatorRule = "operator"

// answer makes an operator's mark, and answers when it is durable; with a time to
// wait, with what came of it.
func (l *look) answer(w http.ResponseWriter, r *http.Request, hints queue.Hints, wait time.Duration, done func() (Outcome, bool, error)) error {
	err := l.store.ResolveIntent(r.Context(), 0, queue.Resolution{Marks: []queue.Mark{{
		Key: l.key, Hints: hints, Cause: event.Cause{Rule: operatorRule, Outcome: event.OutcomeUnknown, At: time.Now()},
	}}}, true)
	if err != nil {
		return err
	}
	var outcome Outcome
	if wait > 0 {
		if outcome, err = until(r.Context(), wait, done); err != nil {
			return err
		}
	}
	outcome.Done = 1
	return writeJSON(w, http.StatusOK, outcome)
}

// dismiss forgets records of changes whose object is not known: ?id=N one of them;
// ?before=TIME those that are older, with resource=NAME those of one resource.
func (s *Server) dismiss(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	values, err := parseMeant(r, []string{"id", "before", "resource"})
	if err != nil {
		return err
	}
	if text := values.Get("id"); text != "" {
		if len(values) > 1 {
			return fmt.Errorf("%w: id means one record; leave the others out", errBadQuery)
		}
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: id is a number, not %q", errBadQuery, text)
		}
		err = store.DismissUnresolved(r.Context(), queue.IntentID(id))
		if errors.Is(err, queue.ErrNotFound) {
			return refuse(http.StatusNotFound, "there is no record %d, or it is older than the retention", id)
		}
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, DoneView{1})
	}
	if values.Get("before") == "" {
		return fmt.Errorf("%w: say which, with id=N or before=TIME, as 2026-03-04T05:06:07Z, or as how long ago, as 3h or 2d", errBadQuery)
	}
	before, err := parseWhen(values.Get("before"), time.Now())
	if err != nil {
		return fmt.Errorf("before: %w", err)
	}
	n, err := store.DismissUnresolvedBefore(r.Context(), values.Get("resource"), before)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, DoneView{n})
}
