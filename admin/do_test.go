// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// doing has Olga do something.
func doing[T any](s *stage, method, target string) (T, error) {
	return admin.Do[T](s.server, "olga", httptest.NewRequestWithContext(s.t.Context(), method, target, http.NoBody))
}

// Pages within the process get what programs get, as values, and errors with their status.
func TestDo(t *testing.T) {
	s, _, _ := newFilledStage(t)
	marks, err := doing[admin.List[admin.MarkView]](s, "GET", "/webhooks/marks")
	must(t, err)
	if len(marks.Items) != 1 || marks.Items[0].Object != "items/3" {
		t.Errorf("marks are %+v", marks)
	}
	// What is failing is an answer, whatever its status.
	health, err := doing[admin.Health](s, "GET", "/webhooks/health")
	must(t, err)
	if health.Status != "failing" || len(health.Problems) == 0 {
		t.Errorf("health is %+v", health)
	}
	for _, tc := range []struct {
		method, target string
		status         int
		has            string
	}{
		{"POST", "/webhooks/look?object=parcels/1", 400, `there is no resource "parcels"`},
		{"POST", "/webhooks/endpoints/nope/pause", 404, "nope"},
		{"GET", "/webhooks/nothing", 404, "there is no /webhooks/nothing"},
		{"GET", "/webhooks/endpoints?state=tired", 400, "state is one of"},
	} {
		_, err := doing[admin.DoneView](s, tc.method, tc.target)
		var refused *admin.Refused
		if !errors.As(err, &refused) || refused.Status != tc.status || !strings.Contains(refused.Detail, tc.has) || strings.Contains(refused.Detail, "bad query") {
			t.Errorf("%s %s: %#v", tc.method, tc.target, err)
		}
	}
	if _, err := doing[admin.Coverage](s, "GET", "/webhooks/marks"); err == nil {
		t.Error("one view is taken for another")
	}
}

// What an operator does on pages is in the audit by name; a tenant reads that an operator
// did it, and not who.
func TestDoIsAudited(t *testing.T) {
	s, _ := newOperatedStage(t)
	id := s.made("acme", "erp")
	for _, target := range []string{
		"/webhooks/look?object=items/1", "/webhooks/list?resource=items", "/webhooks/dismiss?before=1h", "/webhooks/recover?endpoint=" + id + "&since=1h",
		"/webhooks/endpoints/" + id + "/retry", "/webhooks/endpoints/" + id + "/pause", "/webhooks/endpoints/erp/pause", "/webhooks/endpoints/" + id + "/enable",
	} {
		must(t, func() error {
			_, err := admin.Do[any](s.server, "olga", httptest.NewRequestWithContext(t.Context(), "POST", target, http.NoBody))
			return err
		}())
	}
	all, err := doing[admin.List[admin.AuditView]](s, "GET", "/webhooks/audit")
	must(t, err)
	var lines []string
	for i := range all.Items {
		a := &all.Items[i]
		lines = append(lines, strings.TrimSpace(strings.ReplaceAll(strings.Join([]string{a.Tenant, a.Action, a.Object, a.Who, a.By, strings.Join(a.Changed, " ")}, " "), id, "ID")))
	}
	want := []string{
		"acme endpoint.release ID operator olga", "acme endpoint.hold erp operator olga", "acme endpoint.hold ID operator olga", "operator.retry ID operator olga",
		"operator.recover ID operator olga since=1h", "operator.dismiss  operator olga before=1h", "operator.list items operator olga", "operator.look items/1 operator olga",
	}
	for _, line := range want[1:] {
		if !strings.Contains("\n"+strings.Join(lines, "\n")+"\n", "\n"+line+"\n") {
			t.Errorf("the audit lacks %q:\n%s", line, strings.Join(lines, "\n"))
		}
	}
	if !strings.Contains(lines[0], "acme") || !strings.Contains(lines[0], "operator olga") {
		t.Errorf("the last is %q", lines[0])
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/webhooks/tenants/acme/audit", http.NoBody)
	w := httptest.NewRecorder()
	must(t, s.server.Serve(w, r))
	if text := w.Body.String(); strings.Contains(text, "olga") || !strings.Contains(text, `"who":"operator"`) {
		t.Errorf("the tenant reads %s", text)
	}
	// Without a name, nothing is added.
	before := len(all.Items)
	s.do("POST", "/webhooks/look?object=items/1", "")
	all, err = doing[admin.List[admin.AuditView]](s, "GET", "/webhooks/audit")
	must(t, err)
	if len(all.Items) != before {
		t.Errorf("it has %d records, and had %d", len(all.Items), before)
	}
	var e callbacks.EndpointView
	if e, err = doing[callbacks.EndpointView](s, "GET", "/webhooks/endpoints/"+id); err != nil || e.Label != "erp" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err = doing[callbacks.EndpointView](s, "GET", "/webhooks/tenants/umbrella/endpoints/"+id); err == nil || !strings.Contains(err.Error(), "not yours") {
		t.Errorf("%v", err)
	}
}

// Endpoints are listed by how they stand.
func TestEndpointsByState(t *testing.T) {
	s, _, _ := newFilledStage(t)
	for state, want := range map[queue.EndpointStatus]string{queue.EndpointPaused: "erp", queue.EndpointActive: "crm", emitter.StatusGone: "old", emitter.StatusFailing: "", admin.StatusFeed: ""} {
		listed, err := doing[admin.List[admin.EndpointView]](s, "GET", "/webhooks/endpoints?state="+string(state))
		must(t, err)
		names := ""
		for i := range listed.Items {
			names += listed.Items[i].Name
		}
		if names != want {
			t.Errorf("%s: %q, want %q", state, names, want)
		}
	}
}
