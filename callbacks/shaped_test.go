// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/weblink"
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

// What is wrong is told in the names of whoever sent it, whoever finds it.
func TestTranslatedPointers(t *testing.T) {
	s := newStage(t, withShape(t, assembly+"put PUT /typed/:type\n", map[string]string{
		shape.Endpoint: "in callbacks id callback.url=url object_type=type description=label enabled secret extra=headers how=auth.scheme password=auth.credential",
	}), func(o *Options) { o.Policy.OnePerType = true })
	for _, test := range []struct {
		name, body string
		status     int
		pointers   string
	}{
		{"unknown", `{"url":"https://erp.example/"}`, 400, "/url"},
		{"unknown, within", `{"callbacks":{"callback":{"href":"x"},"label":"x"}}`, 400, "/callbacks/callback/href /callbacks/label"},
		{"a wrong type", `{"callback":{"url":1},"extra":{"a":1}}`, 400, "/callback/url /extra/a"},
		{"no URL", `{"callback":{"url":"erp.example"}}`, 422, "/callback/url"},
		{"wrapped", `{"callbacks":{"callback":{"url":"erp.example"}}}`, 422, "/callbacks/callback/url"},
		{"blocked", `{"callback":{"url":"https://inner.example/"}}`, 422, "/callback/url"},
		{"a header", `{"extra":{"Webhook-Id":"x"}}`, 422, "/extra/Webhook-Id"},
		{"a credential", `{"how":"basic","password":""}`, 422, "/password"},
		{"no type of theirs", `{"object_type":"process.unknown"}`, 400, "/object_type"},
		{"what is ours", `{"id":"x","secret":"y"}`, 400, "/id /secret"},
		{"not an object", `[]`, 400, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.as("acme", "POST", "/callbacks", test.body).want(t, test.status)
			if pointers := strings.Join(got.pointers(), " "); pointers != test.pointers {
				t.Errorf("got %q, want %q: %s", pointers, test.pointers, got.body)
			}
		})
	}
	s.as("acme", "POST", "/callbacks", `{"object_type":"items"}`).want(t, 201)
	if got := s.as("acme", "POST", "/callbacks", `{"object_type":"items"}`).want(t, 422); got.pointers()[0] != "/object_type" {
		t.Errorf("the policy: %s", got.body)
	}
	if got := s.as("acme", "PUT", "/typed/5", `{"object_type":6}`).want(t, 422); got.pointers()[0] != "/object_type" {
		t.Errorf("another type than the path: %s", got.body)
	}
	s.prober.refuse = true
	if got := s.as("acme", "POST", "/callbacks", `{"callback":{"url":"https://erp.example/"},"object_type":5}`).want(t, 422, "verification-failed"); got.pointers()[0] != "/callback/url" {
		t.Errorf("a test: %s", got.body)
	}
	if got := s.as("acme", "GET", "/callbacks?limit=x", "").want(t, 400); got.pointers()[0] != "?limit" {
		t.Errorf("a parameter: %s", got.body)
	}
}

// A type in a path names the endpoint that asks for it, and nothing else.
func TestByType(t *testing.T) {
	s := newStage(t, withShape(t, partner, partnerShapes))
	s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 404)
	s.as("acme", "GET", "/acme/callbacks/5", "").want(t, 404)
	s.as("acme", "PUT", "/acme/callbacks/7", `{"callbackUrl":"https://a.example/"}`).want(t, 404)
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://a.example/","notificationType":6}`).want(t, 422, "/notificationType")
	made := s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://a.example/"}`).want(t, 200, `{"notificationType":5,"callbackUrl":"https://a.example/","secret":"whsec_`)
	if made.header.Get("Location") != "/webhooks/acme/callbacks/5" {
		t.Errorf("got %v", made.header)
	}
	changed := s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://b.example/","notificationType":"5"}`).want(t, 200)
	if strings.TrimSpace(changed.body) != `{"notificationType":5,"callbackUrl":"https://b.example/"}` {
		t.Errorf("got %s", changed.body)
	}
	s.as("acme", "PUT", "/acme/callbacks/6", `{"callbackUrl":"https://c.example/"}`).want(t, 200)
	list := s.as("acme", "GET", "/acme/callbacks", "").want(t, 200, `"notificationType":5`, `"notificationType":6`)
	if !strings.HasPrefix(list.body, "[") || strings.Count(list.body, "callbackUrl") != 2 {
		t.Errorf("got %s", list.body)
	}
	s.as("acme", "GET", "/acme/callbacks/process.rejected", "").want(t, 200, "c.example")
	s.as("acme", "PATCH", "/acme/callbacks/6", `{"callbackUrl":"https://d.example/"}`).want(t, 200, "d.example")
	s.as("acme", "POST", "/acme/callbacks/6/test", "").want(t, 200)
	s.as("acme", "GET", "/acme/callbacks/6/sent", "").want(t, 200)
	// Preconditions hold for what is there, and for what is not.
	s.as("acme", "PUT", "/acme/callbacks/items", `{}`, "If-Match", "*").want(t, 412)
	s.as("acme", "PUT", "/acme/callbacks/6", `{}`, "If-None-Match", "*").want(t, 412)
	s.as("acme", "PUT", "/acme/callbacks/items", `{}`, "If-None-Match", "*").want(t, 200, `"notificationType":"items"`)
	if got := s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 200); got.body != "" {
		t.Errorf("got %s", got.body)
	}
	s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 404)
	s.as("acme", "GET", "/acme/callbacks/6", "").want(t, 200)
}

