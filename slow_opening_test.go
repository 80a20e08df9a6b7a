// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// An exchange that comes while the queue is being opened waits for that no
// longer than for the queue itself. It passes as a gap, and the queue opens all
// the same.
func TestSlowOpening(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	before := freeSpaceOf
	var once sync.Once
	freeSpaceOf = func(string) (uint64, uint64, error) {
		once.Do(func() {
			close(began)
			<-goOn
		})
		return 64 << 30, 1 << 40, nil
	}
	t.Cleanup(func() { freeSpaceOf = before })
	e := newEngine(t.TempDir())
	app := &App{dir: e.dir}
	intent := queue.Intent{Resource: "items", Kind: event.KindDelete, Rule: "DELETE /items/:id", Key: event.Key{Resource: "items", ID: "1"}}

	impatient, leave := context.WithCancel(t.Context())
	go func() {
		<-began
		leave()
	}()
	if id, err := e.note(impatient, app, intent); id != 0 || !errors.Is(err, errPassing) {
		t.Errorf("while it is being opened: %d, %v; want errPassing", id, err)
	}
	e.gaps.mu.Lock()
	if gap := e.gaps.open["items"]; gap == nil || !gap.Deletes {
		t.Errorf("the gap is %+v", gap)
	}
	e.gaps.mu.Unlock()

	close(goOn)
	if id, err := e.note(t.Context(), app, intent); id == 0 || err != nil {
		t.Errorf("once it is open: %d, %v", id, err)
	}
	if err := e.Destruct(); err != nil {
		t.Error(err)
	}
}
