// SPDX-License-Identifier: Apache-2.0

package command

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// update writes the golden files anew: go test ./internal/command -run Golden -update
var update = flag.Bool("update", false, "write the golden files of the command line's output")

// scene is a running installation with something of everything, as the admin API
// shows it.
var scene = map[string]string{
	"GET /webhooks/status": `{"queue":{"open_intents":1,"unresolved":2,"marks":3,"failing_marks":1,"oldest_mark":"2026-03-04T05:06:07Z","looks":40,
		"pending_deliveries":{"crm":17,"erp":0},"lanes":{"crm":9}},"dir":"/var/lib/caddy/.local/share/caddy/webhooks","durability":"power","resources":["items","transactions"],
		"shows":[{"resource":"items","status":"failing","since":"2026-03-04T05:06:07Z","reason":"Show was answered with 302 and Location \"/login\""},{"resource":"transactions","status":"active"}]}`,
	"GET /webhooks/health": `{"status":"failing","problems":["an object has waited for 12m0s to be reconciled; see caddy webhooks status"],
		"endpoints":[{"name":"crm","status":"disabled","since":"2026-03-04T05:06:07Z","reason":"the receiver answered with 410 Gone"}],
		"notices":["version updated, in resource items (Caddyfile:7): looked for in 20 Shows that were new or had changed since 2026-03-04T04:06:07Z, and never found; there is updated_at"]}`,
	"GET /webhooks/queue": `{"open":false,"problem":"the disk of the queue has 100 MiB free; below 1024 MiB the queue takes little more, and below 384 MiB it closes: make room",
		"since":"2026-03-04T05:06:07Z","dir":"/var/lib/caddy/webhooks","space":"critical","free_bytes":104857600,"low_bytes":1073741824,"critical_bytes":402653184,
		"table_bytes":2147483648,"log_bytes":134217728,"other_bytes":4096,"counts":{"marks":3,"pending_deliveries":{"crm":17}},"damaged_records":0,"lost_batches":0,"interim":12,
		"gaps":[{"resource":"items","since":"2026-03-04T05:06:07Z"}],"set_aside":["/var/lib/caddy/webhooks/set-aside-20260304T050607.000Z"]}`,
	"GET /webhooks/events": `{"items":[
		{"id":"evt_hrh8s9na88bckw3wmgj1ycf452kxkydg","type":"items.updated","object":"items/bicycle-1","sequence":2,"freshness":"version","size":214,"time":"2026-03-04T05:06:09.5Z"},
		{"id":"evt_7d2m8s9na88bckw3wmgj1ycf452kxkyd","type":"items.state.payment_pending","object":"items/bicycle-with-a-long-name","sequence":11,"freshness":"unproven","size":1214,"time":"2026-03-04T05:06:07Z"}],"next":"b3"}`,
	"GET /webhooks/events/evt_1": `{"id":"evt_1","webhook_id":"evt_1_0123456789abcdefghjkmnpqrs","type":"items.updated","object":"items/bicycle-1","sequence":2,"op":"change",
		"freshness":"version","time":"2026-03-04T05:06:09.5Z","version":"2026-03-04T05:06:08Z","cause":{"rule":"PATCH /items/:id/make_payment","outcome":"changed"},
		"content_type":"application/json","size":31,"payload":{"items":{"id":"bicycle-1","amount":12500}}}`,
	"GET /webhooks/deliveries": `{"items":[
		{"event_id":"evt_hrh8s9na88bckw3wmgj1ycf452kxkydg","event_type":"items.updated","object":"items/bicycle-1","endpoint":"erp","status":"delivered","attempts":1,"created_at":"2026-03-04T05:06:09Z"},
		{"event_id":"evt_hrh8s9na88bckw3wmgj1ycf452kxkydg","event_type":"items.updated","object":"items/bicycle-1","endpoint":"crm","status":"pending","attempts":4,"created_at":"2026-03-04T05:06:09Z",
		 "due_at":"2026-03-04T07:41:39Z","last_code":503,"last_error":"the receiver answered with 503 Service Unavailable, and asks not to be tried before 2026-03-04T07:41:39Z"}]}`,
	"GET /webhooks/attempts": `{"items":[
		{"at":"2026-03-04T05:06:10Z","event_id":"evt_hrh8s9na88bckw3wmgj1ycf452kxkydg","endpoint":"crm","number":4,"duration_ns":12345678,"error":"dial tcp 203.0.113.7:443: connect: connection refused"},
		{"at":"2026-03-04T05:06:09Z","event_id":"evt_hrh8s9na88bckw3wmgj1ycf452kxkydg","endpoint":"erp","number":1,"code":204,"duration_ns":2345678}]}`,
	"GET /webhooks/endpoints": `{"items":[
		{"name":"crm","status":"disabled","host":"https://crm.example.com","pending":17,"expired":2,"in_flight":0,"failing_since":"2026-02-27T05:06:07Z","failures":212,
		 "reason":"every attempt has failed for 5 days; the last one: the receiver answered with 503 Service Unavailable"},
		{"name":"ep_2v5k8m3q7r9tabcdefghijklmn","status":"active","host":"https://hooks.example.net","tenant":"acme","stored":true,"pending":0,"in_flight":0},
		{"name":"erp","status":"active","host":"https://erp.example.com","pending":0,"in_flight":1}]}`,
	"GET /webhooks/snapshots": `{"items":[{"endpoint":"ep_2v5k8m3q7r9tabcdefghijklmn","tenant":"acme","state":"walking","resource":"items","done":1207,"of":48000,
		"complete":false,"unread":2,"began":"2026-03-04T05:06:07Z"}]}`,
	"POST /webhooks/endpoints/ep_2v5k8m3q7r9tabcdefghijklmn/snapshot":   `{"state":"listing","done":0,"of":0,"complete":true,"began_at":"2026-03-04T05:06:07Z"}`,
	"DELETE /webhooks/endpoints/ep_2v5k8m3q7r9tabcdefghijklmn/snapshot": `{"state":"cancelled","done":1207,"of":48000,"complete":false,"began_at":"2026-03-04T05:06:07Z"}`,
	"GET /webhooks/tenants": `{"items":[{"name":"","endpoints":0,"declared":2,"keys":0,"pending":17,"dead":0},
		{"name":"acme","endpoints":3,"keys":2,"pending":0,"dead":41,"dead_at_least":true}],"next":"after:acme"}`,
	"POST /webhooks/tenants/acme/endpoints": `{"id":"ep_2v5k8m3q7r9tabcdefghijklmn","label":"ERP","url":"https://erp.example.com/hooks","events":["items.*"],"status":"active",
		"secret":"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=","cursor":"AQAAAAcAAAAAAAAABQ","verification":{"accepted":true,"response":{"status":204,"ms":83}}}`,
	"PATCH /webhooks/endpoints/ep_2v5k8m3q7r9tabcdefghijklmn":        `{"id":"ep_2v5k8m3q7r9tabcdefghijklmn","label":"ERP","url":"https://erp.example.com/hooks","events":["items.*"],"filter":"object.amount > 100","status":"active"}`,
	"DELETE /webhooks/endpoints/ep_2v5k8m3q7r9tabcdefghijklmn":       ``,
	"POST /webhooks/endpoints/ep_2v5k8m3q7r9tabcdefghijklmn/enable":  `{"id":"ep_2v5k8m3q7r9tabcdefghijklmn","status":"active"}`,
	"POST /webhooks/endpoints/ep_2v5k8m3q7r9tabcdefghijklmn/disable": `{"id":"ep_2v5k8m3q7r9tabcdefghijklmn","status":"paused"}`,
	"POST /webhooks/endpoints/ep_2v5k8m3q7r9tabcdefghijklmn/secrets": `{"secret":"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=","previous_until":"2026-03-06T05:06:07Z"}`,
	"POST /webhooks/endpoints/erp/test":                              `{"event":"evt_hrh8s9na88bckw3wmgj1ycf452kxkydg","type":"items.updated","deliveries":[{"status":"delivered","attempts":[{"response":{"status":204,"ms":83}}]}]}`,
	"GET /webhooks/marks": `{"items":[
		{"object":"items/bicycle-1","marked_at":"2026-03-04T05:06:07Z","due_at":"2026-03-04T05:16:07Z","tries":5,"rule":"PATCH /items/:id/make_payment","outcome":"changed",
		 "last_error":"GET /items/bicycle-1 was answered with 302 and a Location of /login: log in, or mend header_up of upstream"},
		{"object":"transactions/77","marked_at":"2026-03-04T05:06:08Z","due_at":"2026-03-04T05:06:38Z","tries":0,"rule":"POST /transactions","outcome":"unknown"}]}`,
	"GET /webhooks/unresolved": `{"items":[
		{"id":42,"resource":"items","rule":"POST /items","noted":"2026-03-04T05:06:07Z","reason":"the response was longer than 1048576 bytes, and the id of the new object is not in what was read of it"}]}`,
	"GET /webhooks/coverage": `{"since":"2026-03-04T04:06:07Z","resources":["items"],"other":9,
		"unmatched":[{"method":"POST","template":"/orders/:id/ship","count":3,"last":"2026-03-04T05:06:07Z",
			"suggestion":{"resource":"orders","show":"show GET /orders/:id","rule":"update POST /orders/:id/ship"}}],
		"gaps":[{"resource":"items","since":"2026-03-04T05:06:07Z"}],"unresolved":1,"open_intents":2,"marks":3,"failing":1,
		"unproven":["items"],"unlisted":["items"],"lists":[],"words":[
			{"resource":"items","word":"hide buyer.crad","at":"Caddyfile:7","leaks":true,"since":"2026-03-04T04:06:07Z","looked":23,"in":"Shows that were new or had changed","instead":"buyer.card"},
			{"resource":"orders","word":"update PUT /orders/:id","at":"Caddyfile:12","rule":true,"since":"2026-03-04T04:06:07Z","looked":40,"in":"","instead":"PUT /order/:id"}]}`,
	"GET /webhooks/audit": `{"items":[
		{"at":"2026-03-04T05:06:09Z","tenant":"acme","who":"key_5d0c1f2a3b4c5d6e7f80 (ci)","action":"endpoint.update","object":"ep_2v5k8m3q7r9t","changed":["events","url"],"from":"203.0.113.7:40112"},
		{"at":"2026-03-04T05:06:07Z","tenant":"acme","who":"operator","action":"key.create","object":"key_5d0c1f2a3b4c5d6e7f80","from":"127.0.0.1:51234"}],"next":"b3"}`,
	"GET /webhooks/keys": `{"items":[
		{"id":"key_5d0c1f2a3b4c5d6e7f80","tenant":"acme","name":"ci","by":"operator","created":"2026-03-04T05:06:07Z","expires":"2027-03-04T05:06:07Z","used":"2026-03-05T05:06:07Z"},
		{"id":"key_9a0c1f2a3b4c5d6e7f81","tenant":"acme","by":"key_5d0c1f2a3b4c5d6e7f80 (ci)","created":"2026-03-04T05:06:09Z"}]}`,
	"POST /webhooks/keys": `{"id":"key_5d0c1f2a3b4c5d6e7f80","tenant":"acme","name":"ci","by":"operator","created":"2026-03-04T05:06:07Z",
		"expires":"2027-03-04T05:06:07Z","key":"whk_abcdefghijklmnopqrstuvwxyz"}`,
	"DELETE /webhooks/keys/key_5d0c1f2a3b4c5d6e7f80": ``,
	"GET /webhooks/users": `{"items":[
		{"id":"usr_5d0c1f2a3b4c5d6e7f80","name":"mara.kessler","tenant":"acme","created":"2026-03-04T05:06:07Z","login":"2026-03-05T05:06:07Z","status":"active","factors":["app","passkey"]},
		{"id":"usr_9a0c1f2a3b4c5d6e7f81","name":"root","operator":true,"created":"2026-03-04T05:06:09Z","status":"invited","link_ends":"2026-03-07T05:06:09Z"}]}`,
	"POST /webhooks/users": `{"id":"usr_5d0c1f2a3b4c5d6e7f80","name":"mara.kessler","tenant":"acme","created":"2026-03-04T05:06:07Z","status":"invited",
		"link_ends":"2026-03-07T05:06:07Z","code":"5d0c1f2a3b4c5d6e7f80-abcdefghijklmnopqrstuvwxyz"}`,
	"POST /webhooks/users/mara.kessler/reset": `{"id":"usr_5d0c1f2a3b4c5d6e7f80","name":"mara.kessler","tenant":"acme","created":"2026-03-04T05:06:07Z","status":"invited",
		"link_ends":"2026-03-07T05:06:07Z","code":"5d0c1f2a3b4c5d6e7f80-abcdefghijklmnopqrstuvwxyz"}`,
	"DELETE /webhooks/users/mara.kessler": ``,
	"POST /webhooks/look":                 `{"done":1,"result":"events","events":[{"id":"evt_hrh8s9na88bckw3wmgj1ycf452kxkydg","type":"items.updated","sequence":3}]}`,
	"POST /webhooks/list":                 `{"done":1,"result":"listed","objects":231}`,
	"POST /webhooks/dismiss":              `{"done":7}`,
	"GET /webhooks/recover":               `{"count":17}`,
	"POST /webhooks/recover":              `{"changed":17}`,
	"GET /webhooks/resend":                `{"count":2,"refused":1}`,
	"POST /webhooks/resend":               `{"changed":2,"refused":1}`,
	"GET /webhooks/replay":                `{"count":231}`,
	"POST /webhooks/replay":               `{"changed":231}`,
	"GET /webhooks/cancel":                `{"count":0}`,
	"POST /webhooks/endpoints/crm/pause":  `{"name":"crm","status":"paused"}`,
	"POST /webhooks/endpoints/crm/retry":  `{"name":"crm","hastened":17}`,
	"POST /webhooks/endpoints/crm/resume": `{"name":"crm","status":"active"}`,
}

