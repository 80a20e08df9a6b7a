// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// checkHeaders checks what each answer must have, whatever it is.
func checkHeaders(t *testing.T, what string, got reply) {
	t.Helper()
	policy := got.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors "} {
		if !strings.Contains(policy, part) {
			t.Errorf("%s: the content policy lacks %s: %q", what, part, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("%s: the content policy is %q", what, policy)
	}
	kept := got.header.Get("Cache-Control")
	if kept != "no-store" && !strings.Contains(what, "/static/") {
		t.Errorf("%s may be kept: %q", what, kept)
	}
	if got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Referrer-Policy") != "same-origin" {
		t.Errorf("%s: %v", what, got.header)
	}
}

// page is what is looked at in a page.
type page struct {
	t    *testing.T
	what string
	ids  map[string]int
	// labels are what labels are for, and refers what ids are named by attributes.
	labels, refers []string
	headings       int
	titles         int
}

// checkPage checks that a page is whole, keeps to the content policy by itself, and can be
// used by those who do not see it.
func checkPage(t *testing.T, what, text string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	p := &page{t: t, what: what, ids: map[string]int{}}
	p.collect(root)
	p.walk(root)
	for id, n := range p.ids {
		if n > 1 {
			t.Errorf("%s: the id %s stands %d times", what, id, n)
		}
	}
	for _, id := range p.refers {
		if p.ids[id] == 0 {
			t.Errorf("%s: nothing has the id %s", what, id)
		}
	}
	if p.headings != 1 || p.titles != 1 {
		t.Errorf("%s: it has %d h1 and %d titles", what, p.headings, p.titles)
	}
	if strings.Contains(text, "ZgotmplZ") {
		t.Errorf("%s: a value does not fit its place: %s", what, text)
	}
	if !strings.HasSuffix(strings.TrimSpace(text), "</html>") {
		t.Errorf("%s: the page is cut", what)
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	text := ""
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		text += textOf(c)
	}
	return text
}

func within(n *html.Node, name string) bool {
	for ; n != nil; n = n.Parent {
		if n.Type == html.ElementNode && n.Data == name {
			return true
		}
	}
	return false
}

// collect notes ids and labels.
func (p *page) collect(n *html.Node) {
	if n.Type == html.ElementNode {
		if id := attr(n, "id"); id != "" {
			p.ids[id]++
		}
		if n.Data == "label" {
			p.labels = append(p.labels, attr(n, "for"))
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		p.collect(c)
	}
}

// walk checks each element.
func (p *page) walk(n *html.Node) {
	if n.Type == html.ElementNode {
		p.element(n)
		for _, a := range n.Attr {
			p.attribute(n, a.Key, a.Val)
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		p.walk(c)
	}
}

func (p *page) element(n *html.Node) {
	p.t.Helper()
	switch n.Data {
	case "style":
		p.t.Errorf("%s: a style stands in the page", p.what)
	case "script":
		if attr(n, "src") == "" || strings.TrimSpace(textOf(n)) != "" {
			p.t.Errorf("%s: a script stands in the page", p.what)
		}
	case "h1":
		p.headings++
	case "title":
		if !within(n.Parent, "svg") {
			p.titles++
		}
	case "html":
		if attr(n, "lang") == "" {
			p.t.Errorf("%s: no language", p.what)
		}
	case "form":
		if method := attr(n, "method"); method != "get" && method != "post" {
			p.t.Errorf("%s: a form has the method %q", p.what, method)
		}
	case "input", "select", "textarea":
		kind := attr(n, "type")
		labelled := kind == "hidden" || has(n, "aria-label") || within(n.Parent, "label") || slices.Contains(p.labels, attr(n, "id"))
		if !labelled || !has(n, "name") {
			p.t.Errorf("%s: a field has no label or no name: %v", p.what, n.Attr)
		}
	case "button", "a":
		if strings.TrimSpace(textOf(n)) == "" && attr(n, "aria-label") == "" {
			p.t.Errorf("%s: a %s says nothing: %v", p.what, n.Data, n.Attr)
		}
	case "img", "iframe", "object", "embed", "base", "link":
		if n.Data != "link" {
			p.t.Errorf("%s: it has a %s", p.what, n.Data)
		}
	}
}

func (p *page) attribute(n *html.Node, name, value string) {
	p.t.Helper()
	switch {
	case name == "style", strings.HasPrefix(name, "on"), strings.HasPrefix(name, "hx-on"), name == "srcdoc":
		p.t.Errorf("%s: %s has the attribute %s=%q", p.what, n.Data, name, value)
	case name == "aria-labelledby", name == "aria-describedby", name == "for", name == "list":
		p.refers = append(p.refers, strings.Fields(value)...)
	case name == "hx-trigger" && strings.Contains(value, "["), strings.HasPrefix(value, "js:"), strings.HasPrefix(value, "javascript:"):
		p.t.Errorf("%s: %s=%q needs eval", p.what, name, value)
	case name == "href" && strings.HasPrefix(value, "#"):
		p.refers = append(p.refers, value[1:])
	case slices.Contains([]string{"href", "src", "action", "formaction", "hx-get", "hx-post"}, name):
		if !strings.HasPrefix(value, "/hooks/") && !strings.HasPrefix(value, "?") {
			p.t.Errorf("%s: %s=%q leaves the dashboard", p.what, name, value)
		}
	}
}
