// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// KindAudit is the kind of the records of who changed what.
const KindAudit = "audit"

// DefaultAuditFor is how long they are kept by default.
const DefaultAuditFor = 90 * 24 * time.Hour

// Audited is who changed what, when, and from where. It names what was changed, and
// never says from or to what.
type Audited struct {
	At time.Time `json:"at"`
	// Who is the caller, as authentication knows it.
	Who string `json:"who"`
	// Action is what was done, as "endpoint.create", and Object what it was done to.
	Action string `json:"action"`
	Object string `json:"object,omitempty"`
	// Changed are the members that were given.
	Changed []string `json:"changed,omitempty"`
	// From is the address of the request.
	From string `json:"from"`
}

// audit returns the record of what a call does, to be written with it.
func (c *call) audit(action, object string, changed []string) (queue.Record, error) {
	value, err := encode(Audited{At: c.now.UTC(), Who: c.caller.Name, Action: action, Object: object, Changed: changed, From: c.options.Client(c.r)})
	return queue.Record{
		Kind: KindAudit, ID: auditID(c.now), Owner: c.caller.Tenant, Value: value, Expires: c.now.Add(c.options.AuditFor),
	}, err
}

// auditID returns an id by which records are listed newest first.
func auditID(at time.Time) string {
	return fmt.Sprintf("%016x%s", math.MaxInt64-at.UnixNano(), strings.ToLower(rand.Text()[:10]))
}

func listAudit(c *call) (*answer, error) {
	values, err := parameters(c.r, "cursor", "limit")
	if err != nil {
		return nil, err
	}
	page, err := pageOf(values)
	if err != nil {
		return nil, err
	}
	kept, next, err := c.store.RecordsOf(c.r.Context(), KindAudit, c.caller.Tenant, page)
	if err != nil {
		return nil, err
	}
	answer := list[Audited]{Data: []Audited{}, Next: string(next)}
	for i := range kept {
		var audited Audited
		if err := json.Unmarshal(kept[i].Value, &audited); err != nil {
			return nil, fmt.Errorf("reading who changed what: %w", err)
		}
		answer.Data = append(answer.Data, audited)
	}
	return ok(answer)
}

// showMe answers who the caller is.
func showMe(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	return ok(map[string]string{"tenant": c.caller.Tenant, "name": c.caller.Name})
}

var auditRoutes = []route{
	{"/audit", map[string]action{http.MethodGet: listAudit}},
	{"/me", map[string]action{http.MethodGet: showMe}},
}