// shown are the calls of the golden files, by the file's name.
var shown = map[string]string{
	"status": "status", "queue-stats": "queue stats", "events": "events --type items.*", "event": "events evt_1",
	"deliveries": "deliveries", "attempts": "attempts", "endpoints": "endpoints", "marks": "marks", "unresolved": "unresolved",
	"coverage": "coverage", "look": "look items/bicycle-1", "list": "list items", "dismiss": "dismiss --before 2d",
	"recover": "recover --since 3h --yes", "resend": "resend evt_1 --yes", "replay": "replay crm --yes", "cancel": "cancel --endpoint crm",
	"pause": "pause crm --reason moving", "resume": "resume crm", "retry": "retry crm",
	"snapshots": "snapshots", "snapshots-start": "snapshots start ep_2v5k8m3q7r9tabcdefghijklmn", "snapshots-cancel": "snapshots cancel ep_2v5k8m3q7r9tabcdefghijklmn",
	"tenants": "tenants --limit 2", "trigger": "trigger erp items.updated",
	"endpoints-add":    "endpoints add acme --label ERP --url https://erp.example.com/hooks --events items.*",
	"endpoints-change": "endpoints change ep_2v5k8m3q7r9tabcdefghijklmn --rate 10/s", "endpoints-delete": "endpoints delete ep_2v5k8m3q7r9tabcdefghijklmn",
	"endpoints-enable": "endpoints enable ep_2v5k8m3q7r9tabcdefghijklmn", "endpoints-disable": "endpoints disable ep_2v5k8m3q7r9tabcdefghijklmn",
	"endpoints-rotate": "endpoints rotate ep_2v5k8m3q7r9tabcdefghijklmn --overlap 48h",
	"audit":            "audit --tenant acme", "keys-list": "keys list acme", "keys-add": "keys add acme --name ci --expires 365d", "keys-delete": "keys delete key_5d0c1f2a3b4c5d6e7f80",
	"users-list": "users list", "users-add": "users add mara.kessler --tenant acme --dashboard https://example.com", "users-reset": "users reset mara.kessler",
	"users-remove": "users remove mara.kessler",
}

