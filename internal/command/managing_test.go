// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newTenantsAPI returns an admin API that leads to the tenants' API. Of the endpoints, ep_held
// is held back by the operator, erp stands in the configuration, and ep_down fails.
func newTenantsAPI(t *testing.T) *adminAPI {
	return newAdminAPI(t, func(r *http.Request) (int, string) {
		path, _ := strings.CutPrefix(r.URL.Path, "/webhooks")
		switch method := r.Method; {
		case strings.HasPrefix(path, "/endpoints/erp") && method != http.MethodGet && !strings.HasSuffix(path, "/test"):
			return http.StatusConflict, `{"error":"endpoint erp stands in the configuration"}`
		case path == "/tenants/acme/endpoints" || path == "/tenants/a/b/endpoints" || path == "/shared/endpoints":
			return http.StatusCreated, `{"id":"ep_1","label":"ERP","url":"https://erp.example.com/h","events":["items.*"],"status":"active","secret":"whsec_1","cursor":"A1",
				"verification":{"accepted":true,"response":{"status":204,"ms":7}}}`
		case path == "/tenants/bad/endpoints":
			return http.StatusUnprocessableEntity, `{"title":"x","detail":"the URL cannot be used","errors":[
				{"pointer":"/url","detail":"the URL cannot be used","remedy":"use another"},{"pointer":"/events/0","detail":"it is no type"}]}`
		case path == "/endpoints/ep_1" && method == http.MethodPatch:
			return http.StatusOK, `{"id":"ep_1","events":["*"],"status":"active"}`
		case path == "/endpoints/ep_1" && method == http.MethodDelete:
			return http.StatusNoContent, ""
		case path == "/endpoints/ep_1/enable":
			return http.StatusOK, `{"id":"ep_1","status":"active"}`
		case path == "/endpoints/ep_1/disable":
			return http.StatusOK, `{"id":"ep_1","status":"paused"}`
		case path == "/endpoints/ep_held/enable":
			return http.StatusOK, `{"id":"ep_held","status":"paused","reason":"the operator has paused it"}`
		case path == "/endpoints/ep_1/secrets":
			return http.StatusCreated, `{"secret":"whsec_2","previous_until":"2026-03-04T05:06:07Z","secrets":[]}`
		case path == "/endpoints/erp/test", path == "/endpoints/ep_1/test":
			return http.StatusAccepted, `{"event":"evt_1","type":"items.updated","deliveries":[{"status":"delivered","attempts":[{"response":{"status":204,"ms":7}}]}]}`
		case path == "/endpoints/ep_down/test":
			return http.StatusAccepted, `{"event":"evt_1","type":"items.updated","deliveries":[{"status":"pending","attempts":[{"error":"the receiver answered with 500"}]}]}`
		case path == "/endpoints/ep_held/test":
			return http.StatusAccepted, `{"event":"evt_1","type":"items.updated","deliveries":[{"status":"pending","attempts":[]}]}`
		case path == "/snapshots":
			return http.StatusOK, `{"items":[{"endpoint":"ep_1","tenant":"acme","state":"walking","resource":"items","done":3,"of":7,"complete":true,"began":"2026-03-04T05:06:07Z"}]}`
		case path == "/endpoints/ep_1/snapshot":
			return http.StatusOK, `{"state":"cancelled","done":3,"of":7,"complete":true,"began_at":"2026-03-04T05:06:07Z"}`
		case path == "/tenants":
			return http.StatusOK, `{"items":[{"name":"","endpoints":1,"keys":0},{"name":"acme","endpoints":2,"keys":1,"pending":3}]}`
		case path == "/endpoints":
			return http.StatusOK, `{"items":[{"name":"ep_1","stored":true},{"name":"erp"}]}`
		case path == "/shared/types":
			return http.StatusOK, `{"data":[{"name":"items.created"},{"name":"items.updated"}]}`
		}
		return http.StatusNotFound, `{"type":"problems/not-found","detail":"there is no such thing, or it is not yours"}`
	})
}

