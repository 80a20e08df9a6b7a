// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/metrics/series"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// pathsOf returns the methods and paths of all pages of operators, about something that is
// there.
func (o *operated) pathsOf() map[string][]string {
	id := fmt.Sprint(o.unresolved("items", "the answer has no id"))
	paths := map[string][]string{http.MethodGet: {"/operator"}}
	for _, pattern := range dashboard.OperatorPages() {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{$}", "", "resources/{name}", "resources/items", "{name}", "erp", "{id}", id).Replace(path)
		paths[method] = append(paths[method], "/operator/"+path)
	}
	return paths
}

// A tenant gets at each path of operators, by each method, what there is at a path of nothing:
// the same bytes. Somebody whom nobody knows is led to sign in.
func TestTenantsSeeNoPageOfOperators(t *testing.T) {
	o := newOperated(t)
	before := o.audited()
	form := formOf("object", "items/1", "since", "1d", "verb", "replay")
	for method, paths := range o.pathsOf() {
		for _, path := range paths {
			for _, asked := range []string{http.MethodGet, http.MethodPost} {
				got := o.as("acme", asked, path, form).want(http.StatusNotFound, "There is no such page")
				// The form that keeps the theme comes back to the page, and has its path.
				nowhere := strings.Replace(path, "operator", "nowhere1", 1)
				none := o.as("acme", asked, nowhere, form)
				if text := strings.ReplaceAll(none.body, "/nowhere1", "/operator"); got.body != text || fmt.Sprint(got.header) != fmt.Sprint(none.header) {
					t.Errorf("%s %s: it tells that there is something:\n%v %s\n%v %s", asked, path, got.header, got.main(), none.header, none.main())
				}
			}
			o.as("", method, path, form).want(http.StatusUnauthorized, "Nobody is signed in")
			if method == http.MethodGet && path != "/operator" {
				o.as("olga", method, path, nil).want(http.StatusOK, `<span class="whose">Operator</span>`)
			}
		}
	}
	if after := o.audited(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the audit was %q, and is %q", before, after)
	}
	if listed, err := o.store.Pending(t.Context(), 10); err != nil || len(listed) != 0 {
		t.Errorf("marks are %+v, %v", listed, err)
	}
}

// Operators see their own pages, and none of a tenant.
func TestOperatorsSeeNoPageOfTenants(t *testing.T) {
	o := newOperated(t)
	o.as("olga", http.MethodGet, "/", nil).leads("/hooks/operator/")
	o.as("olga", http.MethodGet, "/operator", nil).leads("/hooks/operator/")
	pages, actions := pagesOf("ep_x", "evt_x.ep_x")
	for _, path := range append(pages, "/webhooks/new", "/deliveries", "/events", "/feed", "/filter") {
		o.as("olga", http.MethodGet, path, nil).want(http.StatusNotFound)
	}
	for _, path := range actions {
		o.as("olga", http.MethodPost, path, formOf("label", "x")).want(http.StatusNotFound)
	}
	// Where nobody can be an operator, there are no such pages.
	s := newStage(t)
	s.as("olga", http.MethodGet, "/operator/", nil).want(http.StatusNotFound)
}

// A page of another site has an operator do nothing.
func TestOperatorsCrossOrigin(t *testing.T) {
	o := newOperated(t)
	for _, path := range o.pathsOf()[http.MethodPost] {
		o.as("olga", http.MethodPost, path, formOf("object", "items/1"), "Sec-Fetch-Site", "cross-site").want(http.StatusForbidden)
	}
	if lines := o.audited(); len(lines) != 0 {
		t.Errorf("the audit has %q", lines)
	}
}

// sentBack is what a form sends, as it was.
var sentBack = regexp.MustCompile(`value="[^"]*"`)

