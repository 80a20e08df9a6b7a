// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"testing"
	"time"
)

const ann = `{"users":{"id":"ann","first_name":"Ann","last_name":"Lee","email":"ann@example.com"}}`

func TestUserLife(t *testing.T) {
	c := newClient(t)
	header, got := c.response("POST", "/users", ann, http.StatusCreated)
	if header.Get("Location") != "/users/ann" {
		t.Errorf("Location is %q", header.Get("Location"))
	}
	c.wants(got, map[string]string{"users.id": "ann", "users.kyc_state": "pending"})

	c.now = c.now.Add(time.Second)
	approved := c.do("PATCH", "/users/ann", `{"users":{"kyc_state":"approved"}}`, http.StatusOK)
	c.wants(approved, map[string]string{
		"users.kyc_state":  "approved",
		"users.email":      "ann@example.com",
		"users.updated_at": "2026-01-02T03:04:06.000000000Z",
	})
	c.now = c.now.Add(time.Second)
	if again := c.do("PATCH", "/users/ann", `{"users":{"kyc_state":"approved"}}`, http.StatusOK); again.Raw != approved.Raw {
		t.Errorf("a repeated request changed the user: %s", again.Raw)
	}
	replaced := c.do("PUT", "/users/ann", `{"users":{"email":"lee@example.com"}}`, http.StatusOK)
	c.wants(replaced, map[string]string{"users.email": "lee@example.com", "users.first_name": "", "users.kyc_state": "pending"})

	c.do("DELETE", "/users/ann", "", http.StatusNoContent)
	c.do("GET", "/users/ann", "", http.StatusNotFound)
	c.wants(c.do("GET", "/users", "", http.StatusOK), map[string]string{"users.#": "0"})
}

func TestUserRefusals(t *testing.T) {
	for _, test := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"no e-mail address", "POST", "/users", `{"users":{}}`, 422},
		{"not an e-mail address", "POST", "/users", `{"users":{"email":"ann"}}`, 422},
		{"e-mail address with a name", "POST", "/users", `{"users":{"email":"Ann <ann@example.com>"}}`, 422},
		{"unknown state", "POST", "/users", `{"users":{"email":"a@example.com","kyc_state":"great"}}`, 422},
		{"id taken", "POST", "/users", ann, 422},
		{"bad JSON", "PATCH", "/users/ann", `{`, 400},
		{"patch the id", "PATCH", "/users/ann", `{"users":{"id":"bob"}}`, 422},
		{"patch to an unknown state", "PATCH", "/users/ann", `{"users":{"kyc_state":""}}`, 422},
		{"patch nobody", "PATCH", "/users/bob", `{"users":{}}`, 404},
		{"delete nobody", "DELETE", "/users/bob", ``, 404},
		{"method", "POST", "/users/ann", ``, 405},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t)
			before := c.do("POST", "/users", ann, http.StatusCreated)
			c.do(test.method, test.path, test.body, test.status)
			if after := c.do("GET", "/users/ann", "", http.StatusOK); after.Raw != before.Raw {
				t.Errorf("a refused request changed the user: %s, was %s", after.Raw, before.Raw)
			}
		})
	}
}
