// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// A script is a story of exchanges and what comes of them, in lines:
//
//	api GET /items/42 200 {"id":"42"}   what the API answers from now on when it is asked
//	api POST /rpc {"id":"42"} => 200 {} the same for a request with a body
//	api GET /items/42 + Etag: "a"       a header of that answer
//	> PATCH /items/42 {"state":"paid"}  a client's request, with its body if it has one
//	> Content-Type: text/xml            a header of it
//	< 200 {"id":"42"}                   the API's answer to it; with that, it is sent
//	< cut 200 {"id"                     an answer that breaks off
//	< lost                              none: the connection is lost
//	< Location: /items/42               a header of the answer, before its status
//	wait 30s                            time passes
//	restart                             the process ends, and another begins
//	= items.paid items/42 {"id":"42"}   an event since the last such lines, and its payload if given
//	= nothing                           no event
//	= unresolved items                  a record of a change without its object; one for each resource named
//	= asked GET /items/42               the API was asked for this, once, since the last such line
//	= to erp notify.items               where the last event in the list goes
//
// Lines that begin with "#" and empty ones say nothing. A body may go on in
// lines that begin with "|".
type script struct {
	t      *testing.T
	name   string
	line   int
	source string

	mu      sync.Mutex
	answers map[string]*scriptAnswer
	asked   []string

	store      queue.Store
	logger     *zap.Logger // of the reconciler; nil for none
	reconciler *reconcile.Reconciler
	observer   *reconcile.Observer
	handler    *Handler

	// keepShow keeps the Shows of all resources.
	keepShow bool

	request  *http.Request
	response scriptAnswer
	seen     map[string]bool
	fresh    []event.Event
	routes   map[string][]string
	told     int // unresolved records that were told of
}

type scriptAnswer struct {
	status int
	header http.Header
	body   string
	cut    bool
	lost   bool
}

// runScript runs a script against the handler, the reconciler and a queue in
// memory, with the rules of a resource block of a Caddyfile. Time is fake.
func runScript(t *testing.T, name, rules, source string) {
	t.Helper()
	runScriptThen(t, name, rules, source, (*script).finish)
}

// runScriptThen is runScript with something else to look at in the end.
func runScriptThen(t *testing.T, name, rules, source string, then func(*script)) {
	t.Helper()
	runScriptKeeping(t, false, name, rules, source, then)
}

// runScriptKeeping is runScriptThen, perhaps with `keep show` in every resource.
func runScriptKeeping(t *testing.T, keepShow bool, name, rules, source string, then func(*script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{
			t: t, name: name, source: source, keepShow: keepShow, answers: make(map[string]*scriptAnswer),
			store: memory.New(time.Now), seen: make(map[string]bool), routes: make(map[string][]string),
		}
		s.handler = s.newHandler(rules)
		s.start()
		defer s.stop()
		for i, line := range scriptLines(source) {
			s.line = i
			if err := s.step(line); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
		}
		then(s)
	})
}

// scriptLines joins the lines of bodies that go on.
func scriptLines(source string) []string {
	var lines []string
	for line := range strings.SplitSeq(source, "\n") {
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		case strings.HasPrefix(trimmed, "|") && len(lines) > 0:
			lines[len(lines)-1] += "\n" + trimmed[1:]
		default:
			lines = append(lines, trimmed)
		}
	}
	return lines
}

func (s *script) newHandler(rules string) *Handler {
	h := new(Handler)
	d := caddyfile.NewTestDispenser("webhooks {\nupstream 127.0.0.1:1\n" + rules + "\n}")
	if err := h.UnmarshalCaddyfile(d); err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	h.setDefaults()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	s.t.Cleanup(cancel)
	if err := h.provisionRules(ctx); err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	h.watch(zap.NewNop(), exchange.Options{Notes: s, Seal: s.seal, Observe: s.observe, Metrics: counted})
	h.upstream = &show.Upstream{Handler: caddyhttp.HandlerFunc(s.serveShow)}
	return h
}

// start begins to reconcile, as a process does.
func (s *script) start() {
	plan := (&App{handlers: []*Handler{s.handler}}).plan()
	for i := range plan.Resources {
		plan.Resources[i].KeepShow = plan.Resources[i].KeepShow || s.keepShow
		plan.Resources[i].Route = func(e *event.Event) (to, filtered []string) { return []string{"tenant=" + e.Tenant}, nil }
		plan.Resources[i].Formats = nil
	}
	s.reconciler = reconcile.New(s.store, reconcile.Options{Logger: s.logger, Jitter: func() float64 { return .5 }})
	s.reconciler.Apply(plan)
	s.observer = reconcile.NewObserver(s.store, zap.NewNop())
	synctest.Wait()
}

