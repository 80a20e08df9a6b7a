// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// TestEnvelopesAreCounted sends events in envelopes to slow endpoints: the
// memory of all attempts, for the events and their envelopes, is limited.
func TestEnvelopesAreCounted(t *testing.T) {
	text := []byte(`{"text":"` + strings.Repeat("x", 64<<10) + `"}`)
	for _, test := range []struct {
		name        string
		format      payload.Config
		contentType string
	}{
		{"show", payload.Config{Kind: payload.Show}, "application/json"},
		{"standard", payload.Config{Kind: payload.Standard, Previous: true}, "application/json"},
		{"gateway", payload.Config{Kind: payload.Gateway}, "application/json"},
		{"cloudevents", payload.Config{Kind: payload.CloudEvents}, "application/json"},
		{"cloudevents of XML", payload.Config{Kind: payload.CloudEvents}, "text/xml"},
		{"fields", payload.Config{Kind: payload.Fields, Fields: []payload.Field{{Name: "all", Path: "text"}}}, "application/json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				const memory = 4 << 20
				w := newWorld(t, Options{Memory: memory})
				format := formatOf(t, test.format)
				var mu sync.Mutex
				var now, most int
				w.receivers.answer = func(_ context.Context, g got) (int, error) {
					size := 2 * len(text)
					if format.Copied(1, test.contentType) > 0 {
						size += len(g.body)
					}
					mu.Lock()
					now += size
					most = max(most, now)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					now -= size
					mu.Unlock()
					return http.StatusOK, nil
				}
				var names []string
				var targets []Target
				for i := range 100 {
					target := w.target(t, fmt.Sprintf("e%d", i))
					target.Endpoint.Payload = format
					names = append(names, target.Endpoint.Name)
					targets = append(targets, target)
				}
				w.apply(t, targets...)
				w.publish(t, "1", names, func(ev *event.Event) {
					ev.Payload, ev.PreviousShow, ev.ContentType = text, text, test.contentType
				})
				time.Sleep(time.Hour)
				synctest.Wait()
				// None has answered before, so they share a quarter of the
				// memory.
				if most > memory/4 || most < memory/8 {
					t.Errorf("%d bytes at once, want %d at most", most, memory/4)
				}
				for _, name := range names {
					if n := len(w.receivers.of(name)); n != 1 {
						t.Errorf("%d attempts at %s", n, name)
					}
				}
				if n := w.emitter.InFlight(); n != 0 {
					t.Errorf("%d bytes are still counted", n)
				}
			})
		})
	}
}
