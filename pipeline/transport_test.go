// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
)

// A configuration with the same policy goes on with the transport of the one
// before, and its connections; one with another gets its own.
func TestTransportIsShared(t *testing.T) {
	p := newPipeline(t, silent(), nil)
	first, same, other := newConfig(t), newConfig(t), newConfig(t)
	other.Policy = egress.Policy{AllowHTTP: true}
	for i, step := range []struct {
		config *Config
		want   *egress.Transport
	}{{first, first.Transport}, {same, first.Transport}, {other, other.Transport}} {
		start(t, p, step.config)
		if p.transport != step.want {
			t.Errorf("step %d: another transport", i)
		}
	}
}
