// SPDX-License-Identifier: Apache-2.0

// Package postgres is the Caddy module that keeps the queue in PostgreSQL, so that several
// Caddys before one API share it. Build it in with
//
//	xcaddy build --with github.com/caddy-webhooks/caddy-webhooks/queue/postgres
package postgres

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	webhooks "github.com/caddy-webhooks/caddy-webhooks"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/postgres/store"
)

func init() {
	caddy.RegisterModule(new(Queue))
}

// Queue keeps the queue in a PostgreSQL database. Several Caddy processes may use one at once.
type Queue struct {
	// DSN says how the database is reached, as libpq reads it:
	// `postgres://user:password@host:5432/database?sslmode=verify-full`. Placeholders such as
	// `{env.NAME}` and `{file.PATH}` are replaced; keep the password in one. Required.
	DSN string `json:"dsn,omitempty"`

	// Dir is a local directory of this process alone, for the files beside the queue. It is
	// made if it does not exist, for this user alone. Placeholders are replaced. Default: the
	// folder `webhooks-postgres` in Caddy's data directory.
	Dir string `json:"dir,omitempty"`

	// Connections is how many connections this process has open at most. Default: 4.
	Connections int `json:"connections,omitempty"`

	// Poll is how often this process looks for what other nodes have made. What it makes
	// itself it finds at once. Default: 250ms.
	Poll caddy.Duration `json:"poll,omitempty"`

	// Migrate brings the database's schema up to date at the start. Without it, a start with
	// another schema is refused.
	Migrate bool `json:"migrate,omitempty"`

	engine *store.Engine
}

// CaddyModule returns the Caddy module information.
func (*Queue) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks.queues.postgres", New: func() caddy.Module { return new(Queue) }}
}

// Limits of the options.
const (
	minConnections, maxConnections = 2, 100
	minPoll, maxPoll               = 10 * time.Millisecond, time.Minute
)

// Provision reads the options. It does not connect. No error has the DSN.
func (q *Queue) Provision(caddy.Context) error {
	replacer := caddy.NewReplacer()
	if q.DSN == "" {
		return errors.New("queue postgres: the database is missing; name it, as `queue postgres {env.DATABASE_URL}`")
	}
	dsn, err := replacer.ReplaceOrErr(q.DSN, true, true)
	if err != nil {
		return errors.New("queue postgres: a placeholder of the database stands for nothing; set it where Caddy is started")
	}
	dir := q.Dir
	if dir == "" {
		dir = filepath.Join(caddy.AppDataDir(), "webhooks-postgres")
	}
	if dir, err = replacer.ReplaceOrErr(dir, true, true); err != nil {
		return fmt.Errorf("queue postgres: dir: %w; set what the placeholder stands for", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("queue postgres: dir: %w", err)
	}
	switch poll := time.Duration(q.Poll); {
	case q.Connections != 0 && (q.Connections < minConnections || q.Connections > maxConnections):
		return fmt.Errorf("queue postgres: connections: %d; there are between %d and %d", q.Connections, minConnections, maxConnections)
	case poll != 0 && (poll < minPoll || poll > maxPoll):
		return fmt.Errorf("queue postgres: poll: %v; it is between %v and %v", poll, minPoll, maxPoll)
	}
	if q.engine, err = store.NewEngine(strings.TrimSpace(dsn), dir, q.Connections, q.Migrate, time.Duration(q.Poll)); err != nil {
		return fmt.Errorf("queue postgres: %w", err)
	}
	return nil
}

// Engine implements the interface of queues.
func (q *Queue) Engine() queue.Engine { return q.engine }

// UnmarshalCaddyfile sets up the queue from a Caddyfile. Syntax:
//
//	queue postgres <dsn> {
//		dir         <directory>
//		connections <number>
//		poll        <duration>
//		migrate
//	}
func (q *Queue) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the engine's name
	if !d.AllArgs(&q.DSN) {
		return d.Err("queue postgres takes its database, as `queue postgres {env.DATABASE_URL}`; everything else goes into its block")
	}
	for d.NextBlock(0) {
		if err := q.option(d, d.Val()); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) option(d *caddyfile.Dispenser, word string) error {
	if word == "migrate" {
		q.Migrate = true
		if d.NextArg() {
			return d.Err("queue postgres: migrate takes nothing")
		}
		return nil
	}
	var value string
	if !d.AllArgs(&value) {
		return d.Errf("queue postgres: %s takes one value", word)
	}
	var err error
	switch word {
	case "dir":
		q.Dir = value
	case "connections":
		q.Connections, err = strconv.Atoi(value)
	case "poll":
		var poll time.Duration
		poll, err = caddy.ParseDuration(value)
		q.Poll = caddy.Duration(poll)
	default:
		return d.Errf("queue postgres has no option %s; there are dir, connections, poll and migrate", word)
	}
	if err != nil {
		return d.Errf("queue postgres: %s: %q is not a %s", word, value, map[string]string{"connections": "number", "poll": "duration"}[word])
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Queue)(nil)
	_ caddyfile.Unmarshaler = (*Queue)(nil)
	_ webhooks.QueueModule  = (*Queue)(nil)
)