// What comes from tenants, from the API or from receivers is text on each page.
func TestOperatorsHostileTexts(t *testing.T) {
	o := newOperated(t)
	mark := `"><script>alert(1)</script>{{.}}' onload='` + "\u202e"
	o.failing(mark, mark)
	o.mark("2" + mark)
	o.dead("old"+mark, mark, mark)
	o.unresolved("items", mark)
	o.unresolved("x"+mark, mark)
	o.uncover("POST", "/orders/"+mark)
	o.words = []effect.Line{{Resource: "items" + mark, Word: "hide " + mark, At: mark, Leaks: true}, {Resource: "items", Word: mark, At: mark}}
	id := o.create(mark[:44], fmt.Sprintf(`{"label":%q,"url":"https://erp.example/h","events":["items.*"]}`, mark[:40]))
	must(t, o.server.Pipeline.Applied(t.Context()))
	o.post("endpoints/"+id+"/pause", "reason", mark)
	escaped := url.QueryEscape(mark)
	for _, path := range []string{
		"", "endpoints", "endpoints?tenant=" + url.QueryEscape(mark[:44]), "endpoints?state=" + escaped, "endpoints?cursor=" + escaped, "endpoints/" + id, "endpoints/" + url.PathEscape("old"+mark),
		"endpoints/" + url.PathEscape(mark), "endpoints/" + id + "/resend?since=" + escaped, "tenants", "tenants?cursor=" + escaped, "coverage", "unresolved", "unresolved?cursor=" + escaped,
		"marks", "queue", "configuration", "audit", "audit?tenant=" + escaped, "?done=" + escaped, "?period=" + escaped,
	} {
		got := o.get(path)
		if strings.Contains(got.body, "<script>alert") || strings.Contains(got.body, "onload='") || strings.Contains(sentBack.ReplaceAllString(got.main(), ""), "\u202e") {
			t.Errorf("%s: %s", path, got.main())
		}
	}
	if got := o.post("marks/look", "object", mark); strings.Contains(got.body, "<script>alert") {
		t.Error(got.main())
	}
}

func TestOperatorsEndpoints(t *testing.T) {
	o := newOperated(t)
	ours := o.create("umbrella", `{"label":"Till","url":"https://till.example/secret-path","events":["items.*"]}`)
	must(t, o.server.Pipeline.Applied(t.Context()))
	o.dead("old", "1", "answered Bad Gateway")
	o.get("endpoints").want(200, "erp", "crm", ours, "erp.example.com", "acme", "Delivering", "!secret-path")
	o.get("endpoints?state=paused").want(200, "No endpoint is like this", "!erp.example")
	o.get("endpoints?tenant=umbrella").want(200, "Till", "!erp.example", "Remove the filter by ")
	o.get("endpoints?tenant=nobody").want(404, "There is no such tenant")
	o.get("endpoints?state=tired").want(400, "State is one of")
	o.get("endpoints/"+ours).want(200, "Till", "its tenant", "None yet", "!secret-path")
	o.get("endpoints/nothing").want(404)

	o.post("endpoints/erp/pause", "reason", "moving <house>").leads("/hooks/operator/endpoints/erp?done=paused")
	o.get("endpoints/erp?done=paused").want(200, "The endpoint is paused", "Paused", "Moving &lt;house&gt;", "Resume", "!Try now")
	o.get("endpoints?state=paused").want(200, "erp.example", "!crm.example")
	o.post("endpoints/erp/pause", "reason", strings.Repeat("x", 600)).want(409, "The reason is longer")
	o.post("endpoints/erp/resume").leads("/hooks/operator/endpoints/erp?done=resumed")
	o.get("endpoints?state=paused").want(200, "!erp.example")
	o.post("endpoints/erp/retry").leads("/hooks/operator/endpoints/erp?done=retried")
	o.post("endpoints/nothing/pause").want(404)
	o.post("endpoints/" + ours + "/pause").leads("/hooks/operator/endpoints/" + ours + "?done=paused")
	want := []string{" operator.retry erp operator olga", "acme endpoint.hold erp operator olga", "acme endpoint.release erp operator olga", "umbrella endpoint.hold " + ours + " operator olga"}
	lines := strings.Join(o.audited(), "\n")
	for _, line := range want {
		if !strings.Contains(lines, line) {
			t.Errorf("the audit lacks %q:\n%s", line, lines)
		}
	}
	o.get("audit").want(200, "endpoint.<wbr>hold", "operator olga", "acme", "umbrella", "192.0.2.1")
	o.get("audit?tenant=acme").want(200, "endpoint.<wbr>release", "!umbrella")
	o.get("audit?tenant=nobody").want(200, "Nothing of this tenant")
	o.get("tenants").want(200, "acme", "umbrella", `href="/hooks/operator/endpoints?tenant=umbrella"`)
}

