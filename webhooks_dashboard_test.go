// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

func TestDashboardInCaddyfile(t *testing.T) {
	adapted, err := adapt(t, ":80 {\n\twebhooks_dashboard {\n\t\tauthorize {http.auth.user.id} {http.auth.user.name}\n\t\tframed_by https://portal.example.com https://b.example:8443\n\t}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"framed_by":["https://portal.example.com","https://b.example:8443"],"handler":"webhooks_dashboard","name":"{http.auth.user.name}","tenant":"{http.auth.user.id}"}`; !strings.Contains(string(adapted), want) {
		t.Errorf("%s lacks %s", adapted, want)
	}
	adapted, err = adapt(t, ":80 {\n\twebhooks_dashboard {\n\t\tauthorize {http.auth.user.id}\n\t\toperators {vars.role} admin ops\n\t}\n}\n")
	if want := `"operators":{"claim":"{http.vars.role}","values":["admin","ops"]}`; err != nil || !strings.Contains(string(adapted), want) {
		t.Errorf("%s lacks %s: %v", adapted, want, err)
	}
	for name, test := range map[string]struct{ lines, want string }{
		"nothing":                 {"", "authorize is missing"},
		"nobody":                  {"authorize", "takes a placeholder"},
		"a word":                  {"authorize acme", "takes placeholders"},
		"part of a text":          {"authorize tenant-{http.auth.user.id}", "takes placeholders"},
		"two placeholders in one": {"authorize {http.auth.user.id}{http.request.host}", "takes placeholders"},
		"a word for a name":       {"authorize {http.auth.user.id} Mara", "takes placeholders"},
		"three":                   {"authorize {a} {b} {c}", "takes a placeholder"},
		"twice":                   {"authorize {a}\nauthorize {b}", "stands twice"},
		"no site":                 {"authorize {a}\nframed_by", "takes sites"},
		"a word as a site":        {"authorize {a}\nframed_by portal", "takes sites"},
		"any site":                {"authorize {a}\nframed_by *", "takes sites"},
		"many sites":              {"authorize {a}\nframed_by https://*.example.com", "takes sites"},
		"a page":                  {"authorize {a}\nframed_by https://portal.example.com/x", "takes sites"},
		"more of a policy":        {"authorize {a}\nframed_by `https://x.example; script-src *`", "takes sites"},
		"two ways":                {"accounts\nauthorize {a}", "do not go together"},
		"two ways, the other way": {"authorize {a}\naccounts", "do not go together"},
		"two names":               {"accounts a b", "accounts takes a name"},
		"a name with a colon":     {"accounts a:b", "without a colon"},
		"operators by a header":   {"authorize {a}\noperators {http.request.header.X-Role} admin", "what a client writes itself"},
		"operators by a cookie":   {"authorize {a}\noperators {http.request.cookie.role} admin", "what a client writes itself"},
		"operators by a text":     {"authorize {a}\noperators x{http.auth.user.id} admin", "what a client writes itself"},
		"operators of no value":   {"authorize {a}\noperators {http.auth.user.id}", "operators takes a placeholder"},
		"an empty operator":       {"authorize {a}\noperators {http.auth.user.id} \"\"", "it would be nobody, or anybody"},
		"any operator":            {"authorize {a}\noperators {http.auth.user.id} *", "it would be nobody, or anybody"},
		"operators of a claim":    {"authorize {a}\noperators {http.auth.user.id} {http.auth.user.id}", "it would be nobody, or anybody"},
		"operators with accounts": {"accounts\noperators {http.auth.user.id} mara", "do not go together"},
		"operators alone":         {"operators {http.auth.user.id} mara", "authorize is missing"},
		"another word":            {"authorize {a}\nlogin now", "it takes authorize, operators, accounts and framed_by"},
	} {
		if _, err := adapt(t, ":80 {\n\twebhooks_dashboard {\n"+test.lines+"\n\t}\n}\n"); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := adapt(t, ":80 {\n\twebhooks_dashboard now\n}\n"); err == nil || !strings.Contains(err.Error(), "unexpected") {
		t.Errorf("an argument: %v", err)
	}
	// In JSON, too.
	for _, text := range []string{`{}`, `{"tenant":"{a}","accounts":{}}`, `{"name":"{a}","accounts":{}}`, `{"accounts":{"name":"a:b"}}`, `{"tenant":"acme"}`, `{"tenant":"{a}","operators":{}}`, `{"tenant":"{a}","operators":{"claim":"{http.auth.user.id}"}}`, `{"tenant":"{a}","framed_by":["*"]}`} {
		made := new(Dashboard)
		if err := json.Unmarshal([]byte(text), made); err != nil {
			t.Fatal(err)
		}
		if made.Check() == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// A person makes a webhook on the pages alone, below a path of a site, and its receiver gets
// what happens.
func TestDashboard(t *testing.T) {
	s := newStage(t)
	text := s.config("", "}\nhandle_path /hooks* {\nwebhooks_dashboard {\nauthorize {http.request.header.X-User}\n}")
	s.mustLoad(strings.Replace(text, "resource items\n", "resource items {\ntenant seller\n}\n", 1))
	got := make(chan http.Header, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Clone() }))
	t.Cleanup(receiver.Close)
	visit := func(user, method, path string, form url.Values) (int, http.Header, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.address+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set("X-User", user)
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, response.Header, string(text)
	}
	for _, path := range []string{"/hooks", "/hooks/"} {
		status, header, page := visit("acme", http.MethodGet, path, nil)
		if status == http.StatusSeeOther {
			status, header, page = visit("acme", http.MethodGet, header.Get("Location"), nil)
		}
		if status != 200 || !strings.Contains(page, `href="/hooks/webhooks/new"`) || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Fatalf("%s: %d %v %s", path, status, header, page)
		}
	}
	if status, _, page := visit("", http.MethodGet, "/hooks/", nil); status != 401 || !strings.Contains(page, "Nobody is signed in") {
		t.Errorf("nobody: %d %s", status, page)
	}
	status, _, page := visit("acme", http.MethodPost, "/hooks/webhooks/new", url.Values{
		"action": {"save"}, "label": {"ERP"}, "url": {receiver.URL + "/in"}, "events": {"items.*"}, "authentication": {"none"}, "signature": {"signature-key"},
		"scheme": {"standard"}, "payload": {"show"}, "order": {"object"}, "begin": {"now"},
	})
	if status != 201 || !strings.Contains(page, "whsec_") || (<-got).Get("Webhook-Op") != "test" {
		t.Fatalf("made %d %s", status, page)
	}
	s.put("/items/1", `{"id":"1","seller":"acme","n":1}`)
	if header := <-got; header.Get("Webhook-Object") != "items/1" {
		t.Errorf("the receiver got %v", header)
	}
	_, _, listed := visit("acme", http.MethodGet, "/hooks/deliveries", nil)
	_, id, _ := strings.Cut(listed, `href="/hooks/deliveries/`)
	id, _, _ = strings.Cut(id, `"`)
	if !strings.Contains(listed, "items/<wbr>1") || id == "" {
		t.Fatalf("listed %s", listed)
	}
	// What was sent is known from the attempt that has sent it, once that is recorded.
	eventually(t, "the delivery's page has what was sent", func() bool {
		status, _, page := visit("acme", http.MethodGet, "/hooks/deliveries/"+id, nil)
		return status == 200 && strings.Contains(page, "POST /in HTTP/1.1") && strings.Contains(page, "Its body stands below")
	})
	if status, _, _ := visit("umbrella", http.MethodGet, "/hooks/deliveries/"+id, nil); status != 404 {
		t.Errorf("another tenant: %d", status)
	}
	// Operators see how it is configured.
	if status, configured := s.get("/webhooks/configuration"); status != 200 || fmt.Sprint(configured["webhooks_dashboard"]) != "[map[tenant:{http.request.header.X-User}]]" || configured["webhooks_api"] != nil {
		t.Errorf("configured is %v", configured)
	}
	// No API takes keys here.
	if _, _, page := visit("acme", http.MethodGet, "/hooks/keys", nil); !strings.Contains(page, "No API here takes keys") {
		t.Errorf("keys: %s", page)
	}
}

