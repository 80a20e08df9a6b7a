// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// format returns the form in which a delivery is sent: the one that its
// endpoint had when the event was committed, whatever the configuration says
// by now, so that a retry sends the same bytes. Where none was kept, it is the
// endpoint's own.
func (d *dispatcher) format(text string) payload.Format {
	own := d.target.Endpoint.Payload
	if text == "" || text == own.String() {
		return own
	}
	format, err := payload.Parse(text)
	if err != nil {
		// Only a newer version, or damage, has written such a text. To send the
		// event in the endpoint's form is better than not to send it.
		d.logger.Error("a delivery's format cannot be read; the endpoint's own is sent", zap.Error(err))
		return own
	}
	return format
}
