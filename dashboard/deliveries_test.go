// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func TestDeliveries(t *testing.T) {
	s := newStage(t)
	s.get("/deliveries").want(200, "No webhook yet")
	id := s.create("acme", erp)
	path := "/webhooks/" + id + "/deliveries"
	s.get("/deliveries").want(200, "Nothing was sent yet", "See your webhooks", "!No webhook yet")
	s.get("/deliveries?webhook=" + id + "&type=items.updated&status=dead&x=y").leads("/hooks" + path + "?status=dead&type=items.updated")
	s.get(path).want(200, "Nothing was sent yet", "Send a test", `hx-get="?"`, `hx-trigger="every 5s"`, "Live")
	s.happens("acme", "", `{}`, id)
	s.attempt(id, 503, "down", queue.StatusDead)
	s.now = s.now.Add(time.Minute)
	s.happens("acme", "", `{}`, id)
	got := s.get(path).want(200, "Dead", "503 Service Unavailable in 12 ms", "Waiting", "not tried yet", `datetime="2026-11-28T12:00:01Z"`, `title="28 November 2026, 12:00:01 UTC"`)
	if strings.Index(got.body, "not tried yet") > strings.Index(got.body, "503 Service") {
		t.Error("the newest does not come first")
	}
	s.get(path+"?status=dead").want(200, "503 Service", "!not tried yet", `href="?status=dead" aria-current="page"`)
	s.get(path+"?status=delivered").want(200, "None is like this", "Show all deliveries")
	s.get(path+"?since=30s&type=items.updated&object=items%2F42").want(200, "not tried yet", "!503 Service", "Object: items/42", `href="?object=items%2F42&amp;type=items.updated"`, `value="items/42"`)
	s.get(path+"?object=items%2F43").want(200, "None is like this")
	s.get(path+"?since=soon").want(400, `id="f-since-error"`, "Write it as 2026-03-04T05:06:07Z", `value="soon"`, "!hx-trigger")
	if got := s.as("acme", http.MethodGet, path, nil, "HX-Request", "true").want(200, `id="rows"`, "503 Service"); strings.Contains(got.body, `<option value="items.created">`) {
		t.Error("what refreshes itself reads what it does not show")
	}
	s.get(path+"?live=no").want(200, "Go live", "!hx-trigger")
	for range 55 {
		s.happens("acme", "", `{}`, id)
	}
	first := s.get(path+"?type=items.updated").want(200, "Older")
	next := between(t, first.body, `<a class="button" href="?`, `">Older`)
	s.get(path+"?"+next).want(200, "Newest", "503 Service", "!Older", "!hx-trigger")
}

// The deliveries to all webhooks are one list.
func TestAllDeliveries(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	other := s.create("acme", `{"label":"Shop <1>","url":"https://shop.example/h","events":["items.*"]}`)
	s.happens("acme", "", `{}`, id)
	s.attempt(id, 503, "down", queue.StatusDead)
	s.happens("acme", "", `{}`, other)
	s.happens("umbrella", "", `{}`, s.create("umbrella", erp))
	got := s.get("/deliveries").want(200, "503 Service", "not tried yet", `<a href="/hooks/webhooks/`+id+`">ERP</a>`, `">Shop &lt;1&gt;</a>`, "All webhooks", `hx-get="?"`, "!Recover since")
	if n := strings.Count(got.body, "<small>to "); n != 2 {
		t.Errorf("it lists %d deliveries: %s", n, got.main())
	}
	s.get("/deliveries?webhook=&status=dead").want(200, "503 Service", "!not tried yet", `href="?status=dead" aria-current="page"`)
	s.get("/deliveries?since=soon").want(400, `id="f-since-error"`)
	s.as("acme", http.MethodGet, "/deliveries", nil, "HX-Request", "true").want(200, `id="rows"`, ">ERP</a>")
	for range 55 {
		s.happens("acme", "", `{}`, other)
	}
	next := between(t, s.get("/deliveries").want(200, "Older").body, `<a class="button" href="?`, `">Older`)
	s.get("/deliveries?"+next).want(200, "503 Service", `<a class="button" href="/hooks/deliveries">Newest</a>`, "!Older")
}