// Whom an authentication before the pages names sees the pages of operators, and what is in
// force, without its secrets. Headers name nobody, and neither does what is alike.
func TestDashboardOperators(t *testing.T) {
	s := newStage(t)
	text := s.config("secrets_key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "}\nvars role {http.request.header.X-Checked}\nhandle_path /hooks* {\nwebhooks_dashboard {\nauthorize {http.request.header.X-User}\noperators {vars.role} ops\n}")
	s.mustLoad(strings.Replace(text, "resource items\n", "resource items {\ntenant seller\n}\n", 1))
	visit := func(path string, header ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+"/hooks"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-User", "acme")
		if len(header) > 0 {
			r.Header.Set(header[0], header[1])
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(page)
	}
	s.put("/items/1", `{"id":"1","seller":"acme"}`)
	for path, want := range map[string]string{
		"/operator/": "This process counts since", "/operator/endpoints": "Endpoints", "/operator/coverage": "Coverage", "/operator/queue": "All is well",
		"/operator/marks": "Marks", "/operator/unresolved": "None is open", "/operator/tenants": "Tenants", "/operator/audit": "Audit log",
	} {
		if status, page := visit(path, "X-Checked", "ops"); status != 200 || !strings.Contains(page, want) {
			t.Errorf("%s: %d %s", path, status, page)
		}
		for _, header := range [][]string{nil, {"X-Checked", "Ops"}, {"X-Checked", "ops,x"}, {"Role", "ops"}} {
			if status, page := visit(path, header...); status != 404 || !strings.Contains(page, "There is no such page") {
				t.Errorf("%s by %q: %d %s", path, header, status, page)
			}
		}
	}
	status, page := visit("/operator/configuration", "X-Checked", "ops")
	if status != 200 || strings.Contains(page, "AAAAAAAA") || !strings.Contains(page, "secrets_keys") || !strings.Contains(page, "items") || !strings.Contains(page, "seller") {
		t.Errorf("the configuration: %d %s", status, page)
	}
	if status, page := visit("/", "X-Checked", "ops"); status != http.StatusSeeOther || page != "" {
		t.Errorf("the beginning: %d %s", status, page)
	}
	s.mustLoad(strings.Replace(text, "operators {vars.role} ops\n", "", 1)) // what sampled has ended, and nobody is one
	if status, _ := visit("/operator/", "X-Checked", "ops"); status != 404 {
		t.Errorf("without operators: %d", status)
	}
}

// With accounts, a user comes from the operator's link to the webhooks by a password and a
// second factor, and to their secrets by another code.
func TestDashboardAccounts(t *testing.T) {
	s := newStage(t)
	text := s.config("", "}\nhandle_path /hooks* {\nwebhooks_dashboard {\naccounts `Acme Webhooks`\n}")
	s.mustLoad(strings.Replace(text, "resource items\n", "resource items {\ntenant seller\n}\n", 1))
	link, err := s.command("users", "add", "mara", "--tenant", "acme", "--dashboard", "https://"+s.address+"/hooks", "--quiet")
	page, code, _ := strings.Cut(strings.TrimSpace(link), "#")
	if err != nil || page != "https://"+s.address+"/hooks/account/welcome" {
		t.Fatalf("%q, %v", link, err)
	}
	token := ""
	visit := func(method, path string, pairs ...string) (int, string, string) {
		t.Helper()
		form := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.address+"/hooks"+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", "__Host-webhooks="+token)
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		for _, cookie := range response.Cookies() {
			token = cookie.Value
		}
		if !strings.Contains(response.Header.Get("Content-Security-Policy"), "default-src 'none'") || response.Header.Get("Cache-Control") == "" {
			t.Errorf("%s is not protected: %v", path, response.Header)
		}
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, response.Header.Get("Location"), string(text)
	}
	if status, to, _ := visit(http.MethodGet, "/webhooks/new"); status != 303 || to != "/hooks/account/login?back=%2Fwebhooks%2Fnew" {
		t.Fatalf("nobody: %d %s", status, to)
	}
	const word = "correct horse battery"
	if _, to, page := visit(http.MethodPost, "/account/welcome", "code", code, "password", word, "again", word); to != "/hooks/account/enrol" {
		t.Fatalf("the link leads to %q: %s", to, page)
	}
	_, _, page = visit(http.MethodGet, "/account/enrol")
	_, secret, _ := strings.Cut(page, `<code tabindex="0">`)
	secret, _, _ = strings.Cut(secret, "<")
	shown := func(later time.Duration) string {
		text, err := totp.GenerateCode(strings.ReplaceAll(secret, " ", ""), time.Now().Add(later))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if _, to, page := visit(http.MethodPost, "/account/enrol", "code", shown(0)); to != "/hooks/account/codes" {
		t.Fatalf("the code leads to %q: %s", to, page)
	}
	if _, to, _ := visit(http.MethodGet, "/"); to != "/hooks/account/codes" {
		t.Errorf("before the codes are kept: %s", to)
	}
	visit(http.MethodPost, "/account/codes", "kept", "yes")
	if status, _, page := visit(http.MethodGet, "/"); status != 200 || !strings.Contains(page, `href="/hooks/webhooks/new"`) || !strings.Contains(page, "mara") || !strings.Contains(page, "Sign out") {
		t.Errorf("the pages: %d %s", status, page)
	}
	for path, want := range map[string]string{"/account/": "Second factors", "/static/account.js": "navigator.credentials"} {
		if status, _, page := visit(http.MethodGet, path); status != 200 || !strings.Contains(page, want) {
			t.Errorf("%s: %d %s", path, status, page)
		}
	}
	// What is written again belongs to the same user after a reload, and to nobody after a removal.
	s.mustLoad(strings.Replace(text, "resource items\n", "resource items {\ntenant seller\nhide secret\n}\n", 1))
	if status, _, _ := visit(http.MethodGet, "/"); status != 200 {
		t.Errorf("after a reload: %d", status)
	}
	if out, err := s.command("users", "list"); err != nil || !strings.Contains(out, "active") {
		t.Errorf("listed %s, %v", out, err)
	}
	if out, err := s.command("users", "remove", "mara"); err != nil {
		t.Errorf("removed %s, %v", out, err)
	}
	if _, to, _ := visit(http.MethodGet, "/"); to != "/hooks/account/login" {
		t.Errorf("after a removal: %s", to)
	}
	out, err := s.command("audit", "--tenant", "acme")
	for _, want := range []string{"user.create", "user.password", "login.begin", "user.enrol", "user.delete"} {
		if err != nil || !strings.Contains(out, want) || strings.Contains(out, code) {
			t.Errorf("the audit lacks %s: %s, %v", want, out, err)
		}
	}
}
