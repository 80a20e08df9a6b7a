// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// The value of a state is kept on disk: these bytes stay readable.
func TestEndpointStateRecord(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	state := queue.EndpointState{Name: "erp", Status: queue.EndpointDisabled, Reason: "410", Since: at, FailingSince: at, Failures: 7}
	const golden = `{"name":"erp","status":"disabled","reason":"410","since":"2026-03-04T05:06:07.000000008Z",` +
		`"failing_since":"2026-03-04T05:06:07.000000008Z","failures":7}`
	kept, err := state.Record(3)
	if err != nil || string(kept.Value) != golden || kept.Kind != "state" || kept.ID != "erp" || kept.Version != 3 || kept.Owner != "" {
		t.Errorf("got %+v, %s and %v", kept, kept.Value, err)
	}
	for _, value := range []string{golden, `{"status":"disabled","reason":"410","since":"2026-03-04T05:06:07.000000008Z","failing_since":"2026-03-04T05:06:07.000000008Z","failures":7,"new":1}`} {
		if got, err := queue.EndpointStateOf(queue.Record{ID: "erp", Value: []byte(value)}); err != nil || got != state {
			t.Errorf("got %+v and %v, want %+v", got, err, state)
		}
	}
	if _, err := queue.EndpointStateOf(queue.Record{ID: "erp", Value: []byte("{")}); err == nil || !strings.Contains(err.Error(), "erp") {
		t.Errorf("got %v", err)
	}

	// Nothing is kept of an endpoint that is simply active.
	for _, state := range []queue.EndpointState{{Name: "erp"}, {Name: "erp", Status: queue.EndpointActive, Since: at}} {
		if kept, err := state.Record(queue.AnyVersion); err != nil || kept.Value != nil || kept.ID != "erp" {
			t.Errorf("got %+v and %v", kept, err)
		}
	}

	// A receiver's words do not make a state too large.
	state.Reason = strings.Repeat("é", 100_000)
	kept, err = state.Record(0)
	if err != nil || len(kept.Value) > 4<<10 {
		t.Errorf("%d bytes, and %v", len(kept.Value), err)
	}
	if got, err := queue.EndpointStateOf(kept); err != nil || !utf8.ValidString(got.Reason) || !strings.HasPrefix(state.Reason, got.Reason) || len(got.Reason) < 1000 {
		t.Errorf("got %d bytes of reason and %v", len(got.Reason), err)
	}
}
