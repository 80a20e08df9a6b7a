// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// keys returns the API keys of a tenant.
func (s *stage) keys(tenant string) []subscribers.Key {
	s.t.Helper()
	of := subscribers.Keys{Store: s.store, Now: s.options.Now}
	all, _, err := of.Of(s.t.Context(), tenant, queue.Page{})
	must(s.t, err)
	return all
}

// A key is made, shown once, and ended on the pages.
func TestAPIKeys(t *testing.T) {
	s := newStage(t)
	s.get("/keys").want(200, "No key yet", "Make a key", `aria-current="page"`)
	form := s.get("/keys/new").want(200, "Make an API key", `value="8760h" checked`)
	once := between(t, form.body, `name="once" value="`, `"`)
	made := s.post("/keys/new", "once", once, "name", "ERP <1>", "ends", "2160h").want(http.StatusCreated, "ERP &lt;1&gt; was made", "shown only now", "26 Feb 2027")
	text := between(t, made.body, `<code id="secret">`, `</code>`)
	all := s.keys("acme")
	if len(all) != 1 || all[0].Name != "ERP <1>" || all[0].By != "Mara <acme>" || !all[0].Expires.Equal(time.Date(2027, 2, 26, 0, 0, 0, 0, time.UTC)) {
		t.Fatalf("there are %+v", all)
	}
	of := subscribers.Keys{Store: s.store, Now: s.options.Now}
	if found, err := of.Find(t.Context(), text); err != nil || found.ID != all[0].ID {
		t.Errorf("%q is the key of %+v, %v", text, found, err)
	}
	// Sent again, as by a browser that reloads, it makes no other.
	s.post("/keys/new", "once", once, "name", "ERP <1>", "ends", "2160h").want(http.StatusCreated, text)
	if n := len(s.keys("acme")); n != 1 {
		t.Errorf("there are %d keys", n)
	}
	s.get("/keys").want(200, "ERP &lt;1&gt;", all[0].ID, "by Mara", "Last used", "!"+text, "!No key yet")
	s.post("/keys/new", "name", "for ever", "ends", "").want(http.StatusCreated, "!It ends")
	s.post("/keys/new", "name", "a\u0000b", "ends", "").want(http.StatusUnprocessableEntity, "Not made", `id="name-error"`, `value="" checked`)

	end := "/keys/" + all[0].ID + "/end"
	s.get(end).want(200, "End the key <q>ERP &lt;1&gt;</q>?", "It was last used")
	s.post(end).leads("/hooks/keys?done=key-ended")
	s.get("/keys?done=key-ended").want(200, "The API key opens nothing more.", "!ERP", "for ever")
	s.get(end).want(404)
	s.post(end).want(404)
	if _, err := of.Find(t.Context(), text); err == nil {
		t.Error("it opens something")
	}
	s.get("/audit").want(200, "API key ended", "API key made", all[0].ID)
}

// Keys need somebody who has just shown that it is still them, and are nobody else's.
func TestAPIKeysAreTheirs(t *testing.T) {
	s := newStage(t)
	s.post("/keys/new", "name", "ERP", "ends", "").want(http.StatusCreated)
	id := s.keys("acme")[0].ID
	s.gate.stepped = false
	before := func(back string) string { return "/hooks/account/again?back=" + back }
	s.get("/keys/new").leads(before("%2Fkeys%2Fnew"))
	s.post("/keys/new", "name", "x", "ends", "").leads(before("%2Fkeys%2Fnew"))
	s.post("/keys/" + id + "/end").leads(before("%2Fkeys%2F" + id + "%2Fend"))
	s.get("/keys").want(200, "ERP")
	s.gate.stepped = true
	s.as("umbrella", http.MethodGet, "/keys", nil).want(200, "No key yet", "!"+id)
	s.as("umbrella", http.MethodGet, "/keys/"+id+"/end", nil).want(404)
	s.as("umbrella", http.MethodPost, "/keys/"+id+"/end", formOf()).want(404)
	if len(s.keys("acme")) != 1 || len(s.keys("umbrella")) != 0 {
		t.Error("something was done")
	}
}

// Where no API takes keys, none is offered; those that there are can be ended.
func TestNoAPITakesKeys(t *testing.T) {
	taken := true
	s := newStage(t, func(s *stage) { s.options.Keyed = func() bool { return taken } })
	s.post("/keys/new", "name", "ERP", "ends", "").want(http.StatusCreated)
	taken = false
	s.get("/keys").want(200, "No API here takes keys", "ERP", "End…", "!Make a key")
	s.as("umbrella", http.MethodGet, "/keys", nil).want(200, "No API here takes keys", "!Make a key", "!No key yet")
}

// As many keys as are possible: the page says so, and what to do.
func TestTooManyAPIKeys(t *testing.T) {
	s := newStage(t)
	of := subscribers.Keys{Store: s.store, Now: s.options.Now}
	for range subscribers.MaxKeys {
		_, _, err := of.Create(t.Context(), subscribers.Key{Tenant: "acme"}, nil)
		must(t, err)
	}
	s.post("/keys/new", "name", "one more", "ends", "").want(http.StatusUnprocessableEntity, "as many as are possible", `role="alert"`, `value="one more"`)
}

// The audit is the tenant's own, in pages, and nothing in it is markup.
func TestAudit(t *testing.T) {
	s := newStage(t)
	s.get("/audit").want(200, "Nothing was done yet")
	id := s.create("acme", erp)
	s.now = s.now.Add(time.Second)
	s.post("/webhooks/" + id + "/pause").leads("/hooks/webhooks/" + id + "?done=paused")
	got := s.get("/audit").want(200, "Webhook added", "Webhook paused", "program", "Mara &lt;acme&gt;", `href="/hooks/webhooks/`+id+`"`, `<span class="tag">url</span>`)
	if strings.Index(got.body, "Webhook paused") > strings.Index(got.body, "Webhook added") {
		t.Error("the newest does not come first")
	}
	s.as("umbrella", http.MethodGet, "/audit", nil).want(200, "Nothing was done yet", "!"+id)
	s.fresh()
	s.post("/webhooks/"+id+"/delete", "action", "delete").leads("/hooks/?done=deleted")
	s.get("/audit").want(200, "Webhook deleted")
	for i := range 60 {
		odd := subscribers.Audited{At: s.now.Add(time.Duration(i) * time.Second), Who: "<b>\u202e", Action: "<i>", Object: "<u>", From: "<s>"}
		record, err := odd.Record("acme", time.Hour)
		must(t, err)
		_, err = s.store.Change(t.Context(), record)
		must(t, err)
	}
	first := s.get("/audit").want(200, "&lt;i&gt;", "&lt;b&gt;", `\u202e`, "!<b>", "!<u>", "!<s>", "!Webhook added")
	next := between(t, first.body, `<a class="button" href="?`, `">Older`)
	s.get("/audit?"+next).want(200, "Webhook added", `href="/hooks/audit">Newest`)
	s.get("/audit?cursor=x").want(400)
}
