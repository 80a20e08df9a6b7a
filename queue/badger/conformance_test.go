// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/queuetest"
)

func TestConformance(t *testing.T) {
	open := opens(queue.Power)
	queuetest.Run(t, open)
	queuetest.RunAlone(t, open)
}

// The durability decides when a batch is synced and acknowledged, and nothing else: random
// calls of all verbs, and readers of the feeds that come of them, show that.
func TestConformanceOfProcess(t *testing.T) {
	open := opens(queue.Process)
	t.Run("model", func(t *testing.T) { queuetest.RunModel(t, open) })
	queuetest.RunUnkept(t, open)
}

func opens(durability queue.Durability) queuetest.Open {
	return func(t *testing.T, now func() time.Time) queue.Store {
		s, err := Open(Options{Dir: t.TempDir(), Now: now, Durability: durability, FreeSpace: noReserve})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// What is promised over restarts does not depend on the durability.
func TestKept(t *testing.T) {
	queuetest.RunKept(t, func(t *testing.T, now func() time.Time) queuetest.Reopen {
		dir := t.TempDir()
		return func() queue.Store {
			s, err := Open(Options{Dir: dir, Now: now, FreeSpace: noReserve})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}
