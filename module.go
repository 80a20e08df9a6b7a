// SPDX-License-Identifier: Apache-2.0

// Package webhooks gives an existing HTTP API webhooks without a change to
// that API. Caddy proxies the API; the handler in this package watches the
// exchanges that pass, works out which objects they changed, and the app reads
// each changed object's Show and delivers it, signed, durably and in order, to
// everyone who subscribed.
//
// This package is the part that knows Caddy: configuration, lifecycle, wiring.
// The packages below it do the work.
package webhooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/learning"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/internal/livelog"
	"github.com/caddy-webhooks/caddy-webhooks/metrics"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/retention"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App holds the durable queue, the endpoints that receive events, and the work
// between the two. The exchanges themselves are watched by the `webhooks` HTTP
// handler.
type App struct {
	// QueueRaw is where everything is kept that must survive: a storage engine.
	// Default: a Badger queue in the folder `webhooks` of Caddy's data
	// directory.
	QueueRaw json.RawMessage `json:"queue,omitempty" caddy:"namespace=webhooks.queues inline_key=engine"`

	// Durability is what a change survives once the client has its response:
	// `power`, a power cut; or `process`, a crash of the process but not of
	// the machine, which is faster. Default: `power`.
	Durability string `json:"durability,omitempty"`

	// Retention is how long events, deliveries and attempts can be looked up.
	// Deliveries that are pending are kept until they are decided; those of
	// endpoints that are disabled, paused or not configured any more end when
	// they are older. Objects that have been deleted for as long are forgotten.
	// At least 1h. Default: 720h (30 days).
	Retention caddy.Duration `json:"retention,omitempty"`

	// RetentionSize is how large the queue's tables may become, in bytes:
	// beyond that, the oldest history is removed before its time. What is
	// pending stays, but for endpoints that are disabled, paused or not
	// configured any more: of theirs, the oldest go when nothing else is left.
	// At least 268435456 (256 MiB). Default: no limit.
	RetentionSize uint64 `json:"retention_size,omitempty"`

	// FreeSpace says how much of the queue's disk is left alone.
	FreeSpace *FreeSpace `json:"free_space,omitempty"`

	// SecretsKeys are the keys that seal secrets in the queue: the first seals,
	// all of them open, so that a key can be replaced without a gap. Each is
	// the base64 of 32 bytes; write placeholders such as `{file./run/key}`.
	// What is sealed with a previous key is sealed again when it is used.
	// Default: a key that is made and kept in the queue's directory, which
	// protects backups, and nothing from who can read that directory.
	SecretsKeys []string `json:"secrets_keys,omitempty"`

	// Endpoints are the subscribers that the operator has fixed.
	Endpoints []*Endpoint `json:"endpoints,omitempty"`

	// Egress says where deliveries may go. Default: to public addresses, over
	// HTTPS with a valid certificate.
	Egress *Egress `json:"egress,omitempty"`

	// Subscribers says what subscribers may have who manage their own endpoints, where
	// a `webhooks_api` lets them.
	Subscribers *syntax.Subscribers `json:"subscribers,omitempty"`

	ctx        caddy.Context
	log        *zap.Logger
	durability queue.Durability
	keys       []seal.Key
	endpoints  *endpoint.Set
	// named holds the endpoints whose receivers are named by requests, by the
	// endpoints' names.
	named map[string]endpoint.Endpoint
	// shared, tenanted and keyed are true if an API for subscribers has callers who are one
	// tenant, who have tenants, or who are known by keys.
	shared, tenanted, keyed bool
	// served are the handlers for subscribers, as they are configured, by their names.
	served map[string][]any
	// template is what all endpoints of subscribers have.
	template endpoint.Endpoint
	// objectRoutes are the routes of such APIs that are about objects of resources.
	objectRoutes []*syntax.Route
	// drops is true if some endpoint wants nothing kept while it is disabled.
	drops  bool
	events *caddyevents.App
	// catalogue knows and learns of the types of events, from Start to Stop.
	catalogue learning.Catalogue
	// policy says where deliveries may go, and transport keeps to it. Requests
	// may come before the app starts, and that completes the policy.
	policy    egress.Policy
	transport atomic.Pointer[egress.Transport]

	// pipeline is acquired by Provision, under the name queue, until Cleanup.
	// Config is what Start has handed down to it.
	pipeline *pipeline.Pipeline
	queue    string
	acquired bool
	config   *pipeline.Config
	// files are those that the configuration names, and refresher keeps what was read
	// of them up to date from Start to Stop.
	files     *files
	refresher *refresher

	mu       sync.Mutex
	handlers []*Handler
	owners   map[string]*Handler // by resource
}

