// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"net/http"
	"strings"
	"testing"
)

// What is asked for that there is not is refused, with what there is; what there is,
// or was, and has nothing to show is an empty answer.
func TestKnown(t *testing.T) {
	s, _, id := newFilledStage(t)
	for target, want := range map[string]string{
		"GET /webhooks/deliveries?endpoint=nope":                 `there is no endpoint "nope"; there are crm, erp`,
		"GET /webhooks/attempts?endpoint=nope":                   `there is no endpoint "nope"`,
		"GET /webhooks/cancel?endpoint=nope":                     `there is no endpoint "nope"`,
		"POST /webhooks/cancel?endpoint=nope":                    `there is no endpoint "nope"`,
		"GET /webhooks/recover?since=1h&endpoint=nope":           `there is no endpoint "nope"`,
		"GET /webhooks/resend?event=evt_nope":                    "there is no event evt_nope, or it is older than the retention",
		"POST /webhooks/resend?event=evt_nope":                   "there is no event evt_nope",
		"GET /webhooks/deliveries?event=evt_nope":                "there is no event evt_nope",
		"GET /webhooks/attempts?event=evt_nope":                  "there is no event evt_nope",
		"GET /webhooks/events?object=itms/1":                     `there is no resource "itms"; there are items, orders`,
		"GET /webhooks/cancel?object=itms/1":                     `there is no resource "itms"`,
		"GET /webhooks/events?type=items.creatd":                 `no rule makes events of the type "items.creatd"; there are items.created, items.updated, items.state.{state}`,
		"GET /webhooks/cancel?type=items.creatd":                 "no rule makes events of the type",
		"GET /webhooks/events?type=items.created":                "",
		"GET /webhooks/events?type=items.state.paid":             "",
		"GET /webhooks/events?type=webhooks.endpoint.failing":    "",
		"GET /webhooks/events?object=items/99":                   "",
		"GET /webhooks/events?object=endpoint/erp":               "",
		"GET /webhooks/deliveries?endpoint=crm":                  "",
		"GET /webhooks/deliveries?endpoint=old&status=cancelled": "",
		"GET /webhooks/cancel?event=" + id:                       "",
		"POST /webhooks/cancel?endpoint=crm":                     "",
	} {
		method, path, _ := strings.Cut(target, " ")
		got := s.do(method, path, "")
		status := http.StatusOK
		if want != "" {
			status = http.StatusNotFound
		}
		if got.status != status || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want %d %q", target, got.status, got.body, status, want)
		}
	}
}
