// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
)

// caddyEvents begins the names of our events in Caddy's events app.
const caddyEvents = "webhooks."

// provisionEvents finds Caddy's events app.
func (a *App) provisionEvents(ctx caddy.Context) error {
	found, err := ctx.App("events")
	if err != nil {
		return err
	}
	a.events = found.(*caddyevents.App)
	return nil
}

// tell emits an operational event to Caddy's events app, with "webhooks." before its
// name.
func (a *App) tell(told emitter.Announcement) {
	if a.events == nil {
		return
	}
	data := map[string]any{
		"endpoint": told.Data.Endpoint, "host": told.Data.Host, "tenant": told.Data.Tenant,
		"status": string(told.Data.Status), "reason": told.Data.Reason,
		"since": told.Data.Since, "failing_since": told.Data.FailingSince, "failures": told.Data.Failures,
	}
	if d := told.Data.Delivery; d != nil {
		data["event"], data["event_type"], data["object"] = d.EventID, d.EventType, d.Object
		data["attempts"], data["code"], data["error"] = d.Attempts, d.Code, d.Error
	}
	a.events.Emit(a.ctx, caddyEvents+told.Type, data)
}
