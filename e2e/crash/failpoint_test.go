// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/promises"
)

// crashPoint is where the process dies.
type crashPoint struct {
	at string // a failpoint and its passage
	// then is where the next process dies too, while it recovers; "" for
	// nowhere.
	then string
	// only is the only method whose flow passes the point; "" for all.
	only string
	// but is the only method whose flow does not pass the point.
	but string
}

// The committer's batches of one exchange are: 1 the intent, 2 its resolution,
// 3 the snapshot with its event and delivery, 4 the attempt. The second is
// synced only if the client waits for it; the last never.
var crashPoints = []crashPoint{
	{at: "intent.before"},
	{at: "batch.staged:1"},
	{at: "batch.committed:1"},
	{at: "batch.synced:1"},
	{at: "intent.after"},
	{at: "exchange.answered"},
	{at: "batch.staged:2"},
	{at: "batch.committed:2"},
	{at: "batch.synced:2", only: http.MethodPost},
	{at: "exchange.resolved"},
	{at: "mark.leased"},
	{at: "show.read"},
	{at: "reconciled.before"},
	{at: "batch.staged:3"},
	{at: "batch.committed:3"},
	{at: "batch.synced:3", only: http.MethodPost},
	{at: "batch.synced:2", but: http.MethodPost},
	{at: "reconciled.after"},
	{at: "delivery.leased"},
	{at: "attempt.made"},
	{at: "batch.staged:4"},
	{at: "batch.committed:4"},
	{at: "attempt.recorded"},

	// During recovery. Of a create it is only known that there was one, so its
	// recovery ends with the record for the operator.
	{at: "exchange.answered", then: "intent.stale"},
	{at: "exchange.answered", then: "batch.staged:1"},
	{at: "exchange.answered", then: "batch.committed:1"},
	{at: "exchange.answered", then: "mark.leased", but: http.MethodPost},
	{at: "exchange.answered", then: "show.read", but: http.MethodPost},
	{at: "exchange.answered", then: "batch.staged:2", but: http.MethodPost},
	{at: "exchange.answered", then: "batch.committed:2", but: http.MethodPost},
	{at: "exchange.answered", then: "attempt.made", but: http.MethodPost},
	// The object is looked at once more when the API can no longer commit.
	{at: "exchange.answered", then: "show.read:2", but: http.MethodPost},
	{at: "mark.leased", then: "mark.leased"},
	{at: "show.read", then: "show.read"},
	{at: "batch.committed:2", then: "reconciled.after"},
	{at: "attempt.made", then: "attempt.made"},
}

func (p crashPoint) name() string {
	return strings.TrimSuffix(p.at+", "+p.then, ", ")
}

func (p crashPoint) isIn(method string) bool {
	return (p.only == "" || p.only == method) && p.but != method
}

// TestFailpoints lets the process die at each step of the flow of one request,
// starts it again, and expects the same as after any other crash. A request to upsert
// and one to update take the same steps: one dies at every other point, and the other
// at those between.
func TestFailpoints(t *testing.T) {
	for _, flow := range []struct {
		name, method, target string
		left                 int // leaves out every other point, beginning with the first or the second
	}{
		{"create", http.MethodPost, "/items", none},
		{"upsert", http.MethodPut, "/items/", 0},
		{"update", http.MethodPatch, "/items/", 1},
		{"delete", http.MethodDelete, "/items/", none},
	} {
		t.Run(flow.name, func(t *testing.T) {
			t.Parallel()
			f := newFlow(t)
			if flow.method == http.MethodPatch || flow.method == http.MethodDelete {
				f.prepare(t, flow.method)
			}
			for i, point := range crashPoints {
				if !point.isIn(flow.method) || testing.Short() && i%4 != 0 || !*raceFailpoints && i%2 == flow.left {
					continue
				}
				t.Run(point.name(), func(t *testing.T) {
					target := flow.target
					if flow.method != http.MethodPost {
						target = flow.target + point.object()
					}
					f.crash(t, point, flow.method, target)
				})
			}
			t.Log(f.last)
		})
	}
}

// none leaves out no point.
const none = -1

// object returns the id of the point's own object.
func (p crashPoint) object() string {
	return strings.NewReplacer(", ", "-", ":", "-").Replace(p.name())
}

