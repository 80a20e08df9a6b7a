// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// RunView is how far what an endpoint begins with is.
type RunView struct {
	Endpoint string               `json:"endpoint"`
	Tenant   string               `json:"tenant,omitempty"`
	State    subscribers.RunState `json:"state"`
	Resource string               `json:"resource,omitempty"`
	Done     int                  `json:"done"`
	Of       int                  `json:"of"`
	Filtered int                  `json:"filtered,omitempty"`
	Unread   int                  `json:"unread,omitempty"`
	Complete bool                 `json:"complete"`
	Began    time.Time            `json:"began"`
	Ended    time.Time            `json:"ended,omitzero"`
}

var snapshotParameters = append([]string{"tenant"}, pageParameters...)

// snapshots lists what endpoints begin with, by the endpoints' names: the last run of each,
// of a `tenant`, or of all.
func (s *Server) snapshots(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	values, err := parseMeant(r, snapshotParameters)
	if err != nil {
		return err
	}
	q, err := parseQuery(r, snapshotParameters, queue.DefaultLimit)
	if err != nil {
		return err
	}
	var rows []queue.Record
	var next queue.Cursor
	if values.Has("tenant") {
		rows, next, err = store.RecordsOf(r.Context(), subscribers.KindRun, values.Get("tenant"), q.page)
	} else {
		rows, next, err = store.Records(r.Context(), subscribers.KindRun, q.page)
	}
	if err != nil {
		return err
	}
	views := make([]RunView, len(rows))
	for i := range rows {
		run, err := subscribers.RunOf(rows[i])
		if err != nil {
			return err
		}
		views[i] = RunView{
			Endpoint: rows[i].ID, Tenant: rows[i].Owner, State: run.State, Resource: strings.TrimRight(run.Resource, "\x00"),
			Done: run.Done, Of: max(run.Of, run.Done), Filtered: run.Filtered, Unread: run.Unread, Complete: run.Complete(), Began: run.Began, Ended: run.Ended,
		}
	}
	return writeJSON(w, http.StatusOK, List[RunView]{views, next})
}
