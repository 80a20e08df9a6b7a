// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestRetryNow has deliveries wait for an hour, and sends them by an operator's
// word, and then because their receiver works again. An attempt that came too early
// takes nothing of the schedule.
func TestRetryNow(t *testing.T) {
	s, m := newStage(t), newMoody(t)
	s.mustLoad(s.config(`
		endpoint erp `+m.URL+` {
			secret {env.TEST_SECRET}
			retry 1h
		}`, ""))
	m.answer(http.StatusNotFound)
	for i := range 3 {
		s.put(fmt.Sprintf("/items/%d", i), fmt.Sprintf(`{"id":"%d","n":1}`, i))
		m.next(t)
	}
	s.until("/webhooks/endpoints", "failures:3")
	s.until("/webhooks/endpoints", "in_flight:0")
	for _, retry := range [][2]string{{"?object=items/0", "hastened:1"}, {"", "hastened:"}} {
		if status, answer := s.post("/webhooks/endpoints/erp/retry" + retry[0]); status != 200 || !strings.Contains(fmt.Sprint(answer), retry[1]) {
			t.Fatalf("retry%s: %d %v", retry[0], status, answer)
		}
	}
	s.until("/webhooks/deliveries?endpoint=erp&object=items/0", "extra_attempts")

	s.until("/webhooks/endpoints", "in_flight:0")
	m.answer(http.StatusOK)
	if status, answer := s.post("/webhooks/endpoints/erp/retry"); status != 200 || answer["hastened"] == 0.0 {
		t.Fatalf("retry: %d %v", status, answer)
	}
	s.until("/webhooks/deliveries?endpoint=erp&status=pending", "items:[]")

	m.answer(http.StatusUnauthorized)
	for i := range 3 {
		s.put(fmt.Sprintf("/items/%d", i), fmt.Sprintf(`{"id":"%d","n":2}`, i))
	}
	s.until("/webhooks/endpoints", "failures:3")
	m.answer(http.StatusOK)
	s.put("/items/9", `{"id":"9"}`)
	s.until("/webhooks/deliveries?endpoint=erp&status=pending", "items:[]")
	if _, answer := s.get("/webhooks/deliveries?endpoint=erp&status=delivered"); len(answer["items"].([]any)) != 7 {
		t.Errorf("delivered are %v", answer)
	}
}
