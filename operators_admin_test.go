// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An operator works on a tenant's endpoints with the command line, by the rules of the
// tenants' API, whatever shape that has; the tenant sees who it was. What is changed holds
// for the next event.
func TestOperatorsWorkOnTenants(t *testing.T) {
	s := newStage(t)
	text := s.config("subscribers {\nlimit 1\ntype items.updated {\nsample `{\"id\":\"1\"}`\n}\n}",
		"}\nhandle_path /partner/* {\nwebhooks_api {\nlist GET /callbacks\n}\n}\nhandle_path /webhooks/* {\nwebhooks_api")
	s.mustLoad(strings.Replace(text, "resource items\n", "resource items {\ntenant seller\n}\n", 1))
	s.change("/items/1", "items.updated items/1")
	got := make(chan [2]string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		got <- [2]string{r.Header.Get("Webhook-Event") + " " + r.Header.Get("Webhook-Op"), r.Header.Get("Authorization")}
	}))
	t.Cleanup(receiver.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("canary-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	var made struct{ ID, Secret string }
	printed := s.run("endpoints", "add", "acme", "--label", "ERP", "--url", receiver.URL+"/hooks", "--auth", "bearer", "--credential-file", token, "--json")
	if err := json.Unmarshal([]byte(printed), &made); err != nil || !strings.HasPrefix(made.Secret, "whsec_") || strings.Contains(printed, "canary") {
		t.Fatalf("%v: %s", err, printed)
	}
	if first := <-got; first[1] != "Bearer canary-token" {
		t.Errorf("the test had %q", first)
	}
	for _, refused := range [][2]string{
		{"endpoints add acme --label second", "as many as are possible"},
		{"endpoints add umbrella --url " + receiver.URL + "/broken", "url: "},
		{"endpoints change test --label x", "test stands in the configuration"},
		{"endpoints delete test", "change it there"},
		{"endpoints nobody", `no tenant "nobody"`},
	} {
		if printed, err := s.command(strings.Fields(refused[0])...); err == nil || !strings.Contains(err.Error(), refused[1]) {
			t.Errorf("%s: %v %s", refused[0], err, printed)
		}
	}
	s.run("endpoints", "change", made.ID, "--auth", "none")
	if printed := s.run("trigger", made.ID, "items.updated"); !strings.Contains(printed, "arrived at "+made.ID+", which answered 200") {
		t.Errorf("triggered: %s", printed)
	}
	if next := <-got; next != [2]string{"items.updated test", ""} {
		t.Errorf("the sample came as %q", next)
	}
	if printed := s.run("trigger", "test", "items.updated"); !strings.Contains(printed, "arrived at test") {
		t.Errorf("triggered: %s", printed)
	}
	if printed := s.run("endpoints", "rotate", made.ID, "--overlap", "0s", "--quiet"); !strings.HasPrefix(printed, "whsec_") || strings.TrimSpace(printed) == made.Secret {
		t.Errorf("rotated: %s", printed)
	}
	// What holds it back for the operator, its owner cannot undo; what its owner can do, the
	// operator can do for it.
	s.run("endpoints", "disable", made.ID)
	s.run("pause", made.ID)
	if printed, err := s.command("endpoints", "enable", made.ID); err == nil || !strings.Contains(err.Error(), "the operator has paused it") {
		t.Errorf("%v %s", err, printed)
	}
	s.run("resume", made.ID)
	s.run("endpoints", "enable", made.ID)
	for args, want := range map[string][]string{
		"endpoints acme":        {made.ID, "active", "ERP", "acme"},
		"endpoints":             {made.ID, "test"},
		"tenants":               {"acme", "(no tenant)"},
		"audit --tenant acme":   {"endpoint.create", "endpoint.change", "endpoint.test", "endpoint.rotate", "endpoint.hold", "operator"},
		"audit --limit 1":       {"endpoint.release"},
		"keys list acme":        {"ID"},
		"tenants --json":        {`"name": "acme"`, `"endpoints": 1`},
		"endpoints acme --json": {`"label": "ERP"`, `"stored": true`},
	} {
		printed := s.run(strings.Fields(args)...)
		for _, text := range want {
			if !strings.Contains(printed, text) {
				t.Errorf("%s lacks %q:\n%s", args, text, printed)
			}
		}
	}
	// The tenant sees all of it by its own API.
	acme := s.subscriberOf("acme")
	if audit := acme.waits("/webhooks/audit", "endpoint.release"); !strings.Contains(audit, `"who":"operator"`) {
		t.Errorf("audited: %s", audit)
	}
	s.run("endpoints", "delete", made.ID)
	if status, answer, _ := acme.do(http.MethodGet, "/webhooks/endpoints/"+made.ID, ""); status != http.StatusNotFound {
		t.Errorf("it is there still: %v", answer)
	}
}

// run runs a command, and fails the test if that fails.
func (s *stage) run(args ...string) string {
	s.t.Helper()
	printed, err := s.command(args...)
	if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return printed
}
