// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// routes has every route, with the methods that it takes. ID stands for an
// event's id.
var routes = map[string]string{
	"/webhooks/status":               "GET, HEAD",
	"/webhooks/health":               "GET, HEAD",
	"/webhooks/events":               "GET, HEAD",
	"/webhooks/events/ID":            "GET, HEAD",
	"/webhooks/deliveries":           "GET, HEAD",
	"/webhooks/attempts":             "GET, HEAD",
	"/webhooks/marks":                "GET, HEAD",
	"/webhooks/unresolved":           "GET, HEAD",
	"/webhooks/endpoints":            "GET, HEAD",
	"/webhooks/tenants":              "GET, HEAD",
	"/webhooks/snapshots":            "GET, HEAD",
	"/webhooks/coverage":             "GET, HEAD",
	"/webhooks/keys":                 "GET, HEAD, POST",
	"/webhooks/queue":                "GET, HEAD",
	"/webhooks/queue/backup":         "GET, HEAD",
	"/webhooks/endpoints/erp/pause":  "POST",
	"/webhooks/endpoints/erp/resume": "POST",
	"/webhooks/endpoints/crm/retry":  "POST",
	"/webhooks/look":                 "POST",
	"/webhooks/list":                 "POST",
	"/webhooks/dismiss":              "POST",
	"/webhooks/resend":               "GET, HEAD, POST",
	"/webhooks/recover":              "GET, HEAD, POST",
	"/webhooks/replay":               "GET, HEAD, POST",
	"/webhooks/cancel":               "GET, HEAD, POST",
}

// needed has the parameters of the routes that refuse a request without any.
var needed = map[string]string{
	"/webhooks/look": "?object=items/1", "/webhooks/list": "?resource=items", "/webhooks/keys": "?tenant=acme", "/webhooks/dismiss": "?before=2026-03-04T05:06:07Z",
	"/webhooks/resend": "?event=ID", "/webhooks/recover": "?since=1h", "/webhooks/replay": "?endpoint=erp", "/webhooks/cancel": "?endpoint=old",
}

// Every route takes its methods and refuses all others with 405 and Allow,
// whether or not a slash follows.
func TestMethods(t *testing.T) {
	s, _, id := newFilledStage(t)
	for route, allow := range routes {
		for _, slash := range []string{"", "/"} {
			target := strings.ReplaceAll(route+slash+needed[route], "ID", id)
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
				got := s.do(method, target, "")
				if strings.Contains(", "+allow+",", ", "+method+",") {
					// The queue of the stage has damaged records.
					if got.status != http.StatusOK && (route != "/webhooks/health" || got.status != http.StatusServiceUnavailable) {
						t.Errorf("%s %s: %d %s", method, target, got.status, got.body)
					}
					continue
				}
				if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != allow {
					t.Errorf("%s %s: %d, Allow: %s; want 405, %s", method, target, got.status, got.header.Get("Allow"), allow)
				}
			}
		}
	}
}

// An unknown path is refused with 404, and the error lists the known ones.
func TestNotFound(t *testing.T) {
	s, _, _ := newFilledStage(t)
	for _, target := range []string{
		"/webhooks", "/webhooks/", "/webhooks/nothing", "/webhooks/status/more", "/webhooks/queue/nothing",
		"/webhooks/endpoints/erp/explode", "/webhooks/endpoints/erp/pause/more", "/webhooks/events/a/b",
		"/webhooks//nothing", "/other",
	} {
		for _, method := range []string{"GET", "POST"} {
			got := s.do(method, target, "")
			if missing, ok := contains(got.body, "there is no "+target, "endpoints/{name}/pause", "events/{id}", "resend,"); got.status != http.StatusNotFound || !ok {
				t.Errorf("%s %s: %d %s; it lacks %q", method, target, got.status, got.body, missing)
			}
		}
	}
}

