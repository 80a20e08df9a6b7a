// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// routesOf returns routes by lines as in a Caddyfile.
func routesOf(t *testing.T, lines string) (routes []Route) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		r := Route{Route: shape.Route{Verb: words[0]}}
		if words = words[1:]; strings.ToLower(words[0]) == words[0] {
			r.Thing, words = words[0], words[1:]
		}
		r.Methods, r.Path = strings.Split(words[0], "|"), words[1]
		for _, word := range words[2:] {
			if object, is := strings.CutPrefix(word, "object="); is {
				r.Object = object
			} else if _, err := fmt.Sscan(word, &r.Status); err != nil {
				t.Fatal(err)
			}
		}
		must(t, r.Check())
		routes = append(routes, r)
	}
	return routes
}

// withShape has a stage serve routes with names for members.
func withShape(t *testing.T, routes string, shapes map[string]string) func(*Options) {
	t.Helper()
	return func(o *Options) {
		var err error
		o.TypeNames, err = shape.NewTypes(shape.Type{Pattern: "process.completed", Alias: "5"}, shape.Type{Pattern: "process.rejected", Alias: "6"}, shape.Type{Pattern: "items.*", Alias: "items"})
		must(t, err)
		o.Routes, o.Shapes = routesOf(t, routes), make(map[string]*shape.Shape)
		for thing, line := range shapes {
			in, words := "", strings.Fields(line)
			if words[0] == "in" {
				in, words = words[1], words[2:]
			}
			var fields []shape.Field
			for _, word := range words {
				name, path, _ := strings.Cut(word, "=")
				fields = append(fields, shape.Field{Name: name, Path: path})
			}
			o.Shapes[thing], err = shape.New(thing, in, fields, o.TypeNames)
			must(t, err)
		}
	}
}

const assembly = `
	create POST /callbacks
	list GET /callbacks
	show GET /callbacks/:id
	update PATCH /callbacks/:id
	delete DELETE /callbacks/:id
	pause POST /callbacks/:id/pause
	resume POST /callbacks/:id/resume
	rotate POST /callbacks/:id/secret
	test POST /callbacks/:id/test
	recover POST /callbacks/:id/recover
	replay POST /callbacks/:id/replay
	list deliveries GET /callbacks/:id/responses
	show delivery GET /callbacks/:id/responses/:delivery
	resend delivery POST /callbacks/:id/responses/:delivery/again 200
	list events GET /events
	show event GET /events/:event
`

var assemblyShapes = map[string]string{
	shape.Endpoint: "in callbacks id url object_type=type description=label enabled secret how=auth.scheme user=auth.name password=auth.credential extra=headers",
	shape.Delivery: "in callback_responses id kind=type object_id=object.id response_code=last.status attempts",
	shape.Event:    "in events id kind=type object_id=object.id",
}

// partner is an API whose paths name tenants and types.
const partner = `
	put PUT /:tenant/callbacks/:type 200
	list GET /:tenant/callbacks
	show GET /:tenant/callbacks/:type
	update PATCH /:tenant/callbacks/:type
	delete DELETE /:tenant/callbacks/:type 200
	test POST /:tenant/callbacks/:type/test
	list deliveries GET /:tenant/callbacks/:type/sent
`

var partnerShapes = map[string]string{shape.Endpoint: "notificationType=type callbackUrl=url secret"}

// Every verb that a configuration can name does something.
func TestVerbsHaveActions(t *testing.T) {
	for _, v := range shape.Verbs() {
		if actions[v.Thing][v.Name] == nil {
			t.Errorf("%s %s does nothing", v.Name, v.Thing)
		}
	}
}

