// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// stage is an API, a receiver, and what is needed to put Caddy between them.
type stage struct {
	t        *testing.T
	dir      string
	api      *httptest.Server
	receiver *httptest.Server
	address  string
	admin    string
	events   chan string // "type object" of each delivery
	changes  int         // those that change has made

	mu    sync.Mutex
	state map[string]string
	// before is called by the API before it answers an unsafe request.
	before func()
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), events: make(chan string, 100), state: make(map[string]string)}
	s.api = httptest.NewServer(http.HandlerFunc(s.serveAPI))
	s.receiver = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.events <- r.Header.Get("Webhook-Event") + " " + r.Header.Get("Webhook-Object")
	}))
	s.address, s.admin = freeport.Address(t), freeport.Address(t)
	t.Setenv("TEST_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		s.api.Close()
		s.receiver.Close()
	})
	return s
}

func (s *stage) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Method == http.MethodGet {
		s.mu.Lock()
		defer s.mu.Unlock()
		show, ok := s.state[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, show)
		return
	}
	s.mu.Lock()
	before := s.before
	s.state[r.URL.Path] = string(body)
	s.mu.Unlock()
	if before != nil {
		before()
	}
	_, _ = w.Write(body)
}

// config returns a configuration with some lines of its own in the blocks.
func (s *stage) config(global, site string) string {
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	log {
		level ERROR
	}
	webhooks {
		queue badger %s
		endpoint test %s {
			secret {env.TEST_SECRET}
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
		%s
	}
}
http://%s {
	webhooks {
		upstream %s
		resource items
		%s
	}
	reverse_proxy %s
}
`, s.admin, s.dir, s.receiver.URL, global, s.address, s.api.Listener.Addr(), site, s.api.Listener.Addr())
}

func (s *stage) load(text string) error {
	s.t.Helper()
	adapted, err := adapt(s.t, text)
	if err != nil {
		return err
	}
	return s.loadJSON(adapted)
}

// loadJSON replaces the configuration, and waits until the servers of the one
// before, and the connections to them, are in nobody's way.
func (s *stage) loadJSON(config []byte) error {
	s.t.Helper()
	err := caddy.Load(config, true)
	freeport.Single(s.t, s.address, s.admin)
	http.DefaultClient.CloseIdleConnections()
	return err
}

func (s *stage) mustLoad(text string) {
	s.t.Helper()
	if err := s.load(text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) put(path, body string) {
	s.t.Helper()
	var got []byte
	var err error
	// For a moment after a reload, a connection may be accepted by a server of
	// the old configuration that is just closing. A PUT can be sent again: if
	// it was done already, it changes nothing.
	for range 20 {
		if got, err = s.tryPut(path, body); err == nil {
			break
		}
	}
	if err != nil || string(got) != body {
		s.t.Fatalf("PUT %s answered %q, %v", path, got, err)
	}
}

func (s *stage) tryPut(path, body string) ([]byte, error) {
	r, err := http.NewRequest(http.MethodPut, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	// Connections that are idle at a reload are closed, and a PUT that meets
	// such an end is not repeated by the client.
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

func (s *stage) expect(want string) {
	s.t.Helper()
	select {
	case got := <-s.events:
		if got != want {
			s.t.Errorf("event %q, want %q", got, want)
		}
	case <-time.After(testTimeout):
		s.t.Fatalf("no event, want %q", want)
	}
}

// change changes an object, and waits for the event.
func (s *stage) change(path, want string) {
	s.t.Helper()
	s.changes++
	s.put(path, fmt.Sprintf(`{"id":"1","change":%d}`, s.changes))
	s.expect(want)
}

// get asks the admin endpoint.
func (s *stage) get(path string) (status int, answer map[string]any) {
	s.t.Helper()
	response := s.getAdmin(path)
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, answer
}

// getAdmin sends a GET to the admin endpoint. Each configuration replaces its server, and
// the one before may have taken the connection, and closed it without a word.
func (s *stage) getAdmin(path string) (response *http.Response) {
	s.t.Helper()
	eventually(s.t, "the admin endpoint answers", func() bool {
		var err error
		response, err = http.Get("http://" + s.admin + path)
		return err == nil
	})
	return response
}

func running(t *testing.T) *pipeline.Pipeline {
	t.Helper()
	return runningApp(t).pipeline
}

// The queue of a directory stays open while configurations come and go, and
// each new one is at work at once.
func TestReload(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	store := running(t).Queue()

	s.mustLoad(s.config("durability process\nretention 2h", "resource users"))
	if running(t).Queue() != store {
		t.Error("the queue was opened again")
	}
	s.change("/users/1", "users.updated users/1")

	renamed := strings.Replace(s.config("", ""), "resource items", "resource items {\nevent items.moved on change\n}", 1)
	s.mustLoad(renamed)
	s.put("/items/1", `{"id":"1","v":2}`)
	s.expect("items.moved items/1")
	// G7: what was known before is not announced anew.
	s.put("/items/1", `{"id":"1","v":2}`)
	s.put("/items/2", `{"id":"2"}`)
	s.expect("items.moved items/2")
}

// A configuration that cannot start leaves the one before at work, whether it
// fails before or after the queue was handed over.
func TestFailedReload(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer occupied.Close()
	for name, broken := range map[string]string{
		"a secret that is not set": s.config("endpoint other https://a.example/ {\nsecret {env.NOT_SET}\n}", ""),
		"an address that is taken": s.config("", "resource users") + "http://" + occupied.Addr().String() + " {\nrespond ok\n}\n",
		"a handler that fails":     s.config("", "") + "http://:1 {\nroot * {env.NOT_SET}\nwebhooks {\nupstream localhost:1\nresource items\n}\n}\n",
	} {
		// Apps start in no certain order, so both orders get their turn.
		for range 5 {
			if err := s.load(broken); err == nil {
				t.Fatalf("%s: accepted", name)
			}
		}
		if running(t).Queue() == nil {
			t.Fatalf("%s: the queue is closed", name)
		}
		if running(t).Started() != runningApp(t).config {
			t.Errorf("%s: another configuration is at work", name)
		}
		path := "/items/" + strings.ReplaceAll(name, " ", "-")
		s.put(path, `{"id":"1"}`)
		s.expect("items.updated " + path[1:])
	}
}

// A request that outlives its configuration can still write, and its change
// ends as an event.
func TestRequestOutlivesItsConfiguration(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	arrived, release := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.before = func() {
		close(arrived)
		<-release
	}
	s.mu.Unlock()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		s.put("/items/1", `{"id":"1"}`)
	}()
	<-arrived
	s.mu.Lock()
	s.before = nil
	s.mu.Unlock()
	s.mustLoad(s.config("", "resource users"))
	close(release)
	<-finished
	s.expect("items.updated items/1")
}

// When the last configuration that uses a directory is gone, so is its engine,
// and the directory is free.
func TestQueueIsReleased(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	if _, err := badger.Open(badger.Options{Dir: s.dir}); err == nil {
		t.Fatal("the directory can be opened twice")
	}
	other := t.TempDir()
	s.mustLoad(strings.ReplaceAll(s.config("", ""), s.dir, other))
	store, err := badger.Open(badger.Options{Dir: s.dir})
	if err != nil {
		t.Fatalf("the directory is not free: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	s.mustLoad("{\nadmin " + s.admin + "\npersist_config off\n}\n")
	if status, _ := s.get("/webhooks/status"); status != http.StatusNotFound {
		t.Errorf("status without webhooks: %d", status)
	}
}

// A configuration can be validated while a server holds the queue.
func TestValidateBesideRunningServer(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	validate(t, s.config("", "resource users"))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
}

// Start fails with the directory and the remedy when the queue cannot be
// opened, and everything it took is given back.
func TestQueueInUse(t *testing.T) {
	s := newStage(t)
	store, err := badger.Open(badger.Options{Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	err = s.load(s.config("", ""))
	if err == nil || !strings.Contains(err.Error(), s.dir) || !strings.Contains(err.Error(), "caddy reload") {
		t.Errorf("error %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	s.mustLoad(s.config("", ""))
}

func TestAdmin(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")

	if status, health := s.get("/webhooks/health"); status != 200 || health["status"] != "ok" {
		t.Errorf("health: %d %v", status, health)
	}
	status, answer := s.get("/webhooks/status")
	if status != 200 || fmt.Sprint(answer["resources"]) != "[items]" || answer["dir"] != s.dir || answer["durability"] != "power" {
		t.Errorf("status: %d %v", status, answer)
	}
	_, endpoints := s.get("/webhooks/endpoints")
	endpoint := endpoints["items"].([]any)[0].(map[string]any)
	if endpoint["name"] != "test" || endpoint["host"] != s.receiver.URL || endpoint["status"] != "active" {
		t.Errorf("endpoint: %v", endpoint)
	}
	_, events := s.get("/webhooks/events?object=items/1&type=items.updated")
	rows := events["items"].([]any)
	if len(rows) != 1 {
		t.Fatalf("events: %v", events)
	}
	id := rows[0].(map[string]any)["id"].(string)
	_, one := s.get("/webhooks/events/" + id)
	if fmt.Sprint(one["payload"]) != "map[id:1]" || one["object"] != "items/1" || one["sequence"] != 1.0 {
		t.Errorf("event: %v", one)
	}
	for _, path := range []string{
		"/webhooks/deliveries?event=" + id + "&endpoint=test", "/webhooks/attempts?event=" + id, "/webhooks/marks", "/webhooks/unresolved",
	} {
		if status, list := s.get(path); status != 200 || list["items"] == nil {
			t.Errorf("%s: %d %v", path, status, list)
		}
	}
	for path, want := range map[string]int{
		"/webhooks/events/evt_nothing":        404,
		"/webhooks/nothing":                   404,
		"/webhooks/events?limit=0":            400,
		"/webhooks/events?limit=1001":         400,
		"/webhooks/events?cursor=%00":         400,
		"/webhooks/events?object=x":           400,
		"/webhooks/events?colour=red":         400,
		"/webhooks/deliveries?status=unknown": 400,
	} {
		if status, answer := s.get(path); status != want || answer["error"] == "" {
			t.Errorf("%s: %d %v, want %d", path, status, answer, want)
		}
	}
	response, err := http.Post("http://"+s.admin+"/webhooks/status", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", response.StatusCode)
	}
}

// Pages follow one another without a row twice or left out.
func TestAdminPages(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	for i := range 7 {
		s.put(fmt.Sprintf("/items/%d", i), `{"id":"x"}`)
		s.expect(fmt.Sprintf("items.updated items/%d", i))
	}
	var seen []string
	cursor := ""
	for range 10 {
		_, page := s.get("/webhooks/events?limit=3&cursor=" + cursor)
		for _, row := range page["items"].([]any) {
			seen = append(seen, row.(map[string]any)["object"].(string))
		}
		next, more := page["next"].(string)
		if !more {
			break
		}
		cursor = next
	}
	if got, want := strings.Join(seen, " "), "items/6 items/5 items/4 items/3 items/2 items/1 items/0"; got != want {
		t.Errorf("pages show %s, want %s", got, want)
	}
}

// Counters go on when a configuration is replaced, and gauges are those of the
// queue.
func TestMetricsSurviveReload(t *testing.T) {
	s := newStage(t)
	s.mustLoad(s.config("", ""))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	scrape := func() string {
		response := s.getAdmin("/metrics")
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(string(body)) {
			if strings.HasPrefix(line, "caddy_webhooks_exchanges_total") || strings.HasPrefix(line, "caddy_webhooks_queue_up") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	before := scrape()
	if !strings.Contains(before, `outcome="changed",resource="items"`) || !strings.Contains(before, "queue_up 1") {
		t.Fatalf("metrics:\n%s", before)
	}
	s.mustLoad(s.config("", "resource users"))
	if after := scrape(); after != before {
		t.Errorf("metrics were\n%sand are after a reload\n%s", before, after)
	}
}