func (s *script) stop() {
	s.observer.Stop()
	if err := s.reconciler.Stop(context.Background()); err != nil {
		s.t.Error(err)
	}
}

func (s *script) step(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "api":
		return s.setAPI(rest)
	case ">":
		return s.ask(rest)
	case "<":
		return s.answer(rest)
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return err
		}
		time.Sleep(d)
		synctest.Wait()
		return nil
	case "restart":
		s.stop()
		s.handler.watcher.Remembered = exchange.NewRemembered()
		s.start()
		return nil
	case "=":
		return s.expect(rest)
	}
	return fmt.Errorf("unknown word %q", word)
}

// setAPI reads "METHOD TARGET STATUS BODY" or "METHOD TARGET + HEADER".
func (s *script) setAPI(rest string) error {
	with := ""
	if asked, after, found := strings.Cut(rest, " => "); found {
		parts := strings.SplitN(asked, " ", 3)
		with, rest = parts[2], parts[0]+" "+parts[1]+" "+after
	}
	fields := strings.SplitN(rest, " ", 4)
	if len(fields) < 3 {
		return errors.New("api takes a method, a target and a status")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	what := fields[0] + " " + fields[1] + with
	if fields[2] == "+" {
		name, value, _ := strings.Cut(fields[3], ": ")
		s.answers[what].header.Set(name, value)
		return nil
	}
	status, err := strconv.Atoi(fields[2])
	if err != nil {
		return err
	}
	made := &scriptAnswer{status: status, header: make(http.Header)}
	if len(fields) == 4 {
		made.body = fields[3]
	}
	s.answers[what] = made
	return nil
}

// serveShow answers what the reconciler asks. A request with a body is looked
// for with its body first.
func (s *script) serveShow(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	what := r.Method + " " + r.RequestURI
	s.mu.Lock()
	found := s.answers[what]
	if len(body) > 0 {
		if withBody := s.answers[what+string(body)]; withBody != nil || found == nil {
			found = withBody
		}
		what += " " + string(body)
	}
	if auth := r.Header.Get("Authorization"); auth != "" {
		what += " as " + auth
	}
	s.asked = append(s.asked, what)
	s.mu.Unlock()
	if found == nil {
		found = &scriptAnswer{status: http.StatusNotFound}
	}
	for name, values := range found.header {
		w.Header()[name] = values
	}
	w.WriteHeader(found.status)
	_, err = io.WriteString(w, found.body)
	return err
}

// ask reads a request line or one of its headers.
func (s *script) ask(rest string) error {
	method, after, _ := strings.Cut(rest, " ")
	if method == "Host:" {
		s.request.Host = after
		return nil
	}
	if strings.HasSuffix(method, ":") {
		s.request.Header.Set(strings.TrimSuffix(method, ":"), after)
		return nil
	}
	target, body, _ := strings.Cut(after, " ")
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	s.request = httptest.NewRequest(method, "http://api.example/", strings.NewReader(body))
	s.request.URL, s.request.RequestURI = u, target
	s.response = scriptAnswer{header: make(http.Header)}
	return nil
}

// answer reads an answer, and with its status sends the request.
func (s *script) answer(rest string) error {
	word, after, _ := strings.Cut(rest, " ")
	switch {
	case strings.HasSuffix(word, ":"):
		s.response.header.Set(strings.TrimSuffix(word, ":"), after)
		return nil
	case word == "lost":
		s.response.lost = true
	case word == "cut":
		s.response.cut = true
		word, after, _ = strings.Cut(after, " ")
	}
	if !s.response.lost {
		status, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		s.response.status, s.response.body = status, after
	}
	return s.send()
}

func (s *script) send() error {
	if s.request == nil {
		return errors.New("there is no request to answer")
	}
	r := s.request
	s.request = nil
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(strings.NewReader(string(sent)))
	func() {
		defer func() {
			if cause := recover(); cause != nil && !isAbort(cause) {
				panic(cause)
			}
		}()
		err = s.handler.ServeHTTP(w, r, s.serveExchange(string(sent)))
	}()
	synctest.Wait()
	if err != nil && !s.response.lost {
		return err
	}
	return nil
}

// serveExchange is the API as it answers the client. What it is asked must be
// what the client sent.
func (s *script) serveExchange(sent string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		got, err := io.ReadAll(r.Body)
		if err != nil || string(got) != sent {
			s.t.Errorf("%s: the API got %q, %v; the client sent %q", s.name, got, err, sent)
		}
		if s.response.lost {
			return caddyhttp.Error(http.StatusBadGateway, errors.New("connection reset"))
		}
		for name, values := range s.response.header {
			w.Header()[name] = values
		}
		w.WriteHeader(s.response.status)
		if s.response.body != "" {
			if _, err := io.WriteString(w, s.response.body); err != nil {
				return err
			}
		}
		if s.response.cut {
			panic(http.ErrAbortHandler)
		}
		return nil
	}
}

