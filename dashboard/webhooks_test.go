// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const erp = `{"label":"ERP","url":"https://erp.example/h?token=t0ken","events":["items.*"]}`

func TestListOfWebhooks(t *testing.T) {
	s := newStage(t)
	s.get("/").want(200, "No webhook yet", `href="/hooks/webhooks/new"`, "Mara &lt;acme&gt;")
	fine := s.create("acme", erp)
	failing := s.create("acme", `{"label":"Ledger","url":"https://ledger.example/","events":["a.*","b.*","c.*","d.*"]}`)
	paused := s.create("acme", `{"url":"https://display.example/","status":"paused"}`)
	s.create("acme", `{"label":"Fetched"}`)
	s.create("umbrella", `{"label":"Theirs"}`)
	s.fares[failing] = emitter.Standing{EndpointState: queue.EndpointState{Name: failing, Status: emitter.StatusFailing, Since: s.now.Add(-3 * 3600e9)}}
	got := s.get("/").want(200, "ERP", "erp.example", "items.*", "Ledger", "Failing", "3 h ago", "+2", "display.example", "Paused", "Read by its feed",
		"Attempts fail; see its deliveries.", `href="/hooks/webhooks/`+fine+`"`, `href="/hooks/webhooks/`+paused+`"`, "!t0ken", "!Theirs")
	if strings.Contains(got.body, "Ledger needs your attention") != true || strings.Contains(got.body, "ERP needs") {
		t.Errorf("who needs attention: %s", got.main())
	}
}

func TestManyWebhooks(t *testing.T) {
	s := newStage(t, func(s *stage) { s.options.Policy.Limit = 300 })
	for i := range 205 {
		if i%50 == 0 {
			s.fresh()
		}
		s.create("acme", `{}`)
	}
	first := s.get("/").want(200, "More webhooks")
	_, rest, _ := strings.Cut(first.body, `href="/hooks/?cursor=`)
	cursor, _, _ := strings.Cut(rest, `"`)
	last := s.get("/?cursor="+cursor).want(200, "First page", "!More webhooks")
	// One that is not among the first can be chosen as well.
	id := between(t, last.body, `<a class="title-link" href="/hooks/webhooks/`, `"`)
	s.fresh()
	s.get("/feed?webhook="+id).want(200, `value="`+id+`" selected`)
	s.get("/webhooks/"+id+"/deliveries").want(200, `value="`+id+`" selected`)
}

