// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/policy"
)

func TestDeliveryPolicyErrors(t *testing.T) {
	for lines, want := range map[string]string{
		"order random":             "order is object, endpoint or none",
		"order":                    "order takes one argument",
		"order object\norder none": "order stands twice in endpoint erp",
		"coalesce yes":             `coalesce stands alone; remove "yes"`,
		"concurrency 0":            "concurrency is a number from 1 to 4096",
		"concurrency many":         "concurrency is a number from 1 to 4096",
		"rate 10":                  "as 10/s, 300/m or 1000/h",
		"rate 10/s 5/s":            "rate takes one argument",
		"success":                  "success takes statuses, as 200 202 or 2xx",
		"success 20x":              "write codes from 200 to 599, or a class such as 2xx",
		"deadline soon":            "deadline takes a duration",
		"when_disabled forget":     "when_disabled is keep or drop",
		"disable_after 5m":         "disable_after is a duration from 1h0m0s",
		"disable_after soon":       "or never",
		"trace on":                 "trace stands alone",
		"tenant":                   "tenant takes one argument",
	} {
		_, err := adapt(t, "{\n\twebhooks {\nendpoint erp https://a.example/ {\nsecret {env.S}\n"+lines+"\n}\n}\n}\n")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: got %v", lines, err)
		}
	}
}

// TestDeliveryPolicyApplies sees that no word is read and ignored.
func TestDeliveryPolicyApplies(t *testing.T) {
	all := policy.Delivery{
		Order: endpoint.OrderEndpoint, Coalesce: true, Concurrency: 4, Rate: "10/m", Success: []string{"2xx", "409"},
		Deadline: caddy.Duration(time.Hour), WhenDisabled: endpoint.Drop, DisableAfter: -1, Trace: true, Tenant: "acme",
	}
	var got endpoint.Endpoint
	if err := all.Apply(&got); err != nil {
		t.Fatal(err)
	}
	if got.Order != endpoint.OrderEndpoint || !got.Coalesce || got.Concurrency != 4 || got.Rate.String() != "10/m" || !got.Success.Match(409) ||
		got.Deadline != time.Hour || got.WhenDisabled != endpoint.Drop || got.DisableAfter != endpoint.Never || !got.Trace || got.Tenant != "acme" {
		t.Errorf("got %+v", got)
	}
	for _, wrong := range []policy.Delivery{{Rate: "fast"}, {Success: []string{"ok"}}} {
		if err := wrong.Apply(&got); err == nil {
			t.Errorf("%+v is accepted", wrong)
		}
	}
}