// flow is what the crashes of one kind of request share.
type flow struct {
	api      *api
	receiver *receiver
	caddy    *caddy
	load     *load
	last     promises.Verdict
}

func newFlow(t *testing.T) *flow {
	t.Helper()
	f := &flow{api: newAPI(t, streamAPI, false), receiver: newReceiver(t, streamReceiver, false)}
	// The API commits before it answers, or at once.
	f.caddy = newCaddy(t, f.api, f.receiver, 500*time.Millisecond)
	if !*raceFailpoints {
		f.caddy.binary = plain
	}
	f.load = newLoad(t, f.caddy.Site, streamLoad)
	return f
}

// prepare makes an object for each point, and waits for its event.
func (f *flow) prepare(t *testing.T, method string) {
	t.Helper()
	p := f.caddy.start(t, "")
	f.caddy.ready(t, p)
	for _, point := range crashPoints {
		if !point.isIn(method) {
			continue
		}
		if r := f.load.send(t.Context(), http.MethodPut, "/items/"+point.object(), "before", 0); !r.succeeded() {
			t.Fatalf("making an object: %d, %v", r.status, r.err)
		}
	}
	f.last = f.caddy.compare(t, f.api, f.receiver, f.load)
	report(t, f.last)
	f.caddy.stop(t, p)
}

// crash sends one request to a process that dies of it, and checks how its
// successors recover.
func (f *flow) crash(t *testing.T, point crashPoint, method, target string) {
	t.Helper()
	p := f.caddy.start(t, point.at)
	f.caddy.ready(t, p)
	sent := f.load.send(t.Context(), method, target, "after", 0)
	f.awaitDeath(t, p, point.at)
	if point.then != "" {
		f.awaitDeath(t, f.caddy.start(t, point.then), point.then)
	}
	f.recovered(t, sent)
}

// recovered starts the next process, and checks how it recovers from the crash.
func (f *flow) recovered(t *testing.T, sent result) {
	t.Helper()
	p := f.caddy.start(t, "")
	f.caddy.ready(t, p)
	before := f.last
	f.last = f.caddy.compare(t, f.api, f.receiver, f.load)
	// What an earlier point has lost stays lost, and was reported for that
	// point.
	report(t, f.last.Since(before))
	if unknown, recorded := f.last.Unknown-before.Unknown, f.last.Unresolved-before.Unresolved; unknown > recorded {
		t.Errorf("%d objects are not told of, and %d exchanges are recorded as unresolved", unknown, recorded)
	}
	if sent.succeeded() && f.last.Events == before.Events {
		t.Error("the client got the whole answer, and nothing was told of it")
	}
	f.caddy.stop(t, p)
}

// TestOverdueExchange lets the process die when it gets an answer that took
// longer than upstream_timeout. By then the intent had been handled as one that
// might never be resolved, which must not have ended its protection.
func TestOverdueExchange(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	p := f.caddy.start(t, "exchange.answered")
	f.caddy.ready(t, p)
	held := f.api.hold("overdue")
	ended := make(chan result, 1)
	go func() {
		ended <- f.load.send(context.WithoutCancel(t.Context()), http.MethodPut, "/items/overdue", "after", 0, holdHeader, "overdue")
	}()
	<-held.arrived
	// Stale intents are handled each second; twice, to be sure.
	pause(t.Context(), f.caddy.UpstreamTimeout+2*time.Second)
	// Until no look at the object is left from then.
	for range 3 {
		if stats, err := f.caddy.status(t.Context()); err != nil || stats.OpenIntents != 1 {
			t.Errorf("%d intents are open, want that of the exchange under way (%v)", stats.OpenIntents, err)
		}
		pause(t.Context(), f.caddy.UpstreamTimeout/2)
	}
	close(held.release)
	f.awaitDeath(t, p, "exchange.answered")
	<-ended
	p = f.caddy.start(t, "")
	f.caddy.ready(t, p)
	report(t, f.caddy.compare(t, f.api, f.receiver, f.load))
	f.caddy.stop(t, p)
}

// awaitDeath waits until a process has killed itself.
func (f *flow) awaitDeath(t *testing.T, p *process, point string) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("%s was not passed", point)
	}
	if code := p.command.ProcessState.ExitCode(); code != -1 {
		t.Fatalf("the process ended by itself, with code %d\n%s", code, f.caddy.tail())
	}
}