// pipelines holds what outlives a configuration, by the queue's name: the old
// configuration still has requests under way, and still holds the queue, when the
// new one starts. A key with more in it would let a changed option open the same
// queue twice.
var pipelines = caddy.NewUsagePool()

// counted has the metrics of all configurations.
var counted = metrics.New(func() *zap.Logger { return pipelineLogger("metrics") })

// environment is what pipelines get from this process.
var environment = pipeline.Environment{Logger: pipelineLogger, Metrics: counted, Tracer: &traces}

// pipelineLogger returns the logger of a part of the pipeline. It is sparing if
// exchanges can cause its messages.
func pipelineLogger(part string) *zap.Logger {
	log := livelog.New(part)
	if part == "engine" {
		log = livelog.Sparing(log)
	}
	return log
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "webhooks",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision prepares the app. It does not touch the disk, so that a
// configuration can be validated while another process holds the queue.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.log, a.served = ctx, ctx.Logger(), make(map[string][]any)
	if a.Durability == "" {
		a.Durability = queue.Power.String()
	}
	if a.Retention == 0 {
		a.Retention = caddy.Duration(queue.DefaultRetention)
	}
	var err error
	if a.durability, err = queue.ParseDurability(a.Durability); err != nil {
		return fmt.Errorf("durability is power or process, not %q", a.Durability)
	}
	engine, err := a.provisionQueue(ctx)
	if err != nil {
		return err
	}
	if err := a.Subscribers.Check(); err != nil {
		return err
	}
	if a.template, err = a.Subscribers.Endpoints().Template(); err != nil {
		return err
	}
	a.files = newFiles()
	if a.keys, err = a.secretsKeys(); err != nil {
		return err
	}
	if err := a.provisionEndpoints(); err != nil {
		return err
	}
	if err := a.provisionEvents(ctx); err != nil {
		return err
	}
	value, _, err := pipelines.LoadOrNew(engine.Name(), func() (caddy.Destructor, error) {
		return pipeline.New(engine, a.opening(), environment), nil
	})
	if err != nil {
		return err
	}
	a.pipeline, a.queue, a.acquired = value.(*pipeline.Pipeline), engine.Name(), true
	return counted.Register(ctx.GetMetricsRegistry(), a.pipeline, a.withoutEffect)
}

// opening returns how the queue is opened.
func (a *App) opening() pipeline.Opening {
	return pipeline.Opening{
		Settings: queue.Settings{Durability: a.durability, Retention: time.Duration(a.Retention)},
		Space:    a.FreeSpace.space(),
		Keys:     a.keys,
	}
}

