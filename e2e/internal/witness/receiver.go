// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const receiverSecret = "whsec_cmVhbC1hcGktZTJlLXNlY3JldC1vZi10aGUtdGVzdHM="

// Gone is the state of an object that was deleted.
const Gone = "gone"

// Event is an event that the receiver got.
type Event struct {
	ID, Type, Object string
	// Op is what happened: create, change or delete.
	Op       string
	Sequence int
	Payload  []byte
	// State is the object's state in the event, in the form of the API's feed.
	State string
}

// Receiver verifies deliveries and keeps each event once.
type Receiver struct {
	Events *Journal[Event]

	url     string
	state   func(object string, payload []byte) string
	webhook *standardwebhooks.Webhook
	t       *testing.T
}

func startReceiver(t *testing.T, state func(object string, payload []byte) string) *Receiver {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(receiverSecret)
	if err != nil {
		t.Fatal(err)
	}
	r := &Receiver{Events: NewJournal[Event](), state: state, webhook: webhook, t: t}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// ServeHTTP handles a delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
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
	e := Event{
		ID:      request.Header.Get("webhook-id"),
		Type:    request.Header.Get("webhook-event"),
		Object:  request.Header.Get("webhook-object"),
		Op:      opOf(request.Header.Get("webhook-event")),
		Payload: payload,
	}
	if e.Sequence, err = strconv.Atoi(request.Header.Get("webhook-sequence")); err != nil {
		r.t.Errorf("webhook-sequence: %v", err)
	}
	if e.State = Gone; !isDeletion(payload) {
		e.State = r.state(e.Object, payload)
	}
	w.WriteHeader(http.StatusNoContent)

	repeats := r.Events.Pick(func(other Event) bool { return other.ID == e.ID })
	if len(repeats) > 0 {
		if !bytes.Equal(repeats[0].Payload, payload) {
			r.t.Errorf("event %s has two payloads: %s and %s", e.ID, repeats[0].Payload, payload)
		}
		return
	}
	r.Events.Add(e)
}

// opOf returns what happened by the type of an event that the rules do not name.
func opOf(kind string) string {
	_, happened, _ := strings.Cut(kind, ".")
	return map[string]string{"created": "create", "updated": "change", "deleted": "delete"}[happened]
}

// isDeletion reports whether a payload says that its object was deleted.
func isDeletion(payload []byte) bool {
	var said struct {
		Resource string `json:"resource"`
		Deleted  bool   `json:"deleted"`
	}
	return json.Unmarshal(payload, &said) == nil && said.Resource != "" && said.Deleted
}