// Everything that the form has reaches the API, and comes back into the form.
func TestAddWebhook(t *testing.T) {
	s := newStage(t)
	s.get("/webhooks/new").want(200, `value="items.updated"`, "An item &lt;has&gt; changed", `value="orders.state.*"`, "Add Hook")
	got := s.post("/webhooks/new", "action", "save", "key", "k1", "label", " ERP ", "url", "https://erp.example/h", "events", "items.updated", "events", "orders.*",
		"others", "invoices.*\r\n\r\n", "authentication", "basic", "username", "shop", "password", " hush ", "token", "ignored", "signature", "signature-key",
		"scheme", "x-signature github", "payload", "standard", "previous", "yes", "data", "order.id=id\r\n", "link", "ignored", "order", "endpoint", "rate", "10/s",
		"filter", "object.id != 'a  b'\r\n && true", "headers", "X-Shop: it's: me\r\n", "begin", "now")
	got.want(http.StatusCreated, "ERP was added", "shown only now", "Accepted", "webhook-id: test_1", "!hush")
	is := s.only("acme")
	want := callbacks.EndpointView{Label: "ERP", URL: "https://erp.example/h", Rate: "10/s", Order: "endpoint", Filter: "object.id != 'a  b'  && true", Signature: "x-signature github"}
	if is.Label != want.Label || is.URL != want.URL || is.Rate != want.Rate || is.Order != want.Order || is.Filter != want.Filter || is.Signature != want.Signature {
		t.Errorf("made %+v", is)
	}
	if strings.Join(is.Events, " ") != "items.updated orders.* invoices.*" || is.Headers["X-Shop"] != "it's: me" || is.Auth.Scheme != "basic" || is.Auth.Name != "shop" ||
		is.Payload.Format != "standard" || !is.Payload.Previous || len(is.Payload.Data) != 1 || is.Payload.URL != "" {
		t.Errorf("made %+v", is)
	}
	if tried := s.receivers.tried[0]; tried.Auth.Credential != " hush " {
		t.Errorf("the receiver was tested with %+v", tried.Auth)
	}
	// The form shows it again, without the password.
	edit := s.get("/webhooks/"+is.ID+"/edit").want(200, `value="ERP"`, `value="items.updated" checked`, `value="orders.*" checked`, "invoices.*</textarea>", "Basic, as <code>shop</code>",
		"Reset Webhook Authentication", `value="x-signature github" selected`, "order.id=id", "X-Shop: it&#39;s: me", "10/s", "!hush", `value="endpoint" selected`)
	if strings.Contains(edit.body, `name="password"`) {
		t.Error("the form asks for a password that stays")
	}
	// What was sent twice is made once, and answered twice.
	again := s.post("/webhooks/new", "action", "save", "key", "k2", "label", "Other", "events", "*", "begin", "now", "signature", "none", "payload", "show", "order", "object", "authentication", "none")
	more := s.post("/webhooks/new", "action", "save", "key", "k2", "label", "Other", "events", "*", "begin", "now", "signature", "none", "payload", "show", "order", "object", "authentication", "none")
	if again.status != 201 || more.status != 201 || strings.Count(s.get("/").body, "Other</a>") != 1 {
		t.Errorf("%d, %d: %s", again.status, more.status, s.get("/").main())
	}
}

// What is wrong stands beside its field, and nothing that was written is lost but secrets.
func TestRefusedForms(t *testing.T) {
	s := newStage(t, func(s *stage) {
		s.options.Require = []string{"label", "url", "events"}
		s.options.Policy.Offer.OwnSecret = true
	})
	good := []string{
		"action", "save", "label", "Shop sync", "url", "https://erp.example/h", "events", "items.*", "authentication", "none", "signature", "signature-key", "scheme", "standard",
		"payload", "show", "order", "object", "begin", "now",
	}
	for name, test := range map[string]struct {
		changes []string
		field   string
		text    string
	}{
		"no label":              {[]string{"label", ""}, "label", "It is missing"},
		"no events":             {[]string{"events", ""}, "events", "Choose at least one event"},
		"a wrong URL":           {[]string{"url", "erp.example"}, "url", "Write it whole"},
		"a refused URL":         {[]string{"url", "https://inner.example/"}, "url", "The URL cannot be used. Use another."},
		"a wrong pattern":       {[]string{"others", "*x"}, "events", "Write a type"},
		"a wrong filter":        {[]string{"filter", "object.id >"}, "filter", "Write a condition"},
		"a wrong rate":          {[]string{"rate", "often"}, "rate", "Write it as 10/s"},
		"a wrong header":        {[]string{"headers", "no colon <b>"}, "headers", "X-Shop: harbour"},
		"a header of ours":      {[]string{"headers", "Webhook-Id: 1"}, "headers", "Use another name"},
		"no password":           {[]string{"authentication", "basic", "username", "shop"}, "password", "Send it"},
		"no username":           {[]string{"authentication", "basic", "password", "hush"}, "username", "without a colon"},
		"no token":              {[]string{"authentication", "bearer"}, "token", "Send it"},
		"no header's value":     {[]string{"authentication", "header", "header", "X-Key"}, "value", "Send it"},
		"no key":                {[]string{"signature", "source-key"}, "source_key", "Write the key"},
		"a wrong key":           {[]string{"signature", "source-key", "source_key", "short"}, "source_key", "whsec_"},
		"no fields":             {[]string{"payload", "fields"}, "payload", "See which formats"},
		"wrong fields":          {[]string{"payload", "fields", "fields", "status"}, "fields", "status=state"},
		"a wrong beginning":     {[]string{"begin", "since", "begins_at", "soon"}, "begin", "Say now"},
		"another signature":     {[]string{"scheme", "md5"}, "signature", "Say"},
		"a format there is not": {[]string{"payload", "xml"}, "payload", ""},
		"an order there is not": {[]string{"order", "random"}, "order", "Say object"},
		"a scheme there is not": {[]string{"authentication", "kerberos"}, "authentication", "Say basic"},
	} {
		form := formOf(good...)
		for i := 0; i < len(test.changes); i += 2 {
			if form.Del(test.changes[i]); test.changes[i+1] != "" {
				form.Set(test.changes[i], test.changes[i+1])
			}
		}
		got := s.as("acme", http.MethodPost, "/webhooks/new", form)
		if got.status != 422 && got.status != 400 {
			t.Errorf("%s: %d", name, got.status)
			continue
		}
		got.want(got.status, "Not saved", `href="#`+test.field+`"`, "!hush", "!no colon <b>")
		if test.field != "authentication" && test.field != "order" && !strings.Contains(got.body, `id="`+test.field+`-error"`) {
			t.Errorf("%s: no error beside %s: %s", name, test.field, got.main())
		}
		if !strings.Contains(got.body, test.text) {
			t.Errorf("%s: no %q in %s", name, test.text, got.main())
		}
		if name != "no label" && !strings.Contains(got.body, `value="Shop sync"`) {
			t.Errorf("%s: what was written is lost", name)
		}
	}
	s.get("/").want(200, "No webhook yet")
	// The receiver's own words are shown, as text.
	s.receivers.refuse = true
	s.as("acme", http.MethodPost, "/webhooks/new", formOf(good...)).want(422, "What was sent, and what came back", "HTTP 500", "&lt;b&gt;no&lt;/b&gt;", `href="#url"`)
}