// Of many that put the same type at once, one makes the endpoint.
func TestRacingPuts(t *testing.T) {
	s := newStage(t, withShape(t, partner, partnerShapes))
	for round := range 8 {
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				body := fmt.Sprintf(`{"callbackUrl":"https://%d.example/%d"}`, i, round)
				// Who is disturbed too often is told so; nothing else goes wrong.
				if got := s.as("acme", "PUT", "/acme/callbacks/5", body); got.status != 200 && got.status != 409 {
					t.Errorf("got %d %s", got.status, got.body)
				}
			})
		}
		group.Wait()
		if list := s.as("acme", "GET", "/acme/callbacks", "").want(t, 200); strings.Count(list.body, "callbackUrl") != 1 {
			t.Fatalf("round %d: %s", round, list.body)
		}
		s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 200)
		s.now = s.now.Add(20 * time.Minute)
	}
}

// A put that races with a delete makes the endpoint anew, or replaces what is deleted
// then.
func TestPutBesideDelete(t *testing.T) {
	s := newStage(t, withShape(t, partner, partnerShapes))
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://a.example/"}`).want(t, 200)
	s.prober.during = func() {
		s.prober.during = nil
		s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 200)
	}
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://b.example/"}`).want(t, 200, "b.example", "whsec_")
	s.as("acme", "GET", "/acme/callbacks/5", "").want(t, 200, "b.example")
	// One that is made while a put tests its receiver is replaced, and not doubled.
	s.as("acme", "DELETE", "/acme/callbacks/5", "").want(t, 200)
	s.prober.during = func() {
		s.prober.during = nil
		s.prober.mu.Unlock()
		s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://c.example/"}`).want(t, 200, "c.example", "whsec_")
		s.prober.mu.Lock()
	}
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://d.example/"}`).want(t, 200, "d.example")
	if list := s.as("acme", "GET", "/acme/callbacks", "").want(t, 200, "d.example"); strings.Count(list.body, "callbackUrl") != 1 {
		t.Errorf("got %s", list.body)
	}
}

