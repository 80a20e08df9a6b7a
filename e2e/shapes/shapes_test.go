// SPDX-License-Identifier: Apache-2.0

package shapes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/examples/graphqlapi"
	"github.com/caddy-webhooks/caddy-webhooks/examples/queryapi"
	"github.com/caddy-webhooks/caddy-webhooks/examples/rpcapi"
	"github.com/caddy-webhooks/caddy-webhooks/examples/soapapi"
)

// change is a change that an API recorded; all APIs record the same type.
type change = rpcapi.Change

// shape makes the requests of one API.
type shape struct {
	file    string
	handler http.Handler
	changes func() []change
	// item is the path of the item in a Show.
	item string
	// Each function returns a request for the operation. An empty name is
	// refused, and so is an unknown id.
	create func(name string, amount int) request
	update func(id, state string) request
	rename func(id, name string) request
	remove func(id string) request
}

func rpcShape() shape {
	api := rpcapi.New()
	call := func(method string, params map[string]any) request {
		text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
		if err != nil {
			panic(err)
		}
		return request{http.MethodPost, "/rpc", "application/json", string(text)}
	}
	return shape{
		file: "../../examples/rpcapi/Caddyfile", handler: api.Handler(), changes: api.Changes, item: "result",
		create: func(name string, amount int) request {
			return call("item.create", map[string]any{"name": name, "amount": amount})
		},
		update: func(id, state string) request { return call("item.update", map[string]any{"id": id, "state": state}) },
		rename: func(id, name string) request {
			// Several calls in one request; only one of them changes something.
			one := call("item.update", map[string]any{"id": id, "name": name})
			two := call("item.get", map[string]any{"id": id})
			one.body = "[" + one.body + "," + two.body + "]"
			return one
		},
		remove: func(id string) request { return call("item.delete", map[string]any{"id": id}) },
	}
}

func queryShape() shape {
	api := queryapi.New()
	form := func(target string, fields url.Values) request {
		return request{http.MethodPost, target, "application/x-www-form-urlencoded", fields.Encode()}
	}
	return shape{
		file: "../../examples/queryapi/Caddyfile", handler: api.Handler(), changes: api.Changes, item: "item",
		create: func(name string, amount int) request {
			return form("/api?action=create", url.Values{"name": {name}, "amount": {strconv.Itoa(amount)}})
		},
		update: func(id, state string) request {
			return form("/api?action=update&id="+id, url.Values{"state": {state}})
		},
		rename: func(id, name string) request {
			return form("/api", url.Values{"action": {"update"}, "id": {id}, "name": {name}})
		},
		remove: func(id string) request {
			return request{http.MethodGet, "/api?action=delete&id=" + id, "", ""}
		},
	}
}

func soapShape() shape {
	api := soapapi.New()
	call := func(operation, content string) request {
		return request{
			http.MethodPost, "/soap", "text/xml; charset=utf-8",
			`<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body>` +
				`<i:` + operation + ` xmlns:i="urn:example:items">` + content + `</i:` + operation + `></s:Body></s:Envelope>`,
		}
	}
	return shape{
		file: "../../examples/soapapi/Caddyfile", handler: api.Handler(), changes: api.Changes,
		item: "Envelope.Body.GetItemResponse.item",
		create: func(name string, amount int) request {
			return call("CreateItem", fmt.Sprintf("<i:name>%s</i:name><i:amount>%d</i:amount>", name, amount))
		},
		update: func(id, state string) request {
			return call("UpdateItem", "<i:id>"+id+"</i:id><i:state>"+state+"</i:state>")
		},
		rename: func(id, name string) request {
			return call("UpdateItem", "<i:id>"+id+"</i:id><i:name>"+name+"</i:name>")
		},
		remove: func(id string) request { return call("DeleteItem", "<i:id>"+id+"</i:id>") },
	}
}

func graphQLShape() shape {
	api := graphqlapi.New()
	ask := func(document string, variables map[string]any) request {
		text, err := json.Marshal(map[string]any{"query": document, "variables": variables})
		if err != nil {
			panic(err)
		}
		return request{http.MethodPost, "/graphql", "application/json", string(text)}
	}
	return shape{
		file: "../../examples/graphqlapi/Caddyfile", handler: api.Handler(), changes: api.Changes, item: "data.item",
		create: func(name string, amount int) request {
			return ask("mutation New($name: String!, $amount: Int) {\n  createItem(name: $name, amount: $amount) { id }\n}",
				map[string]any{"name": name, "amount": amount})
		},
		update: func(id, state string) request {
			return ask("mutation Set($id: ID!, $state: String) { updateItem(id: $id, input: {state: $state}) { id version } }",
				map[string]any{"id": id, "state": state})
		},
		rename: func(id, name string) request {
			// The id is in the document, and only the response has the item.
			return ask(fmt.Sprintf("mutation { updateItem(id: %q, name: %q) { id } }", id, name), nil)
		},
		remove: func(id string) request {
			return ask("mutation($id: ID!) { deleteItem(id: $id) { id } }", map[string]any{"id": id})
		},
	}
}

