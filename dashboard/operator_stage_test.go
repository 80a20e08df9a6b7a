// SPDX-License-Identifier: Apache-2.0

package dashboard_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/metrics/series"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// engine is a [queue.Engine] whose queue is in memory. With err it cannot be opened.
type engine struct {
	dir   string
	store queue.Store
	err   error
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

func (*engine) DiskUsage() (tables, logs, others int64)             { return 3 << 20, 1 << 20, 0 }
func (*engine) Room(queue.Space) (enough bool, free, needed uint64) { return false, 0, 1 }
func (*engine) ReleaseReserve() error                               { return nil }
func (*engine) SetAside() ([]string, error)                         { return nil, nil }

// spaced is a store with a disk.
type spaced struct{ *memory.Store }

func (*spaced) CheckSpace() queue.SpaceLevel { return queue.SpaceEnough }
func (*spaced) Level() queue.SpaceLevel      { return queue.SpaceEnough }
func (*spaced) FreeSpace() (uint64, queue.Space) {
	return 5 << 30, queue.Space{Low: 2 << 30, Critical: 1 << 30}
}

// uncounted counts nothing.
type uncounted struct{ emitter.NopMetrics }

func (uncounted) GapMarks(string, int)                               {}
func (uncounted) Repaired(string)                                    {}
func (uncounted) Unresolved(string)                                  {}
func (uncounted) Reconciled(string, reconcile.Result, time.Duration) {}
func (uncounted) Event(string)                                       {}
func (uncounted) Ownerless(string)                                   {}
func (uncounted) ConditionFailed(string)                             {}
func (uncounted) Notice(string)                                      {}
func (uncounted) NoticeLost()                                        {}
func (uncounted) Expired(string, int)                                {}

// lastDay is a [dashboard.Recent] of half a day.
type lastDay struct {
	counts series.Counts
	ring   series.Ring
}

func (d *lastDay) Since() time.Time { return d.ring.Since() }
func (d *lastDay) Points(_ context.Context, now time.Time, period time.Duration, n int) []series.Point {
	return d.ring.Points(d.counts.Sample(now, series.Waiting{Marks: 3, Deliveries: 40}), period, n)
}

// operated is a stage with pages of operators: olga is one.
type operated struct {
	*stage
	server *admin.Server
	engine *engine
	day    *lastDay
	words  []effect.Line
}

// newOperated returns a stage whose queue is open, with the endpoints erp, of acme, and crm
// in the configuration.
func newOperated(t *testing.T, with ...func(*operated)) *operated {
	t.Helper()
	o := &operated{engine: &engine{dir: t.TempDir()}, day: &lastDay{}}
	store := memory.New(time.Now)
	o.engine.store = &spaced{store}
	log := zap.NewNop()
	line := pipeline.New(o.engine, pipeline.Opening{}, pipeline.Environment{Logger: func(string) *zap.Logger { return log }, Metrics: uncounted{}})
	t.Cleanup(func() { must(t, line.Destruct()) })
	o.server = &admin.Server{
		Pipeline: line, Durability: queue.Process, Uncovered: coverage.New(nil), Log: log, Words: func() []effect.Line { return o.words },
		Resources: []admin.Resource{{Name: "items", Proven: true, Listed: true, Types: []string{"items.updated"}}, {Name: "orders"}},
		Configuration: func() (json.RawMessage, error) {
			return json.RawMessage(`{"webhooks":{"durability":"power","secrets_keys":["hush"]}}`), nil
		},
	}
	o.stage = newStage(t, func(s *stage) {
		s.now = time.Now()
		s.store = store
		s.options.Queue = line.Queue
		s.options.Emitter = func() callbacks.Emitter { return line.Emitter() }
		s.options.Sealer = func() subscribers.Sealer { return line.Keyring() }
		s.options.Applied, s.options.Unverified = line.Applied, true
		s.admin, s.recent = func() *admin.Server { return o.server }, o.day
	})
	o.server.Tenant = func(tenant string) http.Handler {
		options := o.options
		options.Authorize = []callbacks.Authorize{callbacks.AsOperator(tenant)}
		return callbacks.New(options, callbacks.NoLimits())
	}
	for _, change := range with {
		change(o)
	}
	must(t, line.Start(&pipeline.Config{Endpoints: configured(t), Transport: nowhere(t)}))
	return o
}

// configured are the endpoints of the configuration.
func configured(t *testing.T) *endpoint.Set {
	t.Helper()
	events, err := event.ParseFilter("items.*")
	must(t, err)
	secret, err := sign.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	must(t, err)
	set, err := endpoint.NewSet(
		endpoint.Endpoint{Name: "erp", URL: "https://erp.example.com/secret-path", Secrets: []sign.Secret{secret}, Events: events, Tenant: "acme"},
		endpoint.Endpoint{Name: "crm", URL: "https://crm.example.com/secret-path", Secrets: []sign.Secret{secret}},
	)
	must(t, err)
	return set
}

// nowhere is a transport that may send nowhere.
func nowhere(t *testing.T) *egress.Transport {
	t.Helper()
	transport, err := egress.New(egress.Policy{OnlyHosts: []string{"nowhere.invalid"}}, egress.Options{})
	must(t, err)
	return transport
}

func (o *operated) get(path string) reply {
	o.t.Helper()
	return o.as("olga", http.MethodGet, "/operator/"+path, nil)
}

func (o *operated) post(path string, pairs ...string) reply {
	o.t.Helper()
	form := formOf(pairs...)
	if form == nil {
		form = url.Values{}
	}
	return o.as("olga", http.MethodPost, "/operator/"+path, form)
}

// dead makes a dead delivery to an endpoint that is not there, of an object.
func (o *operated) dead(endpoint, id, reason string) event.Event {
	o.t.Helper()
	must(o.t, o.store.Announce(o.t.Context(), event.Event{
		Type: "items.updated", Key: event.Key{Resource: "items", ID: id}, Tenant: "acme", Time: time.Now(), Payload: []byte(`{"secret":"payload"}`),
	}, []string{endpoint}))
	lease, err := o.store.LeaseDelivery(o.t.Context(), endpoint, queue.LeaseOptions{For: time.Minute})
	must(o.t, err)
	must(o.t, o.store.FinishAttempt(o.t.Context(), lease, queue.Attempt{At: time.Now(), Code: http.StatusBadGateway, Error: reason}, queue.Verdict{Status: queue.StatusDead}))
	rows, _, err := o.store.Events(o.t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(o.t, err)
	return rows[0]
}

// failing makes a mark of an object that was tried in vain, and is due later.
func (o *operated) failing(id, reason string) {
	o.t.Helper()
	o.mark(id)
	lease, err := o.store.LeaseMark(o.t.Context(), "items", time.Minute)
	must(o.t, err)
	if lease.Key.ID != id {
		o.t.Fatalf("the mark of %s was due before", lease.Key)
	}
	must(o.t, o.store.RetryMark(o.t.Context(), lease, time.Now().Add(time.Hour), reason))
}

func (o *operated) mark(id string) {
	o.t.Helper()
	must(o.t, o.store.ResolveIntent(o.t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{
		Key: event.Key{Resource: "items", ID: id}, Hints: queue.HintUpdated, Cause: event.Cause{Rule: "PATCH /items/:id", Outcome: event.OutcomeChanged},
	}}}, true))
}

// unresolved makes a record of a change whose object is not known, and returns its number.
func (o *operated) unresolved(resource, reason string) queue.IntentID {
	o.t.Helper()
	id, err := o.store.NoteIntent(o.t.Context(), queue.Intent{Resource: resource, Kind: event.KindCreate, Rule: "POST /" + resource, Noted: time.Now()})
	must(o.t, err)
	must(o.t, o.store.ResolveIntent(o.t.Context(), id, queue.Resolution{Unresolved: reason}, true))
	return id
}

// uncover counts a request that no rule matches.
func (o *operated) uncover(method, path string) {
	o.server.Uncovered.Note(method, path)
}

// audited returns the actions that stand in the audit, sorted.
func (o *operated) audited() (lines []string) {
	o.t.Helper()
	rows, _, err := o.store.Records(o.t.Context(), subscribers.KindAudit, queue.Page{Limit: 100})
	must(o.t, err)
	for i := range rows {
		a, err := subscribers.AuditedOf(rows[i])
		must(o.t, err)
		lines = append(lines, rows[i].Owner+" "+a.Action+" "+a.Object+" "+a.Who+" "+a.By)
	}
	slices.Sort(lines)
	return lines
}
