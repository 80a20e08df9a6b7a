// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DefaultKeep is how long an [SQL] store remembers which events were handled: longer than
// the sender keeps them.
const DefaultKeep = 60 * 24 * time.Hour

// SQLOptions are the options of an [SQL] store. The zero value is fit for SQLite and MySQL.
type SQLOptions struct {
	// Dollar writes parameters as $1, as PostgreSQL does; else they are ?.
	Dollar bool
	// Prefix is what the names of the tables begin with. Default: "webhook_".
	Prefix string
	// Keep is how long it is remembered which events were handled. How far each object is,
	// is remembered for ever. Default: [DefaultKeep].
	Keep time.Duration
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// SQL is a [Store] in a database. Several processes may share it.
type SQL struct {
	db      *sql.DB
	options SQLOptions
	queries map[string]string

	mu    sync.Mutex
	clean time.Time // when old rows are removed next
}

// schema is what every database understands: MySQL has no CREATE INDEX IF NOT EXISTS, so
// the indexes are constraints. Names are kept as their hashes: databases compare texts each
// in their own way, some without case, and limit how long an indexed one may be.
var schema = []string{
	`CREATE TABLE IF NOT EXISTS PREFIX_events (
		id CHAR(64) NOT NULL PRIMARY KEY,
		object CHAR(64) NOT NULL,
		sequence BIGINT NOT NULL,
		handled BIGINT NOT NULL,
		UNIQUE (object, sequence, id),
		UNIQUE (handled, id)
	)`,
	`CREATE TABLE IF NOT EXISTS PREFIX_objects (
		object CHAR(64) NOT NULL PRIMARY KEY,
		position BIGINT NOT NULL
	)`,
	`CREATE TABLE IF NOT EXISTS PREFIX_cursors (
		name CHAR(64) NOT NULL PRIMARY KEY,
		position TEXT NOT NULL
	)`,
}

const (
	queryHandled  = `SELECT COUNT(*) FROM PREFIX_events WHERE id = ?`
	queryPosition = `SELECT position FROM PREFIX_objects WHERE object = ?`
	queryTaken    = `SELECT COUNT(*) FROM PREFIX_events WHERE object = ? AND sequence = ? AND id <> ?`
	queryEvent    = `INSERT INTO PREFIX_events (id, object, sequence, handled) VALUES (?, ?, ?, ?)`
	queryObject   = `INSERT INTO PREFIX_objects (object, position) VALUES (?, ?)`
	queryMove     = `UPDATE PREFIX_objects SET position = ? WHERE object = ? AND position = ?`
	queryCursor   = `SELECT position FROM PREFIX_cursors WHERE name = 'feed'`
	queryOnward   = `UPDATE PREFIX_cursors SET position = ? WHERE name = 'feed'`
	queryBegin    = `INSERT INTO PREFIX_cursors (name, position) VALUES ('feed', ?)`
	queryOld      = `DELETE FROM PREFIX_events WHERE handled < ?`
	queryObjects  = `DELETE FROM PREFIX_objects`
	queryCursors  = `DELETE FROM PREFIX_cursors`
)

var prefixes = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

// NewSQL returns a store in a database, and makes its three tables there if they are
// missing.
func NewSQL(ctx context.Context, db *sql.DB, options SQLOptions) (*SQL, error) {
	if options.Prefix == "" {
		options.Prefix = "webhook_"
	}
	if !prefixes.MatchString(options.Prefix) {
		return nil, fmt.Errorf("the prefix %q must be a small letter, and then small letters, digits and _", options.Prefix)
	}
	if options.Keep <= 0 {
		options.Keep = DefaultKeep
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	s := &SQL{db: db, options: options, queries: make(map[string]string)}
	for _, query := range []string{
		queryHandled, queryPosition, queryTaken, queryEvent, queryObject, queryMove, queryCursor, queryOnward, queryBegin, queryOld,
		queryObjects, queryCursors,
	} {
		s.queries[query] = s.written(query)
	}
	if err := s.create(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// written returns a query as the database wants it.
func (s *SQL) written(query string) string {
	query = strings.ReplaceAll(query, "PREFIX_", s.options.Prefix)
	if !s.options.Dollar {
		return query
	}
	for n := 1; strings.Contains(query, "?"); n++ {
		query = strings.Replace(query, "?", "$"+strconv.Itoa(n), 1)
	}
	return query
}

// create makes what is missing.
func (s *SQL) create(ctx context.Context) error {
	for _, statement := range schema {
		if _, err := s.db.ExecContext(ctx, s.written(statement)); err != nil {
			return fmt.Errorf("making the tables of the receiver: %w", err)
		}
	}
	return nil
}

// queryer is a database or a transaction.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s *SQL) count(ctx context.Context, q queryer, query string, args ...any) (n int64, err error) {
	err = q.QueryRowContext(ctx, s.queries[query], args...).Scan(&n)
	return n, err
}

// exec runs a statement, and returns how many rows it has changed.
func (s *SQL) exec(ctx context.Context, q queryer, query string, args ...any) (int64, error) {
	result, err := q.ExecContext(ctx, s.queries[query], args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// hashed returns how a name is kept.
func hashed(name string) string {
	if name == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// Look implements [Store].
func (s *SQL) Look(ctx context.Context, id, object string, sequence uint64) (Seen, error) {
	var seen Seen
	n, err := s.count(ctx, s.db, queryHandled, hashed(id))
	if err != nil || n > 0 {
		seen.Handled = n > 0
		return seen, err
	}
	if object == "" {
		return seen, nil
	}
	n, err = s.count(ctx, s.db, queryPosition, hashed(object))
	if errors.Is(err, sql.ErrNoRows) {
		n, err = 0, nil
	}
	seen.Position = uint64(n)
	if err != nil || sequence > seen.Position {
		return seen, err
	}
	n, err = s.count(ctx, s.db, queryTaken, hashed(object), int64(sequence), hashed(id))
	seen.Taken = n > 0
	return seen, err
}

// Take implements [Store]: the step is remembered, and handle called, in one transaction.
// The step comes first, so that of several processes with the same event only one calls
// handle; the others wait for the row.
func (s *SQL) Take(ctx context.Context, step Step, handle func(context.Context) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := s.remember(ctx, tx, step); err != nil {
		_ = tx.Rollback()
		return s.moved(ctx, step, err)
	}
	if handle != nil {
		if err := handle(context.WithValue(ctx, txKey{}, tx)); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.clear(ctx)
	return nil
}

// remember writes a step. The row of the object is the first to be locked.
func (s *SQL) remember(ctx context.Context, tx *sql.Tx, step Step) error {
	object := hashed(step.Object)
	switch step.From {
	case step.To:
	case 0:
		if _, err := s.exec(ctx, tx, queryObject, object, int64(step.To)); err != nil {
			return err
		}
	default:
		n, err := s.exec(ctx, tx, queryMove, int64(step.To), object, int64(step.From))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrMoved
		}
	}
	_, err := s.exec(ctx, tx, queryEvent, hashed(step.ID), object, int64(step.Sequence), s.options.Now().Unix())
	return err
}

// moved tells why a step could not be written: each database has its own error for a row
// that is there already, so it is looked at.
func (s *SQL) moved(ctx context.Context, step Step, err error) error {
	seen, looked := s.Look(ctx, step.ID, step.Object, step.Sequence)
	if looked == nil && (seen.Handled || step.Object != "" && seen.Position != step.From) {
		return ErrMoved
	}
	return err
}

// clear removes old rows, once an hour. The event is handled by then: if it fails, it is tried
// again with a later one.
func (s *SQL) clear(ctx context.Context) {
	now := s.options.Now()
	s.mu.Lock()
	due := !now.Before(s.clean)
	if due {
		s.clean = now.Add(time.Hour)
	}
	s.mu.Unlock()
	if due {
		_, _ = s.exec(ctx, s.db, queryOld, now.Add(-s.options.Keep).Unix())
	}
}

// Cursor implements [Store].
func (s *SQL) Cursor(ctx context.Context) (cursor string, err error) {
	err = s.db.QueryRowContext(ctx, s.queries[queryCursor]).Scan(&cursor)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return cursor, err
}

// KeepCursor implements [Store]. MySQL counts only rows that are different now, so a row
// that is there is looked for.
func (s *SQL) KeepCursor(ctx context.Context, cursor string) error {
	kept, err := s.Cursor(ctx)
	if err != nil || kept == cursor {
		return err
	}
	query := queryOnward
	if kept == "" {
		query = queryBegin
	}
	_, err = s.exec(ctx, s.db, query, cursor)
	return err
}

// Forget implements [Store].
func (s *SQL) Forget(ctx context.Context) error {
	if _, err := s.exec(ctx, s.db, queryObjects); err != nil {
		return err
	}
	_, err := s.exec(ctx, s.db, queryCursors)
	return err
}

type txKey struct{}

// InTx returns a function that handles events in the transaction in which an [SQL] store
// remembers them. It must not commit nor roll back: that follows from what it returns.
func InTx(handle func(context.Context, *sql.Tx, *Event) error) HandleFunc {
	return func(ctx context.Context, e *Event) error {
		tx, ok := ctx.Value(txKey{}).(*sql.Tx)
		if !ok {
			return errors.New("InTx needs a store made by NewSQL")
		}
		return handle(ctx, tx, e)
	}
}
