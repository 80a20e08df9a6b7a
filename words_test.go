// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// update is a story of one object: its Show, and a change of it.
func update(show string) string {
	return "api GET /items/%[1]d 200 " + show + "\n> PUT /items/%[1]d {}\n< 200 {}\n"
}

// Each configuration has a word without effect, or none. Its story happens as often as
// has to be before that is told.
func TestWordsWithoutEffect(t *testing.T) {
	const show = `{"id":%[1]d,"buyer":{"card":"c"},"state":"new","updatedAt":%[1]d}`
	for name, tc := range map[string]struct {
		rules, story string
		want         string // the words, with what is there instead
	}{
		"hide, with a slip of the pen":       {"resource items {\nhide buyer.crad\n}", update(show), "hide buyer.crad (leaks) -> buyer.card"},
		"hide, in another place":             {"resource items {\nhide card\n}", update(show), "hide card (leaks) -> buyer.card"},
		"hide, of a list":                    {"resource items {\nhide lines.#.cvc\n}", update(`{"id":1,"lines":[{"cvv":1}],"x":%[1]d}`), "hide lines.#.cvc (leaks) -> lines.#.cvv"},
		"hide, of nothing alike":             {"resource items {\nhide secret\n}", update(show), "hide secret (leaks)"},
		"hide, one of two":                   {"resource items {\nhide state secret\n}", update(show), "hide secret (leaks)"},
		"hide, what may be absent":           {"resource items {\nhide secret? buyer.card\n}", update(show), ""},
		"hide, what is in XML":               {"resource items {\nhide item.id item.cart\n}", update(`<item><id>%[1]d</id><card>c</card></item>`), "hide item.cart (leaks) -> item.card"},
		"hide, what is null":                 {"resource items {\nhide secret\n}", update(`{"id":%[1]d,"secret":null}`), ""},
		"an event's field like a hidden one": {"resource items {\nhide buyer.card tokens\nevent items.paid on change crad\nevent items.used on change tokne\n}", update(`{"id":%[1]d,"buyer":{"card":1},"tokens":{"token":1}}`), "event items.paid on change crad, event items.used on change tokne"},
		"id, which is found otherwise":       {"resource items {\ncreate POST /items {\nfind GET /items?ref={request:ref} items.#.id\n}\n}", "api GET /items?ref=%[1]d 200 {\"items\":[{\"id\":%[1]d}]}\n> POST /items {\"ref\":%[1]d}\n< 201 {}\nwait 1s\n", ""},
		"only":                               {"resource items {\nonly id stat\n}", update(show), "only stat -> state"},
		"volatile":                           {"resource items {\nvolatile nonce\n}", update(show), "volatile nonce"},
		"tenant":                             {"resource items {\ntenant seller.id\n}", update(show), "tenant seller.id -> id"},
		"version, written in another way":    {"resource items {\nversion updated_at\n}", update(show), "version updated_at -> updatedAt"},
		"version, by an ETag that is not":    {"resource items {\nversion etag\n}", update(show), "version etag"},
		"until":                              {"resource items {\nwatch every 30s until status in done\n}", update(show), "watch until status is done"},
		"an event's field":                   {"resource items {\nevent items.paid on change sate to paid\n}", update(show), "event items.paid on change sate -> state"},
		"an event's type":                    {"resource items {\nevent items.{kind} on change\n}", update(`{"id":%[1]d,"kind":null}`), "event items.{kind}, for {kind} -> kind"},
		"parent":                             {"resource shops\nresource items {\nparent shops shop_id\n}", update(show), "parent shops shop_id"},
		"all as it should be":                {"resource items {\nhide buyer.card\nversion updatedAt\ntenant state\nevent items.{state} on change state\n}", update(show), ""},
		"id":                                 {"resource items", "> POST /items {}\n< 201 {\"itemId\":%[1]d}\n", "create POST /items (by convention): id id items.id item.id data.id items.#.id data.#.id"},
		"id, in a rule":                      {"resource items {\ncreate POST /make {\nid request:item.number\n}\n}", "> POST /make {\"item\":{\"id\":%[1]d}}\n< 201 {}\n", "create POST /make: id request:item.number"},
		"touches":                            {"resource users\nresource items {\nupdate PUT /items/:id {\ntouches users user.uid\n}\n}", "api GET /items/%[1]d 200 {\"n\":%[1]d}\n> PUT /items/%[1]d {}\n< 200 {\"user\":{\"id\":7}}\n", "update PUT /items/:id: touches users user.uid"},
		"touches, in the request":            {"resource users\nresource items {\nupdate PUT /items/:id {\ntouches users request:userId\n}\n}", "api GET /items/%[1]d 200 {\"n\":%[1]d}\n> PUT /items/%[1]d {\"user\":7}\n< 200 {}\n", "update PUT /items/:id: touches users request:userId"},
		"touches, an empty list":             {"resource users\nresource items {\nupdate PUT /items/:id {\ntouches users users.#.id\n}\n}", "api GET /items/%[1]d 200 {\"n\":%[1]d}\n> PUT /items/%[1]d {}\n< 200 {\"users\":[]}\n", ""},
		"via":                                {"resource users\nresource items {\nupdate PUT /items/:id {\ntouches users via GET /items/:id/users users.#.id\n}\n}", "api GET /items/%[1]d 200 {\"n\":%[1]d}\napi GET /items/%[1]d/users 200 {\"data\":[{\"id\":1}]}\n> PUT /items/%[1]d {}\n< 200 {}\nwait 1s\n", "update PUT /items/:id: touches users via GET /items/:id/users users.#.id -> data.#.id"},
		"where":                              {"resource items {\nupdate POST /rpc where request:methd is item.update\nid request:id\n}", "> POST /rpc {\"method\":\"item.update\",\"id\":%[1]d}\n< 200 {}\n", "update POST /rpc where request:methd is item.update (rule) -> POST /rpc, update POST /rpc where request:methd is item.update: where request:methd is item.update"},
		"where, a value nobody sends":        {"resource items {\nupdate POST /rpc where request:method is item.updat\nid request:id\n}", "> POST /rpc {\"method\":\"item.update\",\"id\":%[1]d}\n< 200 {}\n", "update POST /rpc where request:method is item.updat (rule) -> POST /rpc"},
		"where, in the query":                {"resource items {\nupdate PUT /items/:id where query:dry not 1\n}", update(show), "update PUT /items/:id where query:dry not 1: where query:dry not 1"},
		"where, judged for two resources":    {"resource items {\nupdate PUT /items/:id where query:dry not 1\n}\nresource copies {\nshow GET /copies/:id\nupdate PUT /items/:id\n}", update(show), "update PUT /items/:id where query:dry not 1: where query:dry not 1"},
		"where, in CEL":                      {"resource items {\nupdate PUT /items/:id where \"!has(request.draft) && request.n > 0\"\n}", "api GET /items/%[1]d 200 " + show + "\n> PUT /items/%[1]d {\"n\":1}\n< 200 {}\n", "update PUT /items/:id where \"!has(request.draft) && request.n > 0\": where \"!has(request.draft) && request.n > 0\", for request.draft"},
		"success":                            {"resource items {\nupdate PUT /items/:id {\nsuccess where ok is true\n}\n}", "api GET /items/%[1]d 200 " + show + "\n> PUT /items/%[1]d {}\n< 200 {\"OK\":true}\n", "update PUT /items/:id: success where ok is true -> OK"},
		"refused, which is rare":             {"resource items {\nupdate PUT /items/:id {\nrefused where error exists\n}\n}", update(show), ""},
		"a page with objects without ids":    {"resource items {\nlist GET /items items.#.id\n}", "api GET /items 200 {\"data\":[{\"id\":1}]}\nrestart\nwait 1m\n", "list GET /items items.#.id -> data.#.id"},
		"a page without objects":             {"resource items {\nlist GET /items items.#.id\n}", "api GET /items 200 {\"items\":[],\"links\":[1]}\nrestart\nwait 1m\n", ""},
		"a page that is null":                {"resource items {\nlist GET /items items.#.id\n}", "api GET /items 200 {\"items\":null,\"links\":[1]}\nrestart\nwait 1m\n", ""},
		"a page with names":                  {"resource items {\nlist GET /items keys:items\n}", "api GET /items 200 {\"apps\":{\"a\":[1]}}\nrestart\nwait 1m\n", "list GET /items keys:items"},
		"a rule, with a slip of the pen":     {"resource items {\nconventions events\nupdate PUT /item/:id\n}", "> PUT /items/%[1]d {}\n< 200 {}\n", "update PUT /item/:id (rule) -> PUT /items/:id"},
		"a rule for another method":          {"resource items {\nconventions events\nupdate PATCH /items/:id\n}", "> PUT /items/%[1]d {}\n< 200 {}\n", "update PATCH /items/:id (rule) -> PUT /items/:id"},
		"a rule of another version":          {"resource items {\nconventions events\nupdate PUT /v1/items/:id\n}", "> PUT /v2/items/%[1]d {}\n< 200 {}\n", "update PUT /v1/items/:id (rule) -> PUT /v2/items/:id"},
		"conventions at the wrong path":      {"resource items", "> POST /api/items {}\n< 201 {\"id\":1}\n", "create POST /items (by convention) (rule) -> POST /api/items"},
		"a rule beside requests of another":  {"resource items {\nconventions events\nupdate POST /items/:id/pay\n}", "> POST /items/%[1]d/rate {}\n< 200 {}\n> DELETE /items/%[1]d\n< 200\n", ""},
		"notify":                             {"resource items {\nnotify url request:hook\n}", "api GET /items/%[1]d 200 {}\n> POST /items {\"callback\":\"https://a.example/\"}\n< 201 {\"id\":%[1]d}\n", "notify url request:hook"},
	} {
		t.Run(name, func(t *testing.T) {
			uncovered.Forget(func(string, string) bool { return true })
			for n, want := range map[int]string{effect.Enough: tc.want, effect.Enough - 1: ""} {
				uncovered.Forget(func(string, string) bool { return true })
				runScriptThen(t, name, tc.rules, repeated(tc.story, n), func(s *script) {
					if n < effect.Enough && (strings.Contains(tc.rules, "\nlist ") || strings.Contains(tc.rules, " via ")) {
						return // one page is enough, and a query is asked twice
					}
					if got := described(s.handler.rules.Words.Lines()); got != want {
						t.Errorf("%s: after %d\n%s\nwant\n%s", name, n, got, want)
					}
				})
			}
		})
	}
}

// repeated returns a story some times, with its number in place of %[1]d.
func repeated(story string, n int) string {
	var all strings.Builder
	for i := range n {
		if strings.Contains(story, "%[1]d") {
			fmt.Fprintf(&all, story, 1000+i)
		} else {
			all.WriteString(story)
		}
	}
	return all.String()
}

func described(lines []effect.Line) string {
	all := make([]string, 0, len(lines))
	for _, l := range lines {
		text := l.Word
		if l.Leaks {
			text += " (leaks)"
		}
		if l.Rule {
			text += " (rule)"
		}
		if l.Instead != "" {
			text += " -> " + l.Instead
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}