// secretsKeys reads the keys that the configuration names.
func (a *App) secretsKeys() ([]seal.Key, error) {
	var keys []seal.Key
	for i, text := range a.SecretsKeys {
		plain, err := fill(newFiller(a.files), fmt.Sprintf("secrets_key, key %d", i+1), text)
		if err != nil {
			return nil, err
		}
		key, err := seal.ParseKey(plain)
		if err != nil {
			return nil, fmt.Errorf("secrets_key, key %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Validate checks what Provision has not.
func (a *App) Validate() error {
	if time.Duration(a.Retention) < retention.MinAge {
		return fmt.Errorf("retention %s is too short to look into what went wrong; it must be at least %s", time.Duration(a.Retention), retention.MinAge)
	}
	return a.validateQueue()
}

// Start opens the queue and begins to work.
func (a *App) Start() error {
	if err := a.refuseSelf(); err != nil {
		return fmt.Errorf("starting webhooks: %w", err)
	}
	if err := a.checkOwners(); err != nil {
		return fmt.Errorf("starting webhooks: %w", err)
	}
	if err := a.checkObjects(); err != nil {
		return fmt.Errorf("starting webhooks: %w", err)
	}
	if err := a.startCatalogue(); err != nil {
		return fmt.Errorf("starting webhooks: %w", err)
	}
	a.configureFronts()
	a.config = &pipeline.Config{
		Opening:       a.opening(),
		RetentionSize: a.RetentionSize,
		Lag:           a.lag(),
		Resources:     a.intakeResources(),
		Plan:          a.plan(),
		Endpoints:     a.endpoints,
		Template:      a.template,
		Offer:         a.Subscribers.Endpoints().Offer(),
		Callbacks:     a.callbacks(),
		Policy:        a.policy,
		Transport:     a.transport.Load(),
		Tell:          a.tell,
	}
	if err := a.pipeline.Start(a.config); err != nil {
		return fmt.Errorf("starting webhooks: %w", err)
	}
	for _, h := range a.handlers {
		uncovered.Forget(h.rules.Covers)
	}
	a.compareUnmatched()
	a.logStart()
	a.logUnmade()
	a.startRefreshing()
	return nil
}

// logStart says what this configuration watches, and whom it tells.
func (a *App) logStart() {
	var resources []string
	for _, r := range a.resources() {
		resources = append(resources, fmt.Sprintf("%s (%s, %d rules)", r.Name, r.Asks(), len(r.Rules)))
	}
	var endpoints []string
	for e := range a.endpoints.All() {
		endpoints = append(endpoints, e.Name)
	}
	a.log.Info("webhooks are on", zap.Strings("resources", resources), zap.Strings("endpoints", endpoints))
}

// Stop ends the work of this configuration. The queue stays open: requests of
// this configuration may still be under way, and on exit the HTTP app may stop
// after this one.
func (a *App) Stop() error {
	a.refresher.stop()
	a.catalogue.Stop()
	a.pipeline.Stop(a.config)
	return nil
}

// Cleanup releases the queue. Caddy calls it also after a Provision that failed, so
// it releases no more than this app has acquired.
func (a *App) Cleanup() error {
	if !a.acquired {
		return nil
	}
	a.acquired = false
	a.logValidated()
	a.refresher.stop()
	a.catalogue.Stop()
	// A Start that fails is not followed by a Stop.
	a.pipeline.Stop(a.config)
	_, err := pipelines.Delete(a.queue)
	return err
}

// register takes the resources of a handler. Handlers are provisioned before
// any app starts.
func (a *App) register(h *Handler) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.owners == nil {
		a.owners = make(map[string]*Handler)
	}
	for _, r := range h.rules.Resources {
		if r.Name == emitter.OperationalResource {
			return fmt.Errorf("resource %s has the name that operational events use; give it another", r.Name)
		}
		if err := a.checkDifferences(r); err != nil {
			return err
		}
		other := a.owners[r.Name]
		// A snippet that two sites import makes two handlers that are one.
		if other != nil && !bytes.Equal(other.declared, h.declared) {
			return fmt.Errorf("resource %s is declared by two handlers with different rules; "+
				"objects of both would share their names, so give one of them another name", r.Name)
		}
		a.owners[r.Name] = h
	}
	a.handlers = append(a.handlers, h)
	return nil
}

// sink returns the options that say where a handler's watcher takes its findings,
// of which no more than half of its looks come from clients.
func (a *App) sink(lookRate float64) exchange.Options {
	budget := rate.NewLimiter(rate.Limit(lookRate/2), max(int(lookRate/2), 1))
	return exchange.Options{
		Notes:       a.pipeline.Intake,
		NoteTimeout: environment.DiskTimeout,
		Seal: func(resource string, named exchange.Callback) ([]byte, error) {
			return a.pipeline.SealCallback(a.transport.Load(), resource, named)
		},
		Observe: func(of *rules.Resource, key event.Key, passed show.Show) {
			a.pipeline.Observe(reconcile.Observation{
				Key: key, Version: of.Version, Show: passed, Comparison: comparison(of), Budget: budget,
			})
		},
		Trace:   traces.exchange,
		Hops:    a.pipeline.Hops,
		Metrics: counted,
	}
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