// Forms say the same as JSON, but not from pages of other sites.
func TestShapedForms(t *testing.T) {
	s := newStage(t, withShape(t, assembly+"put PUT /typed/:type\n", assemblyShapes))
	form := func(method, path, body string, more ...string) reply {
		return s.as("acme", method, path, body, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, more...)...)
	}
	made := form("POST", "/callbacks", url.Values{"url": {"https://erp.example/h"}, "object_type": {"5"}, "enabled": {"false"}}.Encode()).want(t, 201, `"object_type":5`, `"enabled":false`)
	id := made.json["callbacks"].(map[string]any)["id"].(string)
	form("PATCH", "/callbacks/"+id, "description=a+b&enabled=1").want(t, 200, `"description":"a b"`, `"enabled":true`, `"url":"https://erp.example/h"`)
	form("PUT", "/typed/5", "url=https%3A%2F%2Fnew.example%2F").want(t, 200, "new.example", id)
	for body, pointer := range map[string]string{"label=x": "/label", "enabled=maybe": "/enabled", "url=a&url=b": "/url", "object_type=9": "/object_type", "extra=x": "/extra"} {
		if got := form("POST", "/callbacks", body).want(t, 400); got.pointers()[0] != pointer {
			t.Errorf("%s: %s", body, got.body)
		}
	}
	form("POST", "/callbacks", "%zz").want(t, 400)
	if got := form("POST", "/callbacks", "url=erp").want(t, 422); got.pointers()[0] != "/url" {
		t.Errorf("got %s", got.body)
	}
	form("POST", "/callbacks", "url=https%3A%2F%2Fevil.example%2F", "Sec-Fetch-Site", "cross-site").want(t, 403, "problems/cross-site")
	form("POST", "/callbacks", "url=https%3A%2F%2Fevil.example%2F", "Origin", "https://evil.example").want(t, 403)
	form("POST", "/callbacks", "description=x", "Sec-Fetch-Site", "same-origin").want(t, 201)
	s.as("acme", "POST", "/callbacks", "url=x", "Content-Type", "text/plain").want(t, 415)
	// Without a shape, a form has our names.
	s = newStage(t, withShape(t, "create POST /callbacks", nil))
	form("POST", "/callbacks", "events=a&events=b&payload.format=thin&auth.scheme=bearer&auth.credential=x").want(t, 201, `"events":["a","b"]`, `"format":"thin"`, `"scheme":"bearer"`)
	if got := form("POST", "/callbacks", "auth=x").want(t, 400); got.pointers()[0] != "/auth" {
		t.Errorf("got %s", got.body)
	}
}

// Lists of another shape say where they go on in a Link.
func TestShapedPages(t *testing.T) {
	s := newStage(t, withShape(t, assembly, assemblyShapes))
	for range 5 {
		s.as("acme", "POST", "/callbacks", `{}`).want(t, 201)
	}
	seen, target := map[string]bool{}, "/webhooks/callbacks?limit=2"
	for range 3 {
		page := s.as("acme", "GET", strings.TrimPrefix(target, "/webhooks"), "").want(t, 200)
		for _, of := range page.json["callbacks"].([]any) {
			seen[of.(map[string]any)["id"].(string)] = true
		}
		target = weblink.Next(page.header)
	}
	if len(seen) != 5 || target != "" {
		t.Errorf("saw %v, and then comes %q", seen, target)
	}
}

// A repeat gets the first answer in the same names, with the secret.
func TestShapedIdempotency(t *testing.T) {
	s := newStage(t, withShape(t, assembly+"put PUT /typed/:type\n", assemblyShapes))
	first := s.as("acme", "POST", "/callbacks", `{"object_type":5}`, "Idempotency-Key", "1").want(t, 201)
	again := s.as("acme", "POST", "/callbacks", `{"object_type":5}`, "Idempotency-Key", "1").want(t, 201)
	if first.body != again.body || again.header.Get("Idempotency-Replayed") != "true" || !strings.Contains(again.body, "whsec_") {
		t.Errorf("got %s, then %s", first.body, again.body)
	}
	first = s.as("acme", "PUT", "/typed/6", `{}`, "Idempotency-Key", "2").want(t, 201, "whsec_")
	if again = s.as("acme", "PUT", "/typed/6", `{}`, "Idempotency-Key", "2").want(t, 201); first.body != again.body {
		t.Errorf("got %s, then %s", first.body, again.body)
	}
	s.as("acme", "PUT", "/typed/6", `{}`, "Idempotency-Key", "3").want(t, 200)
}

