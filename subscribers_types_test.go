// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/receiver"
)

// subscriberOf returns a client with an API key of a tenant.
func (s *stage) subscriberOf(tenant string) client {
	s.t.Helper()
	_, created := s.post("/webhooks/keys?tenant=" + tenant + "&name=test")
	key, _ := created["key"].(string)
	return client{s.t, "http://" + s.address, http.Header{"Authorization": {"Bearer " + key}}}
}

// waits asks for a path until the answer, as JSON, has a text.
func (c client) waits(path, want string) string {
	c.t.Helper()
	tick, end := time.NewTicker(250*time.Millisecond), time.After(testTimeout)
	defer tick.Stop()
	for {
		status, answer, _ := c.do(http.MethodGet, path, "")
		text, err := json.Marshal(answer)
		if err == nil && strings.Contains(string(text), want) {
			return string(text)
		}
		select {
		case <-tick.C:
		case <-end:
			c.t.Fatalf("%s never had %s, but %d %s", path, want, status, text)
		}
	}
}

// The schema of a type is learned from the events that are made of it, and survives a
// reload. What is hidden then is in it no more.
func TestTypesAreLearned(t *testing.T) {
	s := newStage(t)
	global := "subscribers {\ntype items.* as items \"Something about an item.\"\n}"
	text := strings.Replace(s.config(global, "}\nhandle_path /webhooks/* {\nwebhooks_api"), "resource items\n", "resource items {\ntenant seller\n}\n", 1)
	s.mustLoad(text)
	s.change("/items/1", "items.updated items/1")
	acme := s.subscriberOf("acme")
	s.put("/items/2", `{"id":"2","seller":"umbrella","canary":"4111","buyer":{"name":"Ann"}}`)
	learned := acme.waits("/webhooks/types/items.updated", "canary")
	if strings.Contains(learned, "4111") || strings.Contains(learned, "Ann") || strings.Contains(learned, "umbrella") {
		t.Errorf("it has another's values: %s", learned)
	}
	if !strings.Contains(learned, "Something about an item.") {
		t.Errorf("it has no description: %s", learned)
	}
	s.mustLoad(text + "\n# loaded again\n")
	acme.waits("/webhooks/types/items.updated", "canary")
	s.mustLoad(strings.Replace(text, "tenant seller", "tenant seller\nhide canary", 1))
	// For a moment, servers of the old configuration may answer.
	eventually(t, "what is hidden is told no more", func() bool {
		_, answer, _ := acme.do(http.MethodGet, "/webhooks/openapi.json", "")
		_, of, _ := acme.do(http.MethodGet, "/webhooks/types/items.updated", "")
		said := fmt.Sprint(answer, of)
		return !strings.Contains(said, "canary") && strings.Contains(said, "items.updated")
	})
	s.put("/items/2", `{"id":"2","seller":"umbrella","canary":"4112","more":1}`)
	if learned := acme.waits("/webhooks/types/items.updated", "more"); strings.Contains(learned, "canary") {
		t.Errorf("what is hidden is told: %s", learned)
	}
}

// What is said of types that nothing makes is refused when it is loaded, and so is a sample
// that tells what is hidden.
func TestRefusedTypes(t *testing.T) {
	s := newStage(t)
	for name, test := range map[string]struct{ lines, want string }{
		"another resource": {"type users.*", "type users.*: no rule makes such an event; there are items.created, items.deleted, items.updated"},
		"another event":    {"type items.paid", "type items.paid: no rule makes such an event"},
		"what is hidden":   {"type items.updated {\nsample `{\"id\":\"1\",\"card\":\"4111\"}`\n}", "its sample has what resource items hides"},
	} {
		text := strings.Replace(s.config("subscribers {\n"+test.lines+"\n}", "}\nhandle_path /webhooks/* {\nwebhooks_api"), "resource items\n", "resource items {\nhide card\n}\n", 1)
		if err := s.load(text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// What a subscriber makes up reaches its receiver as any other event, signed, and marked so
// that no receiver takes it for one: it counts for the order of no object.
func TestEchoReachesReceivers(t *testing.T) {
	s := newStage(t)
	text := strings.Replace(s.config("", "}\nhandle_path /webhooks/* {\nwebhooks_api"), "resource items\n", "resource items {\ntenant seller\n}\n", 1)
	s.mustLoad(text)
	s.change("/items/1", "items.updated items/1")
	acme := s.subscriberOf("acme")
	// The receiver is made when its secret is known.
	var made struct {
		sync.Mutex
		*receiver.Receiver
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		made.Lock()
		handler := made.Receiver
		made.Unlock()
		if handler != nil {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	status, endpoint, _ := acme.do(http.MethodPost, "/webhooks/endpoints", `{"url":"`+server.URL+`","events":["items.*"]}`)
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, endpoint)
	}
	got := make(chan *receiver.Event, 10)
	take := func(_ context.Context, e *receiver.Event) error { got <- e; return nil }
	handler, err := receiver.New(receiver.Options{Secrets: []string{endpoint["secret"].(string)}, Store: receiver.NewMemory(100), Handle: take, Test: take})
	if err != nil {
		t.Fatal(err)
	}
	made.Lock()
	made.Receiver = handler
	made.Unlock()
	status, answer, _ := acme.do(http.MethodPost, "/webhooks/types/items.created/echo?wait=60s", `{"id":"7","seller":"acme"}`)
	if said := fmt.Sprint(answer["deliveries"]); status != http.StatusAccepted || !strings.Contains(said, "delivered") || !strings.Contains(said, "attempts:[map") {
		t.Errorf("%d %v", status, answer)
	}
	s.put("/items/7", `{"id":"7","seller":"acme"}`)
	next := func() *receiver.Event {
		t.Helper()
		select {
		case e := <-got:
			return e
		case <-time.After(testTimeout):
			t.Fatal("nothing comes")
			return nil
		}
	}
	first, second := next(), next()
	if first.Op != receiver.OpTest || first.Type != "items.created" || !strings.HasPrefix(first.Object, "endpoint/test_") || string(first.Body) != `{"id":"7","seller":"acme"}` {
		t.Errorf("first came %+v", first)
	}
	if second.Object != "items/7" || second.Op == receiver.OpTest || second.Sequence != 1 {
		t.Errorf("then came %+v", second)
	}
	if status, answer, _ := acme.do(http.MethodPost, "/webhooks/endpoints/"+endpoint["id"].(string)+"/test?wait=60s", `{"type":"items.updated"}`); status != http.StatusAccepted {
		t.Errorf("%d %v", status, answer)
	}
	if third := next(); third.Op != receiver.OpTest || third.Type != "items.updated" {
		t.Errorf("last came %+v", third)
	}
}

// A route of another shape echoes, and its path says which type is meant.
func TestEchoRoute(t *testing.T) {
	adapted, err := adapt(t, ":80 {\n\twebhooks_api {\n\t\techo POST /v1/callbacks/echo/:tenant/:type 202\n\t}\n}\n")
	if err != nil || !strings.Contains(string(adapted), `"verb":"echo"`) || !strings.Contains(string(adapted), `"status":202`) {
		t.Errorf("%s, %v", adapted, err)
	}
	if _, err := adapt(t, ":80 {\n\twebhooks_api {\n\t\techo POST /v1/callbacks/echo\n\t}\n}\n"); err == nil || !strings.Contains(err.Error(), "it must have :type") {
		t.Errorf("without a type: %v", err)
	}
}