// Each command makes its request, with secrets from files and never from arguments.
func TestManaging(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token, empty := file("token", "hush-hush\n"), file("empty", "\n")
	more, odd := file("more.json", `{"label":"L","payload":{"format":"fields","fields":[{"name":"n","path":"p"}]}}`), file("odd.json", `["label"]`)
	long := file("long", strings.Repeat("x", maxMembers+1))
	api := newTenantsAPI(t)
	for _, tc := range []struct{ args, request, printed, err string }{
		{"endpoints add acme --url https://x/h --events items.*,orders.paid --label E", `POST /webhooks/tenants/acme/endpoints {"events":["items.*","orders.paid"],"label":"E","url":"https://x/h"}`, "secret    whsec_1\n", ""},
		{"endpoints add acme", `POST /webhooks/tenants/acme/endpoints {}`, "it cannot be read again", ""},
		{"endpoints add acme", `POST /webhooks/tenants/acme/endpoints {}`, "a test was answered with 204, in 7 ms", ""},
		{"endpoints add a/b", `POST /webhooks/tenants/a%2Fb/endpoints {}`, "ep_1", ""},
		{"endpoints add --shared --begin snapshot", `POST /webhooks/shared/endpoints {"begin":"snapshot"}`, "ep_1", ""},
		{"endpoints add acme --json", `POST /webhooks/tenants/acme/endpoints {}`, `"secret": "whsec_1"`, ""},
		{"endpoints add", "", "", "say whose it is"},
		{"endpoints add acme --shared", "", "", "--shared is in place of a tenant"},
		{"endpoints add bad", `POST /webhooks/tenants/bad/endpoints {}`, "", "url: the URL cannot be used; use another; events/0: it is no type"},
		{
			"endpoints add acme --auth bearer --credential-file " + token, `POST /webhooks/tenants/acme/endpoints {"auth":{"credential":"hush-hush","scheme":"bearer"}}`, "ep_1", "",
		},
		{
			"endpoints add acme --auth header --auth-name X-Key --credential-file -", `POST /webhooks/tenants/acme/endpoints {"auth":{"credential":"typed","name":"X-Key","scheme":"header"}}`, "ep_1", "",
		},
		{"endpoints add acme --secret-file " + token, `POST /webhooks/tenants/acme/endpoints {"secret":"hush-hush"}`, "ep_1", ""},
		{"endpoints add acme --header X-A:b --header X-C:d --metadata team=erp", `POST /webhooks/tenants/acme/endpoints {"headers":{"X-A":"b","X-C":"d"},"metadata":{"team":"erp"}}`, "ep_1", ""},
		{"endpoints add acme --payload standard --rate 10/s --order none --signature none --filter true", `POST /webhooks/tenants/acme/endpoints {"filter":"true","order":"none","payload":{"format":"standard"},"rate":"10/s","signature":"none"}`, "ep_1", ""},
		{"endpoints add acme --from " + more + " --label E", `POST /webhooks/tenants/acme/endpoints {"label":"E","payload":{"fields":[{"name":"n","path":"p"}],"format":"fields"}}`, "ep_1", ""},
		{"endpoints add acme --from " + odd, "", "", "it is no JSON object"},
		{"endpoints add acme --from " + long, "", "", "more than 65536 bytes"},
		{"endpoints add acme --from /nowhere", "", "", "--from: open /nowhere"},
		{"endpoints add acme --from - --secret-file -", "", "", "--from and --secret-file both read standard input"},
		{"endpoints add acme --secret-file " + empty, "", "", "it has not one line"},
		{"endpoints add acme --auth bearer", "", "", "--credential-file is missing"},
		{"endpoints add acme --credential-file " + token, "", "", "--auth is missing"},
		{"endpoints add acme --auth none --auth-name x", "", "", "--auth none has neither"},
		{"endpoints add acme --header hush", "", "", "--header is a name and a value"},
		{"endpoints add acme --label ", "", "", "--label is empty"},
		{"endpoints change ep_1 --auth none", `PATCH /webhooks/endpoints/ep_1 {"auth":null}`, "status    active", ""},
		{"endpoints change ep_1 --unset filter,rate --label E", `PATCH /webhooks/endpoints/ep_1 {"filter":null,"label":"E","rate":null}`, "ep_1", ""},
		{"endpoints change ep_1 --unset label --label E", "", "", "label is both set and unset"},
		{"endpoints change ep_1", "", "", "say what is to change"},
		{"endpoints change erp --label E", `PATCH /webhooks/endpoints/erp {"label":"E"}`, "", "erp stands in the configuration"},
		{"endpoints change ep_2 --label E", `PATCH /webhooks/endpoints/ep_2 {"label":"E"}`, "", "there is no such thing"},
		{"endpoints enable ep_1", "POST /webhooks/endpoints/ep_1/enable", "Endpoint ep_1 is active.\n", ""},
		{"endpoints enable ep_held", "POST /webhooks/endpoints/ep_held/enable", "", "ep_held is paused still: the operator has paused it; resume it with caddy webhooks resume ep_held"},
		{"endpoints disable ep_1", "POST /webhooks/endpoints/ep_1/disable", "Endpoint ep_1 is paused.\n", ""},
		{"endpoints disable ep_1 --json", "POST /webhooks/endpoints/ep_1/disable", `"status": "paused"`, ""},
		{"endpoints rotate ep_1", "POST /webhooks/endpoints/ep_1/secrets {}", "whsec_2", ""},
		{"endpoints rotate ep_1 --overlap 0s --quiet", `POST /webhooks/endpoints/ep_1/secrets {"overlap":"0s"}`, "whsec_2\n", ""},
		{"endpoints rotate ep_1 --quiet --json", "", "", "--quiet means nothing here"},
		{"endpoints delete ep_1", "DELETE /webhooks/endpoints/ep_1", "Endpoint ep_1 is deleted.\n", ""},
		{"endpoints delete ep_1 --json", "DELETE /webhooks/endpoints/ep_1", `"deleted": "ep_1"`, ""},
		{"endpoints delete ep_1 ep_2", "", "", "accepts 1 arg"},
		{"endpoints", "GET /webhooks/endpoints", "ep_1", ""},
		{"endpoints acme --limit 2", "GET /webhooks/endpoints?limit=2&tenant=acme", "ep_1", ""},
		{"snapshots", "GET /webhooks/snapshots", "walking", ""},
		{"snapshots acme --json", "GET /webhooks/snapshots?tenant=acme", `"done": 3`, ""},
		{"snapshots cancel ep_1", "DELETE /webhooks/endpoints/ep_1/snapshot", "What endpoint ep_1 begins with is cancelled, at 3 of 7.\n", ""},
		{"snapshots start ep_1 --json", "POST /webhooks/endpoints/ep_1/snapshot", `"state": "cancelled"`, ""},
		{"snapshots cancel erp", "DELETE /webhooks/endpoints/erp/snapshot", "", "erp stands in the configuration"},
		{"tenants", "GET /webhooks/tenants", "(no tenant)", ""},
		{"trigger erp items.updated", `POST /webhooks/endpoints/erp/test?wait=30s {"type":"items.updated"}`, "arrived at erp, which answered 204 in 7 ms.\n", ""},
		{"trigger ep_1 items.updated --wait 0", `POST /webhooks/endpoints/ep_1/test {"type":"items.updated"}`, "is on its way to ep_1", ""},
		{"trigger ep_down items.updated", `POST /webhooks/endpoints/ep_down/test?wait=30s {"type":"items.updated"}`, "", "did not arrive at ep_down: the receiver answered with 500; see caddy webhooks deliveries --event evt_1"},
		{"trigger ep_down items.updated --json", `POST /webhooks/endpoints/ep_down/test?wait=30s {"type":"items.updated"}`, `"event": "evt_1"`, "did not arrive"},
		{"trigger ep_held items.updated --wait 5s", `POST /webhooks/endpoints/ep_held/test?wait=5s {"type":"items.updated"}`, "", "was not attempted within 5s"},
		{"trigger ep_1 items.updated --wait 2m", "", "", "at most 1m0s"},
		{"trigger ep_1", "", "", "accepts 2 arg"},
	} {
		printed, requests, err := api.run(t, strings.Split(tc.args, " ")...)
		if strings.Contains(tc.args, " -") && strings.HasSuffix(tc.args, "file -") {
			printed, requests, err = api.typing(t, "typed\n", strings.Fields(tc.args)...)
		}
		if (err == nil) != (tc.err == "") || err != nil && (!strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "hush")) {
			t.Errorf("%s: %v, want %q", tc.args, err, tc.err)
		}
		if got := strings.Join(requests, "\n"); got != tc.request {
			t.Errorf("%s: requested %s", tc.args, got)
		}
		if !strings.Contains(printed, tc.printed) || strings.Contains(printed, "hush") {
			t.Errorf("%s does not print %q:\n%s", tc.args, tc.printed, printed)
		}
	}
}