// The command line prints what its golden files show, on 80 and on 120 columns. No
// line is wider, but of what is to be pasted.
func TestGolden(t *testing.T) {
	zone := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = zone })
	api := newAdminAPI(t, func(r *http.Request) (int, string) {
		answer, known := scene[r.Method+" "+r.URL.Path]
		if !known {
			return http.StatusNotFound, `{"error":"not in the scene"}`
		}
		if strings.HasSuffix(r.URL.Path, "/health") {
			return http.StatusServiceUnavailable, answer
		}
		return http.StatusOK, answer
	})
	for _, columns := range []int{80, 120} {
		t.Setenv("COLUMNS", fmt.Sprint(columns))
		for name, args := range shown {
			printed, _, err := api.run(t, strings.Fields(args)...)
			if err != nil {
				t.Errorf("%s: %v", args, err)
				continue
			}
			printed = strings.ReplaceAll(printed, " --address "+api.Listener.Addr().String(), "")
			compare(t, fmt.Sprintf("%s-%d", name, columns), "$ caddy webhooks "+args+"\n"+printed)
			for line := range strings.Lines(printed) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns && !strings.Contains(line, "/account/welcome#") {
					t.Errorf("%s on %d columns prints %d: %s", args, columns, n, line)
				}
			}
		}
	}
}

