// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
)

// uncovered counts unsafe requests that no rule matched. Like the metrics, it
// lives as long as the process.
var uncovered = coverage.New(nil)

// Coverage is what GET /webhooks/coverage answers: what could be missed.
type Coverage struct {
	// Unmatched are the kinds of unsafe requests that matched no rule, with a
	// draft of the rule that would catch them; Other counts those beyond what
	// is told apart.
	Unmatched []coverage.Line `json:"unmatched"`
	Other     uint64          `json:"other"`
	// Gaps are resources of which something passed without the queue, and that
	// are not made up for yet.
	Gaps []gap `json:"gaps"`
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

// detect serves what concerns detection, and tells whether the request was for
// it:
//
//	GET  /webhooks/coverage             what could be missed
//	POST /webhooks/look?object=KEY      has an object looked at; with deleted=1 a Show that is gone proves its delete
//	POST /webhooks/list?resource=NAME   has all objects of a resource listed
//	POST /webhooks/dismiss?id=N         forgets a record of a change whose object is not known
//	POST /webhooks/dismiss?before=TIME  forgets those that are older; with resource=NAME those of one resource
func (adminAPI) detect(w http.ResponseWriter, r *http.Request, app *App, view string) (bool, error) {
	acts := map[string]func(*http.Request, *App, detectionQueue) (any, error){"look": look, "list": listAll, "dismiss": dismiss}
	act := acts[view]
	if act == nil && view != "coverage" {
		return false, nil
	}
	store := app.engine.store.Load()
	switch {
	case act == nil && store == nil:
		return true, writeJSON(w, http.StatusOK, app.coverage(queue.Stats{}))
	case store == nil:
		return true, refuse(http.StatusServiceUnavailable, errors.New("the queue is not open"))
	case act == nil:
		stats, err := store.Stats(r.Context())
		if err != nil {
			return true, refuse(http.StatusInternalServerError, err)
		}
		return true, writeJSON(w, http.StatusOK, app.coverage(stats))
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return true, refuse(http.StatusMethodNotAllowed, fmt.Errorf("%s is not possible here; use POST", r.Method))
	}
	answer, err := act(r, app, store)
	switch {
	case errors.Is(err, errBadQuery):
		return true, refuse(http.StatusBadRequest, err)
	case errors.Is(err, queue.ErrNotFound):
		return true, refuse(http.StatusNotFound, err)
	case err != nil:
		return true, refuse(http.StatusInternalServerError, err)
	}
	return true, writeJSON(w, http.StatusOK, answer)
}

// detectionQueue is what operators' verbs about detection need of the queue.
type detectionQueue interface {
	queue.Intents
	queue.Unresolveds
}

func (a *App) coverage(stats queue.Stats) Coverage {
	report := uncovered.Report()
	c := Coverage{
		Unmatched: report.Lines, Other: report.Other, Gaps: a.engine.gaps.list(),
		Unresolved: stats.Unresolved, OpenIntents: stats.OpenIntents,
		Marks: stats.Marks, Failing: stats.FailingMarks, OldestMark: stats.OldestMark,
		Unproven: []string{}, Unlisted: []string{},
	}
	if c.Gaps == nil {
		c.Gaps = []gap{}
	}
	for _, r := range a.resources() {
		if r.Version == "" && !r.ETag {
			c.Unproven = append(c.Unproven, r.Name)
		}
		if r.List == nil {
			c.Unlisted = append(c.Unlisted, r.Name)
		}
	}
	return c
}

// asked is what a verb about detection answers.
type askedView struct {
	Done int `json:"done"`
}

// look has an object looked at.
func look(r *http.Request, app *App, store detectionQueue) (any, error) {
	key, err := event.ParseKey(r.URL.Query().Get("object"))
	if err != nil {
		return nil, fmt.Errorf("%w: object: %w", errBadQuery, err)
	}
	if !app.has(key.Resource) {
		return nil, fmt.Errorf("%w: there is no resource %q", errBadQuery, key.Resource)
	}
	hints := queue.HintMayBeUpdated
	if r.URL.Query().Get("deleted") == "1" {
		hints = queue.HintMayBeDeleted
	}
	return askedView{1}, operatorMark(r, store, key, hints)
}

// listAll has all objects of a resource listed.
func listAll(r *http.Request, app *App, store detectionQueue) (any, error) {
	name := r.URL.Query().Get("resource")
	if !app.has(name) {
		return nil, fmt.Errorf("%w: there is no resource %q", errBadQuery, name)
	}
	if known, _ := app.engine.repaired(name); !known.listed {
		return nil, fmt.Errorf("%w: resource %s has no list; declare one, as `list GET /%s %s.#.id`", errBadQuery, name, name, name)
	}
	return askedView{1}, operatorMark(r, store, reconcile.ScanKey(name), queue.HintMayBeUpdated)
}

// operatorRule stands for a rule in the cause of what an operator asked for.
const operatorRule = "operator"

func operatorMark(r *http.Request, store detectionQueue, key event.Key, hints queue.Hints) error {
	return store.ResolveIntent(r.Context(), 0, queue.Resolution{Marks: []queue.Mark{{
		Key: key, Hints: hints, Cause: event.Cause{Rule: operatorRule, Outcome: event.OutcomeUnknown, At: time.Now()},
	}}}, true)
}

// dismiss forgets records of changes whose object is not known.
func dismiss(r *http.Request, _ *App, store detectionQueue) (any, error) {
	query := r.URL.Query()
	if text := query.Get("id"); text != "" {
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: id is a number, not %q", errBadQuery, text)
		}
		return askedView{1}, store.DismissUnresolved(r.Context(), queue.IntentID(id))
	}
	before, err := time.Parse(time.RFC3339, query.Get("before"))
	if err != nil {
		return nil, fmt.Errorf("%w: say which, with id=N or before=TIME, as 2026-03-04T05:06:07Z", errBadQuery)
	}
	n, err := store.DismissUnresolvedBefore(r.Context(), query.Get("resource"), before)
	return askedView{n}, err
}

// has tells whether a resource is configured.
func (a *App) has(name string) bool {
	return slices.ContainsFunc(a.resources(), func(r *rules.Resource) bool { return r.Name == name })
}
