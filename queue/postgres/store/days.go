// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// History lies in the day of its event. Days are made ahead, and dropped when all that is in
// them is older than the retention: no row of it is ever deleted.
const (
	// daysAhead is how many days there are already. If nobody makes more, whoever needs one
	// makes it.
	daysAhead = 7
	dayNanos  = int64(24 * time.Hour)
	// daysEvery is how often one node looks after the days.
	daysEvery = 10 * time.Minute
	// daysLockTimeout limits how long dropping a day may keep others waiting.
	daysLockTimeout = "2s"
)

// makeDays makes the days from yesterday on that are missing. An event may be of a moment ago.
func (s *Store) makeDays(ctx context.Context) error {
	today := dayOf(s.clock.now())
	for day := today - 1; day <= today+daysAhead; day++ {
		if _, err := s.pool.Exec(ctx, "select webhooks.make_day($1)", day); err != nil {
			return fmt.Errorf("making the tables of a day: %w", err)
		}
	}
	return nil
}

// keepDays makes days and drops days, if it is this node's turn.
func (s *Store) keepDays(ctx context.Context) error {
	if now := s.clock.now(); now.Sub(s.daysKept) >= daysEvery {
		held, err := s.LeaseMaintenance(ctx, "days", 2*daysEvery)
		if err != nil || !held {
			return err
		}
		s.daysKept = now
		if err := s.makeDays(ctx); err != nil {
			return err
		}
		return s.dropDays(ctx)
	}
	return nil
}

// dropDays drops the days that are older than the retention, and what else has none.
func (s *Store) dropDays(ctx context.Context) error {
	now := s.clock.now()
	oldest := now.Add(-s.settings.Load().Retention)
	first := dayOf(oldest)
	rows, err := s.pool.Query(ctx, `select substring(c.relname from '[0-9]+$')::integer as day from pg_inherits i
		join pg_class c on c.oid = i.inhrelid where i.inhparent = 'webhooks.event'::regclass
		and substring(c.relname from '[0-9]+$')::integer < $1 order by 1`, first)
	if err != nil {
		return err
	}
	days, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return err
	}
	for _, day := range days {
		if err := s.dropDay(ctx, day); err != nil {
			return fmt.Errorf("dropping the tables of a day: %w", err)
		}
	}
	_, err = s.pool.Exec(ctx, "delete from webhooks.unresolved where at < $1", nanos(oldest))
	return err
}

// dropDay first says what is gone, and then drops it, one table at a time: readers are told
// before they can miss anything, and nobody waits long for a lock.
func (s *Store) dropDay(ctx context.Context, day int32) error {
	if _, err := s.pool.Exec(ctx, `update webhooks.setting set first_day = greatest(first_day, $1::integer + 1),
		removed = greatest(removed, (select max(position) from webhooks.event where day = $1))`, day); err != nil {
		return err
	}
	for _, parent := range []string{"filtered", "attempt", "decided", "event"} {
		b := &pgx.Batch{}
		b.Queue("begin")
		b.Queue("set local lock_timeout = '" + daysLockTimeout + "'")
		b.Queue(fmt.Sprintf("drop table if exists webhooks.%s_%d", parent, day))
		b.Queue("commit")
		if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
	}
	return nil
}
