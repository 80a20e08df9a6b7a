// SPDX-License-Identifier: Apache-2.0

package pocketbase

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

const receiverSecret = "whsec_cG9ja2V0YmFzZS1lMmUtc2VjcmV0LW9mLXRlc3Q="

// delivery is an event that the receiver got.
type delivery struct {
	id          string
	kind        string // its type
	object      string
	sequence    int
	freshness   string
	contentType string
	payload     []byte
}

// deleted reports whether the payload is that of a delete of this object.
func (d delivery) deleted() bool {
	resource, id, _ := strings.Cut(d.object, "/")
	want, err := json.Marshal(map[string]any{"resource": resource, "id": id, "deleted": true})
	return err == nil && bytes.Equal(event.Canonical(d.payload), event.Canonical(want))
}

// state is the object's state in the event, in a form that can be compared.
func (d delivery) state() string {
	if d.deleted() {
		return gone
	}
	return string(event.Canonical(d.payload))
}

// gone is the state of a record that was deleted.
const gone = "gone"

// receiver verifies deliveries and keeps each event once.
type receiver struct {
	url     string
	events  *journal[delivery]
	webhook *standardwebhooks.Webhook
	t       *testing.T
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(receiverSecret)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{events: newJournal[delivery](), webhook: webhook, t: t}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// ServeHTTP handles a delivery.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	payload, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := r.webhook.Verify(payload, request.Header); err != nil {
		r.t.Errorf("a delivery cannot be verified: %v", err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	d := delivery{
		id:          request.Header.Get("webhook-id"),
		kind:        request.Header.Get("webhook-event"),
		object:      request.Header.Get("webhook-object"),
		freshness:   request.Header.Get("webhook-freshness"),
		contentType: request.Header.Get("Content-Type"),
		payload:     payload,
	}
	if d.sequence, err = strconv.Atoi(request.Header.Get("webhook-sequence")); err != nil {
		r.t.Errorf("webhook-sequence: %v", err)
	}
	w.WriteHeader(http.StatusNoContent)

	repeats := r.events.pick(func(other delivery) bool { return other.id == d.id })
	if len(repeats) > 0 {
		if !bytes.Equal(repeats[0].payload, payload) {
			r.t.Errorf("event %s has two payloads: %s and %s", d.id, repeats[0].payload, payload)
		}
		return
	}
	r.events.add(d)
}

// await waits until an object's events are enough.
func (r *receiver) await(ctx context.Context, object string, enough func([]delivery) bool) ([]delivery, error) {
	events, err := r.events.await(ctx, func(d delivery) bool { return d.object == object }, enough)
	if err != nil {
		err = fmt.Errorf("waiting for events of %s: %w", object, err)
	}
	return events, err
}

// next waits for the n-th event of an object, and fails if there are more.
func (r *receiver) next(ctx context.Context, object string, n int) (delivery, error) {
	events, err := r.await(ctx, object, atLeast[delivery](n))
	if err != nil {
		return delivery{}, err
	}
	if len(events) != n || events[n-1].sequence != n {
		return delivery{}, fmt.Errorf("%s: %d events, the last with sequence %d; want %d", object, len(events), events[len(events)-1].sequence, n)
	}
	return events[n-1], nil
}
