// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

//go:embed schema/*.sql
var schema embed.FS

const versionTable = "webhooks.schema_version"

// schemaVersion is the version of the schema that this program works with.
const schemaVersion = 1

// checkSchema compares the schema with the one that this program works with.
func checkSchema(ctx context.Context, conn *pgx.Conn, migrate bool) error {
	var there bool
	if err := conn.QueryRow(ctx, "select to_regclass('"+versionTable+"') is not null").Scan(&there); err != nil {
		return unreachable(err)
	}
	version := 0
	if there {
		if err := conn.QueryRow(ctx, "select coalesce(max(version_id), 0) from "+versionTable+" where is_applied").Scan(&version); err != nil {
			return unreachable(err)
		}
	}
	switch {
	case version == schemaVersion:
		return nil
	case version > schemaVersion:
		return fmt.Errorf("%w: the database's schema has version %d, and this program knows %d; start the newer program",
			queue.ErrNewerFormat, version, schemaVersion)
	case !migrate:
		return fmt.Errorf("%w: the database's schema has version %d, and this program needs %d; add `migrate` to the queue's block, "+
			"in the configuration of one node at least", queue.ErrMisconfigured, version, schemaVersion)
	}
	return Migrate(ctx, conn.Config())
}

// migrationLock keeps several nodes that start at once from migrating together.
const migrationLock = "select pg_advisory_lock(" + lockClass + ", 4)"

// Migrate brings the schema of a database up to date.
func Migrate(ctx context.Context, config *pgx.ConnConfig) (err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return unreachable(err)
	}
	// The lock ends with its session.
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, migrationLock); err != nil {
		return unreachable(err)
	}
	if _, err := conn.Exec(ctx, "create schema if not exists webhooks"); err != nil {
		return unreachable(err)
	}
	files, err := fs.Sub(schema, "schema")
	if err != nil {
		return err
	}
	versions, err := database.NewStore(database.DialectPostgres, versionTable)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider("", db, files, goose.WithStore(versions), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("reading the migrations of the queue: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the queue's schema: %w", err)
	}
	return nil
}