// So does its help, of all commands.
func TestGoldenHelp(t *testing.T) {
	for _, columns := range []int{80, 120} {
		t.Setenv("COLUMNS", fmt.Sprint(columns))
		var all strings.Builder
		var visit func(path []string, cmd *cobra.Command)
		visit = func(path []string, cmd *cobra.Command) {
			if cmd.Hidden {
				return
			}
			root := newRoot()
			var out strings.Builder
			root.SetOut(&out)
			root.SetArgs(append(path, "--help"))
			if err := root.Execute(); err != nil {
				t.Error(err)
			}
			fmt.Fprintf(&all, "$ caddy %s --help\n%s\n", strings.Join(path, " "), out.String())
			for _, sub := range cmd.Commands() {
				visit(append(path[:len(path):len(path)], sub.Name()), sub)
			}
		}
		webhooks, _, err := newRoot().Find([]string{"webhooks"})
		if err != nil {
			t.Fatal(err)
		}
		visit([]string{"webhooks"}, webhooks)
		compare(t, fmt.Sprintf("help-%d", columns), all.String())
		for line := range strings.Lines(all.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, " \n")); n > columns && !strings.HasPrefix(line, "Use \"") { // that line is Cobra's
				t.Errorf("help on %d columns prints %d: %s", columns, n, line)
			}
		}
	}
}

// Every command has a golden file, or a reason not to.
func TestGoldenIsComplete(t *testing.T) {
	reasons := map[string]string{
		"queue backup": "it is shown by TestQueueFiles", "queue verify": "it is shown by TestQueueFiles", "queue restore": "it is shown by TestQueueFiles",
		"queue probe": "nobody types it", "tail": "it is shown by TestTail", "listen": "it is shown by TestListen",
	}
	webhooks, _, err := newRoot().Find([]string{"webhooks"})
	if err != nil {
		t.Fatal(err)
	}
	var visit func(cmd *cobra.Command, path string)
	visit = func(cmd *cobra.Command, path string) {
		for _, sub := range cmd.Commands() {
			name := strings.TrimSpace(path + " " + sub.Name())
			if sub.HasSubCommands() {
				visit(sub, name)
				continue
			}
			if reasons[name] == "" && shown[strings.ReplaceAll(name, " ", "-")] == "" {
				t.Errorf("%s has no golden file", name)
			}
		}
	}
	visit(webhooks, "")
}

// compare compares a text with a golden file.
func compare(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", "output", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s\n(-update writes it anew)", file, text, want)
	}
}
