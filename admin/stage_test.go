// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
)

// engine is a [queue.Engine] whose queue is in memory. With err it cannot be
// opened.
type engine struct {
	dir   string
	store queue.Store
	err   error
}

// putState stores an endpoint's state.
func putState(t *testing.T, store queue.Store, state queue.EndpointState) {
	t.Helper()
	kept, err := state.Record(queue.AnyVersion)
	must(t, err)
	_, err = store.Change(t.Context(), kept)
	must(t, err)
}

func (e *engine) Name() string { return "test" }
func (e *engine) Dir() string  { return e.dir }

func (e *engine) Open(options queue.OpenOptions) (queue.Store, error) {
	if e.err != nil {
		return nil, e.err
	}
	options.Owned()
	return e.store, nil
}

// filer is an engine with files.
type filer struct{ *engine }

func (filer) DiskUsage() (tables, logs, others int64)             { return 11, 22, 33 }
func (filer) Room(queue.Space) (enough bool, free, needed uint64) { return false, 0, 1 }
func (filer) ReleaseReserve() error                               { return nil }
func (filer) SetAside() ([]string, error)                         { return []string{"set-aside-1"}, nil }

// diskStore is a store with all capabilities of queue/capabilities.go but Trimmer
// and Staller.
type diskStore struct {
	*memory.Store
	level     queue.SpaceLevel
	statsErr  atomic.Pointer[error] // the pipeline reads it in the background
	backupErr error
}

func (s *diskStore) CheckSpace() queue.SpaceLevel { return s.level }
func (s *diskStore) Level() queue.SpaceLevel      { return s.level }
func (s *diskStore) FreeSpace() (uint64, queue.Space) {
	return 44, queue.Space{Low: 55, Critical: 66}
}
func (s *diskStore) Damaged() uint64       { return 77 }
func (s *diskStore) Lost() uint64          { return 88 }
func (s *diskStore) WasRestored() bool     { return false }
func (s *diskStore) ForgetRestored() error { return nil }

func (s *diskStore) Stats(ctx context.Context) (queue.Stats, error) {
	if err := s.statsErr.Load(); err != nil {
		return queue.Stats{}, *err
	}
	return s.Store.Stats(ctx)
}

func (s *diskStore) Backup(_ context.Context, w io.Writer, since uint64) (uint64, error) {
	if s.backupErr != nil {
		return 0, s.backupErr
	}
	_, err := io.WriteString(w, strings.Repeat("backup ", int(since)))
	return since, err
}

// metrics counts nothing.
type metrics struct{ emitter.NopMetrics }

func (metrics) GapMarks(string, int)                               {}
func (metrics) Repaired(string)                                    {}
func (metrics) Unresolved(string)                                  {}
func (metrics) Reconciled(string, reconcile.Result, time.Duration) {}
func (metrics) Event(string)                                       {}
func (metrics) Ownerless(string)                                   {}
func (metrics) ConditionFailed(string)                             {}
func (metrics) Notice(string)                                      {}
func (metrics) NoticeLost()                                        {}
func (metrics) Expired(string, int)                                {}

// stage is a server on a pipeline.
type stage struct {
	t      *testing.T
	server *admin.Server
	config *pipeline.Config
}

// newStage returns a server on the pipeline of an engine whose queue is not open
// yet. The endpoints erp and crm are configured.
func newStage(t *testing.T, e queue.Engine) *stage {
	t.Helper()
	log := zap.NewNop()
	line := pipeline.New(e, pipeline.Opening{}, pipeline.Environment{
		Logger: func(string) *zap.Logger { return log }, Metrics: metrics{},
	})
	t.Cleanup(func() {
		if err := line.Destruct(); err != nil {
			t.Error(err)
		}
	})
	events, err := event.ParseFilter("items.*")
	must(t, err)
	secret, err := sign.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	must(t, err)
	endpoints, err := endpoint.NewSet(
		endpoint.Endpoint{Name: "erp", URL: "https://erp.example.com/secret-path", Secrets: []sign.Secret{secret}, Events: events, Tenant: "acme"},
		endpoint.Endpoint{Name: "crm", URL: "https://crm.example.com/secret-path", Secrets: []sign.Secret{secret}},
	)
	must(t, err)
	transport, err := egress.New(egress.Policy{}, egress.Options{})
	must(t, err)
	return &stage{
		t: t,
		server: &admin.Server{
			Pipeline: line, Durability: queue.Process, Uncovered: coverage.New(nil), Log: log,
			Resources: []admin.Resource{
				{Name: "items", Proven: true, Listed: true, Types: []string{"items.created", "items.updated", "items.state.{state}"}},
				{Name: "orders"},
			},
		},
		config: &pipeline.Config{Endpoints: endpoints, Transport: transport},
	}
}

