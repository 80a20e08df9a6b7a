// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// counts counts what passes without the queue, and nothing else.
type counts struct {
	emitter.NopMetrics
	noted, missed atomic.Int64
}

func (c *counts) Gap(string)               { c.noted.Add(1) }
func (c *counts) GapMarks(_ string, n int) { c.missed.Add(int64(n)) }

func (*counts) Repaired(string)                                    {}
func (*counts) Unresolved(string)                                  {}
func (*counts) Reconciled(string, reconcile.Result, time.Duration) {}
func (*counts) Event(string)                                       {}
func (*counts) Ownerless(string)                                   {}
func (*counts) ConditionFailed(string)                             {}
func (*counts) Notice(string)                                      {}
func (*counts) NoticeLost()                                        {}
func (*counts) Expired(string, int)                                {}
func (*counts) Exchange(string, event.Kind, event.Outcome)         {}
func (*counts) CallbackRefused(string)                             {}
func (*counts) Unmatched()                                         {}

// silent is an environment that says nothing, and whose disk is fast enough on
// any machine.
func silent() Environment {
	return Environment{
		Logger: func(string) *zap.Logger { return zap.NewNop() }, Metrics: new(counts),
		OpenTimeout: time.Hour, DiskTimeout: queue.Timeout,
	}
}

// smallSpace is the space of a disk that the test decides on.
var smallSpace = queue.Space{Reserve: 1}

// newPipeline returns a pipeline with a queue of its own, which ends with the
// test. FreeSpace may be nil.
func newPipeline(t *testing.T, env Environment, freeSpace badger.FreeSpace) *Pipeline {
	t.Helper()
	p := New(badger.Engine{Directory: t.TempDir(), FreeSpace: freeSpace}, Opening{Space: smallSpace}, env)
	t.Cleanup(func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// opened opens a pipeline's queue.
func opened(t *testing.T, p *Pipeline) queue.Store {
	t.Helper()
	store, err := p.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// newConfig returns a configuration in which there is nothing to do.
func newConfig(t *testing.T) *Config {
	t.Helper()
	transport, err := egress.New(egress.Policy{}, egress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := endpoint.NewSet()
	if err != nil {
		t.Fatal(err)
	}
	return &Config{Opening: Opening{Space: smallSpace}, Endpoints: endpoints, Transport: transport}
}

// capture is how much of bodies the watchers of these tests copy.
const capture = 16 << 20

// watching returns a watcher of a resource in front of a pipeline.
func watching(t *testing.T, p *Pipeline, resource *syntax.Resource) *exchange.Watcher {
	t.Helper()
	return exchange.New(watchOptions(t, p, resource))
}

// watchOptions returns the options of a watcher.
func watchOptions(t *testing.T, p *Pipeline, resource *syntax.Resource) exchange.Options {
	t.Helper()
	set, err := rules.Compile([]*syntax.Resource{resource}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return exchange.Options{
		Rules: set, UpstreamTimeout: 30 * time.Second, Capture: capture, NoteTimeout: p.env.DiskTimeout,
		Notes: p.Intake, Metrics: p.env.Metrics.(*counts),
	}
}

// send passes a request through a watcher to an API, as Caddy's server does.
func send(w *exchange.Watcher, method, target, body string, api caddyhttp.HandlerFunc) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	recorder := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
	return recorder, w.Serve(recorder, rules.Request{HTTP: r, Method: method, Limit: capture}, api)
}

func answers(status int, body string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(status)
		_, err := io.WriteString(w, body)
		return err
	}
}

// eventually waits for the state of another goroutine.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within two minutes", what)
		}
	}
}

func synctestRun(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// testEngine opens a queue that the test makes.
type testEngine struct {
	dir string
	// store is the queue, and open, if not nil, opens it instead.
	store queue.Store
	open  func(queue.OpenOptions) (queue.Store, error)
	// full is true while the disk has no room for the queue.
	full atomic.Bool
	// opened holds the options of each opening.
	opened []queue.OpenOptions
}

func (*testEngine) Name() string  { return "test" }
func (e *testEngine) Dir() string { return e.dir }

func (e *testEngine) Open(options queue.OpenOptions) (queue.Store, error) {
	e.opened = append(e.opened, options)
	if e.open != nil {
		return e.open(options)
	}
	options.Owned()
	return e.store, nil
}

func (e *testEngine) Room(queue.Space) (enough bool, free, needed uint64) {
	return !e.full.Load(), 0, 0
}

func (*testEngine) DiskUsage() (tables, logs, others int64) { return 0, 0, 0 }
func (*testEngine) ReleaseReserve() error                   { return nil }
func (*testEngine) SetAside() ([]string, error)             { return nil, nil }

// unmonitored gives a pipeline a monitor that looks only when the test does.
func unmonitored(p *Pipeline) *monitor {
	m := &monitor{pipeline: p, cancel: func() {}, done: make(chan struct{}), kept: make(chan struct{}), low: make(chan struct{}, 1)}
	close(m.done)
	close(m.kept)
	p.monitor = m
	return m
}