// Each verb does on another API's path, and in its names, what ours does.
func TestVerbs(t *testing.T) {
	s := newStage(t, withShape(t, assembly, assemblyShapes))
	made := s.as("acme", "POST", "/callbacks", `{"url":"https://erp.example/h","object_type":"items","description":"ERP","password":"p","user":"u","how":"basic"}`).want(t, 201,
		`{"callbacks":{"id":"ep_`, `"object_type":"items","description":"ERP","enabled":true,"secret":"whsec_`, `"how":"basic","user":"u"`)
	one := made.json["callbacks"].(map[string]any)
	id := one["id"].(string)
	if strings.Contains(made.body, "verification") || strings.Contains(made.body, `"password"`) || made.header.Get("Location") != "/webhooks/callbacks/"+id {
		t.Errorf("got %s %v", made.body, made.header)
	}
	path := "/callbacks/" + id
	shown := s.as("acme", "GET", path, "").want(t, 200, `"url":"https://erp.example/h"`)
	if strings.Contains(shown.body, "secret") || shown.header.Get("ETag") == "" {
		t.Errorf("got %s %v", shown.body, shown.header)
	}
	s.as("acme", "GET", path, "", "If-None-Match", shown.header.Get("ETag")).want(t, 304)
	s.as("acme", "HEAD", path, "").want(t, 200)
	s.as("acme", "PATCH", path, `{"description":"x"}`, "If-Match", `"old"`).want(t, 412)
	s.as("acme", "PATCH", path, `{"callbacks":{"description":"Berlin"}}`, "If-Match", shown.header.Get("ETag")).want(t, 200, `"description":"Berlin"`, `"url":"https://erp.example/h"`)
	s.as("acme", "PATCH", path, `{"enabled":false}`).want(t, 200, `"enabled":false`)
	s.as("acme", "POST", path+"/resume", "").want(t, 200, `"enabled":true`)
	s.as("acme", "POST", path+"/pause", "").want(t, 200, `"enabled":false`)
	s.as("acme", "PATCH", path, `{"enabled":true}`).want(t, 200, `"enabled":true`)
	if rotated := s.as("acme", "POST", path+"/secret", "").want(t, 201, `{"callbacks":{"secret":"whsec_`); strings.Contains(rotated.body, one["secret"].(string)) {
		t.Error("the secret is the same")
	}
	s.as("acme", "POST", path+"/test", "").want(t, 200, `"accepted":true`)
	s.as("acme", "GET", "/callbacks", "").want(t, 200, `{"callbacks":[{"id":"`+id+`"`)

	must(t, s.store.Announce(t.Context(), event.Event{
		Type: "process.completed", Key: event.Key{Resource: "items", ID: "1"}, Tenant: "acme", Time: s.now, Payload: []byte(`{}`), ContentType: "application/json",
	}, []string{id}))
	list := s.as("acme", "GET", path+"/responses", "").want(t, 200, `{"callback_responses":[{"id":"`, `"kind":5,"object_id":"1","attempts":[]`)
	s.as("acme", "GET", path+"/responses?type=5", "").want(t, 200, `"kind":5`)
	s.as("acme", "GET", path+"/responses?type=6", "").want(t, 200, `{"callback_responses":[]}`)
	s.as("acme", "GET", path+"/responses?type=items", "").want(t, 400, `"?type"`)
	delivery := list.json["callback_responses"].([]any)[0].(map[string]any)["id"].(string)
	s.as("acme", "GET", path+"/responses/"+delivery, "").want(t, 200, `{"callback_responses":{"id":"`+delivery)
	s.as("acme", "POST", path+"/responses/"+delivery+"/again", "").want(t, 200, `{"changed":`)
	s.as("acme", "POST", path+"/recover?since=1h", "").want(t, 202, `{"changed":0}`)
	s.as("acme", "POST", path+"/replay?since=1h&type=5", "").want(t, 202, `"changed":`)
	ofEvent, _, _ := strings.Cut(delivery, ".")
	s.as("acme", "GET", "/events/"+ofEvent, "").want(t, 200, `{"events":{"id":"`+ofEvent+`","kind":5,"object_id":"1"}}`)
	s.as("acme", "GET", "/events?type=5&limit=1", "").want(t, 200, `{"events":[{"id":"`+ofEvent+`","kind":5,"object_id":"1"}]}`)
	// A delivery of another endpoint is not one of this.
	other := s.as("acme", "POST", "/callbacks", `{}`).want(t, 201).json["callbacks"].(map[string]any)["id"].(string)
	s.as("acme", "GET", "/callbacks/"+other+"/responses/"+delivery, "").want(t, 404)

	if deleted := s.as("acme", "DELETE", path, "").want(t, 204); deleted.body != "" {
		t.Errorf("got %s", deleted.body)
	}
	s.as("acme", "DELETE", path, "").want(t, 404)
	var audited []string
	rows, _, err := s.store.RecordsOf(t.Context(), subscribers.KindAudit, "acme", queue.Page{})
	must(t, err)
	for i := range rows {
		of, err := subscribers.AuditedOf(rows[i])
		must(t, err)
		audited = append(audited, of.Action)
	}
	if got := strings.Join(audited, " "); !strings.Contains(got, "endpoint.delete") || !strings.Contains(got, "endpoint.rotate") || !strings.Contains(got, "delivery.resend") {
		t.Errorf("the audit has %s", got)
	}
}

