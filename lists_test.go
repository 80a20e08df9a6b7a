// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A list that does not complete is in health and coverage with its reason, and a
// mended configuration completes it.
func TestListThatDoesNotComplete(t *testing.T) {
	s := newStage(t)
	var pages atomic.Int64
	api := s.api.Config.Handler
	s.api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/items" {
			api.ServeHTTP(w, r)
			return
		}
		// Whatever the cursor, there is another.
		fmt.Fprintf(w, `{"items":[{"id":"1"}],"next":"/items?at=%d"}`, pages.Add(1))
	})
	s.set("/items/1", `{"id":"1"}`)
	list := func(lines string) string {
		return strings.Replace(s.config("", "look_rate 1000/s"), "resource items", "resource items {\nlist GET /items items.#.id {\n"+lines+"\n}\n}", 1)
	}
	s.mustLoad(list("next next"))
	eventually(t, "health says so", func() bool {
		status, answer := s.get("/webhooks/health")
		return status == http.StatusServiceUnavailable && strings.Contains(fmt.Sprint(answer), "the list of items does not complete") &&
			strings.Contains(fmt.Sprint(answer), "brought no new object")
	})
	if printed, err := s.command("coverage"); err != nil || !strings.Contains(printed, "List of items: tried in vain") {
		t.Errorf("coverage: %v\n%s", err, printed)
	}
	s.mustLoad(list("page page"))
	eventually(t, "health is well again", func() bool {
		status, _ := s.get("/webhooks/health")
		return status == http.StatusOK
	})
	eventually(t, "the new list is complete", func() bool {
		printed, err := s.command("coverage")
		return err == nil && strings.Contains(printed, "the second page was the first again")
	})
}
