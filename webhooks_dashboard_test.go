// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestDashboardInCaddyfile(t *testing.T) {
	adapted, err := adapt(t, ":80 {\n\twebhooks_dashboard {\n\t\tauthorize {http.auth.user.id} {http.auth.user.name}\n\t\tframed_by https://portal.example.com https://b.example:8443\n\t}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"framed_by":["https://portal.example.com","https://b.example:8443"],"handler":"webhooks_dashboard","name":"{http.auth.user.name}","tenant":"{http.auth.user.id}"}`; !strings.Contains(string(adapted), want) {
		t.Errorf("%s lacks %s", adapted, want)
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
		"another word":            {"authorize {a}\nlogin now", "it takes authorize and framed_by"},
	} {
		if _, err := adapt(t, ":80 {\n\twebhooks_dashboard {\n"+test.lines+"\n\t}\n}\n"); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := adapt(t, ":80 {\n\twebhooks_dashboard now\n}\n"); err == nil || !strings.Contains(err.Error(), "unexpected") {
		t.Errorf("an argument: %v", err)
	}
	// In JSON, too.
	for _, text := range []string{`{}`, `{"tenant":"acme"}`, `{"tenant":"{a}","framed_by":["*"]}`} {
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
	_, header, _ := visit("acme", http.MethodGet, "/hooks/deliveries", nil)
	path := header.Get("Location")
	if _, _, page := visit("acme", http.MethodGet, path, nil); !strings.Contains(page, "items/<wbr>1") {
		t.Errorf("%s: %s", path, page)
	}
	if status, _, _ := visit("umbrella", http.MethodGet, path, nil); status != 404 {
		t.Errorf("another tenant: %d", status)
	}
}
