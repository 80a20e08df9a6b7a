// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Who has lost the answer gets the same again, with the secret, and nothing is made
// twice.
func TestIdempotencyKey(t *testing.T) {
	s := newStage(t)
	first := s.create("acme", simple, "Idempotency-Key", "6f1c")
	again := s.create("acme", simple, "Idempotency-Key", "6f1c")
	if again.text("secret") != first.text("secret") || again.text("secret") == "" || strings.TrimSpace(again.body) != strings.TrimSpace(first.body) ||
		again.header.Get("Location") != first.header.Get("Location") || again.header.Get("Idempotency-Replayed") != "true" || len(s.prober.urls) != 1 {
		t.Errorf("got %s %v, then %s %v", first.body, first.header, again.body, again.header)
	}
	s.as("acme", http.MethodPost, "/endpoints", `{}`, "Idempotency-Key", "6f1c").want(t, 422, "problems/key-reused")
	s.as("acme", http.MethodPost, "/keys", simple, "Idempotency-Key", "6f1c").want(t, 422, "problems/key-reused")
	// It is the tenant's own.
	if other := s.create("umbrella", simple, "Idempotency-Key", "6f1c"); other.text("id") == first.text("id") {
		t.Error("another tenant's answer")
	}
	// A day later it is forgotten.
	s.now = s.now.Add(answeredFor)
	if later := s.create("acme", simple, "Idempotency-Key", "6f1c"); later.text("id") == first.text("id") {
		t.Error("it is kept for longer than a day")
	}
	for _, key := range []string{"", "with space", strings.Repeat("x", 256), "é"} {
		s.as("acme", http.MethodPost, "/endpoints", simple, "Idempotency-Key", key).want(t, 400)
	}
	// So it is with secrets and keys.
	path := "/endpoints/" + first.text("id") + "/secrets"
	one, two := s.as("acme", http.MethodPost, path, "", "Idempotency-Key", "a").want(t, 201), s.as("acme", http.MethodPost, path, "", "Idempotency-Key", "a").want(t, 201)
	if one.text("secret") != two.text("secret") || len(s.kept("acme", first.text("id")).Secrets) != 2 {
		t.Errorf("%s, %s", one.body, two.body)
	}
	one, two = s.as("acme", http.MethodPost, "/keys", "", "Idempotency-Key", "k").want(t, 201), s.as("acme", http.MethodPost, "/keys", "", "Idempotency-Key", "k").want(t, 201)
	if one.text("key") != two.text("key") || one.text("key") == "" {
		t.Errorf("%s, %s", one.body, two.body)
	}
}

// What was refused can be put right under the same key.
func TestRefusedIsForgotten(t *testing.T) {
	s := newStage(t)
	s.prober.refuse = true
	s.as("acme", http.MethodPost, "/endpoints", simple, "Idempotency-Key", "1").want(t, 422)
	s.prober.refuse = false
	s.create("acme", `{"label":"other"}`, "Idempotency-Key", "1")
}

// While it is under way, it is not begun again; when its process has ended, it is.
func TestUnderWay(t *testing.T) {
	s := newStage(t)
	s.prober.during = func() {
		s.prober.during = nil
		got := s.as("acme", http.MethodPost, "/endpoints", simple, "Idempotency-Key", "1").want(t, 409, "problems/under-way")
		if got.header.Get("Retry-After") == "" {
			t.Error("it does not say when")
		}
		// A minute later somebody else does it. Who was slow makes nothing then.
		s.now = s.now.Add(underWayFor)
		s.prober.mu.Unlock()
		s.create("acme", simple, "Idempotency-Key", "1")
		s.prober.mu.Lock()
	}
	s.as("acme", http.MethodPost, "/endpoints", simple, "Idempotency-Key", "1").want(t, 409)
	if got := s.as("acme", http.MethodGet, "/endpoints", "").json["data"].([]any); len(got) != 1 {
		t.Errorf("%d endpoints", len(got))
	}
}

// Of many at once, one makes it.
func TestOnceAtOnce(t *testing.T) {
	s := newStage(t)
	var group sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for range 16 {
		group.Go(func() {
			got := s.as("acme", http.MethodPost, "/endpoints", simple, "Idempotency-Key", "1")
			mu.Lock()
			defer mu.Unlock()
			if got.status == 201 {
				ids[got.text("id")] = true
			} else if got.status != 409 {
				t.Errorf("got %d: %s", got.status, got.body)
			}
		})
	}
	group.Wait()
	if len(ids) != 1 {
		t.Errorf("made %v", ids)
	}
}

// An answer that is too large to be kept is refused before anything is made, whatever it
// is made of.
func TestLargestAnswer(t *testing.T) {
	s := newStage(t)
	for _, char := range []string{"a", "\u2028", "<", "\\\""} {
		var metadata, headers []string
		for i := range 32 {
			value := strings.Repeat(char, 700/len(char))
			metadata = append(metadata, fmt.Sprintf(`"%d":"%s"`, i, value))
			headers = append(headers, fmt.Sprintf(`"X-%d":"%s"`, i, value))
		}
		body := `{"url":"https://erp.example/h","metadata":{` + strings.Join(metadata, ",") + `},"headers":{` + strings.Join(headers, ",") + `}}`
		got := s.as("acme", http.MethodPost, "/endpoints", body, "Idempotency-Key", fmt.Sprintf("large-%x", char))
		if got.status != 201 && (got.status != 422 || !strings.Contains(got.body, "use fewer headers and metadata")) {
			t.Errorf("%q: %d %s", char, got.status, got.body)
		}
	}
}
