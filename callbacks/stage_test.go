// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// prober is a [Prober] that sends nothing.
type prober struct {
	mu     sync.Mutex
	refuse bool
	urls   []string
	// during, if not nil, is called while a test is under way.
	during func()
}

func (p *prober) Check(e *subscribers.Endpoint) error {
	if strings.Contains(e.URL, "inner.example") {
		return &subscribers.FieldError{Pointer: "/url", Detail: "the URL cannot be used", Remedy: "use another"}
	}
	return checkSignature(e.Signature)
}

func (p *prober) Probe(_ context.Context, e *subscribers.Endpoint) (emitter.Probed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.urls = append(p.urls, e.URL)
	if p.during != nil {
		p.during()
	}
	probed := emitter.Probed{
		Header: http.Header{"Webhook-Id": {"test_1"}, "Authorization": {emitter.Masked}}, Body: []byte(`{"test":true}`), Accepted: !p.refuse,
		Attempt: queue.Attempt{Code: 204, Duration: 83 * time.Millisecond},
	}
	if p.refuse {
		probed.Attempt.Code, probed.Attempt.Error, probed.Attempt.Response = 500, "answered 500 Internal Server Error", []byte("no\xff")
	}
	return probed, nil
}

// standings is an [Emitter] that knows what it is told.
type standings struct {
	of      map[string]emitter.Standing
	resumed []string
}

func (s *standings) Standing(name string) (emitter.Standing, bool) {
	of, known := s.of[name]
	return of, known
}

func (s *standings) Resume(_ context.Context, name string) error {
	s.resumed = append(s.resumed, name)
	s.of[name] = emitter.Standing{EndpointState: queue.EndpointState{Name: name, Status: queue.EndpointActive}}
	return nil
}

// stage is a server with two tenants, acme and umbrella.
type stage struct {
	t       *testing.T
	server  *Server
	options *Options
	store   queue.Store
	prober  *prober
	fares   *standings
	now     time.Time
	// keys are those of the tenants.
	keys map[string]string
	log  *bytes.Buffer
	// document returns what answers are checked by, made for the first of them.
	document func() *openAPI
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStage(t *testing.T, with ...func(*Options)) *stage {
	t.Helper()
	s := &stage{
		t: t, prober: &prober{}, fares: &standings{of: map[string]emitter.Standing{}}, keys: map[string]string{}, log: &bytes.Buffer{},
		now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
	}
	return s.on(memory.New(func() time.Time { return s.now }), with...)
}

// on puts the stage on a queue.
func (s *stage) on(store queue.Store, with ...func(*Options)) *stage {
	s.t.Helper()
	s.store = store
	s.t.Cleanup(func() { must(s.t, store.Close()) })
	keyring, err := seal.NewKeyring(seal.NewKey())
	must(s.t, err)
	clock := func() time.Time { return s.now }
	s.options = &Options{
		Queue: func() queue.Store { return s.store }, Emitter: func() Emitter { return s.fares },
		Sealer: func() subscribers.Sealer { return keyring }, Prober: s.prober, Authorize: []Authorize{ByKey(clock)},
		Base: func(*http.Request) string { return "/webhooks" }, Now: clock,
		Log: zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(s.log), zap.DebugLevel)),
	}
	for _, change := range with {
		change(s.options)
	}
	s.server = New(*s.options, NewLimits())
	s.document = sync.OnceValue(s.documented)
	keys := subscribers.Keys{Store: store, Now: clock}
	for _, tenant := range []string{"acme", "umbrella"} {
		_, text, err := keys.Create(s.t.Context(), subscribers.Key{Tenant: tenant, Name: "first"}, nil)
		must(s.t, err)
		s.keys[tenant] = text
	}
	return s
}

// reply is an answer of the server.
type reply struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// as makes a request as a tenant; more are names and values of headers.
func (s *stage) as(tenant, method, path, body string, more ...string) reply {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequestWithContext(s.t.Context(), method, path, http.NoBody)
	}
	if key := s.keys[tenant]; key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(more, 2) {
		r.Header.Set(pair[0], strings.Join(pair[1:], ""))
	}
	return s.serve(r)
}

func (s *stage) serve(r *http.Request) reply {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	got := reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	if got.body != "" && strings.Contains(w.Header().Get("Content-Type"), "json") {
		var value any
		if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
			s.t.Errorf("%s %s: %v in %q", r.Method, r.URL, err, got.body)
		}
		got.json, _ = value.(map[string]any)
	}
	if w.Code >= 400 {
		s.checkProblem(r, got)
	}
	s.described(r, got)
	return got
}

// checkProblem checks that an answer is a problem as RFC 9457 has them.
func (s *stage) checkProblem(r *http.Request, got reply) {
	s.t.Helper()
	if r.Method == http.MethodHead {
		return
	}
	if got.header.Get("Content-Type") != "application/problem+json" || got.json["status"] != float64(got.status) || got.json["title"] == "" ||
		!strings.HasPrefix(got.json["type"].(string), "problems/") {
		s.t.Errorf("%s %s: %d %q is no problem", r.Method, r.URL, got.status, got.body)
	}
}

// want checks a status, and texts of the body.
func (r reply) want(t *testing.T, status int, texts ...string) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("got %d, want %d: %s", r.status, status, r.body)
	}
	for _, text := range texts {
		if !strings.Contains(r.body, text) {
			t.Errorf("%q lacks %q", r.body, text)
		}
	}
	return r
}

// text returns a member of the answer.
func (r reply) text(name string) string {
	text, _ := r.json[name].(string)
	return text
}

// pointers returns the pointers of a problem.
func (r reply) pointers() (all []string) {
	for _, field := range r.json["errors"].([]any) {
		all = append(all, field.(map[string]any)["pointer"].(string))
	}
	return all
}

const simple = `{"label":"ERP","url":"https://erp.example/h","events":["items.*"]}`

// create makes an endpoint, and returns its id.
func (s *stage) create(tenant, body string, more ...string) reply {
	s.t.Helper()
	return s.as(tenant, http.MethodPost, "/endpoints", body, more...).want(s.t, http.StatusCreated)
}

var errDisk = errors.New("input/output error")