// Requests that need an open queue are refused with 503 while it is not open.
func TestNotOpen(t *testing.T) {
	for name, tc := range map[string]struct {
		start           bool
		health, problem string
	}{
		"not used yet": {false, "the queue cannot be read", ""},
		"failed":       {true, errDisk.Error(), errDisk.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, filer{&engine{dir: t.TempDir(), err: errDisk}})
			if tc.start {
				s.start()
			}
			for route, allow := range routes {
				method, _, _ := strings.Cut(allow, ",")
				want := http.StatusServiceUnavailable
				if route == "/webhooks/coverage" || route == "/webhooks/queue" {
					want = http.StatusOK
				}
				// Parameters are not looked at then.
				if got := s.do(method, route+"?colour=red", ""); got.status != want {
					t.Errorf("%s %s: %d %s, want %d", method, route, got.status, got.body, want)
				}
			}
			if got := s.do("GET", "/webhooks/health", ""); !strings.Contains(got.body, tc.health) || !strings.Contains(got.body, `"status":"failing"`) {
				t.Errorf("health: %s", got.body)
			}
			var status struct {
				Open    bool      `json:"open"`
				Problem string    `json:"problem"`
				Since   time.Time `json:"since"`
				Gaps    []any     `json:"gaps"`
				Table   int64     `json:"table_bytes"`
			}
			if err := json.Unmarshal([]byte(s.do("GET", "/webhooks/queue", "").body), &status); err != nil {
				t.Fatal(err)
			}
			if status.Open || !strings.Contains(status.Problem, tc.problem) || status.Since.IsZero() == tc.start || status.Gaps == nil || status.Table != 11 {
				t.Errorf("queue: %+v", status)
			}
			if got := s.do("GET", "/webhooks/status", ""); got.body != "the queue is not open" {
				t.Errorf("status: %s", got.body)
			}
		})
	}
}

// Each view shows what the queue holds, and each filter narrows it. Its lost batches make
// a gap at some time.
func TestAnswers(t *testing.T) {
	s, _, id := newFilledStage(t)
	s.server.Uncovered.Note("POST", "/orders/77/ship")
	other := `"object":"items/2"`
	for _, tc := range []struct {
		target     string
		want, lack string
	}{
		{"/webhooks/status", `"durability":"process" "resources":["items","orders"] "unresolved":1 "pending_deliveries":{"old":1}`, ""},
		{"/webhooks/events", `"id":"ID" "object":"items/1" "size":22 ` + other, "payload"},
		{"/webhooks/events?limit=1", `"next":" ` + other, `"object":"items/1"`},
		{"/webhooks/events?object=items/1", `"id":"ID"`, other},
		{"/webhooks/events?object=items%2F1", `"id":"ID"`, other},
		{"/webhooks/events?event=ID", `"id":"ID"`, other},
		{"/webhooks/events?type=items.created", `{"items":[]}`, other},
		{"/webhooks/events/ID", `"id":"ID" "payload":{"n":9007199254740993}`, ""},
		{"/webhooks/deliveries", `"event_id":"ID" "status":"dead" "status":"pending" "object":"items/1" "last_code":502,"last_error":"it is down" ` + other, ""},
		{"/webhooks/deliveries?status=pending", other, "dead"},
		{"/webhooks/deliveries?endpoint=erp", `{"items":[]}`, other},
		{"/webhooks/attempts", `"event_id":"ID" "endpoint":"old" "code":502 "response":"no luck"`, ""},
		{"/webhooks/marks", `"object":"items/3" "rule":"PATCH /items/:id"`, ""},
		{"/webhooks/unresolved", `"rule":"POST /items" "reason":"no id"`, ""},
		{"/webhooks/coverage", `"template":"/orders/:id/ship" "gaps":[ "unresolved":1 "marks":1 "unproven":["orders"] "unlisted":["orders"]`, ""},
		{
			"/webhooks/queue", `"open":true "space":"enough" "free_bytes":44 "low_bytes":55 "critical_bytes":66 "table_bytes":11 "log_bytes":22 ` +
				`"other_bytes":33 "damaged_records":77 "lost_batches":88 "interim":0 "gaps":[ "set_aside":["set-aside-1"] "counts":{`, "problem",
		},
		{"/webhooks/resend?event=ID", `{"count":1}`, ""},
		{"/webhooks/recover?since=1h", `{"count":1}`, ""},
		{"/webhooks/recover?since=1h&until=1h", `{"count":0}`, ""},
		{"/webhooks/recover?since=2026-03-04T05:06:07Z&type=items.created&type=items.updated", `{"count":1}`, ""},
		{"/webhooks/replay?endpoint=erp", `{"count":2}`, ""},
		{"/webhooks/replay?endpoint=erp&object=items/2", `{"count":1}`, ""},
		{"/webhooks/replay?endpoint=erp&type=items.created&type=items.updated", `{"count":2}`, ""},
		{"/webhooks/replay?endpoint=erp&until=1h", `{"count":0}`, ""},
		{"/webhooks/replay?endpoint=erp&since=0s", `{"count":0}`, ""},
		{"/webhooks/cancel?endpoint=old", `{"count":1}`, ""},
		{"/webhooks/cancel?type=items.created", `{"count":0}`, ""},
		{"/webhooks/cancel?event=ID", `{"count":0}`, ""},
	} {
		target, want := strings.ReplaceAll(tc.target, "ID", id), strings.Split(strings.ReplaceAll(tc.want, "ID", id), ` "`)
		got := s.do("GET", target, "")
		if missing, ok := contains(got.body, want...); !ok || got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v; it lacks %q:\n%s", target, got.status, got.header, missing, got.body)
		}
		if tc.lack != "" && strings.Contains(got.body, tc.lack) {
			t.Errorf("%s has %q:\n%s", target, tc.lack, got.body)
		}
	}
}

