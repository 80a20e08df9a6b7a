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
	"github.com/caddy-webhooks/caddy-webhooks/show"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

func init() {
	caddy.RegisterModule(new(App))
}

// What an acknowledged write survives.
const (
	durabilityPower   = "power"
	durabilityProcess = "process"
)

const (
	defaultRetention = 30 * 24 * time.Hour
	minRetention     = time.Hour
)

// App holds the durable queue, the endpoints that receive events, and the work
// between the two. The exchanges themselves are watched by the `webhooks` HTTP
// handler.
type App struct {
	// Queue is where everything is kept that must survive. Default: a Badger
	// queue in the folder `webhooks` of Caddy's data directory.
	Queue *Queue `json:"queue,omitempty"`

	// Durability says what a change survives that the client was told of:
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
	// At least 268435456 (256 MiB). Default: no bound.
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

	ctx       caddy.Context
	log       *zap.Logger
	dir       string
	engine    *engine
	acquired  bool
	keys      []seal.Key
	endpoints *endpoint.Set
	policy    egress.Policy
	transport *egress.Transport
	// named has the endpoints whose receivers requests name, by name.
	named map[string]endpoint.Endpoint
	// drops is true if some endpoint wants nothing kept while it is disabled.
	drops  bool
	events *caddyevents.App

	mu       sync.Mutex
	handlers []*Handler
	owners   map[string]*Handler // by resource
}

// Queue says where the durable queue is.
type Queue struct {
	// Engine is the storage engine. Default and only choice: `badger`, which
	// is built in and belongs to one Caddy process.
	Engine string `json:"engine,omitempty"`

	// Dir is the queue's directory. It is made if it does not exist, for this
	// user alone. Placeholders such as `{env.NAME}` are replaced. Default:
	// the folder `webhooks` in Caddy's data directory.
	Dir string `json:"dir,omitempty"`
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
	a.ctx, a.log = ctx, ctx.Logger()
	if a.Queue == nil {
		a.Queue = new(Queue)
	}
	if a.Durability == "" {
		a.Durability = durabilityPower
	}
	if a.Retention == 0 {
		a.Retention = caddy.Duration(defaultRetention)
	}
	if err := a.provisionDir(); err != nil {
		return err
	}
	if err := a.provisionSecrets(); err != nil {
		return err
	}
	if err := a.provisionEndpoints(); err != nil {
		return err
	}
	if err := a.provisionEvents(ctx); err != nil {
		return err
	}
	value, _, err := engines.LoadOrNew(a.dir, func() (caddy.Destructor, error) {
		return newEngine(a.dir), nil
	})
	if err != nil {
		return err
	}
	a.engine = value.(*engine)
	a.acquired = true
	return metrics.register(ctx.GetMetricsRegistry(), a.engine)
}

func (a *App) provisionDir() error {
	if a.Queue.Engine != "" && a.Queue.Engine != "badger" {
		return fmt.Errorf("queue: there is no engine %q; use `queue badger DIR`", a.Queue.Engine)
	}
	dir := a.Queue.Dir
	if dir == "" {
		dir = filepath.Join(caddy.AppDataDir(), "webhooks")
	}
	dir, err := caddy.NewReplacer().ReplaceOrErr(dir, true, true)
	if err != nil {
		return fmt.Errorf("queue badger %s: %w; set what the placeholder stands for", a.Queue.Dir, err)
	}
	a.dir, err = filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("queue badger %s: %w", a.Queue.Dir, err)
	}
	return nil
}

// Validate checks what Provision has not.
func (a *App) Validate() error {
	if a.Durability != durabilityPower && a.Durability != durabilityProcess {
		return fmt.Errorf("durability is power or process, not %q", a.Durability)
	}
	if time.Duration(a.Retention) < minRetention {
		return fmt.Errorf("retention %s is too short to look into what went wrong; it must be at least %s", time.Duration(a.Retention), minRetention)
	}
	return a.validateQueue()
}

// Start opens the queue and begins to work.
func (a *App) Start() error {
	if err := a.refuseOwn(); err != nil {
		return fmt.Errorf("starting webhooks: %w", err)
	}
	if err := a.engine.start(a); err != nil {
		return fmt.Errorf("starting webhooks: %w", err)
	}
	return nil
}

// Stop ends the work of this configuration. The queue stays open: requests of
// this configuration may still be under way, and on exit the HTTP app may stop
// after this one.
func (a *App) Stop() error {
	a.engine.stop(a)
	return nil
}

// Cleanup lets go of the queue. Caddy calls it also after a Provision that
// failed, so it releases no more than this app has acquired.
func (a *App) Cleanup() error {
	if !a.acquired {
		return nil
	}
	a.acquired = false
	// A Start that fails is not followed by a Stop.
	a.engine.stop(a)
	_, err := engines.Delete(a.dir)
	return err
}

func (a *App) durability() queue.Durability {
	if a.Durability == durabilityProcess {
		return queue.Process
	}
	return queue.Power
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

// sink returns where a handler's watcher takes what it finds.
func (a *App) sink() exchange.Options {
	return exchange.Options{
		Notes: a, Seal: a.sealCallback, Observe: a.observe, Unmatched: uncovered.Note,
		Trace: traces.exchange, Hops: a.hopsOf, Metrics: metrics,
	}
}

// Note implements [exchange.Notes].
func (a *App) Note(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	return a.engine.note(ctx, a, intent)
}

// Resolve implements [exchange.Notes].
func (a *App) Resolve(ctx context.Context, resource string, id queue.IntentID, resolution queue.Resolution, durable bool) {
	a.engine.resolve(ctx, resource, id, resolution, durable)
}

func (a *App) observe(of *rules.Resource, key event.Key, passed show.Show) {
	a.engine.sight(of, sighting{key, passed})
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
