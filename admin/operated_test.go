// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// newOperatedStage returns a server on an open queue that leads to the tenants' API. There
// is one type of event, items.updated.
func newOperatedStage(t *testing.T) (*stage, queue.Store) {
	t.Helper()
	store := memory.New(time.Now)
	s := newStage(t, &engine{dir: t.TempDir(), store: store})
	s.start()
	made, err := event.ParseTemplate("items.updated")
	must(t, err)
	types, err := catalogue.NewTypes([]catalogue.Made{{Resource: "items", Type: made}}, []catalogue.Declared{{Pattern: "items.updated", Sample: json.RawMessage(`{"id":"1"}`)}})
	must(t, err)
	s.server.Tenant = func(tenant string) http.Handler {
		return callbacks.New(callbacks.Options{
			Queue:   s.server.Pipeline.Queue,
			Emitter: func() callbacks.Emitter { return s.server.Pipeline.Emitter() },
			Sealer:  func() subscribers.Sealer { return s.server.Pipeline.Keyring() },
			Prober: &callbacks.Receivers{
				Transport: func(name string) callbacks.Transport { return s.config.Transport.For(name) },
			},
			Applied: s.server.Pipeline.Applied, Unverified: true, Authorize: []callbacks.Authorize{callbacks.AsOperator(tenant)},
			EventTypes: func() *catalogue.Types { return types },
			Endpoints:  s.server.Pipeline.Endpoints, Named: true,
		}, callbacks.NoLimits())
	}
	return s, store
}

// made makes an endpoint of a tenant, and returns its id.
func (s *stage) made(tenant, label string) string {
	s.t.Helper()
	got := s.do("POST", "/webhooks/tenants/"+tenant+"/endpoints", fmt.Sprintf(`{"label":%q,"url":"https://%s.example.com/hooks/secret-path"}`, label, label))
	var e struct{ ID, Secret string }
	if err := json.Unmarshal([]byte(got.body), &e); err != nil || got.status != http.StatusCreated || !strings.HasPrefix(e.Secret, "whsec_") {
		s.t.Fatalf("%d %s", got.status, got.body)
	}
	must(s.t, s.server.Pipeline.Applied(s.t.Context()))
	return e.ID
}

// What an operator does to what a tenant has is done by the tenants' API, by its rules,
// and stands in the audit as the operator's.
func TestOperatorsWorkOnEndpoints(t *testing.T) {
	s, store := newOperatedStage(t)
	id := s.made("acme", "erp")
	path := "/webhooks/endpoints/" + id
	for _, tc := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", path, "", 200, `"label":"erp"`},
		{"GET", "/webhooks/tenants/acme/endpoints/" + id, "", 200, `"label":"erp"`},
		{"GET", "/webhooks/tenants/umbrella/endpoints/" + id, "", 404, "it is not yours"},
		{"GET", "/webhooks/shared/endpoints/" + id, "", 404, "it is not yours"},
		{"PATCH", path, `{"label":"ERP","auth":{"scheme":"bearer","credential":"hush"}}`, 200, `"label":"ERP"`},
		{"PATCH", path, `{"url":"https://127.0.0.1/"}`, 422, `"/url"`},
		{"PATCH", path, `{"colour":"red"}`, 400, `"/colour"`},
		{"POST", path + "/disable", "", 200, `"status":"paused"`},
		{"POST", path + "/enable", "", 200, `"status":"active"`},
		{"POST", path + "/secrets", `{"overlap":"1h"}`, 201, `"secret":"whsec_`},
		// Before anything is sent, as nobody is there.
		{"POST", path + "/pause", `{"reason":"moving"}`, 200, `"status":"paused"`},
		{"POST", path + "/resume", "", 200, `"status":"active"`},
		{"POST", path + "/test", `{"type":"items.updated"}`, 202, `"event":"evt_`},
		{"POST", path + "/test", `{"type":"items.exploded"}`, 422, "/type"},
		{"GET", path + "/snapshot", "", 404, "no such thing"},
		{"POST", path + "/snapshot", "", 202, `"state":"listing"`},
		{"DELETE", path + "/snapshot", "", 200, `"state":"`},
		{"DELETE", path, "", 204, ""},
		{"GET", path, "", 404, "there is no endpoint"},
		{"PUT", path, "{}", 405, "PUT is not possible"},
		{"POST", "/webhooks/tenants/a%01b/endpoints", "{}", 400, "cannot name a tenant"},
		{"GET", "/webhooks/tenants/a%2Fb/me", "", 200, `"tenant":"a/b"`},
		{"GET", "/webhooks/tenants/acme/nothing", "", 404, "nothing at this path"},
	} {
		if got := s.do(tc.method, tc.path, tc.body); got.status != tc.status || !strings.Contains(got.body, tc.has) || strings.Contains(got.body, "hush") {
			t.Errorf("%s %s %s: %d %s, want %d %s", tc.method, tc.path, tc.body, got.status, got.body, tc.status, tc.has)
		}
	}
	kept, _, err := store.RecordsOf(t.Context(), subscribers.KindAudit, "acme", queue.Page{Limit: 100})
	must(t, err)
	var actions []string
	for _, record := range kept {
		audited, err := subscribers.AuditedOf(record)
		must(t, err)
		if actions = append(actions, strings.TrimPrefix(audited.Action, "endpoint.")); audited.Who != "operator" || audited.Object != id {
			t.Errorf("audited %+v", audited)
		}
	}
	if got := strings.Join(actions, " "); got != "delete snapshot.cancel snapshot test release hold rotate resume pause change create" {
		t.Errorf("audited %s", got)
	}
}