// A wrong parameter or body is refused with 400, an unknown id or name with 404,
// and the error says why.
func TestBadRequests(t *testing.T) {
	s, _, id := newFilledStage(t)
	for request, want := range map[string]string{
		"GET /webhooks/events?limit=0":                                                          "limit is a number from 1 to 1000",
		"GET /webhooks/events?limit=1001":                                                       "limit is a number from 1 to 1000",
		"GET /webhooks/events?limit=x":                                                          "limit is a number from 1 to 1000",
		"GET /webhooks/events?cursor=%00":                                                       "not a cursor of this list",
		"GET /webhooks/events?object=x":                                                         "object: ",
		"GET /webhooks/events?colour=red":                                                       `unknown parameter "colour"; it takes event, type, object, cursor, limit`,
		"GET /webhooks/events?type=%zz":                                                         "invalid URL escape",
		"GET /webhooks/events?type=a;event=b":                                                   "semicolon",
		"GET /webhooks/deliveries?status=unknown":                                               "status is pending, delivered, dead, superseded or cancelled",
		"GET /webhooks/endpoints?limit=0":                                                       "limit is a number",
		"GET /webhooks/endpoints?type=x":                                                        "it takes tenant, state, name, cursor, limit",
		"GET /webhooks/queue/backup?since=%zz":                                                  "invalid URL escape",
		"GET /webhooks/queue/backup?after=1":                                                    `unknown parameter "after"; it takes since`,
		"GET /webhooks/queue/backup?since=x":                                                    "since is the number that the backup before ends with",
		"POST /webhooks/resend":                                                                 "say which deliveries are meant: event",
		"POST /webhooks/resend?event=":                                                          "say which deliveries are meant: event",
		"POST /webhooks/resend?event=x&colour=red":                                              "it takes event, endpoint, cursor, limit",
		"POST /webhooks/resend?event=x&since=1h":                                                `unknown parameter "since"`,
		"POST /webhooks/resend?event=x&limit=0":                                                 "limit is a number",
		"POST /webhooks/recover":                                                                "say which deliveries are meant: since",
		"POST /webhooks/recover?since=yesterday":                                                "is not a time",
		"POST /webhooks/recover?since=-3h":                                                      "is not a time",
		"POST /webhooks/recover?since=":                                                         "is not a time",
		"POST /webhooks/cancel":                                                                 "say which deliveries are meant: endpoint or event or type or object",
		"POST /webhooks/cancel?since=1h":                                                        "say which deliveries are meant",
		"POST /webhooks/cancel?endpoint=old&endpoint=":                                          "say which deliveries are meant",
		"POST /webhooks/cancel?endpoint=old&object=%zz":                                         "invalid URL escape",
		"POST /webhooks/cancel?object=x":                                                        "object: ",
		"POST /webhooks/cancel?endpoint=old&cursor=!":                                           "not a cursor of this list",
		"POST /webhooks/cancel?endpoint=old&event=":                                             "event is empty",
		"POST /webhooks/cancel?endpoint=old&type=":                                              "type is empty",
		"POST /webhooks/cancel?endpoint=old&type=items.created&type=":                           "type is empty",
		"POST /webhooks/cancel?endpoint=old&limit=1&limit=2":                                    "limit is given more than once",
		"POST /webhooks/cancel?endpoint=new&endpoint=old":                                       "endpoint is given more than once",
		"GET /webhooks/cancel?endpoint=old&event=":                                              "event is empty",
		"POST /webhooks/recover?since=1h&endpoint=":                                             "endpoint is empty",
		"POST /webhooks/replay?endpoint=old&event=":                                             "event is empty",
		"POST /webhooks/look?object=items/1&deleted=yes":                                        `deleted is 1 or left out, not "yes"`,
		"POST /webhooks/look?object=items/1&object=items/2":                                     "object is given more than once",
		"POST /webhooks/dismiss?before=2026-03-04T05:06:07Z&resource=":                          "resource is empty",
		"POST /webhooks/dismiss?id=1&before=2026-03-04T05:06:07Z":                               "id means one record",
		"POST /webhooks/replay?since=1h":                                                        "say which deliveries are meant: endpoint",
		"POST /webhooks/look":                                                                   "object: ",
		"POST /webhooks/look?object=nothing":                                                    "object: ",
		"POST /webhooks/look?object=users/1":                                                    `there is no resource "users"`,
		"POST /webhooks/look?object=items@list/all":                                             `there is no resource "items@list"`,
		"POST /webhooks/look?object=items/1&delete=1":                                           `unknown parameter "delete"; it takes object, deleted, wait`,
		"POST /webhooks/list":                                                                   `there is no resource ""`,
		"POST /webhooks/list?resource=users":                                                    `there is no resource "users"`,
		"POST /webhooks/list?resource=orders":                                                   "resource orders has no list; declare one, as `list GET /orders orders.#.id`",
		"POST /webhooks/dismiss":                                                                "say which, with id=N or before=TIME",
		"POST /webhooks/dismiss?id=x":                                                           `id is a number, not "x"`,
		"POST /webhooks/dismiss?before=tonight":                                                 `before: bad query: "tonight" is not a time`,
		"POST /webhooks/dismiss?before=-1m":                                                     "is not a time",
		"GET /webhooks/events?endpoint=erp":                                                     `unknown parameter "endpoint"`,
		"GET /webhooks/attempts?type=items.updated":                                             `unknown parameter "type"`,
		"GET /webhooks/marks?object=items/1":                                                    "it takes limit",
		"GET /webhooks/unresolved?endpoint=erp":                                                 "it takes cursor, limit",
		"POST /webhooks/look?object=items/1&wait=2m":                                            "wait is a time up to 1m0s",
		"POST /webhooks/list?resource=items&wait=soon":                                          "wait is a time up to 1m0s",
		"POST /webhooks/dismiss?before=2026-03-04T05:06:07Z&to=x":                               `unknown parameter "to"; it takes id, before, resource`,
		"POST /webhooks/endpoints/crm/pause {":                                                  "the body is JSON",
		"POST /webhooks/endpoints/crm/pause " + `{"reason":"` + strings.Repeat("x", 501) + `"}`: "the reason is longer than 500 bytes",
	} {
		part := strings.SplitN(request, " ", 3)
		got := s.do(part[0], part[1], strings.Join(part[2:], ""))
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want %q", request, got.status, got.body, want)
		}
	}
	if got := s.do("POST", "/webhooks/endpoints/erp/retry", ""); got.status != http.StatusConflict || !strings.Contains(got.body, "erp is paused; resume it") {
		t.Errorf("retry of a paused endpoint: %d %s", got.status, got.body)
	}
	for request, want := range map[string]string{
		"GET /webhooks/events/evt_nothing":      "there is no event evt_nothing, or it is older than the retention",
		"GET /webhooks/events/" + id + "%2F":    "there is no event",
		"POST /webhooks/endpoints/nobody/pause": "there is no endpoint of that name: nobody",
		"POST /webhooks/endpoints/old/resume":   "there is no endpoint of that name: old",
		"POST /webhooks/endpoints/a%2Fb/pause":  "there is no endpoint of that name: a/b",
		"POST /webhooks/dismiss?id=99999":       "there is no record 99999",
		"POST /webhooks/endpoints/old/retry":    "there is no endpoint of that name: old",
	} {
		method, target, _ := strings.Cut(request, " ")
		if got := s.do(method, target, ""); got.status != http.StatusNotFound || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want %q", request, got.status, got.body, want)
		}
	}
}

