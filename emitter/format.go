// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// format returns the format of a delivery: the one that its endpoint had when
// the event was committed, whatever the configuration says by now, so that a
// retry sends the same bytes. If none was stored, it is the endpoint's current
// one.
func (d *dispatcher) format(text string) payload.Format {
	own := d.target.Endpoint.Payload
	if text == "" || text == own.String() {
		return own
	}
	format, err := payload.Parse(text)
	if err != nil {
		// Only a newer version, or damage, can have written such a text.
		// Sending the event in the endpoint's format is better than not sending
		// it.
		d.logger.Error("a delivery's format cannot be read; the endpoint's own is sent", zap.Error(err))
		return own
	}
	return format
}
