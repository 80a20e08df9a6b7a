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

// newRoot returns a `caddy` that has no other command.
func newRoot() *cobra.Command {
	root, webhooks := &cobra.Command{Use: "caddy", SilenceErrors: true, SilenceUsage: true}, &cobra.Command{Use: "webhooks"}
	Webhooks().CobraFunc(webhooks)
	root.AddCommand(webhooks)
	return root
}

// run runs `caddy webhooks ARGS` against the admin API. It returns what was
// printed and requested.
func (a *adminAPI) run(t *testing.T, args ...string) (printed string, requests []string, err error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append(append([]string{"webhooks"}, args...), "--address", a.Listener.Addr().String()))
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
		query := r.URL.Query()
		switch {
		case query.Get("limit") == "0":
			return http.StatusBadRequest, `{"error":"limit is too odd"}`
		case query.Get("endpoint") == "nope":
			return http.StatusNotFound, `{"error":"there is no endpoint \"nope\"; there are erp"}`
		case strings.HasPrefix(r.URL.Path, "/webhooks/events/"):
			return http.StatusOK, `{"id":"evt_1","payload":{"n":9007199254740993,"a":1}}`
		case r.URL.Path == "/webhooks/deliveries":
			return http.StatusOK, `{"items":[{"event_id":"evt_1","event_type":"items.updated","object":"items/1","endpoint":"erp",` +
				`"status":"pending","attempts":2,"created_at":"2026-01-02T03:04:05.678Z","sequence":9007199254740993,"last_error":"it is down"}],"next":"abc"}`
		case r.URL.Path == "/webhooks/attempts":
			return http.StatusOK, `{"items":[{"event_id":"evt_1","endpoint":"erp","number":2,"code":500,"duration_ns":12345678}]}`
		case r.URL.Path == "/webhooks/status":
			return http.StatusOK, `{"queue":{"marks":7,"pending_deliveries":{"erp":8}},"dir":"/queue","durability":"power","resources":["items"]}`
		case r.URL.Path == "/webhooks/health":
			return http.StatusServiceUnavailable, `{"status":"failing","problems":["it is full"]}`
		case r.URL.Path == "/webhooks/queue":
			return http.StatusOK, `{"open":true}`
		case query.Get("object") == "items/500":
			return http.StatusOK, `{"done":1,"result":"failing","reason":"Show was answered with 500"}`
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
		{"status", "GET /webhooks/status\nGET /webhooks/health", []string{"failing", "it is full", "7", "erp", "8"}, ""},
		{"status --json", "GET /webhooks/status", []string{"  \"dir\": \"/queue\""}, ""},
		{"queue stats", "GET /webhooks/queue", []string{"open"}, ""},
		{"queue stats --json", "GET /webhooks/queue", []string{"{\n  \"open\": true\n}"}, ""},
		{
			"deliveries --endpoint erp --status pending --limit 3",
			"GET /webhooks/deliveries?endpoint=erp&limit=3&status=pending",
			[]string{
				"STATUS", "evt_1", "items/1", "erp", "pending", "it is down",
				"\nmore: caddy webhooks deliveries --address ADDRESS --endpoint erp --limit 3 --status pending --cursor abc\n",
			},
			"",
		},
		{"deliveries --cursor old", "GET /webhooks/deliveries?cursor=old", []string{"more: caddy webhooks deliveries --address ADDRESS --cursor abc\n"}, ""},
		{"deliveries --cursor abc --json", "GET /webhooks/deliveries?cursor=abc", []string{`"sequence": 9007199254740993`}, ""},
		{"deliveries --endpoint nope", "GET /webhooks/deliveries?endpoint=nope", nil, `there is no endpoint "nope"; there are erp`},
		{"attempts --event evt_1", "GET /webhooks/attempts?event=evt_1", []string{"TOOK", "12.35ms"}, ""},
		{"events evt_1", "GET /webhooks/events/evt_1", []string{"event  evt_1\n", "\n\n{\n  \"n\": 9007199254740993,\n  \"a\": 1\n}\n"}, ""},
		{"events evt_1 --json", "GET /webhooks/events/evt_1", []string{`"id": "evt_1"`}, ""},
		{"events a/b?c", "GET /webhooks/events/a%2Fb%3Fc", []string{"evt_1"}, ""},
		{"events evt_1 --type items.paid", "", nil, "--type means nothing here: an id shows one of the events"},
		{"events evt_1 --limit 3", "", nil, "--limit means nothing here"},
		{"events --limit 0", "GET /webhooks/events?limit=0", nil, "limit is too odd"},
		{"events --colour red", "", nil, "unknown flag"},
		{"marks --cursor abc", "", nil, "unknown flag"},
		{"audit", "GET /webhooks/audit", []string{"TENANT", "WHO"}, ""},
		{"audit --tenant acme --limit 3 --cursor c", "GET /webhooks/audit?cursor=c&limit=3&tenant=acme", []string{"TENANT"}, ""},
		{"audit acme", "", nil, "unknown command"},
		{"unresolved --json", "GET /webhooks/unresolved", []string{`"items": []`}, ""},
		{"look items/42", "POST /webhooks/look?object=items%2F42&wait=10s", []string{"items/42 is noted"}, ""},
		{"look items/42 --deleted --wait 0", "POST /webhooks/look?deleted=1&object=items%2F42", []string{"items/42 is noted"}, ""},
		{"look items/500", "POST /webhooks/look?object=items%2F500&wait=10s", nil, "items/500 could not be read: Show was answered with 500; it is tried again at"},
		{"list items --wait 3s", "POST /webhooks/list?resource=items&wait=3s", []string{"items is noted"}, ""},
		{"dismiss 7", "POST /webhooks/dismiss?id=7", []string{"3 records forgotten.\n"}, ""},
		{"dismiss --before 1m --resource items", "POST /webhooks/dismiss?before=1m&resource=items", []string{"3 records forgotten.\n"}, ""},
		{"dismiss 7 --json", "POST /webhooks/dismiss?id=7", []string{"{\n  \"done\": 3\n}\n"}, ""},
		{"dismiss 7 8", "", nil, "accepts at most 1 arg"},
		{"look", "", nil, "accepts 1 arg"},
		{"foo", "", nil, `there is no command "foo" in caddy webhooks. See caddy webhooks --help`},
		{"delivery", "", nil, `there is no command "delivery" in caddy webhooks`},
		{"evnts", "", nil, "did you mean events?"},
		{"queue foo", "", nil, `there is no command "foo" in caddy webhooks queue`},
		{"queue", "", []string{"stats", "backup", "verify"}, ""},
		{"", "", []string{"deliveries", "pause"}, ""},
	} {
		printed, requests, err := api.run(t, strings.Fields(tc.args)...)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, want %q", tc.args, err, tc.err)
		}
		if tc.err == "" && tc.request != "" && strings.Join(requests, "\n") != tc.request {
			t.Errorf("%s: requested %q", tc.args, requests)
		}
		for _, want := range tc.printed {
			if want = strings.ReplaceAll(want, "ADDRESS", api.Listener.Addr().String()); !strings.Contains(printed, want) {
				t.Errorf("%s does not print %q:\n%s", tc.args, want, printed)
			}
		}
	}
}

