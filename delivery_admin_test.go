// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

// moody is a receiver that answers as it is told.
type moody struct {
	*httptest.Server
	mu   sync.Mutex
	code int
	got  []string // "type object sequence"
	sent []string // the bodies
	more chan struct{}
}

func newMoody(t *testing.T) *moody {
	t.Helper()
	m := &moody{code: http.StatusOK, more: make(chan struct{}, 1000)}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.mu.Lock()
		m.sent = append(m.sent, string(body))
		code := m.code
		m.got = append(m.got, r.Header.Get("Webhook-Event")+" "+r.Header.Get("Webhook-Object")+" "+r.Header.Get("Webhook-Sequence"))
		m.mu.Unlock()
		w.WriteHeader(code)
		m.more <- struct{}{}
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *moody) answer(code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.code = code
}

// bodies returns what was sent so far.
func (m *moody) bodies() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sent)
}

// next waits for one more request and returns it.
func (m *moody) next(t *testing.T) string {
	t.Helper()
	select {
	case <-m.more:
	case <-time.After(testTimeout):
		t.Fatal("nothing has come")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got[len(m.got)-len(m.more)-1]
}

// post asks the admin endpoint to act.
func (s *stage) post(path string) (int, map[string]any) {
	s.t.Helper()
	response, err := http.Post("http://"+s.admin+path, "application/json", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	return response.StatusCode, answer
}

// until asks the admin endpoint until the answer has what is wanted.
func (s *stage) until(path, want string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%s has %q", path, want), func() bool {
		_, answer := s.get(path)
		return strings.Contains(fmt.Sprint(answer), want)
	})
}

// TestOperations takes an endpoint through everything that operators can do
// about it, with a queue and a Caddy of its own.
func TestOperations(t *testing.T) {
	s, m, ops := newStage(t), newMoody(t), newMoody(t)
	s.mustLoad(s.config(`
		endpoint erp `+m.URL+` {
			events items.*
			secret {env.TEST_SECRET}
			retry none
		}
		endpoint ops `+ops.URL+` {
			events endpoint.* delivery.exhausted
			secret {env.TEST_SECRET}
		}`, ""))
	m.answer(http.StatusBadRequest)
	s.put("/items/1", `{"id":"1","n":1}`)
	if got := m.next(t); got != "items.updated items/1 1" {
		t.Fatalf("got %s", got)
	}
	if got := ops.next(t); got != "delivery.exhausted endpoint/erp 1" {
		t.Fatalf("operators are told %s", got)
	}
	s.until("/webhooks/deliveries?endpoint=erp", "dead")

	// Paused, it gets nothing; what is dead is counted before it is pending.
	m.answer(http.StatusOK)
	if status, answer := s.post("/webhooks/endpoints/erp/pause"); status != 200 || answer["status"] != "paused" {
		t.Fatalf("pause: %d %v", status, answer)
	}
	for range 2 {
		if status, answer := s.get("/webhooks/recover?since=1h&endpoint=erp"); status != 200 || answer["count"] != 1.0 {
			t.Fatalf("counting: %d %v", status, answer)
		}
	}
	if status, answer := s.post("/webhooks/recover?since=1h&endpoint=erp"); status != 200 || answer["changed"] != 1.0 || answer["next"] != nil {
		t.Fatalf("recover: %d %v", status, answer)
	}
	if status, answer := s.post("/webhooks/recover?since=1h&endpoint=erp"); status != 200 || answer["changed"] != 0.0 {
		t.Fatalf("recover again: %d %v", status, answer)
	}
	s.put("/items/1", `{"id":"1","n":2}`)
	s.put("/items/2", `{"id":"2"}`)
	s.until("/webhooks/deliveries?object=items/2&endpoint=erp", "pending")
	if _, answer := s.post("/webhooks/cancel?endpoint=erp&object=items/2"); answer["changed"] != 1.0 {
		t.Fatalf("cancel: %v", answer)
	}
	s.until("/webhooks/endpoints", "paused")
	if status, answer := s.post("/webhooks/endpoints/erp/resume"); status != 200 || answer["status"] != "active" {
		t.Fatalf("resume: %d %v", status, answer)
	}
	if first, second := m.next(t), m.next(t); first != "items.updated items/1 1" || second != "items.updated items/1 2" {
		t.Errorf("resumed, it gets %s and %s", first, second)
	}
	s.until("/webhooks/deliveries?status=cancelled", "items/2")

	// Everything that is kept, to an endpoint that never wanted it.
	if status, answer := s.get("/webhooks/replay?endpoint=ops&type=items.updated&since=1h"); status != 200 || answer["count"] != 3.0 {
		t.Fatalf("counting: %d %v", status, answer)
	}
	if status, answer := s.post("/webhooks/replay?endpoint=ops&type=items.updated&since=1h"); status != 200 || answer["changed"] != 3.0 {
		t.Fatalf("replay: %d %v", status, answer)
	}
	for range 3 {
		if got := ops.next(t); !strings.HasPrefix(got, "items.updated") {
			t.Errorf("replayed %s", got)
		}
	}
	_, events := s.get("/webhooks/events?object=items/2")
	id := events["items"].([]any)[0].(map[string]any)["id"].(string)
	if _, answer := s.post("/webhooks/resend?event=" + id + "&endpoint=erp"); answer["changed"] != 1.0 {
		t.Fatalf("resend: %v", answer)
	}
	if got := m.next(t); got != "items.updated items/2 1" {
		t.Errorf("resent %s", got)
	}

	// Disabled by its receiver, over a reload.
	m.answer(http.StatusGone)
	s.put("/items/3", `{"id":"3"}`)
	m.next(t)
	if got := ops.next(t); got != "delivery.exhausted endpoint/erp 2" && got != "endpoint.disabled endpoint/erp 2" {
		t.Errorf("operators are told %s", got)
	}
	s.until("/webhooks/endpoints", "its receiver answered 410 Gone")
}

