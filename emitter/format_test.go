// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// TestRetrySendsTheSameBytes gives an endpoint another format between two
// attempts: the second sends the bytes of the first. Events that are committed
// later, and deliveries without a format of their own, are sent in the new
// format.
func TestRetrySendsTheSameBytes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		there := &receivers{}
		there.answer = func(context.Context, got) (int, error) {
			if len(there.of("erp")) == 1 {
				return http.StatusServiceUnavailable, nil
			}
			return http.StatusNoContent, nil
		}
		gateway, thin := formatOf(t, payload.Config{Kind: payload.Gateway}), formatOf(t, payload.Config{Kind: payload.Thin})
		target := newTarget(t, "erp", there)
		target.Endpoint.Payload = gateway
		store := memory.New(time.Now)
		emitter := New(store, Options{Jitter: noJitter})
		if err := emitter.Apply([]Target{target}); err != nil {
			t.Fatal(err)
		}
		commit := func(id, format string) {
			t.Helper()
			key := event.Key{Resource: "items", ID: id}
			if err := store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); err != nil {
				t.Fatal(err)
			}
			lease, err := store.LeaseMark(t.Context(), key.Resource, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			err = store.CommitReconciled(t.Context(), lease, queue.Reconciled{AskedAt: time.Now(), Events: []queue.Routed{{
				Event:     event.Event{ID: "evt_" + id, Type: "items.updated", Key: key, Sequence: 1, Time: time.Unix(0, 0), Payload: []byte(`{}`)},
				Endpoints: []string{"erp"}, Formats: map[string]string{"erp": format},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		commit("1", gateway.String())
		target.Endpoint.Payload = thin
		if err := emitter.Apply([]Target{target}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		commit("2", thin.String())
		commit("3", "")
		commit("4", `{"kind":"of another version"}`)
		commit("5", "show")
		emitter.Stop(t.Context())
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		asGateway := `{"type":"event","event_triggered":"1970-01-01 00:00:00","event_type":"items.updated","event_body":{},"event_id":"evt_1"}`
		asThin := func(id string) string {
			return `{"id":"evt_` + id + `","type":"items.updated","timestamp":"1970-01-01T00:00:00Z","object":"items/` + id + `"}`
		}
		want := []string{asGateway, asGateway, asThin("2"), asThin("3"), asThin("4"), `{}`}
		all := there.of("erp")
		if len(all) != len(want) {
			t.Fatalf("got %d attempts", len(all))
		}
		for i := range want {
			if string(all[i].body) != want[i] {
				t.Errorf("attempt %d sends %s, want %s", i+1, all[i].body, want[i])
			}
		}
	})
}
