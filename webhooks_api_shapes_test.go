// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// system is an API of somebody else's, whose customers know its way to manage callbacks.
type system struct {
	*stage
	t        *testing.T
	receiver *httptest.Server

	mu sync.Mutex
	// who are the callers of the API, by their credentials; objects what it shows.
	who     map[string]string
	objects map[string]string
	// answers is what the receiver answers; got is what it was sent.
	answers int
	got     chan received
}

// received is what a receiver was sent.
type received struct {
	path, event, body string
	header            http.Header
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{stage: newStage(t), t: t, who: map[string]string{}, objects: map[string]string{}, answers: 204, got: make(chan received, 100)}
	s.api = httptest.NewServer(http.HandlerFunc(s.serveAPI))
	t.Cleanup(s.api.Close)
	s.receiver = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.got <- received{r.URL.Path, r.Header.Get("Webhook-Event"), string(body), r.Header.Clone()}
		s.mu.Lock()
		defer s.mu.Unlock()
		w.WriteHeader(s.answers)
	}))
	t.Cleanup(s.receiver.Close)
	return s
}

// serveAPI is the API: /partners/NAME is for the partner alone, /marketplace for all whom
// it knows. Everything else is an object that PUT writes, or POST
// by its processId.
func (s *system) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	who, known := s.who[r.Header.Get("Authorization")]
	name, isPartner := strings.CutPrefix(r.URL.Path, "/partners/")
	_, isObject := s.objects[r.URL.Path]
	switch {
	case r.Method == http.MethodPost:
		s.objects[r.URL.Path+"/"+gjson.GetBytes(body, "processId").Str] = string(body)
		_, _ = w.Write(body)
	case r.Method != http.MethodGet:
		s.objects[r.URL.Path] = string(body)
		_, _ = w.Write(body)
	case isObject && (!strings.HasPrefix(r.URL.Path, "/dossiers/") || known || r.Header.Get("Authorization") == ""):
		_, _ = io.WriteString(w, s.objects[r.URL.Path])
	case !known:
		w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		w.WriteHeader(http.StatusUnauthorized)
	case isPartner && name != who, !isPartner && r.URL.Path != "/marketplace":
		w.WriteHeader(http.StatusNotFound)
	}
}

// start starts a Caddy with the system's lines.
func (s *system) start(global, api, resources string) {
	s.t.Helper()
	s.mustLoad(s.text(global, api, resources))
}

