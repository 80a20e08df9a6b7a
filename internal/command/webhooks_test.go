// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
)

// adminAPI stands in for the admin API: it answers as it is made to, and
// remembers what it was asked.
type adminAPI struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // "METHOD URI BODY"
}

// newAdminAPI returns an admin API that answers each request with a status and a
// body.
func newAdminAPI(t *testing.T, answer func(*http.Request) (int, string)) *adminAPI {
	t.Helper()
	api := new(adminAPI)
	api.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		api.mu.Lock()
		api.requests = append(api.requests, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		api.mu.Unlock()
		status, text := answer(r)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(api.Close)
	return api
}

// run runs `caddy webhooks ARGS` against the admin API. It returns what was
// printed and requested.
func (a *adminAPI) run(t *testing.T, args ...string) (printed string, requests []string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "webhooks", SilenceErrors: true, SilenceUsage: true}
	Webhooks().CobraFunc(root)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append(args, "--address", a.Listener.Addr().String()))
	a.mu.Lock()
	a.requests = nil
	a.mu.Unlock()
	err = root.Execute()
	a.mu.Lock()
	defer a.mu.Unlock()
	return out.String(), a.requests, err
}

// Each command makes the requests that it should, and prints what it should of
// their answers.
func TestCommands(t *testing.T) {
	api := newAdminAPI(t, func(r *http.Request) (int, string) {
		switch {
		case r.URL.Query().Get("limit") == "7":
			return http.StatusBadRequest, `{"error":"limit is too odd"}`
		case strings.HasPrefix(r.URL.Path, "/webhooks/events/"):
			return http.StatusOK, `{"id":"evt_1","payload":{"n":9007199254740993}}`
		case r.URL.Path == "/webhooks/deliveries":
			return http.StatusOK, `{"items":[{"event_id":"evt_1","event_type":"items.updated","object":"items/1","endpoint":"erp",` +
				`"status":"pending","attempts":2,"created_at":"2026-01-02T03:04:05.678Z","sequence":9007199254740993}],"next":"abc"}`
		case r.URL.Path == "/webhooks/attempts":
			return http.StatusOK, `{"items":[{"event_id":"evt_1","endpoint":"erp","number":2,"code":500,"duration_ns":12345678}]}`
		case r.URL.Path == "/webhooks/status", r.URL.Path == "/webhooks/queue":
			return http.StatusOK, `{"open":true}`
		case r.Method == http.MethodPost:
			return http.StatusOK, `{"done":3}`
		}
		return http.StatusOK, `{"items":[]}`
	})
	for _, tc := range []struct {
		args, request string
		printed       []string
		err           string
	}{
		{"status", "GET /webhooks/status", []string{"{\n  \"open\": true\n}"}, ""},
		{"queue stats", "GET /webhooks/queue", []string{"{\n  \"open\": true\n}"}, ""},
		{
			"deliveries --endpoint erp --status pending --limit 3",
			"GET /webhooks/deliveries?endpoint=erp&limit=3&status=pending",
			[]string{"STATUS", "evt_1", "items/1", "erp", "pending", "\nmore: caddy webhooks deliveries --cursor abc\n"},
			"",
		},
		{"deliveries --cursor abc --json", "GET /webhooks/deliveries?cursor=abc", []string{`"sequence": 9007199254740993`}, ""},
		{"attempts --event evt_1", "GET /webhooks/attempts?event=evt_1", []string{"TOOK", "12.35ms"}, ""},
		{"events evt_1", "GET /webhooks/events/evt_1", []string{`"n": 9007199254740993`}, ""},
		{"events a/b?c", "GET /webhooks/events/a%2Fb%3Fc", []string{"evt_1"}, ""},
		{"events --limit 7", "GET /webhooks/events?limit=7", nil, "limit is too odd"},
		{"events --colour red", "", nil, "unknown flag"},
		{"marks --cursor abc", "", nil, "unknown flag"},
		{"unresolved --json", "GET /webhooks/unresolved", []string{`"items": []`}, ""},
		{"look items/42", "POST /webhooks/look?object=items%2F42", []string{"done: 3\n"}, ""},
		{"look items/42 --deleted", "POST /webhooks/look?deleted=1&object=items%2F42", []string{"done: 3\n"}, ""},
		{"list items", "POST /webhooks/list?resource=items", []string{"done: 3\n"}, ""},
		{"dismiss 7", "POST /webhooks/dismiss?id=7", []string{"done: 3\n"}, ""},
		{
			"dismiss --before 2026-01-02T03:04:05Z --resource items", "POST /webhooks/dismiss?before=2026-01-02T03%3A04%3A05Z&resource=items",
			[]string{"done: 3\n"},
			"",
		},
		{"dismiss 7 8", "", nil, "accepts at most 1 arg"},
		{"look", "", nil, "accepts 1 arg"},
		{"queue restore", "", nil, "give backups, or --salvage"},
	} {
		printed, requests, err := api.run(t, strings.Fields(tc.args)...)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, want %q", tc.args, err, tc.err)
		}
		if strings.Join(requests, "\n") != tc.request {
			t.Errorf("%s: requested %q", tc.args, requests)
		}
		for _, want := range tc.printed {
			if !strings.Contains(printed, want) {
				t.Errorf("%s does not print %q:\n%s", tc.args, want, printed)
			}
		}
	}
}

// A Caddy that does not run, and an answer that is not JSON, are errors of every
// command.
func TestCommandsFail(t *testing.T) {
	strange, gone := newAdminAPI(t, func(*http.Request) (int, string) { return http.StatusOK, "<html>" }), newAdminAPI(t, nil)
	gone.Close()
	for _, args := range []string{
		"status", "events", "events evt_1", "marks --json", "coverage", "coverage --json", "look items/1",
		"recover --since 1h --yes", "pause erp", "queue stats",
	} {
		if printed, _, err := strange.run(t, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), "reading the answer") {
			t.Errorf("%s: of what is not JSON it makes %v:\n%s", args, err, printed)
		}
		if printed, _, err := gone.run(t, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), "asking the admin endpoint") {
			t.Errorf("%s: without a Caddy it makes %v:\n%s", args, err, printed)
		}
	}
}