// The verbs act on the selected deliveries, a page at a time. Repeated, they
// change nothing.
func TestDeliveryVerbs(t *testing.T) {
	for name, tc := range map[string]struct {
		target  string
		answers []string // of the request, repeated
	}{
		"resend":              {"/webhooks/resend?event=ID", []string{`{"changed":1}`, `{"changed":0}`}},
		"resend elsewhere":    {"/webhooks/resend?event=ID&endpoint=erp", []string{`{"changed":0}`}},
		"recover":             {"/webhooks/recover?since=1h", []string{`{"changed":1}`, `{"changed":0}`}},
		"recover from later":  {"/webhooks/recover?since=0s", []string{`{"changed":0}`}},
		"replay":              {"/webhooks/replay?endpoint=erp&object=items/1", []string{`{"changed":1}`, `{"changed":0}`}},
		"cancel":              {"/webhooks/cancel?endpoint=old", []string{`{"changed":1}`, `{"changed":0}`}},
		"cancel what is dead": {"/webhooks/cancel?event=ID", []string{`{"changed":0}`}},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, id := newFilledStage(t)
			for _, want := range tc.answers {
				// A body is not looked at.
				if got := s.do("POST", strings.ReplaceAll(tc.target, "ID", id), "x"); got.status != http.StatusOK || strings.TrimSpace(got.body) != want {
					t.Errorf("%d %s, want %s", got.status, got.body, want)
				}
			}
		})
	}
	s, _, _ := newFilledStage(t)
	changed, cursor := 0, ""
	for range 5 {
		got := s.do("POST", "/webhooks/replay?endpoint=erp&limit=1&cursor="+cursor, "")
		var acted struct {
			Changed int    `json:"changed"`
			Next    string `json:"next"`
		}
		if err := json.Unmarshal([]byte(got.body), &acted); err != nil {
			t.Fatal(err)
		}
		changed += acted.Changed
		if cursor = acted.Next; cursor == "" {
			break
		}
	}
	if changed != 2 || cursor != "" {
		t.Errorf("replayed %d, and then %q", changed, cursor)
	}
}