// What an operator does not offer is not in the form.
func TestOfferedForm(t *testing.T) {
	s := newStage(t, func(s *stage) {
		s.options.Policy.Offer = subscribers.Offer{Auth: []string{"none", "basic"}, Signature: []string{"none", "x-signature"}, Payload: []string{"gateway"}, NoRate: true, OwnSecret: true}
	})
	s.get("/webhooks/new").want(200, `value="basic"`, `value="source-key"`, `value="gateway" selected`, `value="none" checked`, "!Bearer", "!name=\"rate\"", "!CloudEvents", "!value=\"standard\"")
	s.post("/webhooks/new", "action", "save", "label", "Shop", "url", "https://shop.example/", "events", "*", "authentication", "none", "signature", "source-key",
		"scheme", "x-signature", "source_key", "my own api key", "payload", "gateway", "order", "object", "begin", "now").want(201, "Shop was added", "!my own api key", "!shown only now")
	if is := s.only("acme"); is.Signature != "x-signature" || len(is.Secrets) != 1 {
		t.Errorf("made %+v", is)
	}
	s = newStage(t, func(s *stage) {
		s.options.Policy.Offer = subscribers.Offer{Auth: []string{"basic"}, Signature: []string{"standard"}, Order: []string{"endpoint"}}
	})
	s.get("/webhooks/new").want(200, `value="endpoint" selected`, `type="hidden" name="scheme" value="standard"`, `name="signature" value="signature-key" checked`, "!name=\"signature\" value=\"none\"", "!source-key\"")
}

