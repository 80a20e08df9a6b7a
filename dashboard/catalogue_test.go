// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"testing"
)

func TestCatalogue(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", erp)
	s.create("umbrella", `{"label":"Theirs","url":"https://x.example/","events":["*"]}`)
	s.get("/events").want(200, `href="/hooks/events/items.updated"`, "orders.<wbr>state.", "Choose an event")
	s.get("/events?find=CREATED").want(200, "items.<wbr>created", "!items.<wbr>updated")
	s.get("/events?find=<nothing>").want(200, "No event has “&lt;nothing&gt;”")
	s.get("/events/items.updated").want(200, "An item &lt;has&gt; changed", "Which &lt;one&gt;", "integer or null", "always", "sometimes", "&#34;amount&#34;", "ERP", "Subscribe",
		`action="/hooks/webhooks/`+id+`/test"`, "!Theirs", `aria-current="page">items.`)
	s.get("/events/items.created").want(200, "no such event was seen yet", "!Send a sample")
	s.get("/events/orders.state.%7Bstate%7D").want(200, "orders.state.*", `href="/hooks/webhooks/new?type=orders.state.%2a"`)
	s.get("/events/no.such").want(404, "There is no such page")
	s.get("/webhooks/new?type=orders.state.*").want(200, `value="orders.state.*" checked`)
	s.get("/webhooks/new?type=%3Cb%3E").want(200, "!<b>")
	file := s.get("/events/items.updated/sample.json").want(200, `{"id":"42","amount":7}`)
	if file.header.Get("Content-Type") != "application/json" || file.header.Get("Content-Disposition") != `attachment; filename="sample.json"` {
		t.Errorf("a file has %v", file.header)
	}
	s.get("/events/items.updated/schema.json").want(200, `"properties"`)
	s.get("/events/items.created/sample.json").want(404)
	s.get("/events/items.updated/other.json").want(404)
}

func TestFeedPage(t *testing.T) {
	s := newStage(t)
	s.get("/feed").want(200, "None: nothing is behind it", "Latest cursor")
	id := s.create("acme", erp)
	first := s.happens("acme", "", `{}`, id)
	s.happens("acme", "", `{}`)
	s.happens("umbrella", "", `{"x":1}`)
	all := s.get("/feed").want(200, "2 events behind it, the first found", "items/<wbr>42", "!Delivery</th>")
	s.get("/feed?webhook="+id).want(200, "1 event behind it", "Waiting", "Delivery</th>")
	cursor := between(t, all.body, `<td role="cell" class="full mono">`, `</td>`)
	s.get("/feed?after="+cursor).want(200, "1 event behind it")
	s.get("/feed?after=latest").want(200, "None: nothing is behind it")
	s.get("/feed?after=never").want(400, `id="after-error"`, `value="never"`)
	s.get("/feed?after=AQAAAAcAAAAAAAAABQ").want(410, "Oldest cursor", `id="after-error"`)
	s.get("/feed?webhook=ep_x").want(404)
	_ = first
}
