// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// A dialog takes the focus, keeps it, and gives it back to the link that opened it.
func TestDialogs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hook := s.hook("acme", "ERP", `["items.*"]`, "")
	p := &person{tab: s.visit(t, "acme"), keyboard: true}
	for _, test := range []struct {
		path, role, link, title string
		// first is what has the focus once it is open.
		first string
	}{
		{"/hooks/", "link", "Add Webhook", "Add Webhook", "#label"},
		{"/hooks/webhooks/" + hook, "link", "Edit", "Edit Webhook", "#label"},
		{"/hooks/webhooks/" + hook, "link", "Delete Hook…", "Delete “ERP”?", "[data-close]"},
		{"/hooks/webhooks/" + hook, "link", "Make another key…", "Make another key for “ERP”", "[name=overlap]"},
	} {
		p.open(test.path)
		p.press(test.role, test.link)
		p.at(test.title)
		p.within("dialog:modal " + test.first)
		p.everywhere(true)
		// What lies behind it is not there for anybody.
		p.gone("link", "Event catalogue")
		for range 40 {
			p.key(keyTab)
			p.focusSeen()
			p.kept()
		}
		for range 5 {
			p.key(keyTab, chromedp.ModifierShift)
			p.kept()
		}
		p.key(keyEscape)
		p.gone("heading", test.title)
		if link := p.find(test.role, test.link); !p.focused(link) {
			t.Errorf("%s: the focus does not return: it is at %s", test.link, must[string](p.tab, `document.activeElement.outerHTML.slice(0, 120)`))
		}
	}
}

// kept complains if the focus has left the dialog for the page behind it.
func (p *person) kept() {
	p.t.Helper()
	if !must[bool](p.tab, `document.activeElement === document.body || !!document.activeElement.closest("dialog:modal")`) {
		p.t.Errorf("the focus leaves the dialog for %s", must[string](p.tab, `document.activeElement.outerHTML.slice(0, 120)`))
	}
}

// Who has made a mistake is told of it first, and led to its field.
func TestMistakes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := &person{tab: s.visit(t, "acme"), keyboard: true}
	p.open("/hooks/webhooks/new")
	p.at("Add Webhook")
	p.write("Hook URL optional", "ftp://example.com")
	p.choose("checkbox", "* All events, and what is added later")
	p.press("button", "Add Hook")
	p.reads("One thing keeps this from being saved")
	p.loaded()
	p.within(".note.bad")
	p.key(keyTab)
	p.key(keyEnter)
	p.within("#url[aria-invalid=true]")
	if described := must[string](p.tab, `document.getElementById(document.activeElement.getAttribute("aria-describedby").split(" ")[0]).textContent.trim()`); described == "" {
		t.Error("nothing describes the mistake")
	}
}

// A theme is chosen with the arrows, seen at once, and kept.
func TestThemes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, how := range ways {
		p := &person{tab: s.visit(t, "acme"), keyboard: how.keyboard}
		p.scripts(how.scripts)
		p.theme("light")
		p.open("/hooks/events")
		before := must[string](p.tab, `getComputedStyle(document.documentElement).backgroundColor`)
		p.choose("radio", "Dark")
		if dark := must[string](p.tab, `getComputedStyle(document.documentElement).backgroundColor`); dark == before {
			t.Errorf("%s: it is %s, light and dark", how.name, dark)
		}
		p.press("button", "Keep this theme")
		eventually(t, "the theme is kept: "+how.name, func() error {
			kept, err := evaluate[string](p.tab, `document.documentElement.dataset.theme ?? "none"`)
			if err == nil && kept != "dark" {
				err = errNotYet
			}
			return err
		})
		p.at("Event catalogue")
		if path := must[string](p.tab, "location.pathname"); path != "/hooks/events" {
			t.Errorf("%s: it leads to %s", how.name, path)
		}
		if dark := must[string](p.tab, `getComputedStyle(document.documentElement).backgroundColor`); dark == before {
			t.Errorf("%s: it is %s, light and dark", how.name, dark)
		}
		p.scripts(true)
		p.axe("dark, as chosen")
	}
}