// A find shows some events, and keeps what was chosen among others.
func TestFindEvents(t *testing.T) {
	s := newStage(t)
	chosen := []string{"events", "items.created", "events", "orders.*", "label", "Shop", "found", ""}
	got := s.post("/webhooks/new", append(chosen, "action", "find", "find", "CHANGED")...).want(200, `value="items.updated"`, "2 of them not shown", `name="events" value="items.created"`, `value="Shop"`)
	if strings.Contains(got.body, `type="checkbox" name="events" value="orders.*"`) {
		t.Error("it shows what was not looked for")
	}
	s.post("/webhooks/new", append(chosen, "action", "enter", "find", "order")...).want(200, "orders.")
	s.post("/webhooks/new", append(chosen, "action", "find", "find", "<b>nothing")...).want(200, "No event has “&lt;b&gt;nothing”")
	// Enter saves once the page shows what is looked for.
	s.post("/webhooks/new", "action", "enter", "find", "order", "found", "order", "events", "items.*", "signature", "none", "authentication", "none", "payload", "show", "order", "object").want(201)
}

func TestEditWebhook(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"label":"ERP","url":"https://erp.example/h","events":["items.*"],"headers":{"A":"1","B":"2"},"metadata":{"mine":"x"},"auth":{"scheme":"bearer","credential":"hush"}}`)
	path := "/webhooks/" + id + "/edit"
	form := func(more ...string) url.Values {
		etag := between(t, s.get(path).body, `name="etag" value="`, `"`)
		f := formOf("etag", etag, "label", "ERP", "url", "https://erp.example/h", "events", "items.*", "signature", "signature-key", "scheme", "standard", "payload", "show",
			"order", "object", "headers", "A: 1\nB: 2", "action", "save")
		for i := 0; i < len(more); i += 2 {
			f.Set(more[i], more[i+1])
		}
		return f
	}
	// Nothing changed, nothing done. A pattern may be ticked or written.
	s.as("acme", http.MethodPost, path, form("action", "close", "events", "", "others", "items.*")).leads("/hooks/webhooks/" + id)
	s.as("acme", http.MethodPost, path, form()).leads("/hooks/webhooks/" + id)
	s.as("acme", http.MethodPost, path, form("action", "close")).leads("/hooks/webhooks/" + id)
	s.as("acme", http.MethodPost, path, form("label", "ERP, Berlin", "headers", "B: 3")).leads("/hooks/webhooks/" + id + "?done=saved")
	is := s.shown("acme", id)
	if is.Label != "ERP, Berlin" || len(is.Headers) != 1 || is.Headers["B"] != "3" || is.Metadata["mine"] != "x" || is.Auth == nil || is.Auth.Scheme != "bearer" {
		t.Errorf("it is %+v", is)
	}
	// A password that is filled in where nobody was asked for it is not taken.
	s.as("acme", http.MethodPost, path, form("label", "ERP", "authentication", "none")).leads("/hooks/webhooks/" + id + "?done=saved")
	if is := s.shown("acme", id); is.Auth == nil {
		t.Error("the authentication is gone")
	}
	// Reset, and keep.
	s.as("acme", http.MethodPost, path, form("action", "reset-authentication", "label", "Changed")).want(200, "Keep Current Configuration", `name="resetting" value="yes"`, `value="Changed"`, `name="token"`)
	s.as("acme", http.MethodPost, path, form("action", "keep-authentication", "resetting", "yes", "authentication", "none", "label", "Changed")).want(200, "Reset Webhook Authentication", `value="Changed"`, "!Keep Current")
	s.as("acme", http.MethodPost, path, form("resetting", "yes", "authentication", "none", "label", "ERP", "headers", "B: 3")).leads("/hooks/webhooks/" + id + "?done=saved")
	if is := s.shown("acme", id); is.Auth != nil {
		t.Errorf("it is %+v", is.Auth)
	}
	// A change of somebody else's is not lost.
	stale := form("label", "Mine", "headers", "B: 3")
	s.as("acme", http.MethodPost, path, form("label", "Theirs", "headers", "B: 3")).leads("/hooks/webhooks/" + id + "?done=saved")
	s.as("acme", http.MethodPost, path, stale).want(http.StatusPreconditionFailed, "Not saved", "Somebody else has changed it", `value="Mine"`)
	// Where it was not signed, the first key is shown once.
	s.as("acme", http.MethodPost, path, form("label", "Theirs", "headers", "B: 3", "signature", "none")).leads("/hooks/webhooks/" + id + "?done=saved")
	s.get("/webhooks/"+id).want(200, "!Signature keys")
	if len(s.shown("acme", id).Secrets) != 1 {
		t.Error("its key is gone, which signed")
	}
}

// Close asks if something was changed, and going on loses nothing but secrets.
func TestAbandonChanges(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	path := "/webhooks/" + id + "/edit"
	same := []string{"label", "ERP", "url", "https://erp.example/h?token=t0ken", "events", "items.*", "signature", "signature-key", "scheme", "standard", "payload", "show", "order", "object"}
	s.post(path, append(same, "action", "close")...).leads("/hooks/webhooks/" + id)
	changed := append([]string{"events", "orders.*", "resetting", "yes", "authentication", "basic", "username", "u<i>", "password", "hush"}, same...)
	asked := s.post(path, append(changed, "action", "close")...).want(200, "Abandon changes?", `name="events" value="orders.*"`, `name="username" value="u&lt;i&gt;"`, "!hush", `action="/hooks`+path+`"`)
	if strings.Count(asked.body, `name="events"`) != 2 {
		t.Errorf("events are lost: %s", asked.main())
	}
	s.post(path, append(changed, "action", "back")...).want(200, `value="orders.*" checked`, "Edit Webhook")
	s.post(path, append(changed, "action", "abandon")...).leads("/hooks/webhooks/" + id)
	if is := s.shown("acme", id); len(is.Events) != 1 {
		t.Error("it was saved")
	}
	s.post("/webhooks/new", "action", "close", "signature", "signature-key", "scheme", "standard", "payload", "show", "order", "object", "begin", "now", "authentication", "none").leads("/hooks/")
	s.post("/webhooks/new", "action", "close", "label", "x", "signature", "signature-key", "scheme", "standard", "payload", "show", "order", "object", "begin", "now", "authentication", "none").want(200, "Abandon changes?")
}

func TestDeleteAsksFirst(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	s.happens("acme", "", `{}`, id)
	asked := s.get("/webhooks/"+id+"/delete").want(200, "Delete <q>ERP</q>?", "that wait for it are given up", "Pause instead")
	etag := between(t, asked.body, `name="etag" value="`, `"`)
	s.post("/webhooks/"+id+"/delete", "action", "pause").leads("/hooks/webhooks/" + id + "?done=paused")
	s.post("/webhooks/"+id+"/delete", "action", "delete", "etag", etag).want(http.StatusPreconditionFailed, "It was changed meanwhile")
	etag = between(t, s.get("/webhooks/"+id+"/delete").want(200, "!Pause instead").body, `name="etag" value="`, `"`)
	s.post("/webhooks/"+id+"/delete", "action", "delete", "etag", etag).leads("/hooks/?done=deleted")
	s.get("/?done=deleted").want(200, "The webhook was deleted.", "No webhook yet")
	s.get("/webhooks/" + id).want(404)
}

func TestPauseAndResume(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	s.get("/webhooks/"+id).want(200, "Delivering", "Pause</button>")
	s.post("/webhooks/" + id + "/pause").leads("/hooks/webhooks/" + id + "?done=paused")
	s.get("/webhooks/"+id+"?done=paused").want(200, "Paused", "Resume</button>", "its events wait")
	s.post("/webhooks/" + id + "/resume").leads("/hooks/webhooks/" + id + "?done=resumed")
	s.get("/webhooks/"+id+"?done=<script>").want(200, "Delivering", "!<script>")
}

// between returns what stands between two texts.
func between(t *testing.T, text, before, after string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, before)
	if !found {
		t.Fatalf("no %q in %s", before, text)
	}
	inner, _, _ := strings.Cut(rest, after)
	return html.UnescapeString(inner)
}