func TestOperationsRefuse(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	for path, want := range map[string]int{
		"/webhooks/resend":                                400,
		"/webhooks/resend?event=":                         400,
		"/webhooks/resend?event=x&colour=red":             400,
		"/webhooks/resend?event=x&limit=0":                400,
		"/webhooks/recover":                               400,
		"/webhooks/recover?since=yesterday":               400,
		"/webhooks/recover?since=-3h":                     400,
		"/webhooks/cancel":                                400,
		"/webhooks/cancel?since=1h":                       400,
		"/webhooks/cancel?object=x":                       400,
		"/webhooks/cancel?endpoint=test&cursor=!":         400,
		"/webhooks/replay?since=1h":                       400,
		"/webhooks/endpoints/nobody/pause":                404,
		"/webhooks/endpoints/test/explode":                404,
		"/webhooks/endpoints/test":                        405,
		"/webhooks/endpoints":                             405,
		"/webhooks/recover?since=2026-03-04T05:06:07Z":    200,
		"/webhooks/cancel?endpoint=test&until=1h&limit=5": 200,
	} {
		if status, answer := s.post(path); status != want {
			t.Errorf("%s: %d %v, want %d", path, status, answer, want)
		}
	}
	for path, want := range map[string]int{
		"/webhooks/endpoints/test/pause": 405, "/webhooks/endpoints?limit=0": 400, "/webhooks/endpoints?colour=red": 400,
	} {
		if status, answer := s.get(path); status != want {
			t.Errorf("GET %s: %d %v, want %d", path, status, answer, want)
		}
	}
}

// TestLoopBackToTheAPI has an endpoint whose URL leads to the API by way of
// another proxy, where nothing can be told from its address: each delivery
// makes the change that the next one tells of.
func TestLoopBackToTheAPI(t *testing.T) {
	s, m := newStage(t), newMoody(t)
	front := httptest.NewServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.address}))
	t.Cleanup(front.Close)
	config := s.config(`
		endpoint erp `+m.URL+` {
			secret {env.TEST_SECRET}
		}
		endpoint loop `+front.URL+`/items/loop {
			secret {env.TEST_SECRET}
			retry none
		}`, "")
	// The API takes a delivery for a change, each time another one.
	config = strings.Replace(config, "resource items\n", "resource items {\nupdate POST|PUT /items/:id\n}\n", 1)
	n := 0
	s.before = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		n++
		s.state["/items/loop"] = fmt.Sprintf(`{"id":"loop","n":%d}`, n)
	}
	s.mustLoad(config)
	s.put("/items/loop", `{"id":"loop"}`)
	s.until("/webhooks/attempts?endpoint=loop", "the event came from deliveries to this endpoint")
	s.until("/webhooks/deliveries?endpoint=loop&status=dead", "items/loop")
	_, events := s.get("/webhooks/events?object=items/loop")
	if got := len(events["items"].([]any)); got != 9 {
		t.Errorf("%d events were found", got)
	}
	for range 9 {
		m.next(t)
	}
}

// events is a module of Caddy's that remembers what it is told.
type eventLog struct{}

var loggedEvents = make(chan string, 100)

func (eventLog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.test_log", New: func() caddy.Module { return new(eventLog) }}
}

func (eventLog) Handle(_ context.Context, e caddy.Event) error {
	loggedEvents <- e.Name() + " " + fmt.Sprint(e.Data["endpoint"], " ", e.Data["reason"])
	return nil
}

// TestCaddysEvents tells Caddy's events app.
func TestCaddysEvents(t *testing.T) {
	caddy.RegisterModule(eventLog{})
	s, m := newStage(t), newMoody(t)
	m.answer(http.StatusGone)
	text := s.config("endpoint erp "+m.URL+" {\nsecret {env.TEST_SECRET}\n}", "")
	adapted, err := adapt(t, text)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	config["apps"].(map[string]any)["events"] = map[string]any{"subscriptions": []any{map[string]any{
		"events": []string{"webhooks.endpoint.disabled"}, "handlers": []any{map[string]string{"handler": "test_log"}},
	}}}
	if adapted, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := s.loadJSON(adapted); err != nil {
		t.Fatal(err)
	}
	s.put("/items/1", `{"id":"1"}`)
	select {
	case got := <-loggedEvents:
		if got != "webhooks.endpoint.disabled erp its receiver answered 410 Gone" {
			t.Errorf("told %s", got)
		}
	case <-time.After(testTimeout):
		t.Fatal("Caddy's events app was told nothing")
	}
}

