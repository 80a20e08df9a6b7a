// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/postgres/internal/cluster"
	"github.com/caddy-webhooks/caddy-webhooks/queue/queuetest"
)

// server is the one of all tests.
var server *cluster.Cluster

// demanded has the tests fail where there is no PostgreSQL.
const demanded = "CADDY_WEBHOOKS_POSTGRES"

func TestMain(m *testing.M) {
	var err error
	if server, err = cluster.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "NOT TESTED: the queue in PostgreSQL: %v\n", err)
		if errors.Is(err, cluster.ErrMissing) && os.Getenv(demanded) == "" {
			os.Exit(0)
		}
		os.Exit(1)
	}
	code := 1
	if config, err := pgx.ParseConfig(server.DSN("postgres")); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else if err := Migrate(context.Background(), config); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// empty empties the queue of all tests, which is faster than to make another one.
func empty(t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), server.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, table := range []string{
		"setting", "node", "lease", "intent", "unresolved", "mark where generation > 0", "object", "callback", "floor", "endpoint",
		"lane where until >= 0", "pending where day >= 0",
		"event", "decided", "attempt", "filtered", "record", "epoch", "change",
	} {
		if _, err := conn.Exec(context.Background(), "delete from webhooks."+table); err != nil {
			t.Fatal(err)
		}
	}
}

// alone are the options of a store that no other node writes to, in a time of its own.
func alone(now func() time.Time) Options {
	return Options{DSN: server.DSN("postgres"), Now: now, Poll: 24 * time.Hour, Beat: time.Hour}
}

func open(t *testing.T, options Options) *Store {
	t.Helper()
	s, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	queuetest.Run(t, func(t *testing.T, now func() time.Time) queue.Store {
		empty(t)
		return open(t, alone(now))
	})
}

func TestKept(t *testing.T) {
	queuetest.RunKept(t, func(t *testing.T, now func() time.Time) queuetest.Reopen {
		empty(t)
		return func() queue.Store { return open(t, alone(now)) }
	})
}

func TestSeveral(t *testing.T) {
	queuetest.RunSeveral(t, func(t *testing.T, now func() time.Time) func() (queue.Store, func()) {
		empty(t)
		return func() (queue.Store, func()) {
			s := open(t, Options{DSN: server.DSN("postgres"), Now: now})
			return s, func() { s.end(func(context.Context) {}) }
		}
	})
}
