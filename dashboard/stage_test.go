// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receivers is a [callbacks.Prober] that sends nothing.
type receivers struct {
	mu     sync.Mutex
	refuse bool
	// tried are the endpoints that were tested.
	tried []subscribers.Endpoint
}

func (p *receivers) Check(e *subscribers.Endpoint) error {
	if strings.Contains(e.URL, "inner.example") {
		return &subscribers.FieldError{Pointer: "/url", Detail: "the URL cannot be used", Remedy: "use another"}
	}
	if e.Signature == "md5" {
		return &subscribers.FieldError{Pointer: "/signature", Detail: "there is no such signature", Remedy: "say standard"}
	}
	return nil
}

func (p *receivers) Probe(_ context.Context, e *subscribers.Endpoint) (emitter.Probed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = append(p.tried, *e)
	probed := emitter.Probed{
		Header: http.Header{"Webhook-Id": {"test_1"}, "Authorization": {emitter.Masked}}, Body: []byte(`{"test":true}`), Accepted: !p.refuse,
		Attempt: queue.Attempt{Code: 204, Duration: 83 * time.Millisecond},
	}
	if p.refuse {
		probed.Attempt.Code, probed.Attempt.Error, probed.Attempt.Response = 500, "answered 500 Internal Server Error", []byte("<b>no</b>")
	}
	return probed, nil
}

// fares is a [callbacks.Emitter] that knows what it is told.
type fares map[string]emitter.Standing

func (f fares) Standing(name string) (emitter.Standing, bool) {
	of, known := f[name]
	return of, known
}

func (f fares) Resume(_ context.Context, name string) error {
	delete(f, name)
	return nil
}

// gate is a [dashboard.Gate] that believes a header.
type gate struct {
	// stepped is whether persons have shown that it is still them.
	stepped bool
	pages   http.Handler
	err     error
}

func (g *gate) Person(r *http.Request) (dashboard.Person, error) {
	if g.err != nil {
		return dashboard.Person{}, g.err
	}
	tenant := r.Header.Get("X-Tenant")
	if tenant == "the operator" {
		return dashboard.Person{Name: "Olga", SteppedUp: true}, nil
	}
	if tenant == "olga" {
		return dashboard.Person{Operator: true, Name: "olga", SteppedUp: g.stepped}, nil
	}
	if tenant == "" {
		return dashboard.Person{}, dashboard.ErrNobody
	}
	return dashboard.Person{Tenant: tenant, Name: "Mara <" + tenant + ">", SteppedUp: g.stepped}, nil
}

func (g *gate) StepUp(back string) string { return "/account/again?back=" + url.QueryEscape(back) }
func (g *gate) Pages() http.Handler       { return g.pages }

// stage is a dashboard with two tenants, acme and umbrella.
type stage struct {
	t         *testing.T
	server    *dashboard.Server
	api       *callbacks.Server
	options   callbacks.Options
	framed    []string
	admin     func() *admin.Server
	recent    dashboard.Recent
	store     queue.Store
	receivers *receivers
	fares     fares
	gate      *gate
	now       time.Time
	log       bytes.Buffer
}

// typesOf are those of the stage: items, of which a schema is written, and orders.
func typesOf(t *testing.T) *catalogue.Types {
	t.Helper()
	types, err := catalogue.NewTypes([]catalogue.Made{
		{Resource: "items", Type: template(t, "items.created")}, {Resource: "items", Type: template(t, "items.updated")}, {Resource: "orders", Type: template(t, "orders.state.{state}")},
	}, []catalogue.Declared{{
		Pattern: "items.updated", Description: `An item <has> changed`,
		Schema: []byte(`{"type":"object","required":["id"],"properties":{"id":{"type":"string","description":"Which <one>"},"amount":{"type":["integer","null"]}}}`),
		Sample: []byte(`{"id":"42","amount":7}`),
	}})
	must(t, err)
	return types
}

func newStage(t *testing.T, with ...func(*stage)) *stage {
	t.Helper()
	s := &stage{t: t, receivers: &receivers{}, fares: fares{}, gate: &gate{stepped: true}, now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return s.now }
	s.store = memory.New(clock)
	t.Cleanup(func() { must(t, s.store.Close()) })
	keyring, err := seal.NewKeyring(seal.NewKey())
	must(t, err)
	types := typesOf(t)
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&s.log), zap.DebugLevel))
	s.options = callbacks.Options{
		Queue: func() queue.Store { return s.store }, Emitter: func() callbacks.Emitter { return s.fares },
		Sealer: func() subscribers.Sealer { return keyring }, Prober: s.receivers, Now: clock, Log: log,
		EventTypes: func() *catalogue.Types { return types },
	}
	for _, change := range with {
		change(s)
	}
	s.api = callbacks.New(s.options, callbacks.NewLimits())
	s.server, err = dashboard.New(dashboard.Options{
		API: s.api, Gate: s.gate, FramedBy: s.framed, Base: func(*http.Request) string { return "/hooks" }, Now: clock, Log: log,
		Admin: s.admin, Recent: s.recent,
	})
	must(t, err)
	return s
}

// fresh forgets what callers have done until now, for tests with many requests.
func (s *stage) fresh() {
	s.now = s.now.Add(time.Hour)
}

