// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"errors"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// maintenanceKept: a process that holds the work of one process keeps it as
// long as it calls again in time.
func maintenanceKept(t *testing.T, s queue.Store) {
	held, err := s.LeaseMaintenance(t.Context(), "trim", lease)
	for deadline := time.Now().Add(10 * lease); err == nil && !held && time.Now().Before(deadline); time.Sleep(time.Second) {
		held, err = s.LeaseMaintenance(t.Context(), "trim", lease)
	}
	for range 3 {
		if err != nil || !held {
			t.Fatalf("nobody else is there: %v, %v", held, err)
		}
		time.Sleep(lease / 2)
		held, err = s.LeaseMaintenance(t.Context(), "trim", lease)
	}
	if held, err := s.LeaseMaintenance(t.Context(), "expire", lease); err != nil || !held {
		t.Errorf("other work: %v, %v", held, err)
	}
}

func maintenanceTheirs(t *testing.T, s queue.Store) {
	for _, name := range []string{"trim", "expire", "trim"} {
		if held, err := s.LeaseMaintenance(t.Context(), name, time.Minute); err != nil || !held {
			t.Errorf("%s: %v, %v", name, held, err)
		}
	}
	must(t, s.Close())
	if held, err := s.LeaseMaintenance(t.Context(), "trim", time.Minute); held || !errors.Is(err, queue.ErrClosed) {
		t.Errorf("of a queue that is closed: %v, %v", held, err)
	}
}