// typing is run with standard input.
func (a *adminAPI) typing(t *testing.T, typed string, args ...string) (printed string, requests []string, err error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetIn(strings.NewReader(typed))
	root.SetArgs(append(append([]string{"webhooks"}, args...), "--address", a.Listener.Addr().String()))
	a.requests = nil
	err = root.Execute()
	return out.String(), a.requests, err
}

// A secret that was made and could not be shown is told of, so that it can be replaced.
func TestNewSecretNotPrinted(t *testing.T) {
	api := newTenantsAPI(t)
	for args, says := range map[string]string{"endpoints add acme": "rotate ep_1", "endpoints add acme --json": "rotate ep_1", "endpoints rotate ep_1": "replace it again"} {
		root := newRoot()
		root.SetOut(fullDisk{})
		root.SetArgs(append([]string{"webhooks", "--address", api.Listener.Addr().String()}, strings.Fields(args)...))
		if err := root.Execute(); !errors.Is(err, errFull) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "whsec_") {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// A shell completes names with what the running Caddy knows, and with nothing where none
// answers.
func TestCompletion(t *testing.T) {
	api := newTenantsAPI(t)
	for args, want := range map[string]string{
		"pause ":                     "ep_1 erp",
		"pause er":                   "erp",
		"pause erp ":                 "",
		"endpoints change ":          "ep_1",
		"endpoints add ":             "acme",
		"keys list ac":               "acme",
		"trigger ":                   "ep_1 erp",
		"trigger erp ":               "items.created items.updated",
		"trigger erp items.u":        "items.updated",
		"deliveries --endpoint ":     "ep_1 erp",
		"deliveries --status d":      "delivered dead",
		"events --type items.c":      "items.created",
		"audit --tenant ":            "acme",
		"endpoints disable ep_1 ep_": "",
	} {
		for address, want := range map[string]string{api.Listener.Addr().String(): want, "127.0.0.1:1": ""} {
			if strings.Contains(args, "--status") && want == "" {
				continue // nobody is asked
			}
			words := strings.Split(args, " ")
			root := newRoot()
			var out bytes.Buffer
			root.SetOut(&out)
			root.SetErr(new(bytes.Buffer))
			root.SetArgs(append([]string{"__complete", "webhooks", "--address", address}, words...))
			if err := root.Execute(); err != nil {
				t.Errorf("%s: %v", args, err)
			}
			var got []string
			for line := range strings.Lines(out.String()) {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, ":") && line != "" && !strings.HasPrefix(line, "add\t") {
					got = append(got, line)
				}
			}
			if fmt.Sprint(strings.Join(got, " ")) != want {
				t.Errorf("%s at %s: %q, want %q", args, address, got, want)
			}
		}
	}
}

// Status shows the endpoints for which most is pending, and how much is for the others.
func TestManyEndpointsInStatus(t *testing.T) {
	pending := map[string]int{"first": 5}
	for i := range 2 * maxPending {
		pending[fmt.Sprintf("ep_%02d", i)] = i
	}
	fields := mostPending(pending)
	if len(fields) != maxPending+1 || fields[maxPending].name != fmt.Sprintf("deliveries pending for %d others", maxPending+1) ||
		fields[maxPending].value != "195; see caddy webhooks endpoints" {
		t.Errorf("%d: %v", len(fields), fields)
	}
}
