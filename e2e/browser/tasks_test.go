// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// way is one in which people use the pages.
type way struct {
	name              string
	keyboard, scripts bool
}

var ways = []way{{"mouse", false, true}, {"keyboard", true, true}, {"no scripts", false, false}, {"keyboard, no scripts", true, false}}

// work is a person at work on a webhook, each of another tenant.
type work struct {
	*person
	how    way
	site   *site
	tenant string
}

// The work of a subscriber from the first webhook to its end: with a mouse, with the
// keyboard alone, and without scripts.
func TestTasks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, how := range ways {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			w := &work{how: how, site: s, tenant: fmt.Sprintf("tenant-%d", i)}
			w.person = &person{tab: s.visit(t, w.tenant), keyboard: how.keyboard}
			w.scripts(how.scripts)
			w.add()
			w.edit()
			w.reset()
			w.test()
			w.newKey()
			w.pause()
			w.deliveries()
			w.delivery()
			w.recover()
			w.filtered()
			w.catalogue()
			w.feed()
			w.apiKey()
			w.audit()
			w.remove()
		})
	}
}

// object returns the id of an object of the tenant's.
func (w *work) object(name string) string { return w.tenant + "-" + name }

func (w *work) add() {
	w.t.Helper()
	w.open("/hooks/")
	w.at("No webhook yet")
	w.press("link", "Add Webhook")
	w.at("Add Webhook")
	// What is missing is said beside its field, and what was written stays.
	w.write("Webhook Label optional", "Till")
	w.press("button", "Add Hook")
	w.reads("from being saved")
	w.at("Add Webhook")
	w.write("Hook URL optional", w.site.receiver.URL+"/"+w.tenant)
	w.search("Find an event", "items.upd")
	w.press("button", "Find")
	w.find("checkbox", "items.updated Something has changed")
	w.loaded()
	w.choose("checkbox", "items.updated Something has changed")
	w.search("Find an event", "items.cre")
	w.press("button", "Find")
	w.find("checkbox", "items.created Something was made")
	w.loaded()
	w.choose("checkbox", "items.created Something was made")
	w.press("button", "Add Hook")
	w.at("Till was added")
	if key := must[string](w.tab, `document.getElementById("secret").textContent`); !strings.HasPrefix(key, "whsec_") {
		w.t.Errorf("the key is %q", key)
	}
	if w.how.scripts {
		w.press("button", "Copy the key")
		w.find("button", "Copied the key")
	}
	w.press("link", "I have kept the key")
	w.at("Till")
}

func (w *work) edit() {
	w.t.Helper()
	w.press("link", "Edit")
	w.at("Edit Webhook")
	w.write("Webhook Label optional", "Till 2")
	if w.keyboard && w.how.scripts {
		w.key(keyEscape) // is Close
	} else {
		w.press("button", "Close")
	}
	w.at("Abandon changes?")
	w.press("button", "Go on editing")
	w.at("Edit Webhook")
	if got := of[string](w.t, w.find("textbox", "Webhook Label optional"), `function() { return this.value }`); got != "Till 2" {
		w.t.Errorf("what was written is %q", got)
	}
	w.press("button", "Close")
	w.at("Abandon changes?")
	w.press("button", "Abandon Changes")
	w.at("Till")
	w.press("link", "Edit")
	w.at("Edit Webhook")
	w.write("Webhook Label optional", "Till 3")
	w.press("button", "Save Changes")
	w.reads("The changes were saved.")
	w.at("Till 3")
}

func (w *work) reset() {
	w.t.Helper()
	w.press("link", "Edit")
	w.at("Edit Webhook")
	w.press("button", "Reset Webhook Authentication")
	w.press("button", "Keep Current Configuration")
	w.press("button", "Reset Webhook Authentication")
	w.find("button", "Keep Current Configuration")
	w.loaded()
	w.choose("radio", "Basic A username and a password, with each delivery")
	w.write("Username", "shop")
	w.write("Password", "s3cret")
	w.press("button", "Save Changes")
	w.reads("The changes were saved.")
	w.reads("Basic, as shop")
}