// expect reads what must have come of it all.
func (s *script) expect(rest string) error {
	if err := s.collect(); err != nil {
		return err
	}
	word, after, _ := strings.Cut(rest, " ")
	switch word {
	case "nothing":
		if len(s.fresh) > 0 {
			return fmt.Errorf("there are events: %v", s.describe())
		}
		return nil
	case "unresolved":
		return s.expectUnresolved(after)
	case "asked":
		return s.expectAsked(after)
	}
	object, payload, _ := strings.Cut(after, " ")
	at := slices.IndexFunc(s.fresh, func(e event.Event) bool { return e.Type == word && e.Key.String() == object })
	if at < 0 {
		return fmt.Errorf("there is no such event; there are: %v", s.describe())
	}
	e := s.fresh[at]
	s.fresh = slices.Delete(s.fresh, at, at+1)
	if payload, to, found := strings.Cut(payload, " -> "); found || payload != "" {
		if payload != "" && payload != "-" && string(e.Payload) != payload {
			return fmt.Errorf("the payload is %s", e.Payload)
		}
		if got := strings.Join(s.routes[e.ID], " "); found && got != to {
			return fmt.Errorf("it goes to %q", got)
		}
	}
	return nil
}

// collect gathers the events that are new.
func (s *script) collect() error {
	events, _, err := s.store.Events(context.Background(), queue.Filter{}, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(events) {
		if !s.seen[e.ID] {
			s.seen[e.ID] = true
			s.fresh = append(s.fresh, e)
		}
	}
	deliveries, _, err := s.store.Deliveries(context.Background(), queue.Filter{}, queue.Page{Limit: queue.MaxLimit})
	clear(s.routes)
	for _, d := range deliveries {
		s.routes[d.EventID] = append(s.routes[d.EventID], d.Endpoint)
	}
	for _, names := range s.routes {
		slices.Sort(names)
	}
	return err
}

// expectUnresolved expects one new record for each of some resources.
func (s *script) expectUnresolved(resources string) error {
	rows, _, err := s.store.Unresolved(context.Background(), queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		return err
	}
	want := strings.Fields(resources)
	var got []string
	for i := range rows[:max(0, len(rows)-s.told)] {
		got = append(got, rows[i].Resource)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("there are %d records, %d of them told of: %+v", len(rows), s.told, rows)
	}
	s.told = len(rows)
	return nil
}

func (s *script) expectAsked(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what == "nothing" && len(s.asked) == 0 {
		return nil
	}
	at := slices.Index(s.asked, what)
	if at < 0 {
		return fmt.Errorf("the API was asked: %q", s.asked)
	}
	s.asked = slices.Delete(s.asked, at, at+1)
	return nil
}

func (s *script) describe() []string {
	texts := make([]string, len(s.fresh))
	for i, e := range s.fresh {
		texts[i] = fmt.Sprintf("%s %s %s -> %s", e.Type, e.Key, e.Payload, strings.Join(s.routes[e.ID], " "))
	}
	return texts
}

// finish checks that nothing happened that the script does not tell of.
func (s *script) finish() {
	if err := s.collect(); err != nil {
		s.t.Fatal(err)
	}
	if len(s.fresh) > 0 {
		s.t.Errorf("%s: events that the script does not expect: %v", s.name, s.describe())
	}
	rows, _, err := s.store.Unresolved(context.Background(), queue.Page{Limit: queue.MaxLimit})
	if err != nil || len(rows) != s.told {
		s.t.Errorf("%s: unresolved records that the script does not expect: %+v, %v", s.name, rows, err)
	}
}

// Note implements [exchange.Notes].
func (s *script) Note(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	return s.store.NoteIntent(ctx, intent)
}

// Resolve implements [exchange.Notes].
func (s *script) Resolve(ctx context.Context, _ string, id queue.IntentID, resolution queue.Resolution, durable bool) {
	if err := s.store.ResolveIntent(ctx, id, resolution, durable); err != nil {
		s.t.Errorf("%s: %v", s.name, err)
	}
}

func (*script) seal(_ string, named exchange.Callback) ([]byte, error) {
	if !strings.HasPrefix(named.URL, "https://") {
		return nil, errors.New("no TLS")
	}
	return []byte(named.URL), nil
}

func (s *script) observe(of *rules.Resource, key event.Key, passed show.Show) {
	s.observer.Observe(reconcile.Observation{Key: key, Version: of.Version, Show: passed, Comparison: comparison(of)})
}

func isAbort(cause any) bool {
	err, ok := cause.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}
