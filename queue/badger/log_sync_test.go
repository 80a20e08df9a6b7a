// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Logs that Badger has left for a new one are synced before later writes are
// acknowledged. A log that is in a table already is not missed, and the log in
// use is synced, too.
func TestLogSync(t *testing.T) {
	dir := t.TempDir()
	l := &logSync{dir: dir, number: 1}
	if err := l.sync(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a log: got %v, want that it does not exist", err)
	}
	for _, number := range []int{1, 3, 4} {
		must(t, os.WriteFile(logName(dir, number), nil, 0o600))
	}
	must(t, l.sync())
	if l.number != 1 {
		t.Errorf("went on to log %d past one that is missing", l.number)
	}
	must(t, os.WriteFile(logName(dir, 2), nil, 0o600))
	must(t, l.sync())
	if l.number != 4 {
		t.Errorf("the newest log is %d, want 4", l.number)
	}
	must(t, os.Remove(logName(dir, 4))) // open, though
	must(t, os.WriteFile(logName(dir, 5), nil, 0o600))
	must(t, l.sync())
	if l.number != 5 {
		t.Errorf("the newest log is %d, want 5", l.number)
	}
	must(t, l.close())
}

// The synced log is the one that Badger writes to, however often it begins
// another.
func TestLogSyncFollows(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	show := make([]byte, 400<<10)
	for i := range 200 {
		key := event.Key{Resource: "r", ID: string(rune('a' + i))}
		must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true))
		lease, err := s.LeaseMark(context.Background(), "r", time.Minute)
		must(t, err)
		must(t, s.CommitReconciled(t.Context(), lease, queue.Reconciled{
			Snapshot: &event.Snapshot{Key: lease.Key, Show: show, Sequence: 1},
		}))
		newest, err := newestLog(dir)
		must(t, err)
		if got := s.committer.logs.number; got != newest {
			t.Fatalf("after %d commits, log %d is synced and %d written to", i, got, newest)
		}
	}
	if s.committer.logs.number < 3 {
		t.Errorf("only %d logs were begun; the test needs more", s.committer.logs.number)
	}
}
