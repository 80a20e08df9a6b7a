// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// As many connections to the API are kept as Shows are read at once, so that none is
// dialled for a Show that comes after others; unless the operator says how many.
func TestConnectionsForShowsAreKept(t *testing.T) {
	const atOnce = 48 // more than Caddy keeps by itself
	for name, c := range map[string]struct {
		upstream, site string
		dialled        bool
	}{
		"by default":        {},
		"other options":     {upstream: "{\ntransport http {\nkeepalive 1m\ndial_timeout 5s\n}\n}"},
		"the operator's":    {upstream: "{\ntransport http {\nkeepalive_idle_conns_per_host 8\n}\n}", dialled: true},
		"fewer Shows":       {site: "max_shows 8", dialled: true},
		"more than of ours": {upstream: "{\ntransport http {\nkeepalive_idle_conns_per_host 64\n}\n}", site: "max_shows 8"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			var mu sync.Mutex
			var all sync.WaitGroup
			places := make(map[string]bool)
			api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				mu.Lock()
				places[r.RemoteAddr] = true
				mu.Unlock()
				all.Done()
				all.Wait() // so that each needs a connection of its own
			}))
			defer api.Close()
			upstream := "upstream " + s.api.Listener.Addr().String()
			s.mustLoad(strings.Replace(s.config("", c.site), upstream, "upstream "+api.Listener.Addr().String()+" "+c.upstream, 1))
			app, err := caddy.ActiveContext().App("webhooks")
			if err != nil {
				t.Fatal(err)
			}
			handler := app.(*App).watching()[0].upstream.Handler
			for range 3 {
				all.Add(atOnce)
				var done sync.WaitGroup
				for i := range atOnce {
					done.Go(func() {
						recorder := httptest.NewRecorder()
						r := httptest.NewRequest(http.MethodGet, fmt.Sprint("/items/", i), http.NoBody)
						if err := handler.ServeHTTP(recorder, caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))); err != nil {
							t.Error(err)
						}
					})
				}
				done.Wait()
			}
			if n := len(places); n > atOnce != c.dialled {
				t.Errorf("%d connections for %d Shows at once", n, atOnce)
			}
		})
	}
}
