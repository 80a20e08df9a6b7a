// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A view that there is not has no items, which is not to be taken for an empty one.
func TestAsk(t *testing.T) {
	admin := http.NewServeMux()
	admin.HandleFunc("/webhooks/marks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"items":[1]}`)) })
	admin.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":"no such view"}`, http.StatusNotFound)
	})
	server := httptest.NewServer(admin)
	t.Cleanup(server.Close)
	c := &Caddy{admin: server.Listener.Addr().String(), client: server.Client()}
	var got struct{ Items []int }
	if err := c.Ask("/webhooks/marks", &got); err != nil || len(got.Items) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	err := c.Ask("/webhooks/mark", &got)
	if err == nil || !strings.Contains(err.Error(), "/webhooks/mark: 404 Not Found: ") || !strings.Contains(err.Error(), "no such view") {
		t.Errorf("a view that there is not: %v", err)
	}
}