func TestDelivery(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"label":"ERP","url":"https://erp.example/h?token=t0ken","events":["items.*"],"auth":{"scheme":"bearer","credential":"hush"}}`)
	e := s.happens("acme", `{"id":"42","amount":1,"note":"old"}`, `{"id":"42","amount":2,"note":"old"}`, id)
	s.attempt(id, 503, "<h1>Down</h1>", queue.StatusPending)
	s.now = s.now.Add(2 * time.Hour)
	s.attempt(id, 500, "\xff\x00", queue.StatusDead)
	one := "/deliveries/" + e.ID + "." + id
	got := s.get(one).want(200, "Dead", "Attempt 1", "Attempt 2", "503 Service Unavailable in 12 ms", "&lt;h1&gt;Down&lt;/h1&gt;", "ff 00", "/amount", "1 place differs",
		"webhook-object: items/42", "webhook-signature: v1,", "Copy as curl", "curl -X POST", "All attempts have failed", "Resend", "ERP", "!hush")
	for _, line := range []string{
		`<del class="line"><span class="sign" aria-hidden="true">−</span><span class="hidden">was: </span>  <span class="k">&#34;amount&#34;</span>: <span class="n">1</span>,`,
		`<ins class="line"><span class="sign" aria-hidden="true">+</span><span class="hidden">now: </span>  <span class="k">&#34;amount&#34;</span>: <span class="n">2</span>,`,
	} {
		if !strings.Contains(got.body, line) {
			t.Errorf("no line %s in %s", line, got.main())
		}
	}
	if strings.Contains(got.body, `<del class="line"><span class="sign" aria-hidden="true">−</span><span class="hidden">was: </span>  <span class="k">&#34;note`) {
		t.Error("it marks what has not changed")
	}
	// The attempts of an earlier version have not kept what they sent, and then it is said.
	s.get(one).want(200, "!Its body stands below")
	s.post(one + "/resend").leads("/hooks" + one + "?done=resent")
	s.get(one+"?done=resent").want(200, "It is sent again.", "Waiting")
	s.post(one + "/resend").leads("/hooks" + one + "?done=sent")
	s.get(one + "x").want(404)
}