// The deliveries of each object are an ordered part of its changes in the API,
// end with the last change, and have nothing else.
func TestShapes(t *testing.T) {
	for name, of := range map[string]func() shape{
		"rpc": rpcShape, "query": queryShape, "soap": soapShape, "graphql": graphQLShape,
	} {
		t.Run(name, func(t *testing.T) {
			api := of()
			s := newStage(t, api.file, api.handler)
			s.exercise(api)
			s.settle()
			s.check(api)
		})
	}
}

// exercise makes requests of every kind, to several objects at once.
func (s *stage) exercise(api shape) {
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() { s.live(api, fmt.Sprintf("item %d", i), i) })
	}
	group.Wait()
	// An item that is deleted at once may be announced as created or not, and
	// nothing may be left of it.
	s.send(api.create("brief", 1))
	s.send(api.remove(idOf(api, "brief")))
	s.send(api.create("", 1))
	s.send(api.update("999", "sold"))
	s.send(api.remove("999"))
}

// live is one item's life.
func (s *stage) live(api shape, name string, i int) {
	s.send(api.create(name, 10*i))
	id := idOf(api, name)
	s.send(api.update(id, "reserved"))
	s.send(api.update(id, "reserved")) // changes nothing
	s.send(api.update(id, "sold"))
	s.send(api.rename(id, "")) // refused
	s.send(api.rename(id, name+" (sold)"))
	s.send(api.update(id, "gone"))
	if i%2 == 1 {
		s.send(api.remove(id))
	}
}

func idOf(api shape, name string) string {
	for _, c := range api.changes() {
		if c.Item.Name == name {
			return c.Item.ID
		}
	}
	return "none"
}

// check compares the deliveries with the changes that the API recorded.
func (s *stage) check(api shape) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, problem := range s.wrong {
		s.t.Error(problem)
	}
	history := make(map[string][]change)
	for _, c := range api.changes() {
		history["items/"+c.Item.ID] = append(history["items/"+c.Item.ID], c)
	}
	if len(history) != 7 {
		s.t.Errorf("the API has made %d items, want 7: nothing is tested", len(history))
	}
	for object := range s.deliveries {
		if history[object] == nil {
			s.t.Errorf("%s: %v, and the API never had it", object, s.deliveries[object])
		}
	}
	for object, changes := range history {
		s.checkObject(api, object, changes)
	}
}

func (s *stage) checkObject(api shape, object string, changes []change) {
	s.t.Helper()
	got := s.deliveries[object]
	if len(got) == 0 {
		if last := changes[len(changes)-1]; last.Operation != "delete" || last.Item.Name != "brief" {
			s.t.Errorf("%s: nothing was delivered of %+v", object, changes)
		}
		return
	}
	next, last := 0, change{}
	for i, d := range got {
		if d.sequence != i+1 {
			s.t.Errorf("%s: delivery %d has the sequence %d", object, i+1, d.sequence)
		}
		found := false
		for !found && next < len(changes) {
			last, next = changes[next], next+1
			found = tells(api, d, last, i == 0)
		}
		if !found {
			s.t.Errorf("%s: %s with %s is not what the API did next: %+v", object, d.eventType, d.payload, changes)
			return
		}
	}
	if next != len(changes) {
		s.t.Errorf("%s: %+v was delivered last, and the API did %+v then", object, last, changes[next:])
	}
}

// tells reports whether a delivery is about a change. The first delivery of an
// object is its create, whatever has happened to the object since.
func tells(api shape, d delivery, c change, first bool) bool {
	if c.Operation == "delete" {
		return d.eventType == "items.deleted" && gjson.GetBytes(d.payload, "id").String() == c.Item.ID
	}
	want := "items.updated"
	if first {
		want = "items.created"
	}
	plain, err := body.Normalise(d.payload, "text/xml")
	if err != nil || d.eventType != want {
		return false
	}
	item := gjson.GetBytes(plain, api.item)
	return item.Get("id").String() == c.Item.ID && item.Get("name").String() == c.Item.Name && item.Get("state").String() == c.Item.State &&
		item.Get("amount").String() == strconv.FormatInt(c.Item.Amount, 10) && item.Get("version").String() == strconv.FormatInt(c.Item.Version, 10)
}

// The Caddyfiles are formatted like the output of `caddy fmt`.
func TestFormatted(t *testing.T) {
	for _, api := range []shape{rpcShape(), queryShape(), soapShape(), graphQLShape()} {
		checkFormatted(t, api.file)
	}
}
