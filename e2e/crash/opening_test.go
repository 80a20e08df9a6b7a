// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// held makes a file that keeps the queue from being opened as long as it
// exists.
func (c *caddy) held(t *testing.T) string {
	t.Helper()
	file := filepath.Join(c.home, "held")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// serving waits until a process whose queue is held serves the API.
func (c *caddy) serving(t *testing.T, p *process) {
	t.Helper()
	err := eventually(within(t, patience), 5*time.Millisecond, func() error {
		select {
		case <-p.exited:
			t.Fatalf("the process has ended: %v\n%s", p.err, c.tail())
		default:
		}
		return c.answers(t.Context())
	})
	if err != nil {
		t.Fatalf("starting Caddy: %v\n%s", err, c.tail())
	}
}

// leastPassed is how many changes pass, at the least, while an opening is held.
const leastPassed = 20

// TestKillOpening kills the process while it opens its queue and serves the API
// without it; or soon after, while the queue takes over the exchanges noted
// meanwhile. The expectations are those of any kill.
func TestKillOpening(t *testing.T) {
	t.Parallel()
	rounds := max(*kills/8, 3)
	if testing.Short() {
		rounds = 2
	}
	r := newRough(t)
	passed := 0
	for i := range rounds {
		file := r.caddy.held(t)
		p := r.caddy.startHeld(t, "", file)
		r.caddy.serving(t, p)
		// The first exchanges wait for the queue, as long as that is
		// worthwhile.
		before := len(r.api.changes())
		err := eventually(within(t, patience), 5*time.Millisecond, func() error {
			if now := len(r.api.changes()) - before; now < leastPassed {
				return fmt.Errorf("%d changes have passed", now)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, r.caddy.tail())
		}
		pause(t.Context(), time.Duration(100+r.random.IntN(400))*time.Millisecond)
		passed += len(r.api.changes()) - before
		if i%3 > 0 {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			pause(t.Context(), time.Duration(r.random.IntN(800))*time.Millisecond)
		}
		p.kill()
	}
	v := r.judge(t)
	t.Logf("kills %d, changes without the queue %d, %s", rounds, passed, v)
}

// TestOpeningFailpoints lets the process die at each step of an exchange that
// passes while the queue is being opened.
func TestOpeningFailpoints(t *testing.T) {
	for _, flow := range []struct{ method, target string }{
		{http.MethodPost, "/items"}, {http.MethodPut, "/items/"},
	} {
		t.Run(flow.method, func(t *testing.T) {
			t.Parallel()
			f := newFlow(t)
			for _, point := range []string{"interim.noted", "exchange.answered", "interim.resolved", "interim.waiting", "interim.handed"} {
				if testing.Short() && point != "interim.handed" {
					continue
				}
				target := flow.target
				if flow.method != http.MethodPost {
					target += point
				}
				t.Run(point, func(t *testing.T) { f.crashOpening(t, point, flow.method, target) })
			}
			t.Log(f.last)
		})
	}
}

// crashOpening sends one request to a process that opens its queue. The process
// dies then, or when the queue takes over what was noted.
func (f *flow) crashOpening(t *testing.T, point, method, target string) {
	t.Helper()
	file := f.caddy.held(t)
	p := f.caddy.startHeld(t, point, file)
	f.caddy.serving(t, p)
	sent := f.load.send(t.Context(), method, target, "after", 0)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	f.awaitDeath(t, p, point)
	f.recovered(t, sent)
}
