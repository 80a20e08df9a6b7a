// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/epoch"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/wake"
)

// Options say where a queue is, and how it is opened.
type Options struct {
	queue.Settings

	// DSN says how the database is reached, as libpq reads it.
	DSN string
	// Connections limits how many this process has open. The default is
	// [DefaultConnections].
	Connections int
	// Migrate brings the schema up to date, if it is not.
	Migrate bool
	// Poll is how often this process looks for what other nodes have made. The default is
	// [DefaultPoll].
	Poll time.Duration
	// Beat is how often this process says that it lives. The default is [DefaultBeat].
	Beat time.Duration
	// Now, if not nil, is the only clock: the database's is not asked. It is for tests, which
	// run in a time of their own.
	Now func() time.Time
	// Logger gets the messages. The default is to log nothing.
	Logger *zap.Logger
}

// Defaults of options.
const (
	DefaultConnections = 4
	DefaultPoll        = 250 * time.Millisecond
	DefaultBeat        = 2 * time.Second
)

// leastVersion is the oldest PostgreSQL that works.
const leastVersion = 14

// healthEvery is how often connections that nobody needs any more are closed.
const healthEvery = 10 * time.Minute

// openTimeout limits how long opening takes while the database does not answer.
const openTimeout = 30 * time.Second

// Open opens the queue of a database, and makes it if there is none.
func Open(options Options) (*Store, error) {
	options = options.withDefaults()
	config, err := Config(options.DSN)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(options.Connections)
	config.HealthCheckPeriod = healthEvery
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if err := prepare(ctx, config.ConnConfig, options.Migrate); err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, unreachable(err)
	}
	s := &Store{
		options: options, pool: pool, logger: options.Logger, closed: make(chan struct{}),
		beats: &beats{every: options.Beat}, waiting: newWaiting(), outage: newOutage(), epochs: epoch.New(), sleepers: wake.New(),
		clock: clock{local: time.Now},
	}
	if options.Now != nil {
		s.clock.local, s.clock.fixed = options.Now, true
	}
	s.Configure(options.Settings)
	if err := s.begin(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	s.notes = gather(s, maxTogether, s.note)
	s.resolves = gather(s, maxTogether, s.resolve)
	s.run(s.live)
	s.run(s.look)
	s.run(s.probe)
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Connections <= 0 {
		o.Connections = DefaultConnections
	}
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	if o.Beat <= 0 {
		o.Beat = DefaultBeat
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// Config reads a DSN. Its error does not have the DSN, which holds the password.
func Config(dsn string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("%w: the connection to PostgreSQL cannot be read; write it as "+
			"postgres://user:password@host:5432/database?sslmode=verify-full", queue.ErrMisconfigured)
	}
	return config, nil
}

// unreachable says why a database could not be reached, without what its connection was asked
// with.
func unreachable(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w: PostgreSQL refuses the queue: %s (SQLSTATE %s)", queue.ErrAway, refused.Message, refused.Code)
	}
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		return fmt.Errorf("%w: PostgreSQL at %s:%d: %w", queue.ErrAway, connecting.Config.Host, connecting.Config.Port, errors.Unwrap(err))
	}
	return fmt.Errorf("%w: opening the queue in PostgreSQL: %w", queue.ErrAway, err)
}

// prepare checks the server and its schema, and makes or changes the schema if it may.
func prepare(ctx context.Context, config *pgx.ConnConfig, migrate bool) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var version int
	if err := conn.QueryRow(ctx, "select current_setting('server_version_num')::integer").Scan(&version); err != nil {
		return unreachable(err)
	}
	if version/10000 < leastVersion {
		return fmt.Errorf("%w: the server is PostgreSQL %d, and the queue needs %d or later", queue.ErrMisconfigured, version/10000, leastVersion)
	}
	return checkSchema(ctx, conn, migrate)
}

// begin finds the queue's identity, and makes this process one of its nodes.
func (s *Store) begin(ctx context.Context) error {
	if err := s.measure(ctx); err != nil {
		return unreachable(err)
	}
	id, key := make([]byte, 16), make([]byte, 32)
	// crypto/rand.Read never fails.
	_, _ = rand.Read(id)
	_, _ = rand.Read(key)
	b := &batch{}
	b.do("insert into webhooks.setting (instance, hash_key) values ($1, $2) on conflict do nothing", id, key)
	b.one(new(bool), []any{&id, &key}, "select instance, hash_key from webhooks.setting")
	if err := s.pool.SendBatch(ctx, &b.Batch).Close(); err != nil {
		return unreachable(err)
	}
	copy(s.instance.ID[:], id)
	copy(s.instance.HashKey[:], key)
	if err := s.join(ctx); err != nil {
		return unreachable(err)
	}
	return s.makeDays(ctx)
}
