// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// queueModules is the namespace of the storage engines.
const queueModules = "webhooks.queues"

// defaultEngine is the storage engine if none is named.
const defaultEngine = "badger"

// QueueModule is a Caddy module in the namespace `webhooks.queues`: a storage
// engine.
type QueueModule interface {
	// Engine returns the engine, once the module is provisioned. It does not
	// touch the queue.
	Engine() queue.Engine
}

// FreeSpace says how much of the queue's disk is left alone. A full disk would
// end the process, and the API with it; so the queue stops before.
type FreeSpace struct {
	// Low is the free space below which the queue takes little more, in
	// bytes: history is trimmed, and which resources may have changed is noted
	// instead of which objects. Default: 1 GiB, or a fifth of a smaller
	// volume.
	Low uint64 `json:"low,omitempty"`

	// Critical is the free space below which the queue closes, and the API
	// goes on without it until there is more, in bytes. At least 201326592
	// (192 MiB). Default: 384 MiB, or an eighth of a smaller volume.
	Critical uint64 `json:"critical,omitempty"`

	// Reserve is the size of a file that holds room for closing the queue and
	// for opening it again, in bytes. Default: 128 MiB, or a sixteenth of a
	// smaller volume.
	Reserve uint64 `json:"reserve,omitempty"`
}

// minRetentionSize is the least limit of history: so much may stand in tables
// that Badger has not compacted yet.
const minRetentionSize = 256 << 20

func (f *FreeSpace) space() queue.Space {
	if f == nil {
		return queue.Space{}
	}
	return queue.Space{Low: f.Low, Critical: f.Critical, Reserve: f.Reserve}
}

// provisionQueue loads the storage engine.
func (a *App) provisionQueue(ctx caddy.Context) (queue.Engine, error) {
	var err error
	if a.QueueRaw, err = withEngine(a.QueueRaw); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	module, err := ctx.LoadModule(a, "QueueRaw")
	if err != nil {
		return nil, fmt.Errorf("queue: %w; %s", err, knownEngines())
	}
	engine := module.(QueueModule).Engine()
	return engine, a.checkFiles(engine)
}

// checkFiles refuses limits of a disk that an engine does not have.
func (a *App) checkFiles(engine queue.Engine) error {
	if _, ok := engine.(queue.Filer); ok {
		return nil
	}
	switch {
	case a.RetentionSize != 0:
		return fmt.Errorf("retention: this engine keeps no files here, so that a size limits nothing; leave it out")
	case a.FreeSpace != nil:
		return fmt.Errorf("free_space: this engine keeps no files here, so that there is no disk to leave alone; leave it out")
	}
	return nil
}

// withEngine adds the default engine to a configuration that names none.
func withEngine(raw json.RawMessage) (json.RawMessage, error) {
	fields := make(map[string]json.RawMessage)
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &fields); err != nil {
			return nil, err
		}
	}
	var name string
	if given := fields["engine"]; len(given) > 0 {
		if err := json.Unmarshal(given, &name); err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
	}
	if name != "" {
		return raw, nil
	}
	if fields == nil {
		fields = make(map[string]json.RawMessage)
	}
	fields["engine"] = json.RawMessage(`"` + defaultEngine + `"`)
	return json.Marshal(fields)
}

// knownEngines says which engines this Caddy has.
func knownEngines() string {
	var names []string
	for _, module := range caddy.GetModules(queueModules) {
		names = append(names, module.ID.Name())
	}
	if len(names) == 1 {
		return names[0] + " is the only engine"
	}
	slices.Sort(names)
	return "the engines are " + strings.Join(names, ", ")
}

// unmarshalQueue reads `queue ENGINE …`. The engine reads what follows its name.
func (a *App) unmarshalQueue(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("queue takes an engine and its directory, as `queue badger /var/lib/caddy/webhooks`; %s", knownEngines())
	}
	name := d.Val()
	if _, err := caddy.GetModule(queueModules + "." + name); err != nil {
		return d.Errf("there is no engine %q; %s, as `queue badger /var/lib/caddy/webhooks`", name, knownEngines())
	}
	module, err := caddyfile.UnmarshalModule(d, queueModules+"."+name)
	if err != nil {
		return err
	}
	a.QueueRaw = caddyconfig.JSONModuleObject(module, "engine", name, nil)
	return nil
}

// unmarshalFreeSpace reads `free_space LOW [CRITICAL [RESERVE]]`.
func (a *App) unmarshalFreeSpace(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 3 {
		return d.Err("free_space takes how much is low, critical, and held in reserve, as `free_space 2GiB 512MiB 256MiB`; the last two may be left out")
	}
	a.FreeSpace = new(FreeSpace)
	for i, field := range []*uint64{&a.FreeSpace.Low, &a.FreeSpace.Critical, &a.FreeSpace.Reserve}[:len(args)] {
		size, err := humanize.ParseBytes(args[i])
		if err != nil || size == 0 {
			return d.Errf("free_space takes sizes, as 2GiB, not %q", args[i])
		}
		*field = size
	}
	if err := a.FreeSpace.space().Check(); err != nil {
		return d.Errf("free_space: %v", err)
	}
	return nil
}

// unmarshalRetention reads `retention DURATION [SIZE]`.
func (a *App) unmarshalRetention(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Err("retention takes how long history is kept, and how much of it at most, as `retention 30d 20GiB`; the size may be left out")
	}
	age, err := caddy.ParseDuration(args[0])
	if err != nil || age <= 0 {
		return d.Errf("retention takes a duration, as 30d, not %q", args[0])
	}
	a.Retention = caddy.Duration(age)
	if len(args) == 2 {
		if a.RetentionSize, err = humanize.ParseBytes(args[1]); err != nil || a.RetentionSize == 0 {
			return d.Errf("retention takes a size after the duration, as 20GiB, not %q", args[1])
		}
	}
	return nil
}

// validateQueue checks the limits of history and of free space.
func (a *App) validateQueue() error {
	if a.RetentionSize != 0 && a.RetentionSize < minRetentionSize {
		return fmt.Errorf("retention: a size of %d MiB is too small; Badger needs room to work in, so it must be at least %d MiB", a.RetentionSize>>20, minRetentionSize>>20)
	}
	if err := a.FreeSpace.space().Check(); err != nil {
		return fmt.Errorf("free_space: %w", err)
	}
	return nil
}
