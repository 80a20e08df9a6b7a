// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func TestForgetAge(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		retention, lag time.Duration
		overfull       bool
		want           time.Duration
	}{
		{30 * day, 0, false, 30 * day},
		{30 * day, time.Minute, true, time.Hour},
		{time.Hour, 2 * day, false, 2 * day},
		{30 * day, 2 * day, true, 2 * day},
	} {
		if got := forgetAge(tc.retention, tc.lag, tc.overfull); got != tc.want {
			t.Errorf("forgetAge(%v, %v, %v) is %v, want %v", tc.retention, tc.lag, tc.overfull, got, tc.want)
		}
	}
}

// elsewhere is a queue whose maintenance another process does.
type elsewhere struct{ queue.Store }

func (elsewhere) LeaseMaintenance(context.Context, string, time.Duration) (bool, error) {
	return false, nil
}

// A Keeper leaves a queue alone whose retention another process keeps.
func TestAnotherProcessKeeps(t *testing.T) {
	lab := newExpiryLab(t)
	lab.wait(3, "gone")
	keeper := NewKeeper(Options{
		Settings: func() Settings { return Settings{Age: time.Hour} },
		Tables:   func() int64 { return 0 }, Receives: onlyLive,
		Metrics: uncounted{}, Logger: zap.NewNop(), ExpiryLogger: zap.NewNop(),
	})
	later := time.Now().Add(2 * time.Hour)
	keeper.Step(t.Context(), elsewhere{lab.store}, later)
	lab.pending(map[string]int{"gone": 3})
	keeper.Step(t.Context(), lab.store, later)
	lab.pending(map[string]int{})
}
