// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// A type in a path names the endpoint that asks for it, and nothing else.
func TestByType(t *testing.T) {
	s := newStage(t, withShape(t, partner, partnerShapes))
	s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 404)
	s.as("acme", "GET", "/acme/callbacks/5", "").want(t, 404)
	s.as("acme", "PUT", "/acme/callbacks/7", `{"callbackUrl":"https://a.example/"}`).want(t, 404)
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://a.example/","notificationType":6}`).want(t, 422, "/notificationType")
	made := s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://a.example/"}`).want(t, 200, `{"notificationType":5,"callbackUrl":"https://a.example/","secret":"whsec_`)
	if made.header.Get("Location") != "/webhooks/acme/callbacks/5" {
		t.Errorf("got %v", made.header)
	}
	changed := s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://b.example/","notificationType":"5"}`).want(t, 200)
	if strings.TrimSpace(changed.body) != `{"notificationType":5,"callbackUrl":"https://b.example/"}` {
		t.Errorf("got %s", changed.body)
	}
	s.as("acme", "PUT", "/acme/callbacks/6", `{"callbackUrl":"https://c.example/"}`).want(t, 200)
	list := s.as("acme", "GET", "/acme/callbacks", "").want(t, 200, `"notificationType":5`, `"notificationType":6`)
	if !strings.HasPrefix(list.body, "[") || strings.Count(list.body, "callbackUrl") != 2 {
		t.Errorf("got %s", list.body)
	}
	s.as("acme", "GET", "/acme/callbacks/process.rejected", "").want(t, 200, "c.example")
	s.as("acme", "PATCH", "/acme/callbacks/6", `{"callbackUrl":"https://d.example/"}`).want(t, 200, "d.example")
	s.as("acme", "POST", "/acme/callbacks/6/test", "").want(t, 200)
	s.as("acme", "GET", "/acme/callbacks/6/sent", "").want(t, 200)
	// Preconditions hold for what is there, and for what is not.
	s.as("acme", "PUT", "/acme/callbacks/items", `{}`, "If-Match", "*").want(t, 412)
	s.as("acme", "PUT", "/acme/callbacks/6", `{}`, "If-None-Match", "*").want(t, 412)
	s.as("acme", "PUT", "/acme/callbacks/items", `{}`, "If-None-Match", "*").want(t, 200, `"notificationType":"items"`)
	if got := s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 200); got.body != "" {
		t.Errorf("got %s", got.body)
	}
	s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 404)
	s.as("acme", "GET", "/acme/callbacks/6", "").want(t, 200)
}

// Of many that put the same type at once, one makes the endpoint.
func TestRacingPuts(t *testing.T) {
	s := newStage(t, withShape(t, partner, partnerShapes))
	for round := range 8 {
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				body := fmt.Sprintf(`{"callbackUrl":"https://%d.example/%d"}`, i, round)
				// Who is disturbed too often is told so; nothing else goes wrong.
				if got := s.as("acme", "PUT", "/acme/callbacks/5", body); got.status != 200 && got.status != 409 {
					t.Errorf("got %d %s", got.status, got.body)
				}
			})
		}
		group.Wait()
		if list := s.as("acme", "GET", "/acme/callbacks", "").want(t, 200); strings.Count(list.body, "callbackUrl") != 1 {
			t.Fatalf("round %d: %s", round, list.body)
		}
		s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 200)
		s.now = s.now.Add(20 * time.Minute)
	}
}

// A put that races with a delete makes the endpoint anew, or replaces what is deleted
// then.
func TestPutBesideDelete(t *testing.T) {
	s := newStage(t, withShape(t, partner, partnerShapes))
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://a.example/"}`).want(t, 200)
	s.prober.during = func() {
		s.prober.during = nil
		s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 200)
	}
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://b.example/"}`).want(t, 200, "b.example", "whsec_")
	s.as("acme", "GET", "/acme/callbacks/5", "").want(t, 200, "b.example")
	// One that is made while a put tests its receiver is replaced, and not doubled.
	s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 200)
	s.prober.during = func() {
		s.prober.during = nil
		s.prober.mu.Unlock()
		s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://c.example/"}`).want(t, 200, "c.example", "whsec_")
		s.prober.mu.Lock()
	}
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://d.example/"}`).want(t, 200, "d.example")
	if list := s.as("acme", "GET", "/acme/callbacks", "").want(t, 200, "d.example"); strings.Count(list.body, "callbackUrl") != 1 {
		t.Errorf("got %s", list.body)
	}
}

// A path that names both an id and a type names what has both.
func TestByIDAndType(t *testing.T) {
	s := newStage(t, withShape(t, "create POST /:type\nshow GET /:type/:id", partnerShapes))
	s.as("acme", "POST", "/5", `{}`).want(t, 201)
	kept, _, err := s.store.RecordsOf(t.Context(), queue.KindEndpoint, "acme", queue.Page{})
	must(t, err)
	s.as("acme", "GET", "/5/"+kept[0].ID, "").want(t, 200)
	s.as("acme", "GET", "/6/"+kept[0].ID, "").want(t, 404)
}