// The count comes first, and what is meant is done in steps by the verbs of the API.
func TestOperatorsSendAgain(t *testing.T) {
	o := newOperated(t)
	o.post("endpoints/erp/pause").leads("/hooks/operator/endpoints/erp?done=paused") // nothing is sent from here
	e := event.Event{Type: "items.updated", Key: event.Key{Resource: "items", ID: "1"}, Tenant: "acme", Time: time.Now(), Payload: []byte(`{}`)}
	must(t, o.store.Announce(t.Context(), e, []string{"erp"}))
	lease, err := o.store.LeaseDelivery(t.Context(), "erp", queue.LeaseOptions{For: time.Minute})
	must(t, err)
	must(t, o.store.FinishAttempt(t.Context(), lease, queue.Attempt{At: time.Now(), Code: 500, Error: "it is down"}, queue.Verdict{Status: queue.StatusDead}))
	dead := func() int {
		n, err := o.store.Count(t.Context(), queue.Selection{Endpoint: "erp", Statuses: []queue.Status{queue.StatusDead}})
		must(t, err)
		return n
	}
	path := "endpoints/erp/resend"
	o.get(path).want(200, "What is dead", "!Send it again")
	o.get(path+"?since=soon").want(400, "is not a time")
	o.get(path+"?since=1h").want(200, "<strong>1</strong> delivery", "Send it again")
	o.get(path+"?since=1h&verb=replay").want(200, "<strong>1</strong> delivery")
	o.get(path+"?since=2h&until=1h").want(200, "<strong>0</strong>", "there is nothing to do", "!Send it")
	if dead() != 1 {
		t.Error("counting has sent something")
	}
	o.post(path, "verb", "replay").want(400, "Say since when")
	o.post(path, "since", "soon").want(400, "is not a time")
	o.post(path, "verb", "recover", "since", "1h").want(200, "1 delivery is", "sent again")
	if dead() != 0 {
		t.Error("it is still dead")
	}
	o.post(path, "verb", "recover", "since", "1h").want(200, "0 deliveries are")
}

func TestOperatorsResolve(t *testing.T) {
	o := newOperated(t)
	o.get("unresolved").want(200, "Nothing is unresolved", "None is open")
	listed, unlisted := o.unresolved("items", "the answer has no id"), o.unresolved("orders", "the answer was too long")
	o.get("unresolved").want(200, "POST /", "The answer has no id.", "List items", "!List orders", fmt.Sprintf("unresolved/%d/dismiss", listed))
	o.post("resources/items/list").leads("/hooks/operator/unresolved?done=listing")
	o.get("unresolved?done=listing").want(200, "are being listed")
	if marks, err := o.store.Pending(t.Context(), 10); err != nil || len(marks) != 1 || marks[0].Key != queue.ListKey("items") {
		t.Errorf("marks are %+v, %v", marks, err)
	}
	o.post("resources/orders/list").want(409, "has no list")
	o.post(fmt.Sprintf("unresolved/%d/dismiss", unlisted)).leads("/hooks/operator/unresolved?done=dismissed")
	o.post(fmt.Sprintf("unresolved/%d/dismiss", unlisted)).want(404)
	o.post("unresolved/x/dismiss").want(400, "a number")
	o.get("unresolved").want(200, "no id", "!too long")
}

func TestOperatorsMarks(t *testing.T) {
	o := newOperated(t)
	o.get("marks").want(200, "Nothing waits", "Look at an object")
	o.failing("3", "answered with 302 to /login")
	o.mark("4")
	page := o.get("marks").want(200, "Tried in vain", "Answered with 302 to", "1 try", "PATCH /", "Waiting").main()
	if strings.Index(page, "items/<wbr>3") > strings.Index(page, "items/<wbr>4") {
		t.Error("what fails is not first")
	}
	o.get("").want(200, "1 object was read in vain")
	o.post("marks/look", "object", "items/3").leads("/hooks/operator/marks?done=looking")
	marks, err := o.store.Pending(t.Context(), 10)
	must(t, err)
	for i := range marks {
		if marks[i].Key.ID == "3" && marks[i].DueAt.After(time.Now()) {
			t.Errorf("it is not due: %+v", marks[i])
		}
	}
	o.post("marks/look", "object", "parcels/1").want(400, "There is no resource", `value="parcels/1"`)
	o.post("marks/look").want(400, "is not RESOURCE/ID")
	if lines := strings.Join(o.audited(), "\n"); !strings.Contains(lines, " operator.look items/3 operator olga") {
		t.Errorf("the audit has %s", lines)
	}
}

