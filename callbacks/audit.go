// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// audit returns the record of what a call does, to be written with it.
func (c *call) audit(action, object string, changed []string) (queue.Record, error) {
	audited := subscribers.Audited{At: c.now.UTC(), Who: c.caller.Name, By: subscribers.OperatorOf(c.r.Context()), Action: action, Object: object, Changed: changed, From: c.options.Client(c.r)}
	return audited.Record(c.caller.Tenant, c.options.AuditFor)
}

func listAudit(c *call) (*answer, error) {
	values, err := parameters(c.r, "cursor", "limit")
	if err != nil {
		return nil, err
	}
	page, err := pageOf(values, maxPage)
	if err != nil {
		return nil, err
	}
	kept, next, err := c.store.RecordsOf(c.r.Context(), subscribers.KindAudit, c.caller.Tenant, page)
	if err != nil {
		return nil, err
	}
	answer := List[subscribers.Audited]{Data: make([]subscribers.Audited, len(kept)), Next: string(next)}
	for i := range kept {
		if answer.Data[i], err = subscribers.AuditedOf(kept[i]); err != nil {
			return nil, err
		}
		answer.Data[i].By = "" // which operator it was is not the tenant's to know
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
