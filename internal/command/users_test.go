// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// newUsersAPI returns an admin API that makes users and links, and has none to remove but
// mara.
func newUsersAPI(t *testing.T) *adminAPI {
	return newAdminAPI(t, func(r *http.Request) (int, string) {
		switch {
		case r.Method == http.MethodPost:
			return http.StatusOK, `{"id":"usr_1","name":"mara","tenant":"acme","status":"invited","link_ends":"2026-03-04T05:06:07Z","code":"1-secret"}`
		case r.Method == http.MethodGet:
			return http.StatusOK, `{"items":[{"id":"usr_1","name":"mara","tenant":"acme"},{"id":"usr_2","name":"root","operator":true}],"next":"n1"}`
		case r.URL.Path == "/webhooks/users/mara":
			return http.StatusNoContent, ""
		}
		return http.StatusNotFound, `{"error":"there is no user \"tom\""}`
	})
}

func TestUsers(t *testing.T) {
	api := newUsersAPI(t)
	for _, tc := range []struct{ args, request, printed, err string }{
		{"users add mara --tenant acme", "POST /webhooks/users?name=mara&tenant=acme", "link         /account/welcome#1-secret\n", ""},
		{"users add mara --tenant acme --expires 24h", "POST /webhooks/users?for=24h&name=mara&tenant=acme", "It begins with the address", ""},
		{"users add mara --tenant acme --dashboard https://hooks.example.com/w/", "POST /webhooks/users?name=mara&tenant=acme", "https://hooks.example.com/w/account/welcome#1-secret\n", ""},
		{"users add root --operator", "POST /webhooks/users?name=root&operator=true", "1-secret", ""},
		{"users add mara --tenant acme -q", "POST /webhooks/users?name=mara&tenant=acme", "/account/welcome#1-secret\n", ""},
		{"users add mara", "", "", "--tenant TENANT, or --operator"},
		{"users add mara --tenant acme --operator", "", "", "do not go together"},
		{"users add mara --tenant acme --expires soon", "", "", `--expires is how long the link works, as 24h, not "soon"`},
		{"users add mara --tenant acme --dashboard hooks.example.com", "", "", "--dashboard is the address"},
		{"users add mara --tenant acme --dashboard https://a.example/#x", "", "", "--dashboard is the address"},
		{"users add mara --tenant acme --quiet --json", "", "", "--quiet means nothing here"},
		{"users add", "", "", "accepts 1 arg"},
		{"users reset mara", "POST /webhooks/users/mara/reset", "1-secret", ""},
		{"users reset a/b --expires 1h", "POST /webhooks/users/a%2Fb/reset?for=1h", "1-secret", ""},
		{"users list", "GET /webhooks/users", "(operator)", ""},
		{"users list --tenant acme --limit 2 --cursor n1", "GET /webhooks/users?cursor=n1&limit=2&tenant=acme", "mara", ""},
		{"users remove mara", "DELETE /webhooks/users/mara", "User mara is removed.\n", ""},
		{"users remove mara --json", "DELETE /webhooks/users/mara", `"removed": "mara"`, ""},
		{"users remove tom", "DELETE /webhooks/users/tom", "", `there is no user "tom"`},
		{"users delete mara", "", "", `there is no command "delete" in caddy webhooks users`},
	} {
		printed, requests, err := api.run(t, strings.Fields(tc.args)...)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, want %q", tc.args, err, tc.err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error has the code: %v", tc.args, err)
		}
		if got := strings.Join(requests, "\n"); got != tc.request {
			t.Errorf("%s: requested %q", tc.args, got)
		}
		if !strings.Contains(printed, tc.printed) {
			t.Errorf("%s does not print %q:\n%s", tc.args, tc.printed, printed)
		}
	}
}

// With --quiet there is the link and nothing else, and with --json nothing but JSON.
func TestNewLinkAlone(t *testing.T) {
	api := newUsersAPI(t)
	if printed, _, err := api.run(t, "users", "reset", "mara", "--quiet"); err != nil || printed != "/account/welcome#1-secret\n" {
		t.Errorf("%q, %v", printed, err)
	}
	printed, _, err := api.run(t, "users", "reset", "mara", "--json", "--dashboard", "https://a.example")
	var made map[string]string
	if wrong := json.Unmarshal([]byte(printed), &made); err != nil || wrong != nil || made["link"] != "https://a.example/account/welcome#1-secret" || made["name"] != "mara" {
		t.Errorf("%q, %v, %v", printed, err, wrong)
	}
}
