// SPDX-License-Identifier: Apache-2.0

package syntax

import "github.com/caddy-webhooks/caddy-webhooks/event"

// EventRule says which change of an object makes an event.
type EventRule struct {
	// Type is the type of the event, such as `items.updated`. Braces take a
	// value from the Show by its gjson path, as `items.state.{items.state}`.
	Type string `json:"type"`

	// On is what must have happened: `create`, `change` or `delete`.
	On event.Op `json:"on"`

	// Paths are gjson paths in Show, one of which must have changed. Only for
	// `change`. Default: any change counts.
	Paths []string `json:"paths,omitempty"`

	// From lists the values one of which the field must have had. It needs
	// paths. Default: any.
	From []string `json:"from,omitempty"`

	// To lists the values one of which the field must have now. It needs
	// paths. Default: any.
	To []string `json:"to,omitempty"`

	// When is a condition in CEL that must hold, too. It sees `object` (the
	// Show), `previous` (the watched fields as they were), `changed` (the
	// paths of the watched fields that changed) and `cause` (`rule`, `method`,
	// `path`, `resource`, `outcome` of the exchange that led here). What it
	// reads of `previous` is watched. A condition that fails, as one on a
	// field that is not there, does not hold.
	When string `json:"when,omitempty"`
}
