// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// variants are configurations of the same queue. Loading one twice changes
// nothing.
func variants(s settings) []settings {
	users, renamed, both, retimed := s, s, s, s
	users.Users = true
	renamed.Updated = "items.changed"
	both.Users, both.Updated = true, "items.changed"
	// The endpoint changes, so its dispatcher is replaced.
	retimed.AttemptTimeout += 10 * time.Second
	return []settings{s, users, renamed, both, retimed}
}

// broken are configurations that must be refused, by the expected message.
func broken(t *testing.T, s settings) map[string]settings {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	unknown, lacking, secretless, blocked := s, s, s, s
	unknown.Resource = "evnt items.odd on change"
	lacking.Resource = "update PUT /items"
	secretless.Global = "endpoint other https://other.example.com/hooks"
	// Everything is provisioned, and then an app fails to start.
	blocked.Sites = "http://" + taken.Addr().String() + " {\n\tbind 127.0.0.1\n\trespond ok\n}"
	return map[string]settings{
		"evnt":                   unknown,
		"the path lacks :id":     lacking,
		"has no secret":          secretless,
		"address already in use": blocked,
	}
}

// TestReloadUnderLoad loads one configuration after the other while clients
// write. Nothing may be lost or announced twice, and a request that began under
// an old configuration must end as if nothing had happened.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	a := newAPI(t, streamAPI, false)
	r := newReceiver(t, streamReceiver, false)
	c := newCaddy(t, a, r, upstreamTimeout)
	l := newLoad(t, c.Site, streamLoad)
	l.upserts = []string{"users"}
	p := c.start(t, "")
	c.ready(t, p)

	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(l.wait)
	t.Cleanup(cancel)
	l.run(ctx, 4)

	rounds := 3
	if testing.Short() {
		rounds = 2
	}
	loaded, refused := 0, 0
	for range rounds {
		// A connection that meets the end of the last configuration is reset, and the
		// API would wait for its request.
		freeport.Single(t, c.Site)
		l.client.CloseIdleConnections()
		held := c.holdRequests(t, a, l)
		for _, s := range variants(c.settings) {
			if err := c.reload(t.Context(), s.caddyfile(t)); err != nil {
				t.Fatalf("reload: %v\n%s", err, c.tail())
			}
			loaded++
			for want, s := range broken(t, s) {
				err := c.reload(t.Context(), s.caddyfile(t))
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("a broken configuration: error %v, want one with %q", err, want)
				}
				refused++
			}
			pause(t.Context(), 50*time.Millisecond)
		}
		held.finish(t)
	}
	cancel()
	l.wait()

	c.touchUsers(t, a, r, l)
	v := c.compare(t, a, r, l)
	t.Logf("configurations loaded %d, refused %d, requests without an answer %d, %s", loaded, refused, unanswered(l), v)
	report(t, v)
	renamed := 0
	deliveries, _ := r.deliveries()
	for _, d := range deliveries {
		if d.Kind == "items.changed" {
			renamed++
		}
	}
	if renamed == 0 || renamed == len(deliveries) || v.Repeats > 0 || v.Unresolved > 0 {
		t.Errorf("%d of %d deliveries have the other name, %d are repeats, %d exchanges are unresolved",
			renamed, len(deliveries), v.Repeats, v.Unresolved)
	}
	c.stop(t, p)
}

// touchUsers changes users until the last event of each has its current state.
// A user that changed while no rule matched is announced with its next change
// that a rule matches; and for a moment after a reload, the old configuration
// may still get some requests.
func (c *caddy) touchUsers(t *testing.T, a *api, r *receiver, l *load) {
	t.Helper()
	last := c.settings
	last.Users = true
	if err := c.reload(t.Context(), last.caddyfile(t)); err != nil {
		t.Fatal(err)
	}
	users := 0
	err := eventually(within(t, patience), 200*time.Millisecond, func() error {
		shown := make(map[string][]byte)
		for _, change := range a.changes() {
			if strings.HasPrefix(change.Object, "users/") {
				shown[change.Object] = change.Show
			}
		}
		users = len(shown)
		got, _ := r.deliveries()
		for _, d := range got {
			if bytes.Equal(shown[d.Object], d.Payload) {
				delete(shown, d.Object)
			}
		}
		for object := range shown {
			l.send(t.Context(), http.MethodPut, "/"+object, time.Now().String(), 0)
		}
		if len(shown) > 0 {
			return fmt.Errorf("%d users are not told of", len(shown))
		}
		return nil
	})
	if err != nil || users == 0 {
		t.Errorf("of %d users: %v", users, err)
	}
}

func unanswered(l *load) int {
	n := 0
	for _, r := range l.sent() {
		if !r.whole {
			n++
		}
	}
	return n
}

// heldRequests are under way while configurations come and go.
type heldRequests struct {
	holds []*hold
	ended chan result
}

func (c *caddy) holdRequests(t *testing.T, a *api, l *load) *heldRequests {
	t.Helper()
	h := &heldRequests{ended: make(chan result, 2)}
	for _, request := range []struct{ method, target string }{
		{http.MethodPut, "/items/held"},
		{http.MethodPost, "/items"},
	} {
		held := a.hold(request.method)
		h.holds = append(h.holds, held)
		l.running.Go(func() {
			h.ended <- l.send(context.WithoutCancel(t.Context()), request.method, request.target, time.Now().String(), 0, holdHeader, request.method)
		})
		<-held.arrived
	}
	return h
}

// finish releases the requests, and expects what was promised for them.
func (h *heldRequests) finish(t *testing.T) {
	t.Helper()
	for _, held := range h.holds {
		close(held.release)
	}
	for range h.holds {
		if r := <-h.ended; !r.succeeded() {
			t.Errorf("%s %s, which began before a reload: %d, %v", r.method, r.object, r.status, r.err)
		}
	}
}

// TestBesideARunningServer validates a configuration and starts a second
// process while the queue belongs to another process.
func TestBesideARunningServer(t *testing.T) {
	t.Parallel()
	a := newAPI(t, streamAPI, false)
	r := newReceiver(t, streamReceiver, false)
	c := newCaddy(t, a, r, upstreamTimeout)
	p := c.start(t, "")
	c.ready(t, p)

	validate := c.command(within(t, patience), "validate", "--config", c.configFile, "--adapter", "caddyfile")
	if output, err := validate.CombinedOutput(); err != nil {
		t.Errorf("caddy validate beside the running server: %v\n%s", err, output)
	}

	second := c.settings
	second.Admin, second.Site = freeport.Address(t), freeport.Address(t)
	file := filepath.Join(c.home, "second")
	if err := os.WriteFile(file, []byte(second.caddyfile(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := c.command(within(t, patience), "run", "--config", file, "--adapter", "caddyfile").CombinedOutput()
	if err == nil {
		t.Error("a second process on the same directory started")
	}
	for _, want := range []string{c.Queue, "another process", "queue badger", "caddy reload"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("the second process does not say %q:\n%s", want, output)
		}
	}

	l := newLoad(t, c.Site, streamLoad)
	if r := l.send(t.Context(), http.MethodPut, "/items/1", "after", 0); !r.succeeded() {
		t.Errorf("the first process: %d, %v", r.status, r.err)
	}
	report(t, c.compare(t, a, r, l))
	c.stop(t, p)
}
