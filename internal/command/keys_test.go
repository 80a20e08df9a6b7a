// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// newKeysAPI returns an admin API that makes a key, and has none to delete but key_1.
func newKeysAPI(t *testing.T) *adminAPI {
	return newAdminAPI(t, func(r *http.Request) (int, string) {
		switch {
		case r.Method == http.MethodPost:
			return http.StatusOK, `{"id":"key_1","tenant":"acme","created":"2026-03-04T05:06:07Z","key":"whk_secret"}`
		case r.Method == http.MethodGet:
			return http.StatusOK, `{"items":[{"id":"key_1"}],"next":"n1"}`
		case r.URL.Path == "/webhooks/keys/key_1":
			return http.StatusNoContent, ""
		}
		return http.StatusNotFound, `{"error":"there is no key \"key_2\""}`
	})
}

func TestKeys(t *testing.T) {
	api := newKeysAPI(t)
	for _, tc := range []struct{ args, request, printed, err string }{
		{"keys add acme", "POST /webhooks/keys?tenant=acme", "key     whk_secret\n", ""},
		{"keys add acme --name ci --expires 90d", "POST /webhooks/keys?for=90d&name=ci&tenant=acme", "it cannot be read again", ""},
		{"keys add acme --expires soon", "", "", `--expires is how long the key is valid, as 90d, not "soon"`},
		{"keys add acme --expires 0s", "", "", "--expires is how long"},
		{"keys add acme --expires -1h", "", "", "--expires is how long"},
		{"keys add acme --quiet --json", "", "", "--quiet means nothing here"},
		{"keys add", "", "", "accepts 1 arg"},
		{"keys list acme", "GET /webhooks/keys?tenant=acme", "more: caddy webhooks keys list --address ADDRESS acme --cursor n1\n", ""},
		{"keys list acme --limit 3 --cursor n1", "GET /webhooks/keys?cursor=n1&limit=3&tenant=acme", "key_1", ""},
		{"keys list", "", "", "accepts 1 arg"},
		{"keys delete key_1", "DELETE /webhooks/keys/key_1", "Key key_1 is deleted.\n", ""},
		{"keys delete key_1 --json", "DELETE /webhooks/keys/key_1", `"deleted": "key_1"`, ""},
		{"keys delete key_2", "DELETE /webhooks/keys/key_2", "", `there is no key "key_2"`},
		{"keys delete whk_secret", "", "", "that is the key itself"},
		{"keys remove key_1", "", "", `there is no command "remove" in caddy webhooks keys`},
	} {
		printed, requests, err := api.run(t, strings.Fields(tc.args)...)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, want %q", tc.args, err, tc.err)
		}
		if err != nil && strings.Contains(err.Error(), "whk_") {
			t.Errorf("%s: the error has the key: %v", tc.args, err)
		}
		if got := strings.Join(requests, "\n"); got != tc.request {
			t.Errorf("%s: requested %q", tc.args, got)
		}
		if want := strings.ReplaceAll(tc.printed, "ADDRESS", api.Listener.Addr().String()); !strings.Contains(printed, want) {
			t.Errorf("%s does not print %q:\n%s", tc.args, want, printed)
		}
	}
}

// With --quiet there is the key and nothing else, and with --json nothing but JSON.
func TestNewKeyAlone(t *testing.T) {
	api := newKeysAPI(t)
	for _, flag := range []string{"--quiet", "-q"} {
		if printed, _, err := api.run(t, "keys", "add", "acme", flag); err != nil || printed != "whk_secret\n" {
			t.Errorf("%s: %q, %v", flag, printed, err)
		}
	}
	printed, _, err := api.run(t, "keys", "add", "acme", "--json")
	var key admin.KeyView
	if wrong := json.Unmarshal([]byte(printed), &key); err != nil || wrong != nil || key.Key != "whk_secret" {
		t.Errorf("%q, %v, %v", printed, err, wrong)
	}
}

// A key that was made and could not be shown is named, so that it can be ended.
func TestNewKeyNotPrinted(t *testing.T) {
	api := newKeysAPI(t)
	for _, flags := range [][]string{nil, {"--quiet"}, {"--json"}} {
		root := newRoot()
		root.SetOut(fullDisk{})
		root.SetArgs(append([]string{"webhooks", "keys", "add", "acme", "--address", api.Listener.Addr().String()}, flags...))
		if err := root.Execute(); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "keys delete key_1") {
			t.Errorf("%q: %v", flags, err)
		}
	}
}

// fullDisk is where nothing can be written.
type fullDisk struct{}

var errFull = errors.New("no space left on device")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
