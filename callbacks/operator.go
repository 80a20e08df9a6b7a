// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// AsOperator knows every caller as the operator, who does what a tenant may do, by the
// same rules. Only a server that nobody else can reach may have it.
func AsOperator(tenant string) Authorize {
	return func(*http.Request, queue.Store) (Caller, error) {
		return Caller{Tenant: tenant, Name: subscribers.OperatorName}, nil
	}
}

// NoLimits returns limits that hold nobody back: an operator may change hundreds of
// endpoints at once. How many may wait at the same time is limited all the same.
func NoLimits() *Limits { return new(Limits) }

// target returns the endpoint that the path names and that a sample is sent to: the
// caller's, or one that is the operator's to say, see [Options.Named].
func (c *call) target() (subscribers.Endpoint, error) {
	e, err := c.endpoint()
	if name := c.values["id"]; errors.Is(err, queue.ErrNotFound) && c.declared(name) {
		return subscribers.Endpoint{ID: name, Tenant: c.caller.Tenant}, nil
	}
	return e, err
}

// declared reports whether an endpoint stands in the configuration, and may be named.
func (c *call) declared(name string) bool {
	e, found := c.options.Endpoints().Get(name)
	return c.options.Named && found && e.Tenant == c.caller.Tenant && !subscribers.IsID(name)
}
