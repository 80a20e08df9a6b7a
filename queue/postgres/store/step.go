// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// safety says what a transaction survives once it is acknowledged.
type safety bool

const (
	// kept: what the configured durability says.
	kept safety = true
	// loose: nothing but a crash of this process. The contract allows to lose it.
	loose safety = false
)

// maxRepeats is how often a transaction is repeated that the database has refused for the
// sake of another one.
const maxRepeats = 8

// step is one transaction. Its statements are sent in as few messages as the answers allow:
// the first message begins it, and the last one commits it, so that no lock that is taken in
// the last one is held while this process does something else.
type step struct {
	conn  *pgxpool.Conn
	loose bool
	begun bool
}

// batch gathers statements of one message.
type batch struct{ pgx.Batch }

// do adds a statement without an answer.
func (b *batch) do(sql string, args ...any) { b.Queue(sql, args...) }

// count adds a statement, and tells how many rows it has changed.
func (b *batch) count(into *int, sql string, args ...any) {
	b.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		*into += int(tag.RowsAffected())
		return nil
	})
}

// sum adds a statement that answers with a number, and adds that.
func (b *batch) sum(into *int, sql string, args ...any) {
	b.Queue(sql, args...).QueryRow(func(row pgx.Row) error {
		var n int
		err := row.Scan(&n)
		*into += n
		return err
	})
}

// one adds a statement that answers with one row, or none: then found stays false.
func (b *batch) one(found *bool, into []any, sql string, args ...any) {
	b.Queue(sql, args...).QueryRow(func(row pgx.Row) error {
		switch err := row.Scan(into...); {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
		*found = true
		return nil
	})
}

// each adds a statement whose rows are read one by one. The scanned values are good until
// the next row.
func (b *batch) each(into []any, row func() error, sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, into, row)
		return err
	})
}

// send sends statements, and waits for their answers. The transaction goes on.
func (t *step) send(ctx context.Context, b *batch) error {
	return t.exchange(ctx, b, false)
}

// end sends the last statements, and commits.
func (t *step) end(ctx context.Context, b *batch) error {
	return t.exchange(ctx, b, true)
}

func (t *step) exchange(ctx context.Context, b *batch, last bool) error {
	whole := &pgx.Batch{}
	if !t.begun {
		t.begun = true
		whole.Queue("begin")
		if t.loose {
			whole.Queue("set local synchronous_commit = off")
		}
	}
	whole.QueuedQueries = append(whole.QueuedQueries, b.QueuedQueries...)
	if last {
		whole.Queue("commit")
	}
	err := t.conn.SendBatch(ctx, whole).Close()
	if last && err == nil {
		t.begun = false
	}
	return err
}

// abandon ends a transaction that is not committed.
func (t *step) abandon(ctx context.Context) {
	if t.begun && !t.conn.Conn().IsClosed() {
		if _, err := t.conn.Exec(ctx, "rollback"); err != nil {
			_ = t.conn.Conn().Close(ctx)
		}
	}
	t.conn.Release()
}

// errNothing ends a step that has found nothing to do.
var errNothing = errors.New("nothing to do")

// in runs one transaction. It is repeated if the database refuses it for the sake of another
// one, so work begins anew each time.
func (s *Store) in(ctx context.Context, how safety, work func(t *step) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	return s.transact(ctx, how, work)
}

// transact is in, also of a store that is being closed.
func (s *Store) transact(ctx context.Context, how safety, work func(t *step) error) error {
	for repeat := 0; ; repeat++ {
		err := s.once(ctx, how, work)
		if err == nil || errors.Is(err, errNothing) {
			return nil
		}
		if repeat == maxRepeats || !s.mayRepeat(ctx, err) {
			return s.explain(ctx, err)
		}
	}
}

func (s *Store) once(ctx context.Context, how safety, work func(t *step) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	t := &step{conn: conn, loose: how == loose || s.settings.Load().Durability == queue.Process}
	defer t.abandon(context.WithoutCancel(ctx))
	return work(t)
}

// say runs one transaction of a single message.
func (s *Store) say(ctx context.Context, how safety, fill func(b *batch)) error {
	return s.in(ctx, how, func(t *step) error {
		b := &batch{}
		fill(b)
		return t.end(ctx, b)
	})
}

// read asks for something, in one message.
func (s *Store) read(ctx context.Context, fill func(b *batch)) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	b := &batch{}
	fill(b)
	return s.explain(ctx, s.pool.SendBatch(ctx, &b.Batch).Close())
}

// The states of errors that a transaction of ours raises, and those of the database that
// are met with a repetition.
const (
	stateStale     = "WH001"
	stateLeaseLost = "WH002"
	stateDead      = "WH003"
	stateMoved     = "WH004"
	stateChanged   = "WH005"

	stateSerialization = "40001"
	stateDeadlock      = "40P01"
	stateNoPartition   = "23514"
)

func stateOf(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// mayRepeat reports whether a transaction may succeed if it is done again.
func (s *Store) mayRepeat(ctx context.Context, err error) bool {
	switch stateOf(err) {
	case stateSerialization, stateDeadlock, stateChanged:
		return true
	case stateNoPartition:
		return s.makeDays(ctx) == nil
	case stateDead:
		return s.join(ctx) == nil
	}
	return errors.Is(err, errAgain)
}

// errAgain has a transaction repeated.
var errAgain = errors.New("another transaction came between")

// explain translates an error of the database.
func (s *Store) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch stateOf(err) {
	case stateStale:
		return queue.ErrStale
	case stateLeaseLost:
		return queue.ErrLeaseLost
	case stateMoved:
		return queue.ErrMoved
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case <-s.closed:
		return queue.ErrClosed
	default:
	}
	for _, ours := range []error{
		queue.ErrLeaseLost, queue.ErrStale, queue.ErrMoved, queue.ErrNotFound, queue.ErrConflict, queue.ErrNotAdmitted,
		queue.ErrBadCursor, queue.ErrTooLarge, queue.ErrClosed,
	} {
		if errors.Is(err, ours) {
			return err
		}
	}
	return fmt.Errorf("asking PostgreSQL: %w", err)
}