// Over every route, another's tenant, id and type are answered as what is not there: the
// same status, headers and words; and nothing is done.
func TestShapedTenantsAreApart(t *testing.T) {
	s := newStage(t, withShape(t, partner+strings.ReplaceAll(assembly, " /", " /:tenant/own/"), partnerShapes))
	s.as("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"https://a.example/"}`).want(t, 200)
	kept, _, err := s.store.RecordsOf(t.Context(), queue.KindEndpoint, "acme", queue.Page{})
	must(t, err)
	id := kept[0].ID
	must(t, s.store.Announce(t.Context(), event.Event{
		Type: "process.completed", Key: event.Key{Resource: "items", ID: "1"}, Tenant: "acme", Time: s.now, Payload: []byte(`{}`), ContentType: "application/json",
	}, []string{id}))
	rows, _, err := s.store.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(t, err)
	nobodys := "ep_" + strings.Repeat("a", 26)
	acme := map[string]string{"tenant": "acme", "id": id, "type": "5", "delivery": rows[0].ID + "." + id, "event": rows[0].ID}
	guesses := []map[string]string{
		{"tenant": "nobody"},
		{"tenant": "umbrella"},
		{"tenant": "ACME"},
		{"tenant": "acme/"},
		{"tenant": "umbrella", "id": nobodys, "type": "6", "delivery": "evt_x." + nobodys, "event": "evt_x"},
		{"tenant": "nobody", "id": nobodys, "type": "unknown"},
	}
	before := s.snapshot()
	routes := 0
	for _, rt := range s.server.routes {
		for method := range rt.methods {
			ask := func(with map[string]string) reply {
				path := rt.path
				for _, name := range rt.parsed.Names() {
					value := acme[name]
					if other, differs := with[name]; differs {
						value = other
					}
					path = strings.Replace(path, ":"+name, url.PathEscape(value), 1)
				}
				body := ""
				if rt.shaped.does.Takes {
					body = `{"callbackUrl":"https://stolen.example/"}`
				}
				if strings.HasSuffix(path, "recover") || strings.HasSuffix(path, "replay") {
					path += "?since=1h"
				}
				return s.as("umbrella", method, path, body)
			}
			theirs := ask(nil)
			if theirs.status != 404 {
				t.Errorf("%s %s: acme's is %d %s", method, rt.path, theirs.status, theirs.body)
			}
			for _, guess := range guesses {
				mine := guess["tenant"] == "umbrella"
				if names := rt.parsed.Names(); mine && (len(names) == 1 || rt.shaped.does.Name == "put" || rt.shaped.does.Name == "create") {
					continue // it is the caller's own, and possible
				}
				routes++
				if none := ask(guess); none.status != theirs.status || none.body != theirs.body || !reflect.DeepEqual(none.header, theirs.header) {
					t.Errorf("%s %s: acme's is %d %s %v, %v is %d %s %v", method, rt.path, theirs.status, theirs.body, theirs.header, guess, none.status, none.body, none.header)
				}
			}
		}
	}
	if routes < 60 {
		t.Errorf("%d were tried", routes)
	}
	if after := s.snapshot(); after != before {
		t.Errorf("something was done:\n%s\n%s", before, after)
	}
}

// The API says whose a tenant in a path is: by the caller's own credential, for ten
// seconds, and for this tenant alone.
func TestAskingAboutATenant(t *testing.T) {
	s := newStage(t, withShape(t, partner, partnerShapes))
	var asked []string
	answers := map[string]Answered{
		"Bearer a /partners/acme": {Status: 200}, "Bearer a /partners/umbrella": {Status: 403}, "Bearer u /partners/umbrella": {Status: 204},
		"Bearer wrong /partners/acme": {Status: 401, Header: http.Header{"Www-Authenticate": {`Basic realm="api"`}}}, "Bearer broken /partners/acme": {Status: 500},
	}
	asker := &Asker{Path: "/partners/:tenant", Now: s.options.Now, Ask: func(_ context.Context, _ *http.Request, path string, credential http.Header) (Answered, error) {
		asked = append(asked, credential.Get("Authorization")+" "+path)
		if answer, known := answers[asked[len(asked)-1]]; known {
			return answer, nil
		}
		return Answered{Status: 404}, nil
	}}
	s.options.Authorize = []Authorize{asker.Authorize}
	s.server = New(*s.options, NewLimits())
	ask := func(credential, method, path string) reply {
		r := httptest.NewRequest(method, path, http.NoBody)
		if method == "PUT" {
			r = httptest.NewRequest(method, path, strings.NewReader(`{"callbackUrl":"https://a.example/"}`))
			r.Header.Set("Content-Type", "application/json")
		}
		if credential != "" {
			r.Header.Set("Authorization", "Bearer "+credential)
		}
		return s.serve(r)
	}
	ask("a", "PUT", "/acme/callbacks/5").want(t, 200)
	ask("a", "GET", "/acme/callbacks").want(t, 200, "a.example")
	ask("u", "GET", "/umbrella/callbacks").want(t, 200, "[]")
	if got := strings.Join(asked, ", "); got != "Bearer a /partners/acme, Bearer u /partners/umbrella" {
		t.Errorf("asked %s", got)
	}
	// What the API has said of one tenant holds for no other.
	refused := ask("a", "GET", "/umbrella/callbacks").want(t, 404)
	missing := ask("a", "GET", "/acme/callbacks/6").want(t, 404)
	if refused.body != missing.body || !reflect.DeepEqual(refused.header, missing.header) {
		t.Errorf("refused is %s %v, missing is %s %v", refused.body, refused.header, missing.body, missing.header)
	}
	if got := ask("wrong", "GET", "/acme/callbacks").want(t, 401); got.header.Get("WWW-Authenticate") != `Basic realm="api"` {
		t.Errorf("got %v", got.header)
	}
	ask("broken", "GET", "/acme/callbacks").want(t, 503)
	ask("", "GET", "/acme/callbacks").want(t, 401)
	before := len(asked)
	for _, odd := range []string{"..", "%2e%2e", "acme%2F..%2Fumbrella", "acme%3Fx", "acme%00", "acme%252f"} {
		ask("a", "GET", "/"+odd+"/callbacks").want(t, 404)
	}
	if len(asked) != before {
		t.Errorf("asked %v", asked[before:])
	}
	s.now = s.now.Add(rememberFor)
	answers["Bearer a /partners/acme"] = Answered{Status: 403}
	ask("a", "GET", "/acme/callbacks").want(t, 404)
}

// What the API has said of one object holds for no other, also where all callers are one
// tenant.
func TestAskingAboutAnObject(t *testing.T) {
	s := newStage(t)
	asker := &Asker{Path: "/dossiers/:dossier", Shared: true, Now: s.options.Now, Ask: func(_ context.Context, _ *http.Request, path string, _ http.Header) (Answered, error) {
		if path == "/dossiers/mine" {
			return Answered{Status: 200}, nil
		}
		return Answered{Status: 404}, nil
	}}
	for _, test := range []struct {
		dossier string
		known   bool
	}{{"mine", true}, {"theirs", false}, {"mine", true}, {"", false}} {
		r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
		r.Header.Set("Authorization", "Bearer x")
		r.SetPathValue("dossier", test.dossier)
		if _, err := asker.Authorize(r, s.store); (err == nil) != test.known {
			t.Errorf("%q: %v", test.dossier, err)
		}
	}
}

// A path that names both an id and a type names what has both.
func TestByIDAndType(t *testing.T) {
	s := newStage(t, withShape(t, "create POST /:type\nshow GET /:type/:id", partnerShapes))
	s.as("acme", "POST", "/5", `{}`).want(t, 201)
	kept, _, err := s.store.RecordsOf(t.Context(), queue.KindEndpoint, "acme", queue.Page{})
	must(t, err)
	s.as("acme", "GET", "/5/"+kept[0].ID, "").want(t, 200)
	s.as("acme", "GET", "/6/"+kept[0].ID, "").want(t, 404)
}

// The last event of an object is sent again by whoever may see it, to its own endpoints
// and the receiver that was named for the object.
func TestResendObject(t *testing.T) {
	s := newStage(t, withShape(t, "resend POST /dossiers/:dossier/processes/:id/notify 200 object=processes\nresend POST /tenants/:tenant/:id 200 object=processes", nil), func(o *Options) {
		o.Object = func(resource string, value func(string) string) (event.Key, string, error) {
			key, err := event.NewKey(resource, value("dossier")+value("tenant"), value("id"))
			return key, "notify." + resource, err
		}
	})
	acme := subscribers.Endpoint{Tenant: "acme", Status: subscribers.Active, URL: "https://a.example/"}
	umbrella := subscribers.Endpoint{Tenant: "umbrella", Status: subscribers.Active, URL: "https://u.example/"}
	book := &subscribers.Book{Store: s.store, Sealer: s.options.Sealer(), Now: s.options.Now}
	acme, err := book.Create(t.Context(), acme)
	must(t, err)
	umbrella, err = book.Create(t.Context(), umbrella)
	must(t, err)
	key, err := event.NewKey("processes", "d1", "p/7")
	must(t, err)
	for _, eventType := range []string{"processes.started", "processes.finished"} {
		s.now = s.now.Add(time.Second)
		must(t, s.store.Announce(t.Context(), event.Event{Type: eventType, Key: key, Tenant: "acme", Time: s.now, Payload: []byte(`{}`), ContentType: "application/json"},
			[]string{acme.ID, umbrella.ID, "notify.processes", "operators"}))
	}
	cancelled, _, err := s.store.Cancel(t.Context(), queue.Selection{}, queue.Page{})
	must(t, err)
	if cancelled != 8 {
		t.Fatalf("%d were cancelled", cancelled)
	}
	path := "/dossiers/d1/processes/p%2F7/notify"
	theirs, none := s.as("umbrella", "POST", path, ""), s.as("umbrella", "POST", "/dossiers/d1/processes/none/notify", "")
	if theirs.status != 404 || theirs.body != none.body || !reflect.DeepEqual(theirs.header, none.header) {
		t.Errorf("another's is %d %s, none is %d %s", theirs.status, theirs.body, none.status, none.body)
	}
	s.as("acme", "POST", "/dossiers/../processes/p/notify", "").want(t, 404)
	s.as("acme", "POST", path, "").want(t, 200, `{"changed":2}`)
	// There, a tenant is a name like others, and the object's.
	s.as("acme", "POST", "/tenants/d1/p%2F7", "").want(t, 200)
	s.as("umbrella", "POST", "/tenants/d1/p%2F7", "").want(t, 404)
	rows, _, err := s.store.Deliveries(t.Context(), queue.Filter{Status: queue.StatusPending}, queue.Page{})
	must(t, err)
	var again []string
	for i := range rows {
		again = append(again, strings.NewReplacer(acme.ID, "acme's").Replace(rows[i].Endpoint+" "+rows[i].EventType))
	}
	if got := fmt.Sprint(again); got != "[acme's processes.finished notify.processes processes.finished]" && got != "[notify.processes processes.finished acme's processes.finished]" {
		t.Errorf("sent again: %s", got)
	}
	audited, _, err := s.store.RecordsOf(t.Context(), subscribers.KindAudit, "acme", queue.Page{})
	must(t, err)
	if len(audited) == 0 || !strings.Contains(string(audited[0].Value), `"object.resend"`) || !strings.Contains(string(audited[0].Value), "processes/d1/p%2F7") {
		t.Errorf("noted %v", audited)
	}
}

// Whatever is sent to another shape, the answer is never that something is wrong on our
// side, and what is wrong has a pointer into what was sent.
func FuzzShapedRequests(f *testing.F) {
	for _, seed := range []string{
		`{"url":"https://erp.example/h","object_type":"items"}`, `{"callbacks":{"enabled":false}}`, `{"callbacks":[]}`, `[]`, `{"object_type":5e0}`, `{"extra":{"a":null}}`,
		"url=https%3A%2F%2Ferp.example&enabled=1", "extra=x&url=a&url=b", "%", "\xff",
	} {
		for method := range 5 {
			f.Add(uint8(method), "/callbacks/ep_x", seed, method%2 == 0)
			f.Add(uint8(method), "/callbacks", seed, method%2 == 1)
			f.Add(uint8(method), "/typed/5", seed, true)
		}
	}
	f.Add(uint8(0), "/callbacks/ep_x/responses/evt_x.ep_x", "", true)
	f.Add(uint8(1), "/typed/%00", "{}", false)
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	f.Fuzz(func(t *testing.T, method uint8, path, body string, form bool) {
		s := newStage(t, withShape(t, assembly+"put PUT /typed/:type\n", assemblyShapes))
		id := s.as("acme", "POST", "/callbacks", `{"url":"https://erp.example/h"}`).want(t, 201).json["callbacks"].(map[string]any)["id"].(string)
		r := httptest.NewRequest(methods[int(method)%len(methods)], "/", strings.NewReader(body))
		r.URL.Path = strings.ReplaceAll(path, "ep_x", id)
		r.Header = http.Header{"Authorization": {"Bearer " + s.keys["acme"]}, "Content-Type": {typeJSON}}
		if form {
			r.Header.Set("Content-Type", typeForm)
		}
		got := s.serve(r)
		if got.status >= 500 {
			t.Errorf("%s %q %q: %d %s, %s", r.Method, path, body, got.status, got.body, s.log)
		}
		if got.json["errors"] == nil {
			return
		}
		for _, pointer := range got.pointers() {
			if pointer != "" && !strings.HasPrefix(pointer, "/") && !strings.HasPrefix(pointer, "?") {
				t.Errorf("%q: the pointer is %q", body, pointer)
			}
		}
	})
}
