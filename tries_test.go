// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// Caddy's own proxy sends a create again after the API has made an object and broken
// off. The object of the answer is announced, and a record says that there may be
// another.
func TestCreateSentTwice(t *testing.T) {
	s := newStage(t)
	var tries atomic.Int32
	api := s.api.Config.Handler
	s.api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			api.ServeHTTP(w, r)
			return
		}
		if tries.Add(1) == 1 {
			s.set("/items/1", `{"id":"1"}`)
			panic(http.ErrAbortHandler)
		}
		s.set("/items/2", `{"id":"2"}`)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"2"}`))
	})
	text := s.config("", "")
	at := strings.LastIndex(text, "reverse_proxy")
	s.mustLoad(text[:at] + "reverse_proxy " + s.api.Listener.Addr().String() + " {\nrequest_buffers 4k\nlb_retries 2\nlb_retry_match {\nmethod POST\n}\n}\n}\n")
	s.as("", http.MethodPost, "/items", `{"n":1}`)
	s.expect("items.created items/2")
	s.until("/webhooks/coverage", "unresolved:1")
	_, answer := s.get("/webhooks/unresolved")
	if reason, _ := answer["items"].([]any)[0].(map[string]any)["reason"].(string); !strings.Contains(reason, "more than once") || tries.Load() != 2 {
		t.Errorf("after %d tries: %v", tries.Load(), answer)
	}
}
