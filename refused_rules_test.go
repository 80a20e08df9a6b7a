// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"strings"
	"testing"
)

// Rules that can never do what is meant are refused, with the line on which
// they stand and with what to write instead.
func TestRefusedRules(t *testing.T) {
	site := func(lines string) string {
		return ":80 {\n\twebhooks {\n\t\tupstream localhost:9000\n" + lines + "\n\t}\n}\n"
	}
	item := func(lines string) string { return site("resource items {\n" + lines + "\n}") }
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"a placeholder in where that the path lacks": {
			item("update PATCH /items/:id where :kind is a"),
			[]string{":kind is no placeholder of the path /items/:id", "Caddyfile:5"},
		},
		"a method that is a slip of the pen":    {item("create PSOT /items"), []string{`"PSOT" is no HTTP method; is POST meant?`, "Caddyfile:5"}},
		"a method with a letter too many":       {item("update PATCHH /items/:id"), []string{"is PATCH meant?", "Caddyfile:5"}},
		"a method with a letter missing":        {item("delete DELTE /items/:id"), []string{"is DELETE meant?", "Caddyfile:5"}},
		"a method of show with a wrong letter":  {item("show POXT /rpc body `{\"id\":\"{id}\"}`"), []string{"is POST meant?", "Caddyfile:5"}},
		"a name in braces":                      {item("update POST /items/{id}/ship"), []string{"{id} stands for the text", "written :id", "Caddyfile:5"}},
		"a name in braces at the end":           {item("delete DELETE /items/{key}"), []string{"written :key", "Caddyfile:5"}},
		"alternatives":                          {item("update POST /items/:id/ship|cancel"), []string{"alternatives", "(ship|cancel)", "Caddyfile:5"}},
		"what is ignored and has a rule":        {site("ignore POST /items\nresource items {\ncreate POST /items\n}"), []string{"resource items has create POST /items", "Caddyfile:4"}},
		"what is ignored twice":                 {site("ignore POST /login\nignore POST|PUT /login\nresource items"), []string{"match the same requests", "Caddyfile:5"}},
		"what is ignored by a slip of the pen":  {site("ignore POTS /login\nresource items"), []string{"is POST meant?", "Caddyfile:4"}},
		"what is ignored with a name in braces": {site("ignore POST /items/{id}/search\nresource items"), []string{"written :id", "Caddyfile:4"}},
		"what is ignored without a method":      {site("ignore /login\nresource items"), []string{"methods and a path", "Caddyfile:4"}},
		"conventions of another word":           {item("conventions off"), []string{`"off" is none of rules, events and none`, "Caddyfile:5"}},
		"no event at all":                       {item("conventions rules"), []string{"no event is declared", "items.changed", "Caddyfile:5"}},
		"no rule at all":                        {item("show POST /rpc body `{\"id\":\"{id}\"}`"), []string{"no rule says which requests change its objects", "update POST /rpc", "Caddyfile:4"}},
		"a list by parents that nobody names": {
			site("resource tasks {\nshow GET /projects/:project/tasks/:id\nlist GET /projects/:project/tasks tasks.#.id\n}"),
			[]string{"nothing can stand for :project", "`parent projects :project`", "Caddyfile:6"},
		},
		"a list by parents that nothing lists": {
			site("resource projects\nresource tasks {\nshow GET /projects/:project/tasks/:id\nparent projects :project\nlist GET /projects/:project/tasks tasks.#.id\n}"),
			[]string{"each of projects, which nothing lists", "Caddyfile:8"},
		},
		"a list by a part that is not the parent's": {
			site("resource projects {\nlist GET /projects *.id\n}\nresource tasks {\nshow GET /teams/:team/:project/tasks/:id\nparent projects :project\nlist GET /teams/:team/tasks :team tasks.#.project tasks.#.id\n}"),
			[]string{":team is no part of the key of projects", "Caddyfile:10"},
		},
		"a list by half of the parent's key": {
			site("resource boards {\nshow GET /boards/:team/:id\nlist GET /boards *.team *.id\n}\nresource cards {\nshow GET /cards/:team/:board/:id\nparent boards :team :board\nlist GET /cards/:team :team *.board *.id\n}"),
			[]string{"each part of their key must stand in its request, and :board does not", "Caddyfile:11"},
		},
		"a list by a parent that only Show tells": {
			site("resource projects {\nlist GET /projects *.id\n}\nresource tasks {\nshow GET /tasks/:id\nparent projects project\nlist GET /projects/:id/tasks *.id\n}"),
			[]string{":id is no part of the key of projects", "Caddyfile:10"},
		},
		"lists that wait for one another": {
			site("resource a {\nshow GET /a/:b/:id\nparent b :b :id\nlist GET /b/:b/:id/a *.id\n}\nresource b {\nshow GET /b/:a/:id\nparent a :a :id\nlist GET /a/:a/:id/b *.id\n}"),
			[]string{"once for each of its own objects", "Caddyfile:7"},
		},
		"a placeholder in touches that the path lacks": {
			site("resource users\nresource items {\nupdate PATCH /items/:id {\ntouches users :user\n}\n}"),
			[]string{":user is no placeholder of the path /items/:id", "Caddyfile:6"},
		},
		"a placeholder in find that the rule lacks": {
			item("create POST /items {\nfind GET /items?reference={:reference} items.#.id\n}"),
			[]string{"find", "reference", "request:", "Caddyfile:5"},
		},
		"a placeholder in via that the rule lacks": {
			site("resource users\nresource items {\nupdate PATCH /items/:id {\ntouches users via GET /items/:item/users users.#.id\n}\n}"),
			[]string{"touches users", "item", "Caddyfile:6"},
		},
		"a placeholder of show in braces that is no name": {
			item("show GET /items?id={request:id}"),
			[]string{"parts of the object's key", "as {id}", "Caddyfile:5"},
		},
		"a placeholder within quotes within a string": {
			item("show POST /graphql body `{\"query\":\"{ item(id: \\\"{id}\\\") { id } }\"}`\nupdate POST /graphql"),
			[]string{"{id}", "use a variable", "{word:NAME}", "Caddyfile:5"},
		},
		"a rule without a part of the key": {
			item("show GET /a/:a/items/:id\nupdate PATCH /items/:id"),
			[]string{"the path lacks :a", "key :a request:a", "Caddyfile:6"},
		},
		"parts of a key in two lists": {
			item("show GET /perms/:vhost/:user\nupdate POST /perms\nkey :vhost request:vhosts.#\nid request:users.#.name"),
			[]string{":vhost (request:vhosts.#) and :user (request:users.#.name)", "from one array", "Caddyfile:6"},
		},
		"parts of a key in a list of the request and one of the answer": {
			item("show GET /perms/:vhost/:user\nupdate POST /perms\nkey :vhost request:perms.#.vhost\nid perms.#.user"),
			[]string{":vhost (request:perms.#.vhost) and :user (perms.#.user)", "from one array", "Caddyfile:6"},
		},
		"a part of a text where none can be taken": {
			item("update PATCH /items where split:query:ids is 1\nid query:id"),
			[]string{"split:query:ids", "stand before the places of ids, and nowhere else", "Caddyfile:5"},
		},
		"parts of a key in two texts with several": {
			item("show GET /a/:a/items/:id\nupdate PATCH /items\nkey :a split:query:as\nid split:query:ids"),
			[]string{":a (split:query:as) and :id (split:query:ids)", "from one array", "Caddyfile:6"},
		},
		"a segment that is none": {
			item("id segment:12:href"),
			[]string{"segment:12:href", "counted from 1", "Caddyfile:5"},
		},
		"a modifier of gjson": {
			item("id @odata.etag"),
			[]string{"an '@' or '!' that begins a name", "`\\@odata\\.etag`", "Caddyfile:5"},
		},
		"a path that is a comment": {
			item("list GET /items #.id"),
			[]string{"a word that begins with # is a comment", "`*.id`", "Caddyfile:5"},
		},
		"an ending that is none": {
			item("endings json"),
			[]string{"\"json\": an ending begins with a dot or a semicolon", "Caddyfile:5"},
		},
		"an ending that is anything": {
			item("endings .*"),
			[]string{"name the extensions", "Caddyfile:5"},
		},
		"a volatile field that an event looks at": {
			item("volatile viewed.*\nevent items.viewed on change viewed.by"),
			[]string{"items.viewed", "viewed.by is volatile", "Caddyfile:6"},
		},
		"a volatile field in the type of an event": {
			item("event items.{state} on change\nvolatile state"),
			[]string{"state is volatile", "Caddyfile:5"},
		},
		"a volatile version": {
			item("version updated\nvolatile updated"),
			[]string{"the version is volatile", "Caddyfile:5"},
		},
		"a volatile tenant": {
			item("volatile seller\ntenant seller.id"),
			[]string{"the tenant is volatile", "Caddyfile:6"},
		},
		"a volatile path of XPath": {
			item("volatile /item/viewed"),
			[]string{"/item/viewed", "Caddyfile:5"},
		},
		"CEL that does not compile": {
			item("event items.large on change when \"object.amount >\""),
			[]string{"event items.large", "column 16", "Caddyfile:5"},
		},
		"CEL that is no condition": {
			item("event items.large on change when \"1 + 1\""),
			[]string{"event items.large", "it must be true or false", "Caddyfile:5"},
		},
		"CEL about what is not there": {
			item("event items.large on change when \"thing.amount > 1\""),
			[]string{"event items.large", "thing", "Caddyfile:5"},
		},
		"a rule's id beside the path's": {
			item("update PUT /items/:id {\nid request:id\n}"),
			[]string{"id: the path /items/:id says where :id stands", "Caddyfile:5"},
		},
		"a rule's key that show lacks": {
			item("update PUT /items/:id {\nkey :shop request:shop\n}"),
			[]string{"key :shop: show GET /items/:id has no such name", "Caddyfile:5"},
		},
		"a rule's id of the path that it lacks": {
			item("update PUT /items {\nid :nr\n}"),
			[]string{"id: :nr is no placeholder of the path /items", "Caddyfile:5"},
		},
		"a rule's credential as id": {
			item("update PUT /items {\nid header:Cookie\n}"),
			[]string{"which is never stored", "Caddyfile:5"},
		},
		"a move that is done later": {
			item("move POST /items/:id {\nid request:to\nlater GET /jobs/1 id\n}"),
			[]string{"a move has no `find` and no `later`", "Caddyfile:5"},
		},
		"a move of nothing": {
			item("move POST /items {\nid request:to\n}"),
			[]string{"the path lacks :id", "Caddyfile:5"},
		},
		"a parent that is not declared": {
			item("parent shops shop"),
			[]string{"parent shops: there is no such resource", "Caddyfile:5"},
		},
		"a parent of the request": {
			item("parent items request:shop"),
			[]string{"request:shop stands in no Show", "Caddyfile:5"},
		},
		"a parent's key of too many parts": {
			item("parent items shop nr"),
			[]string{"its key has 1 parts", "and 2 are given", "Caddyfile:5"},
		},
		"a parent that is hidden": {
			item("parent items shop.id\nhide shop"),
			[]string{"shop.id is hidden, and this would store it", "Caddyfile:5"},
		},
		"a parent in a part that show lacks": {
			item("parent items :shop"),
			[]string{":shop is no part of the key in show GET /items/:id", "Caddyfile:5"},
		},
		"one exchange, two kinds": {
			item("update POST /items/:id\ndelete POST /items/:id"),
			[]string{"match the same requests; remove one of them, or tell them apart", "Caddyfile:6"},
		},
		"one exchange, two kinds, one condition": {
			item("update POST /items/:id where query:a is 1 2\ndelete POST /items/:id where query:a is 2"),
			[]string{"match the same requests", "tell them apart", "Caddyfile:6"},
		},
		"one exchange, one expression": {
			item("update POST /items/:id where query:a matches x\ndelete POST /items/:id where query:a matches x"),
			[]string{"match the same requests", "Caddyfile:6"},
		},
		"watch without an end": {
			item("watch every 30s"),
			[]string{"watch has no end", "until state in completed cancelled", "Caddyfile:5"},
		},
		"watch until something in the request": {
			item("watch every 30s until request:state is a"),
			[]string{"until takes a path in Show", "Caddyfile:5"},
		},
		"XPath as id":         {item("id //item/@id"), []string{"looks like XPath", "Envelope.Body.item.id", "Caddyfile:5"}},
		"XPath as version":    {item("version /item/rev"), []string{"looks like XPath", "Caddyfile:5"}},
		"XPath in hide":       {item("hide //card"), []string{"XPath", "Caddyfile:5"}},
		"XPath in an event":   {item("event items.paid on change /item/state to paid"), []string{"XPath", "Caddyfile:5"}},
		"XPath in gone":       {item("show GET /items/:id {\ngone where //Fault exists\n}"), []string{"gone", "looks like XPath", "Caddyfile:6"}},
		"XPath in a list":     {item("list GET /items //item/@id"), []string{"looks like XPath", "Caddyfile:5"}},
		"failed of nothing":   {item("show GET /items/:id {\nfailed\n}"), []string{"failed: it takes statuses", "Caddyfile:6"}},
		"gone by the request": {item("show GET /items/:id {\ngone where request:a is b\n}"), []string{"a path in its body", "Caddyfile:6"}},
		"show's option":       {item("show GET /items/:id {\nretry 3\n}"), []string{`unknown option "retry" of show`, "header, body, gone, failed and html", "Caddyfile:6"}},
		"touches the children of a resource that has no parent": {
			item("update DELETE /items/:id/users {\ntouches users children\n}\n}\nresource users {"),
			[]string{"touches users: children", "`parent items`", "response:children"},
		},
		"touches what is not declared": {
			item("update PATCH /items/:id {\ntouches users user.id\n}"),
			[]string{"touches users: there is no such resource", "`resource users`", "Caddyfile:5"},
		},
		"a hidden version": {
			item("version rev\nhide rev"), []string{"version: rev is hidden", "Caddyfile:5"},
		},
		"a hidden tenant": {
			item("tenant seller.id\nhide seller"), []string{"tenant: seller.id is hidden", "Caddyfile:5"},
		},
		"a hidden field in a type": {
			item("hide state\nevent items.{state} on change"), []string{"event items.{state}: state is hidden", "Caddyfile:6"},
		},
		"a list of a key of several parts": {
			item("show GET /a/:a/items/:id\nlist GET /items items.#.id"),
			[]string{"its key has 2 parts", "nothing tells :a", "Caddyfile:6"},
		},
		"a list with a place too many": {
			item("list GET /items items.#.a items.#.id"),
			[]string{"its key has 1 parts", "2 places are given", "Caddyfile:5"},
		},
		"a list whose parts stand in two arrays": {
			item("show GET /a/:a/items/:id\nlist GET /items as.# items.#.id"),
			[]string{":a (as.#) and :id (items.#.id)", "from one array", "Caddyfile:6"},
		},
		"touches of a key of several parts, of which one is told": {
			site("resource items {\nshow GET /a/:a/items/:id\n}\nresource users {\nupdate PATCH /users/:id {\ntouches items request:item\n}\n}"),
			[]string{"touches items", "nothing tells :a", "Caddyfile:8"},
		},
		"via of a key of several parts, of which one is told": {
			site("resource items {\nshow GET /a/:a/items/:id\n}\nresource users {\nupdate PATCH /users/:id {\ntouches items via GET /users/:id/items items.#.id\n}\n}"),
			[]string{"touches items", "nothing tells :a", "Caddyfile:8"},
		},
		"a find whose request lacks what it takes": {
			item("show GET /a/:a/items/:id\ncreate POST /a/:a/items {\nfind GET /items?ref={request:ref} request:a items.#.id\n}"),
			[]string{"request:a is no placeholder of the request", "Caddyfile:6"},
		},
		"a Host that an upstream with TLS replaces": {
			strings.Replace(item("show GET /items/:id {\nheader Host {t}\n}\nkey :t header:Host"), "localhost:9000", "https://localhost:9000", 1),
			[]string{"header Host never reaches the API", "`header_up Host {host}`", "Caddyfile:5"},
		},
		"a Host that the upstream's own replaces": {
			strings.Replace(item("show GET /items/:id {\nheader host {t}\n}\nkey :t header:Host"), "localhost:9000", "localhost:9000 {\nheader_up Host api.internal\n}", 1),
			[]string{"header Host never reaches the API", "header_up Host api.internal", "Caddyfile:7"},
		},
		"a header of the connection in show": {
			item("show GET /items/:id {\nheader te {t}\n}\nkey :t header:X-T"), []string{"header te never reaches the API", "Caddyfile:5"},
		},
		"a header that no rule sees": {
			item("update PUT /items/:id where header:Trailer exists"), []string{"header:Trailer", "no rule sees it", "Caddyfile:5"},
		},
		"the Host as a credential": {
			item("show as caller Host"), []string{"carries the Host of clients by itself", "Caddyfile:5"},
		},
		"a value of the response in find": {
			item("create POST /items {\nfind GET /items/{response:job} items.#.id\n}"), []string{"stands in the response", "Caddyfile:5"},
		},
		"a value of the exchange in a path of show": {
			item("show GET /items/{request:id}"), []string{"parts of the object's key", "Caddyfile:5"},
		},
		"a value twice in a path": {
			item("create POST /items {\nlater GET /jobs/{response:a}/{response:a} id\n}"), []string{"stands twice", "Caddyfile:5"},
		},
		"where in words that are no condition": {
			item("update PUT /items/:id where request:amount > 0"), []string{"an expression of CEL in quotes", "Caddyfile:5"},
		},
		"where in CEL that does not compile": {
			item("update PUT /items/:id where \"request.amount >\""), []string{"column 17", "Caddyfile:5"},
		},
		"where in CEL that is no condition": {
			item("update PUT /items/:id where \"size(query.a) + 1\""), []string{"must be true or false", "Caddyfile:5"},
		},
		"where in CEL of the wrong type": {
			item("update PUT /items/:id where \"query.a > 1\""), []string{"no matching overload", "Caddyfile:5"},
		},
		"where in CEL about the answer": {
			item("update PUT /items/:id where \"response.ok == true\""), []string{"there is no answer yet", "Caddyfile:5"},
		},
		"refused in CEL about the request": {
			item("update PUT /items/:id {\nrefused where \"request.ok == true\"\n}"), []string{"known are response and status", "Caddyfile:6"},
		},
		"where in CEL about a name that the path lacks": {
			item("update PUT /items/:id where \"path.kind == 'a'\""), []string{"path.kind is no placeholder", "Caddyfile:5"},
		},
		"where in CEL about names of its own": {
			item("update PUT /items/:id where \"header.exists(h, h == 'a')\""), []string{"header must be followed by the name", "Caddyfile:5"},
		},
		"where in CEL that hides a variable": {
			item("update PUT /items/:id where \"[1].exists(query, query > 0)\""), []string{"name query; give it another", "Caddyfile:5"},
		},
		"where in CEL about what no rule sees": {
			item("update PUT /items/:id where \"has(header.Trailer)\""), []string{"no rule sees it", "Caddyfile:5"},
		},
		"until in CEL": {
			item("watch every 30s until \"response.state == 'a'\""), []string{"until takes a path in Show", "Caddyfile:5"},
		},
		"a batch at a pattern": {
			site("batch /odata/*\nresource items"), []string{"the whole path of batches", "Caddyfile:4"},
		},
		"Shows of callers that are watched": {
			item("show as caller\nwatch every 30s until state is done"), []string{"`show as caller`", "watch reads Shows when nobody has", "Caddyfile:6"},
		},
		"Shows of callers that are listed": {
			item("list GET /items items.#.id\nshow as caller X-Token"), []string{"`show as caller`", "list reads Shows when nobody has", "Caddyfile:5"},
		},
		"a credential as a value": {
			item("id header:Authorization"), []string{"Authorization", "credential", "Caddyfile:5"},
		},
		"a credential as a part of the key": {
			item("show GET /a/:a/items/:id\nkey :a header:cookie"), []string{"ookie", "credential", "Caddyfile:6"},
		},
		"a credential in a query": {
			item("create POST /items {\nfind GET /items?token={header:Authorization} items.#.id\n}"),
			[]string{"Authorization", "credential", "Caddyfile:5"},
		},
	} {
		_, err := adapt(t, tc.text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error lacks %q:\n\t%v", name, want, err)
			}
		}
	}
}
