// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// pagesOf are all pages and actions about something of a tenant's.
func pagesOf(id, delivery string) (pages, actions []string) {
	hook := "/webhooks/" + id
	pages = []string{
		hook, hook + "/edit", hook + "/delete", hook + "/test", hook + "/key", hook + "/recover?since=1d", hook + "/filtered", hook + "/deliveries",
		"/deliveries/" + delivery, "/feed?webhook=" + id,
	}
	actions = []string{
		hook + "/edit", hook + "/pause", hook + "/resume", hook + "/delete", hook + "/test", hook + "/key", hook + "/keys/x/revoke", hook + "/snapshot",
		hook + "/snapshot/cancel", hook + "/recover", "/deliveries/" + delivery + "/resend",
	}
	return pages, actions
}

// Another tenant's ids lead to the page that ids lead to of nothing, in every URL.
func TestTenantsAreApart(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	e := s.happens("acme", `{"a":1}`, `{"a":2}`, id)
	before := s.shown("acme", id)
	pages, actions := pagesOf(id, e.ID+"."+id)
	noPages, noActions := pagesOf("ep_nothing", "evt_nothing.ep_nothing")
	form := formOf("action", "save", "label", "Mine", "since", "1d", "overlap", "0s")
	same := func(method, path, nowhere string, form url.Values) {
		t.Helper()
		theirs, none := s.as("umbrella", method, path, form), s.as("umbrella", method, nowhere, form)
		theirs.want(404, "There is no such page", "!erp.example", "!ERP")
		if theirs.main() != none.main() {
			t.Errorf("%s %s: it tells that something is there:\n%s\n%s", method, path, theirs.main(), none.main())
		}
	}
	for i := range pages {
		same(http.MethodGet, pages[i], noPages[i], nil)
		s.get(pages[i]).want(200)
		s.as("", http.MethodGet, pages[i], nil).want(401, "Nobody is signed in", "!ERP", "!umbrella")
	}
	for i := range actions {
		same(http.MethodPost, actions[i], noActions[i], form)
		s.as("", http.MethodPost, actions[i], form).want(401, "Nobody is signed in")
		s.get(actions[i][:strings.LastIndex(actions[i], "/")] + "/nothing/there").want(404)
	}
	if after := s.shown("acme", id); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("it was %+v, and is %+v", before, after)
	}
	rows, _, err := s.store.Deliveries(t.Context(), queue.Filter{Endpoint: id}, queue.Page{})
	if err != nil || len(rows) != 1 || rows[0].Status != queue.StatusPending {
		t.Errorf("deliveries are %+v, %v", rows, err)
	}
}