// Whoever says that an endpoint is enabled wakes one that was disabled, too.
func TestEnabledWakes(t *testing.T) {
	s := newStage(t, withShape(t, assembly, assemblyShapes))
	id := s.as("acme", "POST", "/callbacks", `{}`).want(t, 201).json["callbacks"].(map[string]any)["id"].(string)
	s.fares.of[id] = emitter.Standing{EndpointState: queue.EndpointState{Name: id, Status: queue.EndpointDisabled}}
	s.as("acme", "PATCH", "/callbacks/"+id, `{"description":"x"}`).want(t, 200, `"enabled":false`)
	if len(s.fares.resumed) > 0 {
		t.Error("it wakes for a description")
	}
	s.as("acme", "PATCH", "/callbacks/"+id, `{"enabled":true}`).want(t, 200, `"enabled":true`)
	if len(s.fares.resumed) != 1 {
		t.Errorf("resumed %v", s.fares.resumed)
	}
}

// Only the routes are served, and each path with the methods that it has.
func TestShapedMethodsAndPaths(t *testing.T) {
	s := newStage(t, withShape(t, assembly, assemblyShapes))
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/endpoints", 404, ""},
		{"GET", "/me", 404, ""},
		{"PUT", "/callbacks", 405, "GET, HEAD, OPTIONS, POST"},
		{"OPTIONS", "/callbacks/x", 204, "DELETE, GET, HEAD, OPTIONS, PATCH"},
		{"GET", "/callbacks/x/pause", 405, "OPTIONS, POST"},
		{"HEAD", "/callbacks/x/pause", 405, "OPTIONS, POST"},
	} {
		got := s.as("acme", test.method, test.path, "")
		if got.status != test.status || got.header.Get("Allow") != test.allow {
			t.Errorf("%s %s: %d, Allow %q", test.method, test.path, got.status, got.header.Get("Allow"))
		}
		if s.server.Has(test.path) != (test.status != 404) {
			t.Errorf("%s: Has says %t", test.path, s.server.Has(test.path))
		}
	}
	// A path that says more comes first, and leaves other methods to the others.
	s = newStage(t, withShape(t, "show GET /callbacks/:id\ncreate POST /callbacks/new\nlist GET /callbacks/all", nil))
	s.as("acme", "GET", "/callbacks/all", "").want(t, 200, `{"data":[]}`)
	s.as("acme", "GET", "/callbacks/new", "").want(t, 404)
	s.as("acme", "POST", "/callbacks/new", `{}`).want(t, 201)
	if got := s.as("acme", "PUT", "/callbacks/new", "").want(t, 405).header.Get("Allow"); got != "GET, HEAD, OPTIONS, POST" {
		t.Errorf("Allow %q", got)
	}
}

// What only reads is not limited as what changes something, whatever its method is.
func TestReadingByPost(t *testing.T) {
	s := newStage(t, withShape(t, "list POST /callbacks/search\npause POST /callbacks/:id/pause", nil))
	for range changesBurst + 1 {
		s.as("acme", "POST", "/callbacks/search", "").want(t, 200)
	}
	s.now = s.now.Add(time.Minute)
	for range changesBurst {
		s.as("acme", "POST", "/callbacks/x/pause", "").want(t, 404)
		s.now = s.now.Add(50 * time.Millisecond)
	}
	s.as("acme", "POST", "/callbacks/x/pause", "").want(t, 429)
}