// An attempt shows what it sent, and not what would be sent now.
func TestRequestOfAttempt(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"label":"ERP","url":"https://erp.example/h?token=t0ken","events":["items.*"],"signature":"none"}`)
	e := s.happens("acme", "", `{"id":"42"}`, id)
	of := s.kept("acme", id)
	s.finish(id, queue.Attempt{Code: 200, Sent: queue.Sent{Host: "erp.example", Settings: of.Settings(of.Payload), Trace: "00-a-b-01"}}, queue.StatusDelivered)
	at := fmt.Sprint(s.now.Unix())
	s.now = s.now.Add(time.Hour)
	one := "/deliveries/" + e.ID + "." + id
	s.get(one).want(200, "POST /h?token=t0ken HTTP/1.1", "webhook-timestamp: "+at, "traceparent: 00-a-b-01", "Its body stands below")
	s.as("acme", http.MethodPost, "/webhooks/"+id+"/edit", formOf("action", "save", "label", "ERP", "url", "https://erp.example/other", "events", "items.*", "signature", "none", "payload", "show", "order", "object"))
	s.get(one).want(200, "POST … HTTP/1.1", "webhook-timestamp: "+at, "settings have been changed since", "POST /other HTTP/1.1")
}

// What others wrote is shown as text, whatever it is, and a page stays one that a browser
// can show.
func TestHostilePayloads(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	nested := strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000)
	for name, test := range map[string]struct {
		before, now string
		texts       []string
	}{
		"markup":       {``, `{"<script>alert(1)</script>":"</code><img src=x onerror=alert(1)>","a":"<style>*{}</style>"}`, []string{"&lt;script&gt;", "&lt;img", "!<img", "!<script>alert", "!<style"}},
		"no JSON":      {``, `</pre><form action="https://evil.example"><input name=x>`, []string{"&lt;/pre&gt;&lt;form", "!<form action=\"https://evil"}},
		"a template":   {``, `{"a":"{{.Person}} ${x} <%= 1 %>"}`, []string{"{{.Person}}"}},
		"deep":         {``, nested, []string{"&#34;a&#34;"}},
		"deep change":  {nested, strings.Replace(nested, "1", "2", 1), []string{"&#34;a&#34;"}},
		"large":        {``, `{"a":"` + strings.Repeat("x", 600<<10) + `"}`, []string{"the first 262,144 are shown"}},
		"many lines":   {``, "[" + strings.Repeat("1,", 20000) + "1]", []string{"The first 3,000 lines are shown"}},
		"many changed": {"[" + strings.Repeat("1,", 20000) + "1]", "[" + strings.Repeat("2,", 20000) + "1]", []string{"The first 3,000 lines are shown"}},
		"all changed":  {"[" + strings.Repeat("1,", 1500) + "1]", "[" + strings.Repeat("2,", 1500) + "2]", []string{"<del", "<ins"}},
		"binary":       {``, "\x00\x01\xff\xfe<b>", []string{"It is no text, and has 7 bytes", "00 01 ff fe"}},
		"hidden":       {``, "{\"a\":\"admin\u202e\u0000txt\u200b\"}", []string{`\u202e`, `\u200b`, "!\u202e"}},
		"half":         {``, `{"a":`, []string{"&#34;a&#34;"}},
		"empty":        {``, ``, []string{"The object"}},
	} {
		t.Run(name, func(t *testing.T) {
			s.fresh()
			s.t = t
			e := s.happens("acme", test.before, test.now, id)
			got := s.get("/deliveries/"+e.ID+"."+id).want(200, test.texts...)
			if len(got.body) > 2<<20 {
				t.Errorf("the page has %d bytes", len(got.body))
			}
			s.get("/webhooks/"+id+"/deliveries").want(200, "!<script>alert")
			s.get("/feed?after=oldest").want(200, "!<script>alert")
		})
	}
	s.t = t
	// Neither is what a receiver answers.
	e := s.happens("acme", "", `{}`, id)
	for range 14 {
		if rows, _, err := s.store.Deliveries(t.Context(), queue.Filter{Endpoint: id, EventID: e.ID, Status: queue.StatusPending}, queue.Page{Limit: 1}); err != nil || len(rows) == 0 {
			break
		}
		s.attempt(id, 500, `</code><script>alert(2)</script>`, queue.StatusDead)
	}
	s.get("/deliveries/"+e.ID+"."+id).want(200, "&lt;script&gt;alert(2)", "!<script>alert")
}

func TestRecover(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	path := "/webhooks/" + id + "/recover"
	for range 3 {
		s.happens("acme", "", `{}`, id)
		s.attempt(id, 500, "", queue.StatusDead)
	}
	s.happens("acme", "", `{}`)
	s.get(path).want(200, "Count them", "!sent again.")
	s.get(path+"?since=6h").want(200, "<strong>3</strong> deliveries", "Send them again")
	s.get(path+"?since=6h&verb=replay").want(200, "<strong>4</strong> deliveries")
	s.get(path+"?since=soon").want(400, `id="since-error"`)
	s.get(path+"?since=0s").want(200, "<strong>0</strong> deliveries: there is nothing to do", "!Send")
	s.post(path, "since", "6h", "verb", "recover").want(200, "3 deliveries are sent again.")
	s.get("/webhooks/"+id+"/deliveries?status=pending").want(200, "Waiting")
	s.post(path, "since", "soon").want(400)
}

func TestFilters(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"label":"ERP","url":"https://erp.example/h","events":["items.*"],"filter":"object.amount > 100"}`)
	s.happens("acme", "", `{"amount":5}`)
	s.happens("acme", "", `{"amount":500}`)
	s.get("/webhooks/"+id).want(200, "0 left out")
	s.get("/webhooks/"+id+"/filtered").want(200, "Nothing was left out", "object.amount &gt; 100")
	s.get("/filter?filter=object.amount+%3E+100").want(200, "Holds for 1 of 2 events")
	s.get("/filter?filter=object.nothing+%3E+100").want(200, "It cannot be told for 2 of 2 events, which are sent")
	s.get("/filter?filter=object.amount+%3E").want(200, "It is no filter")
	s.get("/filter").want(200, "There is no filter")
	// Without a script, the button shows the form again, with what was written.
	s.post("/webhooks/new", "action", "check-filter", "label", "Shop", "filter", "object.amount > 100").want(200, "Holds for 1 of 2 events", `value="Shop"`, "object.amount &gt; 100</textarea>")
}

func TestSnapshot(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	path := "/webhooks/" + id
	s.get(path).want(200, "Begin a snapshot")
	s.post(path + "/snapshot").leads("/hooks" + path + "?done=begun")
	s.get(path).want(200, "listing", "End the snapshot")
	s.post(path+"/snapshot").want(http.StatusConflict, "It is running already")
	s.post(path + "/snapshot/cancel").leads("/hooks" + path + "?done=ended")
	s.get(path).want(200, "cancelled", "Begin a snapshot")
}