// A page of another site cannot have a browser change anything, whatever it knows.
func TestCrossOrigin(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	e := s.happens("acme", "", `{}`, id)
	_, actions := pagesOf(id, e.ID+"."+id)
	for _, path := range append(actions, "/webhooks/new", "/theme") {
		for name, header := range map[string][]string{
			"another site":   {"Sec-Fetch-Site", "cross-site"},
			"another origin": {"Sec-Fetch-Site", "same-site"},
			"an old browser": {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
			"a sandbox":      {"Sec-Fetch-Site", "", "Origin", "null"},
		} {
			got := s.as("acme", http.MethodPost, path, formOf("action", "delete", "label", "x", "events", "*"), header...)
			got.want(http.StatusForbidden, "The request came from another site", "!ERP")
			_ = name
		}
	}
	if is := s.only("acme"); is.Status != "active" || is.Label != "ERP" {
		t.Errorf("it is %+v", is)
	}
	// What only reads can be linked to.
	s.as("acme", http.MethodGet, "/webhooks/"+id, nil, "Sec-Fetch-Site", "cross-site").want(200)
}

// Nothing is changed by GET, and other methods do nothing.
func TestMethods(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	for _, path := range []string{"/webhooks/" + id + "/pause", "/webhooks/" + id + "/resume", "/webhooks/" + id + "/snapshot", "/theme", "/deliveries/x/resend"} {
		s.get(path).want(http.StatusMethodNotAllowed, "That cannot be done here")
	}
	s.as("acme", http.MethodDelete, "/webhooks/"+id, nil).want(http.StatusMethodNotAllowed)
	s.post("/webhooks/" + id).want(http.StatusMethodNotAllowed)
	s.get("/nowhere").want(404)
	for _, path := range []string{"//", "/./", "/webhooks/../", "/a//b", "webhooks"} { // the last is what is left of /hookswebhooks
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.URL.Path = path
		w := httptest.NewRecorder()
		if s.server.ServeHTTP(w, r); w.Code != 404 {
			t.Errorf("%s: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	if got := s.as("acme", http.MethodHead, "/", nil); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
}

func TestWhoAsks(t *testing.T) {
	s := newStage(t)
	s.as("", http.MethodGet, "/", nil).want(401, "Nobody is signed in")
	// The tenant "" is the operator's, whose endpoints are on no page.
	s.as("the operator", http.MethodGet, "/", nil).want(401, "Nobody is signed in")
	s.gate.err = &dashboard.Elsewhere{Path: "/account/login?back=%2F"}
	s.as("acme", http.MethodGet, "/", nil).leads("/hooks/account/login?back=%2F")
	if got := s.as("acme", http.MethodGet, "/", nil, "HX-Request", "true"); got.status != 204 || got.header.Get("HX-Redirect") != "/hooks/account/login?back=%2F" {
		t.Errorf("a part of a page: %d %v", got.status, got.header)
	}
	s.gate.err = queue.ErrNotOpen
	s.get("/").want(503, "The queue does not answer")
	s.gate.err = fmt.Errorf("a secret reason")
	s.get("/").want(500, "!secret reason")
	if !strings.Contains(s.log.String(), "a secret reason") {
		t.Error("nobody is told")
	}
}

// The gate's own pages are served within the same limits, and know where they are.
func TestPagesOfTheGate(t *testing.T) {
	asked := ""
	g := &gate{stepped: true, pages: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.Path + " " + dashboard.Base(r)
	})}
	s := newStage(t, func(s *stage) { s.gate = g })
	s.as("", http.MethodGet, "/account/login", nil).want(200)
	if asked != "GET /account/login /hooks" {
		t.Errorf("asked %q", asked)
	}
	asked = ""
	s.as("", http.MethodPost, "/account/login", formOf("a", "b"), "Sec-Fetch-Site", "cross-site").want(403)
	if asked != "" {
		t.Errorf("asked %q", asked)
	}
	s.as("", http.MethodGet, "/account", nil).leads("/hooks/account/")
	s.as("", http.MethodGet, "/account/../webhooks/x", nil).want(404)
	s.as("", http.MethodGet, "//account", nil).want(404)
	s.get("/").want(200, `href="/hooks/account/"`, `action="/hooks/account/logout"`)
}

func TestFrames(t *testing.T) {
	s := newStage(t)
	if got := s.get("/").header; !strings.HasSuffix(got.Get("Content-Security-Policy"), "frame-ancestors 'none'") || got.Get("X-Frame-Options") != "DENY" {
		t.Errorf("anybody may frame it: %v", got)
	}
	s = newStage(t, func(s *stage) { s.framed = []string{"https://portal.example"} })
	if got := s.get("/").header; !strings.HasSuffix(got.Get("Content-Security-Policy"), "frame-ancestors https://portal.example") || got.Get("X-Frame-Options") != "" {
		t.Errorf("the portal may not frame it: %v", got)
	}
}

func TestFiles(t *testing.T) {
	s := newStage(t)
	page := s.get("/").body
	for name, kind := range map[string]string{"dashboard.css": "text/css; charset=utf-8", "dashboard.js": "text/javascript; charset=utf-8", "htmx.min.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		file := between(t, page, "/static/"+name, `"`)
		got := s.as("", http.MethodGet, "/static/"+name+file, nil).want(200)
		if got.header.Get("Content-Type") != kind || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v", name, got.header)
		}
		if got := s.as("", http.MethodGet, "/static/"+name, nil); got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s is kept without its version", name)
		}
	}
	for _, name := range []string{"htmx.LICENSE", "..%2fserver.go", "x.css", "..", ""} {
		if got := s.as("", http.MethodGet, "/static/"+name, nil); got.status == 200 {
			t.Errorf("it serves %q", name)
		}
	}
	// Nothing is loaded from elsewhere.
	style := s.as("", http.MethodGet, "/static/dashboard.css", nil).body
	if strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		t.Error("the style sheet loads something")
	}
}

func TestTheme(t *testing.T) {
	s := newStage(t)
	got := s.post("/theme", "theme", "dark", "back", "/feed?after=1d").leads("/hooks/feed?after=1d")
	if cookie := got.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "webhooks-theme=dark; Path=/hooks/;") || !strings.Contains(cookie, "HttpOnly") {
		t.Errorf("the cookie is %q", cookie)
	}
	s.as("acme", http.MethodGet, "/", nil, "Cookie", "webhooks-theme=dark").want(200, `data-theme="dark"`, `value="dark" checked`)
	s.as("acme", http.MethodGet, "/", nil, "Cookie", `webhooks-theme=x"onload`).want(200, "!data-theme")
	for _, back := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "", "evil", "/\nx"} {
		s.post("/theme", "theme", "system", "back", back).leads("/hooks/")
	}
}

func TestLargeAndBrokenForms(t *testing.T) {
	s := newStage(t)
	s.post("/webhooks/new", "label", strings.Repeat("x", 70<<10)).want(http.StatusRequestEntityTooLarge, "The form is too large")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/new", strings.NewReader("a=%zz"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Tenant", "acme")
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest {
		t.Errorf("got %d", w.Code)
	}
}

// While the queue is not open, and when somebody asks too often, pages say so.
func TestTrouble(t *testing.T) {
	s := newStage(t)
	for range 300 {
		if got := s.get("/"); got.status != 200 {
			got.want(http.StatusTooManyRequests, "That was too often")
			if got.header.Get("Retry-After") == "" {
				t.Error("it does not say for how long")
			}
			break
		}
	}
	s.fresh()
	s = newStage(t, func(s *stage) { s.options.Queue = func() queue.Store { return nil } })
	got := s.get("/").want(503, "The queue does not answer")
	if got.header.Get("Retry-After") != "10" {
		t.Errorf("got %v", got.header)
	}
}

// Texts of one's own come back as text, wherever they stand.
func TestHostileNames(t *testing.T) {
	s := newStage(t)
	mark := `"><script>alert(1)</script>{{.}}' onload='`
	id := s.create("acme", fmt.Sprintf(`{"label":%q,"url":"https://erp.example/h?a=%%3Cscript%%3E","events":["items.*"],"headers":{"X-A":"</dd><script>x"},"filter":"object.id == '<script>'"}`, mark))
	e := s.happens("acme", "", `{"id":"<script>"}`, id)
	pages, _ := pagesOf(id, e.ID+"."+id)
	for _, path := range append(pages, "/", "/webhooks/new", "/events", "/events/items.updated", "/feed?after="+url.QueryEscape(mark), "/?done="+url.QueryEscape(mark), "/filter?filter="+url.QueryEscape(mark), "/events?find="+url.QueryEscape(mark),
		"/webhooks/"+id+"/deliveries?type="+url.QueryEscape(mark), "/webhooks/"+id+"/deliveries?object="+url.QueryEscape(mark), "/webhooks/"+id+"/recover?since="+url.QueryEscape(mark), "/webhooks/"+url.PathEscape(mark), "/"+url.PathEscape(mark)) {
		s.fresh()
		if got := s.get(path); strings.Contains(got.body, "<script>alert") || strings.Contains(got.body, "<script>x") || strings.Contains(got.body, "onload='") {
			t.Errorf("%s: %s", path, got.main())
		}
	}
}
