// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Engine is the [queue.Engine] of a database.
type Engine struct {
	config    *pgxpool.Config
	options   Options
	directory string
}

var _ queue.Engine = (*Engine)(nil)

// NewEngine returns the engine of a database, with a local directory for the files beside the
// queue. It does not connect.
func NewEngine(dsn, directory string, connections int, migrate bool, poll time.Duration) (*Engine, error) {
	config, err := Config(dsn)
	if err != nil {
		return nil, err
	}
	return &Engine{
		config: config, directory: directory,
		options: Options{DSN: dsn, Connections: connections, Migrate: migrate, Poll: poll},
	}, nil
}

// Name implements [queue.Engine]. It says which database of which server it is, and not how
// one is let in.
func (e *Engine) Name() string {
	c := e.config.ConnConfig
	return "postgres " + net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}

// Dir implements [queue.Engine].
func (e *Engine) Dir() string { return e.directory }

// Open implements [queue.Engine]. The directory is this process's until the queue is closed:
// two that keep their journals in one would lose them.
func (e *Engine) Open(options queue.OpenOptions) (queue.Store, error) {
	if err := os.MkdirAll(e.directory, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", queue.ErrMisconfigured, err)
	}
	lock, err := lockDirectory(e.directory)
	if err != nil {
		return nil, err
	}
	if options.Owned != nil {
		options.Owned()
	}
	with := e.options
	with.Settings, with.Logger = options.Settings, options.Logger
	s, err := Open(with)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &owner{Store: s, lock: lock}, nil
}

// owner is a store whose directory is locked.
type owner struct {
	*Store
	lock *os.File
}

// Close implements [queue.Store].
func (o *owner) Close() error {
	err := o.Store.Close()
	if closeErr := o.lock.Close(); !errors.Is(closeErr, os.ErrClosed) {
		err = errors.Join(err, closeErr)
	}
	return err
}
