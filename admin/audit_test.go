// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// audited is a row of the audit.
type audited struct {
	subscribers.Audited
	Tenant string `json:"tenant"`
}

// audit returns a page of the audit, as TENANT:OBJECT, and where the next begins.
func (s *stage) audit(query string) (rows, next string) {
	s.t.Helper()
	var page struct {
		Items []audited    `json:"items"`
		Next  queue.Cursor `json:"next"`
	}
	got := s.do(http.MethodGet, "/webhooks/audit"+query, "")
	if got.status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", query, got.status, got.body)
	}
	must(s.t, json.Unmarshal([]byte(got.body), &page))
	var all []string
	for _, row := range page.Items {
		all = append(all, row.Tenant+":"+row.Object)
	}
	return strings.Join(all, " "), string(page.Next)
}

// The audit is newest first, of all tenants or of one, page by page.
func TestAudit(t *testing.T) {
	s, store, _ := newFilledStage(t)
	now := time.Now()
	for i, tenant := range []string{"acme", "umbrella", "acme", "", "acme"} {
		a := subscribers.Audited{
			At: now.Add(time.Duration(i) * time.Second), Who: "ci", Action: "endpoint.update", Object: string(rune('a' + i)), Changed: []string{"url"}, From: "203.0.113.7:80",
		}
		record, err := a.Record(tenant, time.Hour)
		must(t, err)
		_, err = store.Change(t.Context(), record)
		must(t, err)
	}
	for query, want := range map[string]string{
		"": "acme:e :d acme:c umbrella:b acme:a", "?tenant=acme": "acme:e acme:c acme:a", "?tenant=umbrella": "umbrella:b", "?tenant=nobody": "", "?limit=2": "acme:e :d",
		"?tenant=acme&limit=1": "acme:e",
	} {
		if rows, _ := s.audit(query); rows != want {
			t.Errorf("%s: %s, want %s", query, rows, want)
		}
	}
	for _, of := range []string{"?limit=2", "?limit=2&tenant=acme"} {
		all, next := s.audit(of)
		for next != "" {
			var rows string
			rows, next = s.audit(of + "&cursor=" + next)
			all += " " + rows
		}
		if whole, _ := s.audit(strings.ReplaceAll(of, "limit=2", "limit=9")); all != whole {
			t.Errorf("%s: the pages have %s, want %s", of, all, whole)
		}
	}
	if got := s.do(http.MethodGet, "/webhooks/audit?limit=1", ""); !strings.Contains(got.body, `"who":"ci"`) ||
		!strings.Contains(got.body, `"action":"endpoint.update"`) || !strings.Contains(got.body, `"changed":["url"]`) || !strings.Contains(got.body, `"from":"203.0.113.7:80"`) {
		t.Errorf("a row is %s", got.body)
	}
	// A tenant that a script has left empty is not everybody.
	for query, want := range map[string]int{"?tenant=": 400, "?tenant=a&tenant=b": 400, "?who=ci": 400, "?limit=0": 400, "?cursor=x": 400} {
		if got := s.do(http.MethodGet, "/webhooks/audit"+query, ""); got.status != want {
			t.Errorf("%s: %d %s, want %d", query, got.status, got.body, want)
		}
	}
}

// What operators do to a tenant's keys is in it.
func TestAuditOfOperators(t *testing.T) {
	s, _, _ := newFilledStage(t)
	s.do(http.MethodPost, "/webhooks/keys?tenant=acme", "")
	if got := s.do(http.MethodGet, "/webhooks/audit?tenant=acme", ""); !strings.Contains(got.body, `"key.create"`) || strings.Contains(got.body, subscribers.KeyPrefix) {
		t.Errorf("the audit has %s", got.body)
	}
}
