// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// watched is a site with something to see for operators on every page.
func watched(t *testing.T) (s *site, pages []shownPage) {
	t.Helper()
	s = newSite(t)
	erp := s.hook("acme", "ERP", `["items.*"]`, "")
	s.change("acme", "1", "")
	s.delivery("acme", erp, "items/1", "delivered")
	s.receiver.answers(500, "<b>no</b>")
	s.change("acme", "2", `,"text":"`+longWord+`"`)
	s.delivery("acme", erp, "items/2", "dead")
	s.unread(longWord)
	s.ask("acme", http.MethodPost, "/parcels", `{}`)
	s.ask("acme", http.MethodPost, "/v1/"+longWord[:30]+"/search", `{}`)
	s.ask("acme", http.MethodPost, "/orders/7/ship", `{}`)
	at := func(name, path string) {
		pages = append(pages, shownPage{name: name, path: "/hooks/operator/" + path, operator: true})
	}
	at("overview", "?period=1h")
	at("endpoints", "endpoints")
	at("no such endpoint", "endpoints?state=paused&tenant=acme")
	at("endpoint", "endpoints/"+erp)
	at("send again", "endpoints/"+erp+"/resend?since=1d")
	at("tenants", "tenants")
	at("coverage", "coverage")
	at("unresolved", "unresolved")
	at("marks", "marks")
	at("queue", "queue")
	at("configuration", "configuration")
	at("audit", "audit")
	more := func(p shownPage) { p.operator = true; pages = append(pages, p) }
	more(shownPage{name: "no such tenant", path: "/hooks/operator/endpoints?tenant=nobody", status: 404})
	more(shownPage{name: "an endpoint that is not there", path: "/hooks/operator/endpoints/nothing", status: 404})
	more(shownPage{name: "a time that is none", path: "/hooks/operator/endpoints/" + erp + "/resend?since=soon", status: 400})
	return s, pages
}

// unread has a parcel change that cannot be read, and waits until that is known.
func (s *site) unread(id string) {
	s.t.Helper()
	s.api.breaks(true)
	s.ask("acme", http.MethodPut, "/parcels/"+id, fmt.Sprintf(`{"id":%q,"seller":"acme"}`, id))
	eventually(s.t, "the parcel "+id+" is read in vain", func() error {
		var marks struct {
			Items []struct {
				Object string
				Tries  int
			}
		}
		if err := s.caddy.Ask("/webhooks/marks", &marks); err != nil {
			return err
		}
		for _, m := range marks.Items {
			if m.Object == "parcels/"+id && m.Tries > 0 {
				return nil
			}
		}
		return errNotYet
	})
}

// Every page of operators can be used and seen by everybody, as those of tenants.
func TestOperatorPages(t *testing.T) {
	t.Parallel()
	s, pages := watched(t)
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts %t", scripts), func(t *testing.T) {
			t.Parallel()
			for _, of := range pages {
				t.Run(of.name, func(t *testing.T) { s.check(t, of, scripts) })
			}
		})
	}
}

// The times of charts are the reader's, and UTC where no script knows those.
func TestChartsTellTheReadersTime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for zone, want := range map[string]string{"": "UTC", "Asia/Kolkata": "yours"} {
		p := &person{tab: s.visit(t, "acme")}
		p.cookie("role", "operator")
		p.scripts(zone != "")
		if zone != "" {
			do(p.tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone})
		}
		p.open("/hooks/operator/?period=1h")
		p.at("Overview")
		p.reads("times are " + want)
		// Half an hour lies between the minutes of the two zones.
		for _, of := range []string{"text", "time"} {
			moved := must[float64](p.tab, fmt.Sprintf(`(() => {
				const label = document.querySelector("%s[data-clock]");
				const [hours, minutes] = label.textContent.split(":").map(Number), at = new Date(label.dataset.clock);
				return (hours * 60 + minutes - at.getUTCHours() * 60 - at.getUTCMinutes() + 1440) %% 1440;
			})()`, of))
			if wanted := map[string]float64{"": 0, "Asia/Kolkata": 330}[zone]; moved != wanted {
				t.Errorf("in %q, a %s is moved by %v minutes, want %v", zone, of, moved, wanted)
			}
		}
	}
}

// An operator resolves what nobody could tell, and has read again what could not be read: by
// mouse, by keyboard, and without scripts.
func TestOperatorTasks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, how := range ways {
		t.Run(how.name, func(t *testing.T) {
			w := &work{how: how, site: s, tenant: "acme"}
			w.person = &person{tab: s.visit(t, "acme"), keyboard: how.keyboard}
			w.cookie("role", "operator")
			w.scripts(how.scripts)
			w.resolve()
			w.retry()
		})
	}
}

// resolve has all objects of a resource listed, as a change told none, which finds it; and
// forgets the record of a change of a resource without a list.
func (w *work) resolve() {
	w.t.Helper()
	w.site.ask("acme", http.MethodPost, "/parcels", `{}`)
	w.site.ask("acme", http.MethodPost, "/items", `{}`)
	w.open("/hooks/")
	w.at("Overview")
	w.press("link", "Unresolved and gaps")
	w.at("Unresolved and gaps")
	for _, name := range []string{"List parcels", "Dismiss"} {
		w.until("there is a button "+name, func() bool { return w.buttonWith(name) != "" })
	}
	w.press("button", w.buttonWith("List parcels"))
	w.reads("All objects of the resource")
	w.until("the list has resolved it", func() bool { return w.buttonWith("List parcels") == "" })
	w.press("button", w.buttonWith("Dismiss"))
	w.reads("The record is forgotten.")
	w.at("Unresolved and gaps")
	w.reads("Nothing is unresolved")
}

// until opens the page of what is unresolved until it has, or has not, what is wanted.
func (w *work) until(what string, wanted func() bool) {
	w.t.Helper()
	eventually(w.t, what, func() error {
		if wanted() {
			return nil
		}
		w.open("/hooks/operator/unresolved")
		return errNotYet
	})
}

// buttonWith returns the name of the first button that begins with a text.
func (w *work) buttonWith(text string) string {
	w.t.Helper()
	return must[string](w.tab, fmt.Sprintf(`[...document.querySelectorAll("main button")].map((b) => b.textContent.trim().replace(/\s+/g, " ")).find((name) => name.startsWith(%q)) ?? ""`, text))
}

// retry has an object read again while the API is down, and when it is up.
func (w *work) retry() {
	w.t.Helper()
	id := "p" + strings.NewReplacer(" ", "", ",", "").Replace(w.how.name)
	w.site.unread(id)
	w.press("link", "Marks")
	w.at("Marks")
	w.press("button", "Try now parcels/"+id)
	w.leads("done=failing")
	w.reads("in vain. The reason is below")
	w.reads("503")
	w.site.api.breaks(false)
	w.write("Object", "parcels/"+id) // in the list it may be no more: it is tried by itself, too
	w.press("button", "Look")
	w.reads("The object was read")
	w.at("Marks")
}
