// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestEmptyLogs opens a queue in which a crash has left empty logs. Such a
// queue could not be opened: "while opening memtables err: while opening fid: 1
// err: Create a new file". It was found by killing a process while it recovered
// from having been killed.
func TestEmptyLogs(t *testing.T) {
	for name, files := range map[string][]string{
		"memtable":     {"00007.mem"},
		"old memtable": {"00000.mem"},
		"several":      {"00000.mem", "00007.mem", "00008.mem"},
		"value log":    {"000007.vlog"},
		"both":         {"00007.mem", "000007.vlog"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before, err := Open(Options{Dir: dir})
			must(t, err)
			_, err = before.NoteIntent(t.Context(), queue.Intent{Resource: "items", Rule: "POST /items"})
			must(t, err)
			must(t, before.Close())
			for _, file := range files {
				must(t, os.WriteFile(filepath.Join(dir, file), nil, 0o600))
			}
			s := mustOpen(t, Options{Dir: dir})
			stats, err := s.Stats(t.Context())
			must(t, err)
			if stats.OpenIntents != 1 {
				t.Errorf("%d intents are open, want the 1 from before", stats.OpenIntents)
			}
		})
	}
}

// TestEmptyLogsOfAnotherAreLeftAlone opens a queue that is open already. An
// empty log there may be one that the other process has just begun.
func TestEmptyLogsOfAnotherAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, Options{Dir: dir})
	begun := filepath.Join(dir, "00007.mem")
	must(t, os.WriteFile(begun, nil, 0o600))
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, queue.ErrInUse) {
		t.Errorf("error %v, want %v", err, queue.ErrInUse)
	}
	if _, err := os.Stat(begun); err != nil {
		t.Error(err)
	}
}
