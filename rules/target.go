// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// TellsName reports whether the response to an update of its target may say that the
// object has another id now: it shows the object, and the user has said where an id
// stands.
func (r *Rule) TellsName() bool {
	last := &r.Key[len(r.Key)-1]
	return r.Kind == event.KindUpdate && r.Resource.idsGiven && !r.Resource.Aliases && last.Answer != nil && r.IsTarget()
}

// IsTarget reports whether the object of the rule is the target of its requests: the
// last part of its key is the last segment of the path.
func (r *Rule) IsTarget() bool {
	at := r.Key[len(r.Key)-1].Placeholder
	return at >= 0 && r.pattern.endsWith(r.pattern.names[at])
}
