// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Operators find an event by the id that its receiver has seen.
func TestFindByWebhookID(t *testing.T) {
	s, _, id := newFilledStage(t)
	var shown struct {
		WebhookID string `json:"webhook_id"`
	}
	if err := json.Unmarshal([]byte(s.do("GET", "/webhooks/events/"+id, "").body), &shown); err != nil || !strings.HasPrefix(shown.WebhookID, id+"_") {
		t.Fatalf("got %q, %v", shown.WebhookID, err)
	}
	for _, target := range []string{"events/ID", "events?event=ID", "deliveries?event=ID", "attempts?event=ID"} {
		got := s.do("GET", "/webhooks/"+strings.ReplaceAll(target, "ID", shown.WebhookID), "")
		if got.status != http.StatusOK || !strings.Contains(got.body, id) {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
	if got := s.do("POST", "/webhooks/resend?event="+shown.WebhookID, ""); strings.TrimSpace(got.body) != `{"changed":1}` {
		t.Errorf("resend: %d %s", got.status, got.body)
	}
}