func (w *work) test() {
	w.t.Helper()
	w.press("link", "Send a test")
	w.at("Test Till 3")
	w.pick("What is sent", "A sample of items.updated")
	w.press("button", "Send")
	w.at("Result")
	w.reads("Accepted")
	got := w.site.receiver.await(w.t, "the sample", func(r received) bool {
		return r.path == "/"+w.tenant && r.header.Get("Webhook-Event") == "items.updated"
	})
	if !strings.HasPrefix(got.header.Get("Authorization"), "Basic ") {
		w.t.Errorf("it authenticates with %q", got.header.Get("Authorization"))
	}
	w.press("link", "Till 3")
	w.at("Till 3")
}

// newKey replaces the key. The old one signs beside it, until it is ended.
func (w *work) newKey() {
	w.t.Helper()
	w.press("link", "Make another key…")
	w.at("Make another key for “Till 3”")
	w.press("button", "Make the key")
	w.at("Another key of Till 3")
	w.press("link", "I have kept the key")
	w.at("Till 3")
	w.reads("signs too, until")
	old := must[string](w.tab, `document.querySelector("form[action*='/revoke']").closest("li").querySelector("code").textContent`)
	w.press("button", "End it now : key "+old)
	w.reads("The key signs nothing more.")
	if text := w.panel("h-keys"); strings.Contains(text, old) || strings.Contains(text, "signs too") {
		w.t.Errorf("the keys are %s", text)
	}
}

// panel returns what a panel says, by the id of its heading.
func (p *person) panel(heading string) string {
	p.t.Helper()
	return must[string](p.tab, `document.getElementById("`+heading+`").closest("section, aside").innerText`)
}

func (w *work) pause() {
	w.t.Helper()
	w.press("button", "Pause")
	w.reads("The webhook is paused: its events wait.")
	w.press("button", "Resume")
	w.reads("The webhook gets deliveries again.")
}

func (w *work) deliveries() {
	w.t.Helper()
	w.press("link", "Deliveries")
	w.at("Deliveries")
	w.pick("Webhook", "Till 3")
	w.press("button", "Apply")
	w.at("Deliveries of Till 3")
	first, second := w.object("1"), w.object("2")
	w.site.change(w.tenant, first, `,"text":"<b>x</b>"`)
	if w.how.scripts {
		w.reads(first) // by itself
	}
	w.site.change(w.tenant, second, "")
	w.site.receiver.await(w.t, "an event of "+second, func(r received) bool { return r.header.Get("Webhook-Object") == "items/"+second })
	w.site.delivery(w.tenant, must[string](w.tab, `location.pathname.split("/")[3]`), "items/"+second, "delivered")
	w.press("link", "Delivered")
	w.find("link", "Delivered")
	w.reads(second)
	w.write("Object", "items/"+first)
	w.press("button", "Apply")
	w.find("link", "Remove the filter by Object: items/"+first)
	w.loaded()
	if text := must[string](w.tab, `document.querySelector("#rows").innerText`); strings.Contains(text, second) || !strings.Contains(text, first) {
		w.t.Errorf("of %s, it lists %s", first, text)
	}
}

func (w *work) delivery() {
	w.t.Helper()
	w.press("link", "items.updated")
	w.at("items.updated")
	w.reads(`<b>x</b>`)
	if must[bool](w.tab, `[...document.querySelectorAll("main b")].length > 0`) {
		w.t.Error("what the API wrote is markup")
	}
	if text := w.panel("h-attempts"); !strings.Contains(text, "webhook-object: items/"+w.object("1")) || !strings.Contains(text, "authorization: ***") || strings.Contains(text, "s3cret") {
		w.t.Errorf("the attempt is %s", text)
	}
	w.press("DisclosureTriangle", "Copy as curl")
	w.reads("One click selects it.")
	if text := must[string](w.tab, `document.getElementById("curl").innerText`); !strings.Contains(text, "curl") || strings.Contains(text, "s3cret") {
		w.t.Errorf("it copies %s", text)
	}
	w.press("button", "Resend")
	w.reads("It is sent again.")
}

