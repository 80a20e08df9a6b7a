// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// The report says only what there is to say, and drafts rules as a Caddyfile has
// them.
func TestPrintCoverage(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	full := &admin.Coverage{
		Since: now.Add(-time.Hour), Resources: []string{"items"}, Unmatched: []coverage.Line{
			{Method: "POST", Template: "/orders/:id/ship", Count: 3, Last: now, Suggestion: coverage.Suggestion{Resource: "orders", Show: "show GET /v1/orders/:id", Rule: "update POST /orders/:id/ship"}},
			{Method: "PATCH", Template: "/v1/orders/:id", Count: 2, Last: now, Suggestion: coverage.Suggestion{Resource: "orders", Show: "show GET /v1/orders/:id", Rule: "update PATCH /v1/orders/:id"}},
			{Method: "POST", Template: "/items/:id", Count: 2, Last: now, Suggestion: coverage.Suggestion{Resource: "items", Rule: "update POST /items/:id"}},
			{Method: "POST", Template: "/", Count: 1, Last: now},
		},
		Other: 9,
		Words: []effect.Line{
			{Resource: "items", Word: "hide card", At: "Caddyfile:7", Leaks: true, Since: now, Looked: 20, In: effect.InShows, Instead: "buyer.card"},
			{Resource: "items", Word: "update PUT /item/:id", At: "Caddyfile:8", Rule: true, Since: now, Looked: 40, Instead: "PUT /items/:id"},
		},
		Gaps:       []intake.Gap{{Resource: "items", Since: now}},
		Unresolved: 1, OpenIntents: 2, Marks: 3, Failing: 4, OldestMark: now.Add(-90 * time.Second),
		Unproven: []string{"items", "users"}, Unlisted: []string{"users"},
	}
	for name, tc := range map[string]struct {
		report *admin.Coverage
		want   string
	}{
		"nothing": {&admin.Coverage{Since: now}, `Every unsafe request since 2026-03-04T05:06:07Z matched a rule.
Changes whose object is not known: 0 (caddy webhooks unresolved)
Exchanges under way or of unknown outcome: 0
Objects that wait for reconciling: 0, tried in vain: 0
`},
		"everything": {full, `Unsafe requests since 2026-03-04T04:06:07Z that matched no rule:
COUNT  LAST                  REQUEST
3      2026-03-04T05:06:07Z  POST /orders/:id/ship
2      2026-03-04T05:06:07Z  PATCH /v1/orders/:id
2      2026-03-04T05:06:07Z  POST /items/:id
1      2026-03-04T05:06:07Z  POST /
9                            others

Would be caught by, in the handler:

	resource orders {
		show GET /v1/orders/:id
		update POST /orders/:id/ship
		update PATCH /v1/orders/:id
	}

Would be caught by, in the resource items:

	update POST /items/:id

What changes nothing, such as a search: ignore METHOD PATH, in the handler.

Words without effect:
- hide card, in resource items (Caddyfile:7):
    looked for in 20 Shows that were new or had changed since 2026-03-04T05:06:07Z, and never found; there is buyer.card, which is stored and sent if that is what was meant
- update PUT /item/:id, in resource items (Caddyfile:8):
    no request matched since 2026-03-04T05:06:07Z, and 40 requests PUT /items/:id passed that no rule matches
Gap: items, since 2026-03-04T05:06:07Z, not made up for yet
Changes whose object is not known: 1 (caddy webhooks unresolved)
Exchanges under way or of unknown outcome: 2
Objects that wait for reconciling: 3, tried in vain: 4, the oldest for 1m30s
Without a version, so that nothing proves a Show fresh: items users
Without a list, so that a gap may hide a create: users
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := printCoverage(&out, 0, tc.report, now); err != nil {
				t.Fatal(err)
			}
			if out.String() != tc.want {
				t.Errorf("printed\n%s\nwant\n%s", &out, tc.want)
			}
		})
	}
}

// The command prints a report for people, and the answer itself with --json.
func TestCoverage(t *testing.T) {
	api := newAdminAPI(t, func(*http.Request) (int, string) { return http.StatusOK, `{"unmatched":[],"marks":7}` })
	for args, want := range map[string]string{"coverage": "wait for reconciling: 7", "coverage --json": `"marks": 7`} {
		printed, requests, err := api.run(t, strings.Fields(args)...)
		if err != nil || !strings.Contains(printed, want) || len(requests) != 1 || requests[0] != "GET /webhooks/coverage" {
			t.Errorf("%s: %v, requested %q, printed\n%s", args, err, requests, printed)
		}
	}
}
