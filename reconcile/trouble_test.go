// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// However many objects fail however often, a trouble is told once, again while it lasts
// or has another reason, and when it is over.
func TestTroubles(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	troubles := newTroubles(zap.New(core))
	troubles.asks = map[string]string{"items": "GET /items/:id"}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	key := func(i int) event.Key { return event.Key{Resource: "items", ID: fmt.Sprint(i)} }
	told := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, entry := range logs.TakeAll() {
			fields := entry.ContextMap()
			got = append(got, fmt.Sprint(entry.Level, " ", fields["resource"], " ", fields["objects"], " ", fields["tries"], " ", fields["reason"]))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: told %q; want %q", when, got, want)
		}
	}
	fail := func(after time.Duration, reason string) {
		for i := range 200 {
			troubles.failed(key(i), ResultFailed, reason, now.Add(after))
		}
	}
	troubles.settled(key(0), now)
	told("before")
	fail(0, "502")
	told("at first", "warn items 1 1 502")
	fail(9*time.Second, "503")
	told("soon")
	fail(20*time.Second, "503")
	told("with another reason", "warn items 200 401 503")
	fail(70*time.Second, "503")
	told("while it lasts")
	fail(80*time.Second, "503")
	told("after a minute", "warn items 200 801 503")
	troubles.failed(event.Key{Resource: "users", ID: "1"}, ResultStale, "old", now)
	told("of another resource", "warn users 1 1 old")
	for i := range 199 {
		troubles.settled(key(i), now.Add(2*time.Minute))
	}
	told("while one fails")
	troubles.settled(key(199), now.Add(2*time.Minute))
	told("when it is over", "info items <nil> 1000 <nil>")
	fail(3*time.Minute, "502")
	told("again", "warn items 1 1 502")
	for i := range maxTroubled + 10 {
		troubles.failed(key(i), ResultFailed, "502", now.Add(4*time.Minute))
	}
	if of := troubles.of["items"]; len(of.objects) != maxTroubled || !of.more {
		t.Errorf("%d objects are remembered", len(of.objects))
	}
}
