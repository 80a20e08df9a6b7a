// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// elsewhere is an engine without files.
type elsewhere struct{ queue.Engine }

// What an engine lacks needs no work of those who use it.
func TestCapabilities(t *testing.T) {
	store := memory.New(time.Now)
	defer store.Close()
	if queue.LevelOf(store) != queue.SpaceEnough || queue.SpacerOf(store).CheckSpace() != queue.SpaceEnough {
		t.Error("space that there is no end of is not enough")
	}
	if removed, more, err := queue.TrimmerOf(store).Trim(t.Context()); removed != 0 || more || err != nil {
		t.Errorf("trimmed %d, more: %v, %v", removed, more, err)
	}
	if stalled := queue.StallerOf(store).Stalled(); stalled != 0 {
		t.Errorf("stalled for %v", stalled)
	}
	if r := queue.RecovererOf(store); r.Damaged() != 0 || r.Lost() != 0 || r.WasRestored() || r.ForgetRestored() != nil {
		t.Error("something is missing")
	}
	if _, ok := queue.Store(store).(queue.Backuper); ok {
		t.Error("memory has a backup")
	}
	files := queue.FilerOf(elsewhere{})
	if enough, _, _ := files.Room(queue.Space{}); !enough || files.ReleaseReserve() != nil {
		t.Error("there is no room where no files are")
	}
}