// start opens the queue and puts the configuration to work.
func (s *stage) start() {
	s.t.Helper()
	must(s.t, s.server.Pipeline.Start(s.config))
}

// answer is an answer of the server.
type answer struct {
	status int
	header http.Header
	body   string
}

// do makes a request, and answers errors as Caddy's admin endpoint does.
func (s *stage) do(method, target, body string) answer {
	s.t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	err := s.server.Serve(recorder, request)
	if err == nil {
		return answer{recorder.Code, recorder.Header(), recorder.Body.String()}
	}
	refused, ok := err.(caddy.APIError) //nolint:errorlint // as Caddy does it
	if !ok || recorder.Body.Len() > 0 {
		s.t.Errorf("%s %s: %#v, after %q", method, target, err, recorder.Body)
	}
	return answer{refused.HTTPStatus, recorder.Header(), err.Error()}
}

// fill fills a queue with two events for the endpoint "old", which is not
// configured: the delivery of items/1 is dead, that of items/2 is pending. It
// also has a mark of items/3 that is overdue, and an unresolved exchange. The
// endpoint erp is paused. It returns the id of the event of items/1.
func fill(t *testing.T, store queue.Store) (eventID string) {
	t.Helper()
	ctx := t.Context()
	for _, id := range []string{"1", "2"} {
		must(t, store.Announce(ctx, event.Event{
			Type: "items.updated", Key: event.Key{Resource: "items", ID: id}, Tenant: "acme", Time: time.Now(), Payload: []byte(`{"n":9007199254740993}`),
		}, []string{"old"}))
	}
	lease, err := store.LeaseDelivery(ctx, "old", queue.LeaseOptions{For: time.Minute})
	must(t, err)
	must(t, store.FinishAttempt(ctx, lease, queue.Attempt{At: time.Now(), Code: http.StatusBadGateway, Error: "it is down", Response: []byte("no luck")}, queue.Verdict{Status: queue.StatusDead}))
	must(t, store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{
		Key: event.Key{Resource: "items", ID: "3"}, Hints: queue.HintUpdated, Cause: event.Cause{Rule: "PATCH /items/:id", Outcome: event.OutcomeChanged},
	}}}, true))
	unresolved, err := store.NoteIntent(ctx, queue.Intent{Resource: "items", Kind: event.KindCreate, Rule: "POST /items", Noted: time.Now()})
	must(t, err)
	must(t, store.ResolveIntent(ctx, unresolved, queue.Resolution{Unresolved: "no id"}, true))
	putState(t, store, queue.EndpointState{Name: "erp", Status: queue.EndpointPaused, Reason: "moving"})
	return lease.EventID
}

// newFilledStage returns a server on an open and filled queue that has files.
func newFilledStage(t *testing.T) (s *stage, store *diskStore, eventID string) {
	t.Helper()
	store = &diskStore{Store: memory.New(time.Now)}
	s = newStage(t, filer{&engine{dir: t.TempDir(), store: store}})
	eventID = fill(t, store)
	s.start()
	return s, store, eventID
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// errDisk is the error of a queue whose disk fails.
var errDisk = errors.New("input/output error")

// contains reports whether a text has all that is wanted, and returns the first
// that it lacks.
func contains(text string, wanted ...string) (missing string, ok bool) {
	i := slices.IndexFunc(wanted, func(want string) bool { return !strings.Contains(text, want) })
	if i < 0 {
		return "", true
	}
	return wanted[i], false
}
