// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"fmt"
	"testing"
)

// widths are those of a phone, of a tablet and of a screen.
var widths = []int64{360, 768, 1440}

// shownPage is a page, and what it is called.
type shownPage struct {
	name, tenant, path string
	// operator is true if it is an operator who looks.
	operator bool
	// then does something that leads to a page which no link leads to.
	then func(p *person)
	// status is that of the page, 200 if it is not said.
	status int64
}

// stocked is a site of which every page has something to show.
func stocked(t *testing.T) (s *site, pages []shownPage) {
	t.Helper()
	s = newSite(t)
	erp := s.hook("acme", "ERP", `["items.*"]`, `,"filter":"object.n != 3","headers":{"X-Shop":"harbour"},"rate":"50/s"`)
	long := s.hook("acme", "A webhook with a name that is much longer than any that somebody would choose who has to read it every day", `["*","items.created","items.updated","items.deleted"]`, "")
	s.change("acme", "1", `,"n":1,"text":"<script>alert(1)</script>"`)
	s.delivery("acme", erp, "items/1", "delivered")
	s.delivery("acme", long, "items/1", "delivered")
	s.receiver.answers(500, "<b>no</b>")
	s.change("acme", "1", `,"n":2,"text":"`+longWord+`"`)
	dead := s.delivery("acme", erp, "items/1", "dead")
	s.change("acme", "2", `,"n":3`) // the filter leaves it out
	s.delivery("acme", long, "items/2", "dead")
	s.receiver.answers(200, "thanks")

	hook := "/hooks/webhooks/" + erp
	at := func(name, path string) { pages = append(pages, shownPage{name: name, tenant: "acme", path: path}) }
	at("webhooks", "/hooks/")
	at("new", "/hooks/webhooks/new")
	at("webhook", hook)
	at("webhook with a long name", "/hooks/webhooks/"+long)
	at("edit", hook+"/edit")
	at("delete", hook+"/delete")
	at("test", hook+"/test")
	at("another key", hook+"/key")
	at("recover", hook+"/recover?since=1d")
	at("filtered", hook+"/filtered")
	at("deliveries", hook+"/deliveries")
	at("all deliveries", "/hooks/deliveries")
	at("none is like this", hook+"/deliveries?status=cancelled&object=items/1")
	at("delivery", "/hooks/deliveries/"+dead)
	at("filter", "/hooks/filter?filter=object.n+%3E+1")
	at("events", "/hooks/events")
	at("event", "/hooks/events/items.updated")
	at("no such event", "/hooks/events?find=nothing")
	at("feed", "/hooks/feed")
	at("feed of a webhook", "/hooks/feed?webhook="+erp)
	key, _ := s.ask("acme", "POST", "/api/keys", `{"name":"ERP"}`)["id"].(string)
	s.ask("acme", "POST", "/api/keys", `{"name":"`+longWord+`","expires":"2099-01-01T00:00:00Z"}`)
	at("API keys", "/hooks/keys")
	at("a new API key", "/hooks/keys/new")
	at("end an API key", "/hooks/keys/"+key+"/end")
	at("audit log", "/hooks/audit")
	more := func(p shownPage) { pages = append(pages, p) }
	more(shownPage{name: "no webhook yet", tenant: "umbrella", path: "/hooks/"})
	more(shownPage{name: "no deliveries yet", tenant: "umbrella", path: "/hooks/deliveries"})
	more(shownPage{name: "no API key yet", tenant: "umbrella", path: "/hooks/keys"})
	more(shownPage{name: "nothing was done yet", tenant: "umbrella", path: "/hooks/audit"})
	more(shownPage{name: "nobody", path: "/hooks/", status: 401})
	more(shownPage{name: "no such page", tenant: "acme", path: "/hooks/nowhere", status: 404})
	more(shownPage{name: "deliveries that cannot be asked for", tenant: "acme", path: hook + "/deliveries?since=soon", status: 400})
	more(shownPage{name: "not saved", tenant: "acme", path: "/hooks/webhooks/new", status: 422, then: func(p *person) {
		p.write("Hook URL optional", "http://127.0.0.1:1/in?"+longWord)
		p.press("button", "Add Hook")
		p.at("Add Webhook")
		p.reads("from being saved")
	}})
	more(shownPage{name: "abandon", tenant: "acme", path: hook + "/edit", then: func(p *person) {
		p.write("Webhook Label optional", "Another")
		p.press("button", "Close")
		p.at("Abandon changes?")
	}})
	more(shownPage{name: "reset", tenant: "acme", path: hook + "/edit", then: func(p *person) {
		p.press("button", "Reset Webhook Authentication")
		p.find("button", "Keep Current Configuration")
		p.loaded()
		p.choose("radio", "Basic A username and a password, with each delivery")
	}})
	more(shownPage{name: "key", tenant: "acme", path: hook + "/key", status: 201, then: func(p *person) {
		p.press("button", "Make the key")
		p.at("Another key of ERP")
	}})
	more(shownPage{name: "an API key", tenant: "globex", path: "/hooks/keys/new", status: 201, then: func(p *person) {
		p.write("Name optional", longWord)
		p.press("button", "Make the key")
		p.reads("It is shown only now.")
	}})
	more(shownPage{name: "tested", tenant: "acme", path: hook + "/test", then: func(p *person) {
		p.press("button", "Send")
		p.at("Result")
	}})
	return s, pages
}

// longWord has no place where a line may break.
const longWord = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789"

// Every page can be used and seen by everybody: on a phone, a tablet and a screen, dark or
// light, with scripts and without.
func TestPages(t *testing.T) {
	t.Parallel()
	s, pages := stocked(t)
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts %t", scripts), func(t *testing.T) {
			t.Parallel()
			for _, of := range pages {
				t.Run(of.name, func(t *testing.T) { s.check(t, of, scripts) })
			}
		})
	}
}

// check looks at one page in each width and theme.
func (s *site) check(t *testing.T, of shownPage, scripts bool) {
	t.Helper()
	p := &person{tab: newTab(t, s.origin)}
	if of.tenant != "" {
		p.cookie("tenant", of.tenant)
	}
	if of.operator {
		p.cookie("role", "operator")
	}
	p.scripts(scripts)
	p.open(of.path)
	if of.then != nil {
		of.then(p)
	}
	if of.status == 0 {
		of.status = 200
	}
	if p.status() != of.status {
		t.Fatalf("it is answered with %d, want %d: %s", p.status(), of.status, p.shown())
	}
	p.everywhere(scripts)
}

// everywhere looks at the page as it is now in each width and theme.
func (p *person) everywhere(scripts bool) {
	p.t.Helper()
	for _, width := range widths {
		p.size(width, 900)
		for _, theme := range []string{"light", "dark"} {
			p.theme(theme)
			what := fmt.Sprintf("%s, %d px, %s", must[string](p.tab, "location.pathname"), width, theme)
			p.fits(what)
			if scripts {
				p.axe(what)
			}
		}
	}
	if !scripts {
		// axe waits by timers, which are scripts. Those of the page do not run any more.
		p.scripts(true)
		p.axe("as it came")
		p.scripts(false)
	}
}