// What stands in the configuration is shown, and not changed.
func TestOperatorsDoNotChangeTheConfiguration(t *testing.T) {
	s, store := newOperatedStage(t)
	for _, tc := range [][2]string{{"PATCH", ""}, {"DELETE", ""}, {"POST", "/enable"}, {"POST", "/disable"}, {"POST", "/secrets"}, {"POST", "/snapshot"}} {
		got := s.do(tc[0], "/webhooks/endpoints/erp"+tc[1], `{}`)
		if missing, ok := contains(got.body, "erp stands in the configuration", "`endpoint erp`", "change it there"); got.status != http.StatusConflict || !ok {
			t.Errorf("%s %s: %d %s; it lacks %q", tc[0], tc[1], got.status, got.body, missing)
		}
	}
	if got := s.do("GET", "/webhooks/endpoints/erp", ""); got.status != 200 || !strings.Contains(got.body, `"host":"https://erp.example.com"`) || strings.Contains(got.body, "secret-path") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.do("POST", "/webhooks/endpoints/nope/test", `{"type":"items.updated"}`); got.status != 404 || !strings.Contains(got.body, "there are crm, erp") {
		t.Errorf("%d %s", got.status, got.body)
	}
	// A sample changes nothing, and can be sent.
	got := s.do("POST", "/webhooks/endpoints/erp/test", `{"type":"items.updated"}`)
	kept, _, err := store.Deliveries(t.Context(), queue.Filter{Endpoint: "erp"}, queue.Page{Limit: 10})
	must(t, err)
	if got.status != 202 || !strings.Contains(got.body, `"endpoint":"erp"`) || len(kept) != 1 || kept[0].EventType != "items.updated" {
		t.Errorf("%d %s; %+v", got.status, got.body, kept)
	}
	if got := s.do("POST", "/webhooks/endpoints/erp/test", ``); got.status != 422 || !strings.Contains(got.body, "/type") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// What endpoints begin with is listed, as far as it is, of all or of a tenant.
func TestSnapshotsAreListed(t *testing.T) {
	s, _ := newOperatedStage(t)
	first, second := s.made("acme", "first"), s.made("umbrella", "second")
	for _, id := range []string{first, second} {
		// Operators are not held back as tenants are.
		for range 4 {
			if got := s.do("POST", "/webhooks/endpoints/"+id+"/snapshot", ""); got.status != 202 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if got := s.do("DELETE", "/webhooks/endpoints/"+id+"/snapshot", ""); got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
		}
	}
	all := s.do("GET", "/webhooks/snapshots", "")
	if missing, ok := contains(all.body, `"endpoint":"`+first+`","tenant":"acme","state":"cancelled","done":0,"of":0,"complete":true,"began":"`, `"endpoint":"`+second+`"`, `"ended":"`); all.status != 200 || !ok {
		t.Errorf("it lacks %q: %s", missing, all.body)
	}
	if got := s.do("GET", "/webhooks/snapshots?tenant=umbrella", ""); strings.Contains(got.body, first) || !strings.Contains(got.body, second) {
		t.Errorf("%s", got.body)
	}
	if got := s.do("GET", "/webhooks/snapshots?limit=1", ""); !strings.Contains(got.body, `"next":"`) {
		t.Errorf("%s", got.body)
	}
}

// Tenants are listed by name with what they have; endpoints of one, with those that are
// only read.
func TestTenantsAreListed(t *testing.T) {
	s, store := newOperatedStage(t)
	first := s.made("acme", "first")
	s.made("umbrella", "second")
	s.do("POST", "/webhooks/endpoints/"+first+"/disable", "")
	if got := s.do("POST", "/webhooks/tenants/umbrella/endpoints", `{"label":"reads"}`); got.status != 201 {
		t.Fatal(got.body)
	}
	if got := s.do("POST", "/webhooks/shared/endpoints", `{"label":"ours","url":"https://ours.example.com/"}`); got.status != 201 {
		t.Fatal(got.body)
	}
	s.do("POST", "/webhooks/keys?tenant=keyed", "")
	for _, status := range []queue.Status{queue.StatusDead, queue.StatusPending} {
		must(t, store.Announce(t.Context(), event.Event{
			Type: "items.updated", Key: event.Key{Resource: "items", ID: string(status)}, Tenant: "acme", Time: time.Now(), Payload: []byte(`{}`),
		}, []string{first}))
		if status == queue.StatusDead {
			lease, err := store.LeaseDelivery(t.Context(), first, queue.LeaseOptions{For: time.Minute})
			must(t, err)
			must(t, store.FinishAttempt(t.Context(), lease, queue.Attempt{At: time.Now(), Code: 500}, queue.Verdict{Status: queue.StatusDead}))
		}
	}
	want := []string{
		`{"name":"","endpoints":1,"declared":1,"keys":0,"pending":0,"dead":0}`,
		`{"name":"acme","endpoints":1,"declared":1,"keys":0,"pending":1,"dead":1}`,
		`{"name":"keyed","endpoints":0,"keys":1,"pending":0,"dead":0}`,
		`{"name":"umbrella","endpoints":2,"keys":0,"pending":0,"dead":0}`,
	}
	if got := s.do("GET", "/webhooks/tenants", ""); strings.TrimSpace(got.body) != `{"items":[`+strings.Join(want, ",")+`]}` {
		t.Errorf("%d %s", got.status, got.body)
	}
	cursor := ""
	for i := range want {
		got := s.do("GET", "/webhooks/tenants?limit=1&cursor="+cursor, "")
		var page struct {
			Items []json.RawMessage
			Next  string
		}
		must(t, json.Unmarshal([]byte(got.body), &page))
		if len(page.Items) != 1 || string(page.Items[0]) != want[i] {
			t.Fatalf("page %d: %s", i, got.body)
		}
		cursor = page.Next
	}
	if cursor != "" {
		t.Errorf("there is more after the end: %s", cursor)
	}
	if got := s.do("GET", "/webhooks/tenants?cursor=acme", ""); got.status != http.StatusBadRequest {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.do("GET", "/webhooks/endpoints?tenant=nobody", ""); got.status != 404 || !strings.Contains(got.body, `no tenant "nobody"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.do("GET", "/webhooks/endpoints?tenant=keyed", ""); got.status != 200 || strings.TrimSpace(got.body) != `{"items":[]}` {
		t.Errorf("%d %s", got.status, got.body)
	}
	got := s.do("GET", "/webhooks/endpoints?tenant=umbrella", "")
	if missing, ok := contains(got.body, `"label":"second"`, `"label":"reads"`, `"status":"feed"`, `"stored":true`, `"tenant":"umbrella"`); !ok || strings.Contains(got.body, "first") || strings.Contains(got.body, "erp") {
		t.Errorf("it lacks %q: %s", missing, got.body)
	}
}
