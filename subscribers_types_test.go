// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
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
	s.putUntil("/items/1", "items.updated items/1")
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
