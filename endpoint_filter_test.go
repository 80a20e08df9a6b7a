// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// An endpoint with a filter gets the events that it lets through, in a form of its own;
// others get all.
func TestFilterOfEndpoint(t *testing.T) {
	s := newStage(t)
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("webhook-object")
	}))
	t.Cleanup(receiver.Close)
	s.mustLoad(s.config("endpoint large "+receiver.URL+" {\n secret {env.TEST_SECRET}\n filter \"object.n > 10 && event.type == 'items.updated'\"\n}\n", ""))
	s.put("/items/1", `{"id":"1","n":5}`)
	s.expect("items.updated items/1")
	s.put("/items/2", `{"id":"2","n":50}`)
	s.expect("items.updated items/2")
	if first := <-got; first != "items/2" {
		t.Errorf("got %s first, and want items/2", first)
	}
}
