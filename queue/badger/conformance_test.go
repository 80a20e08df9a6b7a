// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/queuetest"
)

func TestConformance(t *testing.T) {
	for _, durability := range []queue.Durability{queue.Power, queue.Process} {
		t.Run(durability.String(), func(t *testing.T) {
			open := func(t *testing.T, now func() time.Time) queue.Store {
				s, err := Open(Options{Dir: t.TempDir(), Now: now, Durability: durability, FreeSpace: noReserve})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			queuetest.Run(t, open)
			queuetest.RunAlone(t, open)
		})
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