func TestOperatorsCoverage(t *testing.T) {
	o := newOperated(t)
	o.get("coverage").want(200, "Every unsafe request since then matched a rule", "<code>orders</code>: nothing proves")
	o.uncover("PATCH", "/v1/parcels/7/ship")
	o.uncover("PATCH", "/v1/parcels/8/ship")
	o.uncover("POST", "/items/9/pay")
	o.uncover("POST", "/")
	o.words = []effect.Line{{Resource: "items", Word: "hide card", At: "Caddyfile:4", Leaks: true, Looked: 9, In: effect.InShows}}
	o.get("coverage").want(200, "2 times", "resource parcels {\n\tshow GET /v1/parcels/:id\n\tupdate PATCH /v1/parcels/:id/ship\n}", "in the resource items", "write the rule by hand", "hide card", "Problem")
	o.get("").want(200, "3 kinds of unsafe requests match no rule", "Something is wrong")
}

func TestOperatorsQueueAndConfiguration(t *testing.T) {
	o := newOperated(t)
	o.get("queue").want(200, "Open", filepath.Base(o.engine.dir), "3.0 MiB, 75 %", "5.0 GiB", "Enough space", "All is well", "The queue is open, and its work is done")
	o.get("configuration").want(200, "durability", "(not shown)", "!hush")
	// While the queue is not open, what does not need it is shown all the same.
	o = newOperated(t, func(o *operated) { o.engine.err = fmt.Errorf("the disk is <gone>") })
	o.get("queue").want(200, "Not open", "The disk is &lt;gone&gt;", "It cannot be counted", "Something is wrong")
	o.get("").want(200, "Something is wrong", "The queue is not open")
	o.get("configuration").want(200, "durability")
	o.get("coverage").want(200)
	for _, path := range []string{"endpoints", "endpoints/erp", "tenants", "unresolved", "marks", "audit"} {
		o.get(path).want(503, "The queue does not answer")
	}
}

// The overview draws what was done, and has the same figures in tables.
func TestOperatorsOverview(t *testing.T) {
	o := newOperated(t)
	o.get("").want(200, "All is well", "Nothing does", "Changes and events", "nothing is known yet")
	began := o.now.Add(-90 * time.Minute)
	for i := range 90 {
		o.day.ring.Put(o.day.counts.Sample(began.Add(time.Duration(i)*time.Minute), series.Waiting{Deliveries: i}))
		o.day.counts.Changed()
		o.day.counts.Event()
		o.day.counts.Event()
		o.day.counts.Delivered(time.Second)
		if i >= 80 {
			o.day.counts.Failed()
		}
	}
	page := o.get("?period=1h").want(200, "in the last hour", `value="1h" checked`, `<td class="right">10</td>`, "85.7", "60 delivered, 10 attempts failed", "delivered: 5 throughout", `class="bar-bad"`, `class="p95"`)
	if n := strings.Count(page.body, "<svg role=\"img\""); n != 4 {
		t.Errorf("there are %d charts", n)
	}
	for _, tag := range []string{"<title id=", "<desc id=", "aria-labelledby=\"lag-title\""} {
		if !strings.Contains(page.body, tag) {
			t.Errorf("it lacks %s", tag)
		}
	}
	o.get("?period=24h").want(200, uncountedCell, "the last 24 hours")
	o.get("?period=1y").want(200, "the last 24 hours")
	// Where nobody counts, it says so.
	s := newStage(t, func(s *stage) { s.admin = func() *admin.Server { return o.server } })
	s.as("olga", http.MethodGet, "/operator/", nil).want(200, "Nothing is counted here")
}

// uncountedCell is what stands where nothing is known.
const uncountedCell = `<td class="right">–</td>`
