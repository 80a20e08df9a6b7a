// SPDX-License-Identifier: Apache-2.0

//go:build linux

package strangers

import (
	"fmt"
	"net/http"
	"testing"
)

// What one client breaks off waits for its turn; another client's broken off request
// does not wait for it.
func TestTurnsOfClients(t *testing.T) {
	t.Parallel()
	objects, inbox := newObjects(), newInbox(t, nil)
	s := newSite(t, objects, inbox, parts{
		options: "servers {\n trusted_proxies static 127.0.0.0/8\n }",
		rules:   "look_rate 1/s\n resource items",
	})
	s.Start(t)
	objects.put("/items/known", `{"n":1}`)
	s.do(t, "PUT", "/items/known", `{"n":1}`, http.StatusNoContent)
	s.told(t, "/all", "items/known", "items.updated")
	// Two minutes and a half of Shows.
	for i := range 150 {
		s.breakOff(t, "PATCH", fmt.Sprintf("/items/stranger%d", i), "{}", "X-Forwarded-For: 203.0.113.1")
	}
	// The API does this one, although the client does not wait for the answer.
	objects.put("/items/known", `{"n":2}`)
	s.breakOff(t, "PATCH", "/items/known", "{}", "X-Forwarded-For: 203.0.113.2")
	s.told(t, "/all", "items/known", "items.updated", "items.updated")
	s.healthy(t)
	s.Kill()
}