// reply is a page.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// as makes a request as a tenant, as a browser does; "" is nobody.
func (s *stage) as(tenant, method, path string, form url.Values, more ...string) reply {
	s.t.Helper()
	body := ""
	if form != nil {
		body = form.Encode()
	}
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if tenant != "" {
		r.Header.Set("X-Tenant", tenant)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for pair := range slices.Chunk(more, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	got := reply{s.t, w.Code, w.Header(), w.Body.String()}
	checkHeaders(s.t, method+" "+path, got)
	if method != http.MethodHead && strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		checkPage(s.t, method+" "+path, got.body)
	}
	return got
}

func (s *stage) get(path string) reply { s.t.Helper(); return s.as("acme", http.MethodGet, path, nil) }

func (s *stage) post(path string, pairs ...string) reply {
	s.t.Helper()
	return s.as("acme", http.MethodPost, path, formOf(pairs...))
}

// formOf returns a form; a name may stand several times.
func formOf(pairs ...string) url.Values {
	form := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		form.Add(pair[0], pair[1])
	}
	return form
}

// want checks a status and texts; one that begins with "!" must not be there.
func (r reply) want(status int, texts ...string) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("got %d, want %d: %v %s", r.status, status, r.header, r.body)
	}
	for _, text := range texts {
		if absent, not := strings.CutPrefix(text, "!"); not {
			if strings.Contains(r.body, absent) {
				r.t.Errorf("the page has %q: %s", absent, r.main())
			}
		} else if !strings.Contains(r.body, text) {
			r.t.Errorf("the page lacks %q: %s", text, r.main())
		}
	}
	return r
}

// main returns what is particular to a page.
func (r reply) main() string {
	_, rest, _ := strings.Cut(r.body, "<main")
	main, _, _ := strings.Cut(rest, "</main>")
	return main
}

// leads checks a redirect.
func (r reply) leads(to string) reply {
	r.t.Helper()
	if r.status != http.StatusSeeOther || r.header.Get("Location") != to {
		r.t.Fatalf("got %d to %q, want %q: %s", r.status, r.header.Get("Location"), to, r.body)
	}
	return r
}

// create makes a webhook by the API, and returns its id.
func (s *stage) create(tenant, body string) string {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, "/endpoints", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	done, err := callbacks.Do[callbacks.EndpointView](s.api, callbacks.Caller{Tenant: tenant, Name: "program"}, r)
	must(s.t, err)
	return done.Body.ID
}

// shown returns a webhook as the API has it.
func (s *stage) shown(tenant, id string) callbacks.EndpointView {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/endpoints/"+id, http.NoBody)
	done, err := callbacks.Do[callbacks.EndpointView](s.api, callbacks.Caller{Tenant: tenant}, r)
	must(s.t, err)
	return done.Body
}

// only returns the only webhook of a tenant.
func (s *stage) only(tenant string) callbacks.EndpointView {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/endpoints", http.NoBody)
	done, err := callbacks.Do[callbacks.List[callbacks.EndpointView]](s.api, callbacks.Caller{Tenant: tenant}, r)
	must(s.t, err)
	if len(done.Body.Data) != 1 {
		s.t.Fatalf("there are %d webhooks", len(done.Body.Data))
	}
	return done.Body.Data[0]
}

// happens makes an event of a tenant's for endpoints.
func (s *stage) happens(tenant, before, now string, endpoints ...string) event.Event {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	e := event.Event{
		Type: "items.updated", Key: event.Key{Resource: "items", ID: "42"}, Tenant: tenant, PreviousTenant: tenant, Op: event.OpChange, Time: s.now,
		Payload: []byte(now), ContentType: "application/json",
	}
	if before != "" {
		e.PreviousShow, e.Changed = []byte(before), event.Pointers{"/amount"}
	}
	must(s.t, s.store.Announce(s.t.Context(), e, endpoints))
	rows, _, err := s.store.Events(s.t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(s.t, err)
	return rows[0]
}

// kept returns a webhook as it is delivered to.
func (s *stage) kept(tenant, id string) endpoint.Endpoint {
	s.t.Helper()
	book := subscribers.Book{Store: s.store, Sealer: s.options.Sealer(), Now: s.options.Now}
	e, err := book.Get(s.t.Context(), tenant, id)
	must(s.t, err)
	as, err := e.Resolve(s.options.Template)
	must(s.t, err)
	return as.WithDefaults()
}

// attempt makes an attempt at a webhook's next delivery.
func (s *stage) attempt(endpoint string, code int, answer string, status queue.Status) {
	s.t.Helper()
	a := queue.Attempt{Code: code, Response: []byte(answer), Duration: 12 * time.Millisecond}
	if code >= 400 {
		a.Error = "answered " + http.StatusText(code)
	}
	s.finish(endpoint, a, status)
}

func (s *stage) finish(endpoint string, a queue.Attempt, status queue.Status) {
	s.t.Helper()
	lease, err := s.store.LeaseDelivery(s.t.Context(), endpoint, queue.LeaseOptions{For: time.Minute})
	must(s.t, err)
	a.At = s.now
	must(s.t, s.store.FinishAttempt(s.t.Context(), lease, a, queue.Verdict{Status: status, RetryAt: s.now.Add(time.Hour)}))
}

func template(t *testing.T, text string) event.Template {
	t.Helper()
	made, err := event.ParseTemplate(text)
	must(t, err)
	return made
}