// Operators mark objects and lists, and dismiss records.
func TestDetectionVerbs(t *testing.T) {
	s, store, _ := newFilledStage(t)
	for _, target := range []string{"/webhooks/look?object=items/7", "/webhooks/look?object=items%2F8&deleted=1", "/webhooks/list?resource=items"} {
		if got := s.do("POST", target, ""); got.status != http.StatusOK || strings.TrimSpace(got.body) != `{"done":1}` {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
	hints := make(map[string]queue.Hints)
	for range 3 {
		lease, err := store.LeaseMark(t.Context(), "items", time.Minute)
		must(t, err)
		hints[lease.Key.String()] = lease.Hints
	}
	if hints["items/7"] != queue.HintMayBeUpdated || hints["items/8"] != queue.HintMayBeDeleted {
		t.Errorf("marked %v", hints)
	}
	lease, err := store.LeaseMark(t.Context(), queue.ListKey("items").Resource, time.Minute)
	must(t, err)
	if lease.Key != queue.ListKey("items") || lease.Cause.Rule != "operator" {
		t.Errorf("marked %+v", lease.Mark)
	}

	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, step := range []struct{ target, want string }{
		{"/webhooks/dismiss?resource=users&before=" + later, `{"done":0}`},
		{"/webhooks/dismiss?before=2026-03-04T05:06:07Z", `{"done":0}`},
		{"/webhooks/dismiss?resource=items&before=" + later, `{"done":1}`},
		{"/webhooks/dismiss?before=" + later, `{"done":0}`},
	} {
		if got := s.do("POST", step.target, ""); got.status != http.StatusOK || strings.TrimSpace(got.body) != step.want {
			t.Errorf("%s: %d %s, want %s", step.target, got.status, got.body, step.want)
		}
	}
	s, _, _ = newFilledStage(t)
	var list struct {
		Items []struct{ ID json.Number }
	}
	must(t, json.Unmarshal([]byte(s.do("GET", "/webhooks/unresolved", "").body), &list))
	if got := s.do("POST", "/webhooks/dismiss?id="+list.Items[0].ID.String(), ""); got.status != http.StatusOK || strings.TrimSpace(got.body) != `{"done":1}` {
		t.Errorf("dismissing one: %d %s", got.status, got.body)
	}
}

// Endpoints are listed by name with those that are gone, and are paused and
// resumed.
func TestEndpoints(t *testing.T) {
	s, _, _ := newFilledStage(t)
	type view struct {
		Name, Host, Tenant, Status, Reason string
		Events                             []string
		Pending                            int
	}
	list := func(query string) (views []view, next string) {
		t.Helper()
		got := s.do("GET", "/webhooks/endpoints"+query, "")
		var page struct {
			Items []view
			Next  string
		}
		if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.status != http.StatusOK || strings.Contains(got.body, "secret-path") {
			t.Fatalf("%d %s: %v", got.status, got.body, err)
		}
		return page.Items, page.Next
	}
	all, next := list("")
	if len(all) != 3 || next != "" {
		t.Fatalf("got %+v, and then %q", all, next)
	}
	if crm := all[0]; crm.Name != "crm" || crm.Status != "active" || crm.Host != "https://crm.example.com" || crm.Tenant != "" {
		t.Errorf("got %+v", crm)
	}
	if erp := all[1]; erp.Name != "erp" || erp.Status != "paused" || erp.Reason != "moving" || erp.Tenant != "acme" || len(erp.Events) != 1 || erp.Events[0] != "items.*" {
		t.Errorf("got %+v", erp)
	}
	if old := all[2]; old.Name != "old" || old.Status != "gone" || old.Host != "" || old.Pending != 1 {
		t.Errorf("got %+v", old)
	}
	names, cursor := "", ""
	for range 5 {
		page, next := list("?limit=1&cursor=" + cursor)
		for _, e := range page {
			names += e.Name + " "
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if names != "crm erp old " {
		t.Errorf("the pages have %s", names)
	}

	for _, step := range []struct{ target, body, want string }{
		{"/webhooks/endpoints/crm/pause", `{"reason":"maintenance"}`, `"status":"paused" "reason":"maintenance"`},
		{"/webhooks/endpoints/crm/resume", "null", `"status":"active"`},
		{"/webhooks/endpoints/c%72m/pause/", "", `"name":"crm" "status":"paused"`},
		{"/webhooks/endpoints/crm/resume", "{", `"status":"active"`},
		{"/webhooks/endpoints/crm/retry?object=items/9", "", `"status":"active" "hastened":0`},
		{"/webhooks/endpoints/crm/pause", "null", `"status":"paused"`},
	} {
		got := s.do("POST", step.target, step.body)
		if missing, ok := contains(got.body, strings.Split(step.want, ` "`)...); !ok || got.status != http.StatusOK {
			t.Errorf("%s: %d %s; it lacks %q", step.target, got.status, got.body, missing)
		}
	}
}

// Health reports what is wrong with an open queue. Other views go on as far as
// the queue can be read.
func TestHealth(t *testing.T) {
	store := memory.New(time.Now)
	s := newStage(t, &engine{dir: t.TempDir(), store: store})
	s.start()
	if got := s.do("GET", "/webhooks/health", ""); got.status != http.StatusOK || strings.TrimSpace(got.body) != `{"status":"ok","problems":[]}` {
		t.Errorf("all is well: %d %s", got.status, got.body)
	}

	ago := memory.New(func() time.Time { return time.Now().Add(-time.Hour) })
	fill(t, ago)
	s = newStage(t, &engine{dir: t.TempDir(), store: ago})
	s.start()
	if got := s.do("GET", "/webhooks/health", ""); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "an object has waited for 1h0m0s to be reconciled") {
		t.Errorf("a mark waits: %d %s", got.status, got.body)
	}

	s, disk, _ := newFilledStage(t)
	if got := s.do("GET", "/webhooks/health", ""); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "77 records of the queue could not be used") {
		t.Errorf("records are damaged: %d %s", got.status, got.body)
	}
	disk.statsErr.Store(&errDisk)
	for target, want := range map[string]int{
		"/webhooks/status": http.StatusInternalServerError, "/webhooks/coverage": http.StatusInternalServerError,
		"/webhooks/endpoints": http.StatusServiceUnavailable, "/webhooks/queue": http.StatusOK, "/webhooks/events": http.StatusOK,
	} {
		if got := s.do("GET", target, ""); got.status != want || want != http.StatusOK && !strings.Contains(got.body, errDisk.Error()) {
			t.Errorf("%s: %d %s, want %d", target, got.status, got.body, want)
		}
	}
}

// A backup is what the engine makes. One that fails breaks off, and an engine
// that makes none says so.
func TestBackup(t *testing.T) {
	s, store, _ := newFilledStage(t)
	for target, want := range map[string]string{"/webhooks/queue/backup": "", "/webhooks/queue/backup?since=2": "backup backup "} {
		if got := s.do("GET", target, ""); got.status != http.StatusOK || got.body != want || got.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: %d %v %q", target, got.status, got.header, got.body)
		}
	}
	store.backupErr = errDisk
	func() {
		defer func() {
			if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("a backup that fails ends with %v", err)
			}
		}()
		got := s.do("GET", "/webhooks/queue/backup", "")
		t.Errorf("a backup that fails is answered with %d", got.status)
	}()

	s = newStage(t, &engine{dir: t.TempDir(), store: memory.New(time.Now)})
	s.start()
	if got := s.do("GET", "/webhooks/queue/backup", ""); got.status != http.StatusNotFound || !strings.Contains(got.body, "this engine makes no backups") {
		t.Errorf("without backups: %d %s", got.status, got.body)
	}
	if got := s.do("GET", "/webhooks/queue", ""); got.status != http.StatusOK || !strings.Contains(got.body, `"space":"enough"`) || !strings.Contains(got.body, `"set_aside":[]`) {
		t.Errorf("without a disk: %d %s", got.status, got.body)
	}
}
