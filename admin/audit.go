// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// AuditView is who changed what, and whose it was.
type AuditView struct {
	subscribers.Audited
	// Tenant is "" for what is the operator's own.
	Tenant string `json:"tenant,omitempty"`
}

var auditParameters = append([]string{"tenant"}, pageParameters...)

// audits lists who changed what, newest first: of a `tenant`, or of all. A tenant that
// is not known is not refused: nothing but its records says that there is, or was, one.
func (s *Server) audits(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	values, err := parseMeant(r, auditParameters)
	if err != nil {
		return err
	}
	q, err := parseQuery(r, auditParameters, queue.DefaultLimit)
	if err != nil {
		return err
	}
	// The ids of these records count down with time.
	var rows []queue.Record
	var next queue.Cursor
	if values.Has("tenant") {
		rows, next, err = store.RecordsOf(r.Context(), subscribers.KindAudit, values.Get("tenant"), q.page)
	} else {
		rows, next, err = store.Records(r.Context(), subscribers.KindAudit, q.page)
	}
	if err != nil {
		return err
	}
	views := make([]AuditView, len(rows))
	for i := range rows {
		views[i].Tenant = rows[i].Owner
		if views[i].Audited, err = subscribers.AuditedOf(rows[i]); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, List[AuditView]{views, next})
}