// What is empty, as a variable of a script that is not set, is refused, and nothing
// is asked for: left out, it would mean more.
func TestEmpty(t *testing.T) {
	api := newAdminAPI(t, func(*http.Request) (int, string) { return http.StatusOK, `{"count":3,"items":[]}` })
	for _, args := range [][]string{
		{"recover", "--since", "1h", "--yes", "--endpoint", ""},
		{"cancel", "--yes", "--event", "evt_1", "--object", ""},
		{"events", ""},
		{"deliveries", "--status", ""},
		{"deliveries", "--cursor", ""},
		{"dismiss", "--before", "1h", "--resource", ""},
		{"dismiss", ""},
		{"audit", "--tenant", ""},
		{"keys", "list", ""},
		{"keys", "add", "acme", "--expires", ""},
		{"keys", "delete", ""},
		{"pause", ""},
		{"listen", "--secret", ""},
		{"queue", "verify", "--dir", ""},
		{"status", "--config", ""},
	} {
		if _, requests, err := api.run(t, args...); err == nil || !strings.Contains(err.Error(), "is empty") || len(requests) > 0 {
			t.Errorf("%q: %v, requested %q", args, err, requests)
		}
	}
}

// A Caddy that does not run, and an answer that is not JSON, are errors of every
// command, in plain words.
func TestCommandsFail(t *testing.T) {
	strange, gone := newAdminAPI(t, func(*http.Request) (int, string) { return http.StatusOK, "<html>" }), newAdminAPI(t, nil)
	other := newAdminAPI(t, func(*http.Request) (int, string) { return http.StatusNotFound, "404 page not found" })
	broken := newAdminAPI(t, func(*http.Request) (int, string) { return http.StatusBadGateway, "no luck\n" })
	gone.Close()
	for _, args := range []string{
		"status", "status --json", "events", "events evt_1", "marks --json", "coverage", "coverage --json", "look items/1", "list items", "dismiss 1",
		"recover --since 1h --yes", "pause erp", "queue stats",
		"audit", "keys list acme", "keys add acme", "keys delete key_1", "tail", "tail --json",
	} {
		for api, want := range map[*adminAPI]string{
			strange: "reading the answer", gone: "no Caddy answers at", other: "has no webhooks: is it another program", broken: "said 502 Bad Gateway: no luck",
		} {
			printed, _, err := api.run(t, strings.Fields(args)...)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), `{"`) {
				t.Errorf("%s: %v, want %q:\n%s", args, err, want, printed)
			}
		}
	}
}
