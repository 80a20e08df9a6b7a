// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/internal/command"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

func init() {
	caddy.RegisterModule(new(BadgerQueue))
}

// BadgerQueue keeps the queue in a directory of the local disk. It is built in,
// and belongs to one Caddy process.
type BadgerQueue struct {
	// Dir is the queue's directory. It is made if it does not exist, for this
	// user alone. Placeholders such as `{env.NAME}` are replaced. Default:
	// the folder `webhooks` in Caddy's data directory.
	Dir string `json:"dir,omitempty"`

	dir string
}

// CaddyModule returns the Caddy module information.
func (*BadgerQueue) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "webhooks.queues.badger",
		New: func() caddy.Module { return new(BadgerQueue) },
	}
}

// Provision finds the directory, whichever links lead there: it is the queue's
// identity. It does not touch it.
func (q *BadgerQueue) Provision(caddy.Context) error {
	dir := q.Dir
	if dir == "" {
		dir = filepath.Join(caddy.AppDataDir(), "webhooks")
	}
	dir, err := caddy.NewReplacer().ReplaceOrErr(dir, true, true)
	if err != nil {
		return fmt.Errorf("queue badger %s: %w; set what the placeholder stands for", q.Dir, err)
	}
	if q.dir, err = badger.Locate(dir); err != nil {
		return fmt.Errorf("queue badger %s: %w", q.Dir, err)
	}
	return nil
}

// freeSpaceOf returns the free space of a directory's volume. Nil asks the system;
// tests set it.
var freeSpaceOf badger.FreeSpace

// Engine implements [QueueModule].
func (q *BadgerQueue) Engine() queue.Engine {
	return badger.Engine{Directory: q.dir, FreeSpace: freeSpaceOf, Probe: command.Probe}
}

// UnmarshalCaddyfile sets up the queue from a Caddyfile. Syntax:
//
//	queue badger [<dir>]
func (q *BadgerQueue) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the engine's name
	args := d.RemainingArgs()
	if len(args) > 1 || d.NextBlock(0) {
		return d.Err("queue badger takes its directory and nothing else, as `queue badger /var/lib/caddy/webhooks`")
	}
	if len(args) == 1 {
		q.Dir = args[0]
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*BadgerQueue)(nil)
	_ caddyfile.Unmarshaler = (*BadgerQueue)(nil)
	_ QueueModule           = (*BadgerQueue)(nil)
)
