// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"
)

// upstreamTimeout is how late the API of the rough tests may commit; it never
// takes longer than maxLate.
const upstreamTimeout = 2 * time.Second

// Streams of random numbers that come from one seed.
const (
	streamAPI = iota
	streamReceiver
	streamLoad
	streamKiller
)

// TestKill kills the process at random moments while many clients write, the
// API and the receiver make trouble, and nobody is told. Nothing may be lost,
// nothing may be told twice under different names, and what happened to one
// object must be told in its order.
func TestKill(t *testing.T) {
	t.Logf("-seed %d", *seed)
	if testing.Short() {
		*kills = min(*kills, 8)
	}
	a := newAPI(t, streamAPI, true)
	r := newReceiver(t, streamReceiver, true)
	c := newCaddy(t, a, r, upstreamTimeout)
	l := newLoad(t, c.Site, streamLoad)
	l.rough = true
	random := rand.New(rand.NewPCG(*seed, streamKiller))

	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(l.wait)
	t.Cleanup(cancel)
	l.run(ctx, 8)
	for i := range *kills {
		p := c.start(t, "")
		life := time.Duration(100+random.IntN(300)) * time.Millisecond
		if i > 0 && random.IntN(5) == 0 {
			// Within its start, or soon after.
			life = time.Duration(random.IntN(1000)) * time.Millisecond
		} else {
			c.ready(t, p)
		}
		pause(t.Context(), life)
		p.kill()
	}
	cancel()
	l.wait()

	p := c.start(t, "")
	c.ready(t, p)
	v := c.compare(t, a, r, l)
	t.Logf("kills %d, %s", *kills, v)
	v.report(t)
	if v.changes < 5**kills || v.repeats == 0 {
		t.Errorf("%d changes and %d repeats in %d kills: this was no test", v.changes, v.repeats, *kills)
	}
	c.stop(t, p)
}

// compare waits until everything is done, and then compares what was delivered
// with what was committed. No client may be at work any more.
func (c *caddy) compare(t *testing.T, a *api, r *receiver, l *load) verdict {
	t.Helper()
	if err := a.settle(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	c.drained(t)
	deliveries, problems := r.deliveries()
	for _, problem := range problems {
		t.Error(problem)
	}
	v := check(evidence{
		oracle: a.changes(), results: l.sent(), deliveries: deliveries, shows: a.show,
		unresolved: len(list[any](t.Context(), t, c, "unresolved", nil)),
	})
	if dead := list[any](t.Context(), t, c, "deliveries", url.Values{"status": {"dead"}}); len(dead) > 0 {
		v.problem("%d deliveries are dead, such as %v", len(dead), dead[0])
	}
	if events := list[any](t.Context(), t, c, "events", nil); len(events) != v.events {
		v.problem("the queue knows of %d events, and %d arrived", len(events), v.events)
	}
	return v
}
