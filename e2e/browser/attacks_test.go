// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A page of another site sends forms with the cookies of who looks at it, and nothing comes
// of it; not even from another port of the same machine.
func TestForeignForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hook := s.hook("acme", "ERP", `["items.*"]`, "")
	status := func() string {
		is, _ := s.ask("acme", http.MethodGet, "/api/endpoints/"+hook, "")["status"].(string)
		return is
	}
	target := s.origin + "/hooks/webhooks/" + hook + "/pause"
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>win</title><link rel="icon" href="data:,"><form method="post" action="%s"><button>Win</button></form></html>`, target)
	}))
	t.Cleanup(trap.Close)
	for name, from := range map[string]string{"another site": trap.URL, "another port": strings.Replace(trap.URL, "127.0.0.1", "localhost", 1)} {
		p := &person{tab: quietTab(t, s.origin)}
		p.cookie("tenant", "acme")
		p.open(from + "/")
		// A script of that page gets no answer, and no further than a form.
		if kind, err := evaluate[string](p.tab, fmt.Sprintf(`fetch(%q, {method: "POST", mode: "no-cors", credentials: "include"}).then((r) => r.type)`, target)); err == nil {
			t.Errorf("%s: a script gets an answer that is %s", name, kind)
		}
		if status() != "active" {
			t.Fatalf("%s: a script has paused the webhook", name)
		}
		p.press("button", "Win")
		p.at("The request came from another site")
		if p.status() != http.StatusForbidden || status() != "active" {
			t.Errorf("%s: it is answered with %d, and the webhook is %s", name, p.status(), status())
		}
	}
	// The same form on a page of ours does something, so the test can fail.
	p := &person{tab: s.visit(t, "acme")}
	p.open("/hooks/webhooks/" + hook)
	p.press("button", "Pause")
	p.reads("The webhook is paused")
	if status() != "paused" {
		t.Errorf("our own form leaves the webhook %s", status())
	}
}

// Nobody shows the pages in a frame, but whom the configuration names.
func TestFrames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	// A frame that is refused keeps its URL, and shows the browser's own words.
	framed := func(b *tab) bool {
		targets, err := chromedp.Targets(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, of := range targets {
			if of.Type != "iframe" || !strings.HasPrefix(of.URL, s.origin) {
				continue
			}
			frame, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(of.TargetID))
			defer cancel()
			text, err := chromedp.Run(frame, chromedp.Evaluate[string](`document.documentElement.outerHTML`))
			if err == nil && strings.Contains(text, `class="brand"`) {
				return true
			}
		}
		return false
	}
	open := func(path string) *tab {
		b := quietTab(t, s.origin)
		b.open(s.framer.URL + "/?of=" + url.QueryEscape(s.origin+path))
		return b
	}
	refused := open("/closed/")
	refused.excuse("frame-ancestors")
	if framed(refused) {
		t.Error("anybody may frame the pages")
	}
	allowed := open("/hooks/")
	eventually(t, "who may frame the pages does", func() error {
		if !framed(allowed) {
			return errNotYet
		}
		return nil
	})
}

// What others wrote runs nothing, and is no markup, wherever it is shown; and neither what
// is huge, deep or no text breaks a page.
func TestHostilePayloads(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const markup = `</code></pre><script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)><a href="javascript:alert(4)">x</a>{{.}}`
	quoted, err := json.Marshal(markup)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := s.ask("acme", http.MethodPost, "/api/endpoints", fmt.Sprintf(`{"label":%s,"url":%q,"events":["items.*"],"headers":{"X-Shop":"<b onclick=alert(5)>"}}`, quoted, s.receiver.URL+"/in?<b>"))["id"].(string)
	s.receiver.answers(http.StatusInternalServerError, markup)
	bodies := map[string]string{
		"markup": fmt.Sprintf(`,%s:%s`, quoted, quoted), "huge": `,"text":"` + strings.Repeat("huge ", 60_000) + `"`,
		"deep": `,"deep":` + strings.Repeat(`[`, 300) + strings.Repeat(`]`, 300), "turned": `,"text":"\u202etxet\u0000\u2066"`,
	}
	paths := []string{"/hooks/", "/hooks/webhooks/" + id, "/hooks/webhooks/" + id + "/edit", "/hooks/webhooks/" + id + "/delete", "/hooks/webhooks/" + id + "/deliveries", "/hooks/feed?webhook=" + id, "/hooks/events/items.updated"}
	for name, body := range bodies {
		s.change("acme", name, body)
		paths = append(paths, "/hooks/deliveries/"+s.delivery("acme", id, "items/"+name, "dead"))
	}
	s.receiver.answers(http.StatusInternalServerError, "\xff\xfe\x00\x01"+strings.Repeat("\x00", 5000))
	s.change("acme", "binary", "")
	paths = append(paths, "/hooks/deliveries/"+s.delivery("acme", id, "items/binary", "dead"))
	b := s.visit(t, "acme")
	for _, path := range paths {
		b.open(path)
		if status := b.status(); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		if found := must[[]string](b, `[...document.querySelectorAll("script:not([src]), img, [onerror], [onload], [onclick], a[href^=javascript]")].map((e) => e.outerHTML)`); len(found) > 0 {
			t.Errorf("%s: there is markup of others: %q", path, found)
		}
		b.size(360, 800)
		b.fits(path)
		b.axe(path)
	}
	b.open(paths[0])
	b.reads("<script>alert(1)</script>")
}