// text returns a Caddyfile with the system's lines.
func (s *system) text(global, api, resources string) string {
	upstream := s.api.Listener.Addr().String()
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	log {
		level ERROR
	}
	webhooks {
		queue badger %s
		egress {
			allow http
			allow network 127.0.0.0/8
		}
%s
	}
}
http://%s {
	webhooks_api {
		upstream %s
%s
	}
	webhooks {
		upstream %s
%s
	}
	reverse_proxy %s
}
`, s.admin, s.dir, global, s.address, upstream, api, upstream, resources, upstream)
}

// curl makes a request, with a credential if there is one. For a moment after a reload, a
// server of the old configuration may take the connection, and close it without a word.
func (s *system) curl(credential, method, path, body string) (status int, answer string, header http.Header) {
	s.t.Helper()
	var response *http.Response
	eventually(s.t, method+" "+path+" is answered", func() bool {
		r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.address+path, strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		if credential != "" {
			r.Header.Set("Authorization", "Bearer "+credential)
		}
		if strings.HasPrefix(body, "{") {
			r.Header.Set("Content-Type", "application/json")
		} else if body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Close = true
		response, err = http.DefaultClient.Do(r)
		return err == nil
	})
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text)), response.Header
}

// wants makes a request, and checks the status and texts of the answer.
func (s *system) wants(credential, method, path, body string, status int, texts ...string) string {
	s.t.Helper()
	got, answer, _ := s.curl(credential, method, path, body)
	if got != status {
		s.t.Fatalf("%s %s: %d %s, want %d", method, path, got, answer, status)
	}
	for _, text := range texts {
		if !strings.Contains(answer, text) {
			s.t.Errorf("%s %s: %s lacks %s", method, path, answer, text)
		}
	}
	return answer
}

// receives waits for what the receiver is sent.
func (s *system) receives(event, path string) received {
	s.t.Helper()
	select {
	case got := <-s.got:
		if got.event != event || got.path != path {
			s.t.Errorf("the receiver got %s at %s, want %s at %s", got.event, got.path, event, path)
		}
		return got
	case <-time.After(testTimeout):
		s.t.Fatalf("%s does not come to %s", event, path)
	}
	return received{}
}

// Partner: callbacks are put under the partner's own path, by the number of a type.
func TestPartnerSystem(t *testing.T) {
	s := newSystem(t)
	s.who = map[string]string{"Bearer acme": "acme", "Bearer umbrella": "umbrella"}
	s.start(`
		subscribers {
			verify off
			type process.completed as 5
			type process.rejected as 6
			type process.expired as 7
			type process.* {
				schema `+"`"+`{"oneOf":[{"required":["processUniqueId"]},{"required":["simulationUniqueId"]}]}`+"`"+`
			}
		}`, `
		authorize GET /partners/:tenant
		put PUT /:tenant/callbacks/:type 200
		list GET /:tenant/callbacks
		delete DELETE /:tenant/callbacks/:type
		shape endpoint notificationType=type callbackUrl=url secret
	}
	handle_path /webhooks/* {
		webhooks_api`, `
		resource processes {
			show GET /partners/:partner/processes/:id
			create POST /partners/:partner/processes
			update * /partners/:partner/processes/:id
			id processUniqueId
			tenant partnerUniqueId
			event process.completed on change status to completed
			event process.rejected on change status to rejected
			event process.expired on change status to expired
		}`)
	hook := func(name string) string { return fmt.Sprintf(`{"callbackUrl":"%s/%s"}`, s.receiver.URL, name) }

	// Create or update, and list.
	made := s.wants("acme", "PUT", "/acme/callbacks/5", hook("first"), 200, `{"notificationType":5,"callbackUrl":"http://`, `"secret":"whsec_`)
	if strings.Contains(made, "verification") || strings.Contains(made, `"id"`) {
		t.Errorf("it says more than its shape: %s", made)
	}
	s.wants("acme", "PUT", "/acme/callbacks/5", "callbackUrl="+s.receiver.URL+"/form", 200, `/form"}`)
	s.wants("acme", "PUT", "/acme/callbacks/5", hook("completed"), 200)
	s.wants("acme", "PUT", "/acme/callbacks/6", hook("rejected"), 200, `"notificationType":6`)
	var list []map[string]any
	if err := json.Unmarshal([]byte(s.wants("acme", "GET", "/acme/callbacks", "", 200)), &list); err != nil || len(list) != 2 {
		t.Errorf("%v %v", list, err)
	}
	s.wants("umbrella", "PUT", "/umbrella/callbacks/5", hook("umbrella"), 200)

	// The partner must exist and be the caller, the type be supported, and the body be known.
	unknown := s.wants("acme", "PUT", "/acme/callbacks/8", hook("x"), 404)
	for _, path := range []string{"/umbrella/callbacks/5", "/nobody/callbacks/5", "/acme%2F..%2Fumbrella/callbacks/5"} {
		if got := s.wants("acme", "PUT", path, hook("stolen"), 404); got != unknown {
			t.Errorf("%s: %s, and of an unknown type %s", path, got, unknown)
		}
	}
	s.wants("", "GET", "/acme/callbacks", "", 401)
	if _, _, header := s.curl("stranger", "GET", "/acme/callbacks", ""); header.Get("WWW-Authenticate") != `Bearer realm="api"` {
		t.Errorf("the API's challenge is lost: %v", header)
	}
	s.wants("acme", "PUT", "/acme/callbacks/5", `{"callbackUrl":"ftp://x"}`, 422, `"pointer":"/callbackUrl"`)
	s.wants("acme", "PUT", "/acme/callbacks/5", `{"url":"https://x.example/"}`, 400, `"pointer":"/url"`, "callbackUrl")
	status, _, header := s.curl("acme", "POST", "/acme/callbacks/5", "{}")
	if status != 405 || header.Get("Allow") != "DELETE, OPTIONS, PUT" {
		t.Errorf("POST is %d, Allow %q", status, header.Get("Allow"))
	}

	// What happens is pushed, to the partner whose process it is.
	process := "/partners/acme/processes/p1"
	s.wants("acme", "PUT", process, `{"processUniqueId":"p1","partnerUniqueId":"acme","status":"open"}`, 200)
	eventually(t, "the process is known", func() bool {
		events, _, err := running(t).Queue().Events(t.Context(), queue.Filter{}, queue.Page{})
		return err == nil && len(events) > 0
	})
	s.wants("acme", "PUT", process, `{"processUniqueId":"p1","partnerUniqueId":"acme","status":"completed"}`, 200)
	if got := s.receives("process.completed", "/completed"); !strings.Contains(got.body, `"status":"completed"`) || got.header.Get("Webhook-Signature") == "" {
		t.Errorf("got %s %v", got.body, got.header)
	}

	// Delete, and 404 where there is none. Other paths are the API's.
	s.wants("acme", "DELETE", "/acme/callbacks/5", "", 204)
	s.wants("acme", "DELETE", "/acme/callbacks/5", "", 404)
	s.wants("acme", "GET", process, "", 200, "completed")
	s.wants("acme", "GET", "/endpoints", "", 404)
	// Our own API is there beside it, for those who have a key.
	s.wants("acme", "GET", "/webhooks/endpoints", "", 401)
	s.wants("acme", "GET", "/webhooks/acme/callbacks", "", 404)
}

// Assembly: one callback for each kind of object, tested when it is made; its responses
// can be listed.
func TestAssemblySystem(t *testing.T) {
	s := newSystem(t)
	s.who = map[string]string{"Bearer platform": "platform"}
	s.start(`
		subscribers {
			limit one per type
			type items.* as items
			type users.* as users
			endpoint {
				payload show
				signature none
			}
		}`, `
		authorize GET /marketplace shared
		create POST /callbacks
		list GET /callbacks
		show GET /callbacks/:id
		update PATCH /callbacks/:id
		delete DELETE /callbacks/:id
		list deliveries GET /callbacks/:id/responses
		show delivery GET /callbacks/:id/responses/:delivery
		shape endpoint in callbacks id url object_type=type description=label enabled
		shape delivery in callback_responses id object_id=object.id response_code=last.status created_at attempts
		`, `
		resource items
		resource users {
			event users.changed on change
		}`)
	// A test is sent first, and must succeed.
	s.answers = 500
	body := fmt.Sprintf(`{"url":"%s/items","object_type":"items","description":"ERP"}`, s.receiver.URL)
	s.wants("platform", "POST", "/callbacks", body, 422, `"pointer":"/url"`, "verification")
	s.receives("webhooks.test", "/items")
	s.wants("platform", "GET", "/callbacks", "", 200, `{"callbacks":[]}`)
	s.mu.Lock()
	s.answers = 204
	s.mu.Unlock()
	status, made, header := s.curl("platform", "POST", "/callbacks", body)
	var of struct{ Callbacks struct{ ID string } }
	if err := json.Unmarshal([]byte(made), &of); err != nil || status != 201 || header.Get("Location") != "/callbacks/"+of.Callbacks.ID ||
		!strings.Contains(made, `"object_type":"items","description":"ERP","enabled":true}}`) {
		t.Fatalf("got %d %s %v", status, made, header)
	}
	s.receives("webhooks.test", "/items")
	path := "/callbacks/" + of.Callbacks.ID

	// Only one of them is enabled for a kind of object.
	s.wants("platform", "POST", "/callbacks", body, 422, `"pointer":"/object_type"`)
	s.wants("platform", "POST", "/callbacks", strings.Replace(body, `"description"`, `"enabled":false,"description"`, 1), 201, `"enabled":false`)
	s.receives("webhooks.test", "/items")
	s.wants("platform", "POST", "/callbacks", strings.ReplaceAll(body, "items", "users"), 201, `"object_type":"users"`)
	s.receives("webhooks.test", "/users")
	s.wants("platform", "PATCH", path, `{"object_type":"invoices"}`, 400, `"pointer":"/object_type"`)
	s.wants("stranger", "GET", "/callbacks", "", 401)

	// The callback gets the Show, and what the receiver answered is listed.
	s.wants("platform", "PUT", "/items/7", `{"id":"7","state":"completed"}`, 200)
	if got := s.receives("items.updated", "/items"); got.body != `{"id":"7","state":"completed"}` || got.header.Get("Webhook-Signature") != "" {
		t.Errorf("the payload is %s with %v", got.body, got.header)
	}
	var responses struct {
		List []struct {
			ID   string `json:"id"`
			Of   string `json:"object_id"`
			Code int    `json:"response_code"`
		} `json:"callback_responses"`
	}
	eventually(t, "the response is listed", func() bool {
		_, answer, _ := s.curl("platform", "GET", path+"/responses", "")
		return json.Unmarshal([]byte(answer), &responses) == nil && len(responses.List) == 1 && responses.List[0].Code == 204
	})
	if responses.List[0].Of != "7" {
		t.Errorf("got %+v", responses)
	}
	s.wants("platform", "GET", path+"/responses/"+responses.List[0].ID, "", 200, `{"callback_responses":{"id":"`)

	// Disabled, it gets nothing; and it can be deleted.
	s.wants("platform", "PATCH", path, `{"enabled":false}`, 200, `"enabled":false`)
	s.wants("platform", "GET", path, "", 200, `"enabled":false`)
	s.wants("platform", "DELETE", path, "", 204)
	s.wants("platform", "GET", path, "", 404)
	s.wants("platform", "DELETE", path, "", 404)
}

// What the operator fixes holds for endpoints of subscribers, those that were made before
// as well; what is offered can be chosen.
func TestOfferedEndpoints(t *testing.T) {
	s := newSystem(t)
	s.who = map[string]string{"Bearer platform": "platform"}
	api, resources := "authorize GET /marketplace shared\ncreate POST /callbacks\nshow GET /callbacks/:id\nupdate PATCH /callbacks/:id\n", "resource items\n"
	s.start("subscribers {\n}", api, resources)
	status, made, _ := s.curl("platform", "POST", "/callbacks", fmt.Sprintf(`{"url":"%s/before","payload":{"format":"standard"}}`, s.receiver.URL))
	if status != 201 {
		t.Fatalf("%d %s", status, made)
	}
	if got := s.receives("webhooks.test", "/before"); got.header.Get("Webhook-Signature") == "" {
		t.Errorf("it is not signed: %v", got.header)
	}
	s.mustLoad(s.text(`
		subscribers {
			endpoint {
				auth none|basic
				signature none|x-signature
				payload show
				order object
				rate 100/s
				timeout 7s
				retry none
				when_disabled drop
				success 202
				trace
			}
		}`, api, resources))
	eventually(t, "the new configuration answers", func() bool {
		status, _, _ := s.curl("platform", "POST", "/callbacks", `{"signature":"standard"}`)
		return status == 422
	})
	for body, pointer := range map[string]string{
		`{"signature":"rfc9421"}`: "/signature", `{"payload":{"format":"thin"}}`: "/payload", `{"order":"none"}`: "/order", `{"rate":"1/s"}`: "/rate",
		`{"auth":{"scheme":"bearer","credential":"x"}}`: "/auth",
	} {
		s.wants("platform", "POST", "/callbacks", body, 422, `"pointer":"`+pointer+`"`, "remedy")
	}
	id := gjson.Get(made, "id").Str
	s.wants("platform", "GET", "/callbacks/"+id, "", 200, `"payload":{"format":"show"},"signature":"none"`)
	s.wants("platform", "PATCH", "/callbacks/"+id, `{"signature":"standard"}`, 422, "none or x-signature")
	// What counts as success does for tests, too.
	s.wants("platform", "POST", "/callbacks", fmt.Sprintf(`{"url":"%s/refused"}`, s.receiver.URL), 422, "verification-failed")
	s.receives("webhooks.test", "/refused")
	s.mu.Lock()
	s.answers = 202
	s.mu.Unlock()
	s.wants("platform", "POST", "/callbacks", fmt.Sprintf(`{"url":"%s/signed","signature":"x-signature","auth":{"scheme":"basic","name":"u","credential":"p"}}`, s.receiver.URL), 201)
	if got := s.receives("webhooks.test", "/signed"); got.header.Get("X-Signature") == "" || got.header.Get("Authorization") == "" {
		t.Errorf("got %v", got.header)
	}
	s.wants("platform", "PUT", "/items/7", `{"id":"7"}`, 200)
	for range 2 {
		select {
		case got := <-s.got:
			if got.body != `{"id":"7"}` || got.header.Get("Webhook-Signature") != "" || (got.header.Get("X-Signature") != "") != (got.path == "/signed") {
				t.Errorf("%s got %s with %v", got.path, got.body, got.header)
			}
		case <-time.After(testTimeout):
			t.Fatal("an event does not come")
		}
	}
	app := runningApp(t)
	if !app.drops {
		t.Error("it does not look for what is to be dropped")
	}
	for e := range app.pipeline.Endpoints().All() {
		if e.Timeout != 7*time.Second || len(e.Schedule) != 0 || e.Schedule == nil || !e.Trace || e.WhenDisabled != endpoint.Drop || e.Rate.String() != "100/s" {
			t.Errorf("%s has %+v", e.Name, e)
		}
	}
}

// Assure: no callback is sent again by itself, but by whoever the API shows the process.
func TestNotifyAgain(t *testing.T) {
	s := newSystem(t)
	s.who = map[string]string{"Bearer customer": "customer"}
	global := `
		endpoint notify.processes requests {
			signature none
			retry none
		}`
	api := `
		resend POST /dossiers/:dossier/processes/:id/notify 202 {
			object processes
			authorize GET /dossiers/:dossier/processes/:id shared
		}`
	resources := `
		resource processes {
			show GET /dossiers/:dossier/processes/:id
			id processId
			event processes.finished on create
			notify url request:notificationUrl
		}`
	s.start(global, api, resources)
	process := "/dossiers/d1/processes/p1"
	s.wants("customer", "POST", "/dossiers/d1/processes", fmt.Sprintf(`{"processId":"p1","status":"accepted","notificationUrl":"%s/told"}`, s.receiver.URL), 200)
	s.receives("processes.finished", "/told")
	s.wants("customer", "POST", process+"/notify", "", 202, `{"changed":1}`)
	s.receives("processes.finished", "/told")
	none := s.wants("customer", "POST", "/dossiers/d1/processes/p2/notify", "", 404)
	if got := s.wants("stranger", "POST", "/dossiers/d1/processes/p2/notify", "", 401); got == none {
		t.Error("a stranger is told the same as a customer")
	}
	s.wants("customer", "GET", process+"/notify", "", 405)
	// The names of the path are those of the Show.
	for _, wrong := range []string{"/processes/:id/notify", "/dossiers/:d/processes/:id/notify"} {
		text := strings.ReplaceAll(api, "/dossiers/:dossier/processes/:id/notify", wrong)
		text = strings.Replace(text, "authorize GET /dossiers/:dossier/processes/:id shared", "authorize GET /marketplace shared", 1)
		if err := s.load(s.text(global, text, resources)); err == nil || !strings.Contains(err.Error(), "names in the path") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if err := s.load(s.text(global, strings.Replace(api, "object processes", "object items", 1), resources)); err == nil || !strings.Contains(err.Error(), "no resource items") {
		t.Errorf("a resource that there is not: %v", err)
	}
}

// A member that each endpoint must have needs a name where endpoints are made.
func TestRequiredMembersHaveNames(t *testing.T) {
	s := newSystem(t)
	for _, test := range []struct{ require, api, want string }{
		{"label", "create POST /callbacks\nshape endpoint id url", "require label"},
		{"events", "put PUT /callbacks/:id\ncreate POST /callbacks\nshape endpoint id url", "require events"},
		{"events", "put PUT /callbacks/:type\nshape endpoint id url", ""},
		{"events url", "create POST /callbacks\nshape endpoint hook.url=url kind=type", ""},
		{"label", "show GET /callbacks/:id\nshape endpoint id url", ""},
		{"label", "create POST /callbacks", ""},
	} {
		text := s.text("subscribers {\nrequire "+test.require+"\n}", "authorize GET /marketplace shared\n"+test.api, "resource items")
		err := s.load(text)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s with %q: %v", test.require, test.api, err)
		}
	}
}
