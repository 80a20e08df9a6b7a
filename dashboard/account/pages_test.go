// SPDX-License-Identifier: Apache-2.0

package account

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/passkey/passkeytest"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

// Every page is one that a strict content policy shows whole, and that people use by
// keyboard and ear: nothing inline, a label for each field, no id twice, no other host.
func TestPagesAreClean(t *testing.T) {
	s := newStage(t)
	b := s.browser()
	_, code, err := s.book.Add(t.Context(), "mara", "acme", users.LinkFor, nil)
	must(t, err)
	clean(t, "login", b.get("/account/login"))
	clean(t, "login, refused", b.post("/account/login", "user", `"><script>alert(1)</script>`, "password", "x"))
	clean(t, "welcome", b.get("/account/welcome"))
	clean(t, "welcome, refused", b.post("/account/welcome", "code", code, "password", "short"))
	clean(t, "problem", b.get("/account/nothing"))
	b.post("/account/welcome", "code", code, "password", secretWord, "again", secretWord).to("/account/enrol")
	clean(t, "enrol", b.get("/account/enrol?back=/%22%3E%3Cscript%3E"))
	clean(t, "enrol, refused", b.post("/account/enrol", "code", "x"))
	m := b.join("tom", "acme")
	b.add(passkeytest.New(origin), `<b>"Phone"`).to("/account/")
	clean(t, "account", b.get("/account/?done=app"))
	clean(t, "account, refused", b.post("/account/password", "old", "x"))
	clean(t, "question", b.post("/account/passkeys/delete", "id", `"><b>`))
	clean(t, "another app", b.get("/account/enrol"))
	clean(t, "step up", b.get("/account/step-up"))
	b.post("/account/codes/new", "sure", "yes").to("/account/codes?back=%2Faccount%2F")
	clean(t, "codes", b.get("/account/codes"))
	b = s.browser()
	b.post("/account/login", "user", "tom", "password", secretWord).to("/account/second")
	clean(t, "second", b.get("/account/second"))
	clean(t, "second, refused", b.post("/account/second", "recovery", "x"))
	b.logIn(m)
	operator := s.browser()
	operator.join("root", "")
	clean(t, "account of an operator", operator.get("/account/"))
}

func clean(t *testing.T, name string, page answer) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page.body))
	must(t, err)
	if !strings.HasPrefix(page.body, "<!doctype html>") || page.status == 303 {
		t.Errorf("%s: no page, %d", name, page.status)
	}
	ids, labelled, headings := map[string]bool{}, map[string]bool{}, 0
	var fields []string
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attr := func(key string) string {
			at := slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
			if at < 0 {
				return ""
			}
			return n.Attr[at].Val
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.Contains(a.Val, "//") || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
			}
		}
		if id := attr("id"); id != "" {
			if ids[id] {
				t.Errorf("%s: the id %s stands twice", name, id)
			}
			ids[id] = true
		}
		switch n.Data {
		case "script", "style":
			if n.FirstChild != nil || n.Data == "style" || attr("src") == "" {
				t.Errorf("%s: an inline %s", name, n.Data)
			}
		case "label":
			labelled[attr("for")] = true
		case "h1":
			headings++
		case "img":
			if attr("alt") == "" {
				t.Errorf("%s: an image without alt", name)
			}
		case "form":
			if attr("method") != "post" {
				t.Errorf("%s: a form that is got", name)
			}
		case "input":
			hidden := attr("type") == "hidden" || slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "hidden" })
			if !hidden && n.Parent.Data != "label" {
				fields = append(fields, attr("id"))
			}
		}
	}
	for _, field := range fields {
		if field == "" || !labelled[field] {
			t.Errorf("%s: the field %q has no label", name, field)
		}
	}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "aria-describedby" || a.Key == "aria-labelledby" {
				for id := range strings.FieldsSeq(a.Val) {
					if !ids[id] {
						t.Errorf("%s: there is no %s", name, id)
					}
				}
			}
		}
	}
	if headings != 1 {
		t.Errorf("%s: %d headings", name, headings)
	}
}
