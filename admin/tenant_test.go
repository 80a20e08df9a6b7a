// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// Whatever operators ask for, a tenant's endpoint gets only what its tenant may
// have, and the answer counts the rest.
func TestTenantsGetTheirOwn(t *testing.T) {
	for name, tc := range map[string]struct {
		verb           string
		count, changed string
	}{
		"replay":                {"replay?endpoint=erp", `{"count":1,"refused":3}`, `{"changed":1,"refused":3}`},
		"replay one":            {"replay?endpoint=erp&event=ID", `{"count":0,"refused":1}`, `{"changed":0,"refused":1}`},
		"replay to an operator": {"replay?endpoint=crm", `{"count":4}`, `{"changed":4}`},
		"replay to a receiver that requests named": {"replay?endpoint=notify.items", `{"count":4}`, `{"changed":0,"refused":4}`},
		"replay to an endpoint that is gone":       {"replay?endpoint=old", `{"count":6}`, `{"changed":0,"refused":4}`},
		"resend":                                   {"resend?event=ID", `{"count":1,"refused":1}`, `{"changed":1,"refused":1}`},
		"resend to one":                            {"resend?event=ID&endpoint=erp", `{"count":0,"refused":1}`, `{"changed":0,"refused":1}`},
		"recover":                                  {"recover?since=1h", `{"count":1,"refused":1}`, `{"changed":1,"refused":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			store := &diskStore{Store: memory.New(time.Now)}
			s := newStage(t, filer{&engine{dir: t.TempDir(), store: store}})
			for id, tenant := range map[string]string{"1": "acme", "2": "umbrella", "3": ""} {
				to := []string{}
				if tenant == "umbrella" {
					// Its tenant was another one then.
					to = []string{"erp", "crm"}
				}
				must(t, store.Announce(t.Context(), event.Event{
					Type: "items.updated", Key: event.Key{Resource: "items", ID: id}, Tenant: tenant, Time: time.Now(),
				}, to))
			}
			must(t, store.Announce(t.Context(), event.Event{
				Type: "items.left", Key: event.Key{Resource: "items", ID: "4"}, Tenant: "acme", Audience: event.AudienceOperators, Time: time.Now(),
			}, nil))
			if strings.Contains(tc.verb, "old") {
				for _, id := range []string{"5", "6"} {
					must(t, store.Announce(t.Context(), event.Event{Type: "items.updated", Key: event.Key{Resource: "items", ID: id}, Time: time.Now()}, []string{"old"}))
				}
			}
			id := ""
			for _, name := range []string{"erp", "crm"} {
				lease, err := store.LeaseDelivery(t.Context(), name, queue.LeaseOptions{For: time.Minute})
				must(t, err)
				must(t, store.FinishAttempt(t.Context(), lease, queue.Attempt{At: time.Now()}, queue.Verdict{Status: queue.StatusDead}))
				id = lease.EventID
			}
			putState(t, store, queue.EndpointState{Name: "crm", Status: queue.EndpointPaused})
			putState(t, store, queue.EndpointState{Name: "erp", Status: queue.EndpointPaused})
			s.start()
			target := "/webhooks/" + strings.ReplaceAll(tc.verb, "ID", id)
			if got := s.do("GET", target, ""); strings.TrimSpace(got.body) != tc.count {
				t.Errorf("GET: %d %s, want %s", got.status, got.body, tc.count)
			}
			if got := s.do("POST", target, ""); strings.TrimSpace(got.body) != tc.changed {
				t.Errorf("POST: %d %s, want %s", got.status, got.body, tc.changed)
			}
		})
	}
}
