// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"testing"
	"time"
)

const account = `{"bank_accounts":{"id":"acc","user":{"id":"ann"},"bank_name":"Bank of Us","account_number":"12345678"}}`

func TestBankAccountIsDeactivatedNotDeleted(t *testing.T) {
	c := newClient(t)
	c.wants(c.do("POST", "/bank_accounts", account, http.StatusCreated), map[string]string{
		"bank_accounts.state":          "active",
		"bank_accounts.enabled":        "true",
		"bank_accounts.account_number": "XXXXX678",
	})
	c.now = c.now.Add(time.Second)
	gone := c.do("DELETE", "/bank_accounts/acc", "", http.StatusOK)
	c.wants(gone, map[string]string{
		"bank_accounts.state":      "deactivated",
		"bank_accounts.enabled":    "false",
		"bank_accounts.updated_at": "2026-01-02T03:04:06.000000000Z",
	})
	c.now = c.now.Add(time.Second)
	if again := c.do("DELETE", "/bank_accounts/acc", "", http.StatusOK); again.Raw != gone.Raw {
		t.Errorf("a second delete changed the account: %s", again.Raw)
	}
	if shown := c.do("GET", "/bank_accounts/acc", "", http.StatusOK); shown.Raw != gone.Raw {
		t.Errorf("GET shows %s, want %s", shown.Raw, gone.Raw)
	}
	c.wants(c.do("GET", "/bank_accounts", "", http.StatusOK), map[string]string{"bank_accounts.#.state": `["deactivated"]`})
}

func TestBankAccountRefusals(t *testing.T) {
	for _, test := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"nobody's", "POST", "/bank_accounts", `{"bank_accounts":{"bank_name":"B","account_number":"1234"}}`, 422},
		{"no bank", "POST", "/bank_accounts", `{"bank_accounts":{"user":{"id":"ann"},"account_number":"1234"}}`, 422},
		{"no number", "POST", "/bank_accounts", `{"bank_accounts":{"user":{"id":"ann"},"bank_name":"B"}}`, 422},
		{"short number", "POST", "/bank_accounts", `{"bank_accounts":{"user":{"id":"ann"},"bank_name":"B","account_number":"123"}}`, 422},
		{"id taken", "POST", "/bank_accounts", account, 422},
		{"bad JSON", "POST", "/bank_accounts", `{`, 400},
		{"nothing can be changed", "PATCH", "/bank_accounts/acc", account, 405},
		{"unknown", "DELETE", "/bank_accounts/other", ``, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t)
			c.do("POST", "/bank_accounts", account, http.StatusCreated)
			c.do(test.method, test.path, test.body, test.status)
			c.wants(c.do("GET", "/bank_accounts", "", http.StatusOK), map[string]string{"bank_accounts.#": "1"})
		})
	}
}
