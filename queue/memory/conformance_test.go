// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/queue/queuetest"
)

func TestConformance(t *testing.T) {
	open := func(_ *testing.T, now func() time.Time) queue.Store { return memory.New(now) }
	queuetest.Run(t, open)
	queuetest.RunAlone(t, open)
	queuetest.RunUnkept(t, open)
}