func (w *work) recover() {
	w.t.Helper()
	w.press("link", "Recover since this one…")
	w.at("Recover Till 3")
	w.choose("radio", "All that happened Also what was delivered, and what the filter left out")
	w.press("button", "Count them")
	w.press("button", "Send them again")
	w.reads("are sent again.")
}

func (w *work) filtered() {
	w.t.Helper()
	w.open("/hooks/")
	w.press("link", "Till 3")
	w.press("link", "Edit")
	w.at("Edit Webhook")
	w.press("DisclosureTriangle", "More settings payload, filter, order, rate, headers")
	w.write("Filter optional", "object.nothing ==")
	w.press("button", "Check")
	w.reads("It is no filter")
	w.loaded()
	w.write("Filter optional", `object.id != ""`)
	if !w.how.scripts || !w.keyboard {
		w.press("button", "Check") // where it is not tried while it is written
	}
	w.reads("since yesterday")
	w.loaded()
	w.press("button", "Save Changes")
	w.reads("The changes were saved.")
}

func (w *work) catalogue() {
	w.t.Helper()
	w.press("link", "Event catalogue")
	w.at("Event catalogue")
	w.press("link", "items.updated")
	w.at("items.updated")
	w.reads("Which one")
	w.press("link", "Subscribe")
	w.at("Add Webhook")
	if !of[bool](w.t, w.find("checkbox", "items.updated Something has changed"), `function() { return this.checked }`) {
		w.t.Error("the event is not chosen")
	}
}

func (w *work) feed() {
	w.t.Helper()
	w.open("/hooks/feed")
	w.at("Feed")
	w.pick("Feed", "Till 3")
	w.write("Cursor, or a time", "oldest")
	w.press("button", "Show what is behind it")
	w.leads("after=oldest") // the page before it shows events, too
	w.reads("behind it, the first found")
	w.reads(w.object("1"))
}

// apiKey makes a key, with which a program does what the pages do, until it is ended.
func (w *work) apiKey() {
	w.t.Helper()
	w.press("link", "API keys")
	w.at("No key yet")
	w.press("link", "Make a key")
	w.at("Make an API key")
	w.write("Name optional", "ERP")
	w.choose("radio", "Never End it yourself when nothing uses it any more.")
	w.press("button", "Make the key")
	w.at("ERP was made")
	key := must[string](w.tab, `document.getElementById("secret").textContent`)
	if status := w.site.withKey(w.t, key); status != http.StatusOK {
		w.t.Errorf("the API answers the key with %d", status)
	}
	w.press("link", "I have kept the key")
	w.at("API keys")
	w.press("link", "End… the key ERP")
	w.at("End the key “ERP”?")
	w.press("button", "End the key")
	w.reads("The API key opens nothing more.")
	if status := w.site.withKey(w.t, key); status != http.StatusUnauthorized {
		w.t.Errorf("the API answers the key that was ended with %d", status)
	}
}

// withKey asks the API who somebody is that has a key.
func (s *site) withKey(t *testing.T, key string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.origin+"/api/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func (w *work) audit() {
	w.t.Helper()
	w.press("link", "Audit log")
	w.at("Audit log")
	for _, done := range []string{"API key ended", "API key made", "Webhook edited", "Replaced signature key ended", "mara"} {
		w.reads(done)
	}
}

func (w *work) remove() {
	w.t.Helper()
	w.open("/hooks/")
	w.press("link", "Till 3")
	w.press("link", "Delete Hook…")
	w.at("Delete “Till 3”?")
	if w.keyboard && w.how.scripts {
		w.key(keyEscape)
	} else {
		w.press("link", "Close")
	}
	w.at("Till 3")
	w.press("link", "Delete Hook…")
	w.at("Delete “Till 3”?")
	w.press("button", "Delete Hook")
	w.reads("The webhook was deleted.")
	w.at("No webhook yet")
}
