// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/promises"
)

// upstreamTimeout is how late the API of the rough tests may commit; it never
// takes longer than maxLate.
const upstreamTimeout = 2 * time.Second

// Streams of random numbers from the same seed.
const (
	streamAPI = iota
	streamReceiver
	streamLoad
	streamKiller
)

// TestKill kills the process at random moments, without warning, while many
// clients write, and the API and the receiver make trouble. Nothing may be
// lost, nothing may be delivered under two ids, and events of one object must
// be delivered in order.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := *kills
	if testing.Short() {
		kills = min(kills, 8)
	}
	r := newRough(t)
	for i := range kills {
		p := r.caddy.start(t, "")
		before := len(r.api.changes())
		life := time.Duration(100+r.random.IntN(300)) * time.Millisecond
		if i > 0 && r.random.IntN(5) == 0 {
			// During its start, or soon after.
			life = time.Duration(r.random.IntN(1000)) * time.Millisecond
			pause(t.Context(), life)
		} else {
			r.caddy.ready(t, p)
			pause(t.Context(), life)
			r.busy(t, before)
		}
		p.kill()
	}
	v := r.judge(t)
	t.Logf("kills %d, %s", kills, v)
	if v.Changes < 4*kills || v.Repeats == 0 {
		t.Errorf("%d changes and %d repeats in %d kills: this was no test", v.Changes, v.Repeats, kills)
	}
}

// rough is an installation with many clients at work, and with an API and a
// receiver that make trouble.
type rough struct {
	api      *api
	receiver *receiver
	caddy    *caddy
	load     *load
	random   *rand.Rand
	cease    func() // ends the work of the clients, and waits for it
}

func newRough(t *testing.T) *rough {
	t.Helper()
	r := newIdle(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.cease = func() {
		cancel()
		r.load.wait()
	}
	t.Cleanup(r.cease)
	r.load.run(ctx, 8)
	return r
}

// newIdle returns an installation whose clients have not begun.
func newIdle(t *testing.T) *rough {
	t.Helper()
	t.Logf("-seed %d", *seed)
	r := &rough{
		api: newAPI(t, streamAPI, true), receiver: newReceiver(t, streamReceiver, true),
		random: rand.New(rand.NewPCG(*seed, streamKiller)),
	}
	r.caddy = newCaddy(t, r.api, r.receiver, upstreamTimeout)
	r.load = newLoad(t, r.caddy.Site, streamLoad)
	r.load.rough = true
	r.cease = func() {}
	return r
}

// changesInALife is how many changes there are at least before a process is killed that
// has started. A slow machine takes longer for them.
const changesInALife = 10

// busy waits until there are enough changes since a number of them.
func (r *rough) busy(t *testing.T, before int) {
	t.Helper()
	err := eventually(within(t, patience), 5*time.Millisecond, func() error {
		if got := len(r.api.changes()) - before; got < changesInALife {
			return fmt.Errorf("%d changes within a life", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// judge starts the last process, when the clients have ended, and compares the
// result of their work.
func (r *rough) judge(t *testing.T) promises.Verdict {
	t.Helper()
	r.cease()
	p := r.caddy.start(t, "")
	r.caddy.ready(t, p)
	v := r.caddy.compare(t, r.api, r.receiver, r.load)
	report(t, v)
	r.caddy.stop(t, p)
	return v
}

// report fails the test with the problems of a verdict.
func report(t *testing.T, v promises.Verdict) {
	t.Helper()
	for _, problem := range v.Some() {
		t.Error(problem)
	}
}

// compare waits until everything is done, and then compares the deliveries with
// the committed changes. No client may be at work any more.
func (c *caddy) compare(t *testing.T, a *api, r *receiver, l *load) promises.Verdict {
	t.Helper()
	if err := a.settle(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	c.drained(t)
	deliveries, problems := r.deliveries()
	for _, problem := range problems {
		t.Error(problem)
	}
	v := promises.Check(promises.Evidence{
		Oracle: a.changes(), Deliveries: deliveries, Told: l.made(), Shows: a.show,
		Unresolved: len(list[any](t.Context(), t, c, "unresolved", nil)),
	})
	if dead := list[any](t.Context(), t, c, "deliveries", url.Values{"status": {"dead"}}); len(dead) > 0 {
		v.Problem("%d deliveries are dead, such as %v", len(dead), dead[0])
	}
	if events := list[any](t.Context(), t, c, "events", nil); len(events) != v.Events {
		v.Problem("the queue knows of %d events, and %d arrived", len(events), v.Events)
	}
	return v
}