// TestTenants sees that a tenant's endpoint gets its own objects' events only.
func TestTenants(t *testing.T) {
	s, acme, umbrella := newStage(t), newMoody(t), newMoody(t)
	config := s.config(`
		endpoint acme `+acme.URL+` {
			secret {env.TEST_SECRET}
			tenant acme
		}
		endpoint umbrella `+umbrella.URL+` {
			secret {env.TEST_SECRET}
			tenant umbrella
		}`, "")
	s.mustLoad(strings.Replace(config, "resource items\n", "resource items {\ntenant owner\n}\n", 1))
	s.put("/items/1", `{"id":"1","owner":"acme"}`)
	s.put("/items/2", `{"id":"2","owner":"umbrella"}`)
	s.put("/items/3", `{"id":"3"}`)
	if got := acme.next(t); got != "items.updated items/1 1" {
		t.Errorf("acme gets %s", got)
	}
	if got := umbrella.next(t); got != "items.updated items/2 1" {
		t.Errorf("umbrella gets %s", got)
	}
	for _, object := range []string{"1", "2", "3"} {
		s.until("/webhooks/deliveries?status=delivered&object="+url.QueryEscape("items/"+object), "test")
	}
	_, all := s.get("/webhooks/deliveries")
	if got := len(all["items"].([]any)); got != 5 {
		t.Errorf("%d deliveries: %v", got, all)
	}
}

// TestHandedOver hands an object from one tenant to another, and then has
// everything sent again that is kept.
func TestHandedOver(t *testing.T) {
	s, a, b, ops := newStage(t), newMoody(t), newMoody(t), newMoody(t)
	var endpoints strings.Builder
	for name, m := range map[string]*moody{"a": a, "b": b, "": ops} {
		tenant := ""
		if name != "" {
			tenant = "tenant " + name
		}
		fmt.Fprintf(&endpoints, "endpoint e%s %s {\nevents items.*\nsecret {env.TEST_SECRET}\npayload standard previous\n%s\n}\n", name, m.URL, tenant)
	}
	config := s.config(endpoints.String(), "")
	s.mustLoad(strings.Replace(config, "resource items\n", "resource items {\ntenant owner\nkeep show\nevent items.paid on change state to paid\nevent items.updated on change\n}\n", 1))
	s.put("/items/1", `{"id":"1","owner":"a","state":"secret-of-a"}`)
	a.next(t)
	ops.next(t)
	s.put("/items/1", `{"id":"1","owner":"b","state":"paid"}`)
	for _, m := range []*moody{b, ops} {
		if first, second := m.next(t), m.next(t); first != "items.paid items/1 2" || second != "items.updated items/1 3" {
			t.Errorf("got %s and %s", first, second)
		}
	}
	for target, want := range map[string]string{
		"/webhooks/replay?endpoint=ea": "changed:1 refused:2",
		"/webhooks/replay?endpoint=eb": "changed:2 refused:1",
	} {
		s.until("/webhooks/deliveries?status=pending", "items:[]")
		if _, answer := s.post(target); fmt.Sprint(answer) != "map["+want+"]" {
			t.Errorf("%s: %v, want %s", target, answer, want)
		}
	}
	a.next(t)
	b.next(t)
	b.next(t)
	for _, body := range b.bodies() {
		if strings.Contains(body, "secret-of-a") || !strings.Contains(body, `"previous":null`) {
			t.Errorf("b gets %s", body)
		}
	}
	if got := strings.Join(ops.bodies(), ""); !strings.Contains(got, `"previous":{"id":"1","owner":"a","state":"secret-of-a"}`) {
		t.Errorf("operators get %s", got)
	}
	for _, body := range a.bodies() {
		if strings.Contains(body, "paid") {
			t.Errorf("a gets %s", body)
		}
	}
}

// TestWhenDisabledDrop keeps nothing for an endpoint that wants nothing kept.
func TestWhenDisabledDrop(t *testing.T) {
	s, m := newStage(t), newMoody(t)
	m.answer(http.StatusGone)
	s.mustLoad(s.config("endpoint erp "+m.URL+" {\nsecret {env.TEST_SECRET}\nwhen_disabled drop\nretry none\n}", ""))
	s.put("/items/1", `{"id":"1"}`)
	m.next(t)
	s.until("/webhooks/endpoints", "disabled")
	s.put("/items/2", `{"id":"2"}`)
	s.until("/webhooks/deliveries?object=items/2", "items/2")
	if _, all := s.get("/webhooks/deliveries?endpoint=erp"); len(all["items"].([]any)) != 1 {
		t.Errorf("deliveries: %v", all)
	}
}

var _ caddyevents.Handler = eventLog{}
