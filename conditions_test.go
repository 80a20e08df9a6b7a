// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// metric reports whether the metrics have a line.
func (s *stage) metric(line string) bool {
	s.t.Helper()
	response := s.getAdmin("/metrics")
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Contains(string(body), "caddy_webhooks_"+line+"\n")
}

func (s *stage) untilMetric(line string) {
	s.t.Helper()
	eventually(s.t, "the metric "+line, func() bool { return s.metric(line) })
}

// TestStatusThatAgrees has a receiver and an API fail, and looks at every place that
// tells of it.
func TestStatusThatAgrees(t *testing.T) {
	s, m := newStage(t), newMoody(t)
	var loggedOut atomic.Bool
	inner := s.api.Config.Handler
	s.api.Close()
	s.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && loggedOut.Load() {
			http.Redirect(w, r, "https://sso.example.com/auth;s=canary?state=canary", http.StatusFound)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	s.mustLoad(s.config("endpoint erp "+m.URL+" {\nsecret {env.TEST_SECRET}\nretry 1h\n}", ""))
	s.untilMetric(`endpoints{status="retrying"} 0`)
	s.untilMetric(`resources{status="active"} 1`)

	m.answer(http.StatusServiceUnavailable)
	s.put("/items/1", `{"id":"1"}`)
	m.next(t)
	s.until("/webhooks/endpoints", "reason:answered 503 Service Unavailable")
	s.until("/webhooks/endpoints", "status:retrying")
	s.untilMetric(`endpoints{status="retrying"} 1`)

	if status, answer := s.post("/webhooks/endpoints/erp/pause"); status != 200 || answer["status"] != "paused" || answer["reason"] != "an operator paused it" {
		t.Errorf("pause: %d %v", status, answer)
	}
	s.untilMetric(`endpoints{status="paused"} 1`)

	m.answer(http.StatusGone)
	if status, _ := s.post("/webhooks/endpoints/erp/resume"); status != 200 {
		t.Fatalf("resume: %d", status)
	}
	s.until("/webhooks/health", "reason:its receiver answered 410 Gone")
	s.untilMetric(`endpoints{status="disabled"} 1`)
	if _, health := s.get("/webhooks/health"); health["status"] != "ok" {
		t.Errorf("a receiver's trouble turns health red: %v", health)
	}

	loggedOut.Store(true)
	s.put("/items/2", `{"id":"2"}`)
	s.until("/webhooks/status", "status:retrying")
	_, status := s.get("/webhooks/status")
	got := fmt.Sprint(status["shows"])
	if !strings.Contains(got, `302 and Location "https://sso.example.com/auth"`) || !strings.Contains(got, "GET /items/") || strings.Contains(got, "canary") {
		t.Errorf("Shows are told as %s", got)
	}
	s.untilMetric(`resources{status="retrying"} 1`)
	loggedOut.Store(false)
	if status, _ := s.post("/webhooks/look?object=items/2"); status != 200 {
		t.Fatalf("look: %d", status)
	}
	s.untilMetric(`resources{status="active"} 1`)
}
