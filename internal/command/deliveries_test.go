// SPDX-License-Identifier: Apache-2.0

package command

import (
	"net/http"
	"strings"
	"testing"
)

// The verbs count first, act only when that is confirmed, and go on until there
// is no next page.
func TestDeliveryVerbs(t *testing.T) {
	api := newAdminAPI(t, func(r *http.Request) (int, string) {
		query := r.URL.Query()
		switch {
		case strings.HasPrefix(r.URL.Path, "/webhooks/endpoints/"):
			if strings.HasSuffix(r.URL.Path, "crm/retry") {
				return http.StatusOK, `{"name":"crm","status":"active","hastened":17}`
			}
			return http.StatusOK, `{"name":"erp","status":"paused"}`
		case query.Get("event") == "nothing", query.Get("type") == "nothing":
			return http.StatusOK, `{"count":0}`
		case query.Get("event") == "one":
			return http.StatusOK, `{"count":1}`
		case query.Get("event") == "foreign":
			return http.StatusOK, `{"count":0,"refused":1}`
		case query.Get("endpoint") == "tenant" && r.Method == http.MethodGet:
			return http.StatusOK, `{"count":2,"refused":3}`
		case query.Get("endpoint") == "tenant":
			return http.StatusOK, `{"changed":2,"refused":3}`
		case query.Get("endpoint") == "busy" && r.Method == http.MethodGet:
			return http.StatusOK, `{"count":10000,"at_least":true}`
		case query.Get("endpoint") == "busy" && query.Get("cursor") == "abc":
			return http.StatusInternalServerError, `{"error":"the disk hangs"}`
		case r.Method == http.MethodGet:
			return http.StatusOK, `{"count":1500}`
		case query.Get("cursor") == "abc":
			return http.StatusOK, `{"changed":500}`
		}
		return http.StatusOK, `{"changed":1000,"next":"abc"}`
	})
	for _, tc := range []struct {
		args     string
		requests []string
		printed  string
		err      string
	}{
		{"recover --since 3h --endpoint erp", []string{"GET /webhooks/recover?endpoint=erp&since=3h"}, "", "1500 deliveries will be sent again. But nothing was done; confirm with --yes"},
		{"resend one", []string{"GET /webhooks/resend?event=one"}, "", "1 delivery will be sent again. But"},
		{
			"recover --since 3h --yes",
			[]string{"GET /webhooks/recover?since=3h", "POST /webhooks/recover?since=3h", "POST /webhooks/recover?cursor=abc&since=3h"},
			"1500 deliveries sent again.\n", "",
		},
		{"replay busy", []string{"GET /webhooks/replay?endpoint=busy"}, "", "at least 10000 deliveries will be sent."},
		{
			"replay busy --yes",
			[]string{"GET /webhooks/replay?endpoint=busy", "POST /webhooks/replay?endpoint=busy", "POST /webhooks/replay?cursor=abc&endpoint=busy"},
			"", "after 1000 deliveries sent: the disk hangs; repeat the command to go on",
		},
		{"resend nothing -y", []string{"GET /webhooks/resend?event=nothing"}, "There is nothing to do.\n", ""},
		{"resend foreign -y", []string{"GET /webhooks/resend?event=foreign"}, "There is nothing to do.\nNot 1 delivery: the endpoint's tenant may not have the event.\n", ""},
		{
			"replay tenant -y",
			[]string{"GET /webhooks/replay?endpoint=tenant", "POST /webhooks/replay?endpoint=tenant"},
			"2 deliveries sent.\nNot 3 deliveries: the endpoint's tenant may not have the event.\n", "",
		},
		{"resend nothing --json", []string{"GET /webhooks/resend?event=nothing"}, "{\n  \"changed\": 0\n}\n", ""},
		{
			"replay erp --type items.paid --json -y",
			[]string{"GET /webhooks/replay?endpoint=erp&type=items.paid", "POST /webhooks/replay?endpoint=erp&type=items.paid", "POST /webhooks/replay?cursor=abc&endpoint=erp&type=items.paid"},
			"{\n  \"changed\": 1500\n}\n", "",
		},
		{"cancel --object items/1", []string{"GET /webhooks/cancel?object=items%2F1"}, "", "will be given up"},
		{"pause erp --reason moving", []string{`POST /webhooks/endpoints/erp/pause {"reason":"moving"}`}, "Endpoint erp is paused.\n", ""},
		{"pause a/b --json", []string{`POST /webhooks/endpoints/a%2Fb/pause {"reason":""}`}, "{\n  \"name\": \"erp\",\n  \"status\": \"paused\"\n}\n", ""},
		{"resume erp", []string{"POST /webhooks/endpoints/erp/resume"}, "Endpoint erp is paused.\n", ""},
		{"retry crm", []string{"POST /webhooks/endpoints/crm/retry"}, "Sending 17 deliveries to crm that waited for a retry.\n", ""},
		{"retry erp --object items/1", []string{"POST /webhooks/endpoints/erp/retry?object=items%2F1"}, "No delivery to erp waits for a retry; those that are due are being sent.\n", ""},
		{"retry", nil, "", "accepts 1 arg"},
		{"recover --since 1m --type nothing", []string{"GET /webhooks/recover?since=1m&type=nothing"}, "There is nothing to do. No delivery of that time is dead. What is pending waits for its retry: caddy webhooks retry ENDPOINT sends it now.\n", ""},
		{"resend", nil, "", "accepts 1 arg"},
		{"cancel everything", nil, "", "unknown command"},
		{"resnd one", nil, "", "did you mean resend?"},
	} {
		printed, requests, err := api.run(t, strings.Fields(tc.args)...)
		if printed != tc.printed {
			t.Errorf("%s: printed %q", tc.args, printed)
		}
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, want %q", tc.args, err, tc.err)
		}
		if strings.Join(requests, "\n") != strings.Join(tc.requests, "\n") {
			t.Errorf("%s: requested %q", tc.args, requests)
		}
	}
}
