// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"sync/atomic"
	"time"
)

// clock tells the database's time, which is one for all nodes, and translates to and from
// that of this node's callers. It is read between measurements without asking: from the
// last one on, it goes on with this process's monotonic clock, which no adjustment moves.
type clock struct {
	// local is the callers' clock.
	local func() time.Time
	// fixed is true if the callers' clock is all there is: tests run in a time of their own.
	fixed bool
	at    atomic.Pointer[reading]
}

// reading is what a measurement has found.
type reading struct {
	// taken is this process's time of the measurement, with its monotonic part.
	taken time.Time
	// database is the database's time then.
	database time.Time
	// shift is by how much the callers' clock is behind. It only changes when it is off by
	// more than shiftSlack, so that a time that is stored comes back the same.
	shift time.Duration
}

// shiftSlack is by how much the clocks of nodes may differ and count as the same.
const shiftSlack = 100 * time.Millisecond

// now returns the database's time.
func (c *clock) now() time.Time {
	last := c.at.Load()
	if c.fixed || last == nil {
		return c.local()
	}
	return last.database.Add(time.Since(last.taken))
}

// in translates a time of a caller.
func (c *clock) in(t time.Time) time.Time { return c.move(t, c.shift()) }

// out translates a time to give it to a caller.
func (c *clock) out(t time.Time) time.Time { return c.move(t, -c.shift()) }

// shift returns by how much the callers' clock is behind.
func (c *clock) shift() time.Duration {
	if last := c.at.Load(); last != nil && !c.fixed {
		return last.shift
	}
	return 0
}

func (c *clock) move(t time.Time, by time.Duration) time.Time {
	if by == 0 || t.IsZero() {
		return t
	}
	return t.Add(by)
}

// measured takes a measurement: the database's time, asked at one moment and answered at
// another, and the callers' time then.
func (c *clock) measured(asked, answered, database, local time.Time) {
	half := answered.Sub(asked) / 2
	middle := asked.Add(half)
	shift := database.Sub(local.Add(-half).Round(0))
	if last := c.at.Load(); last != nil && (shift-last.shift).Abs() <= shiftSlack {
		shift = last.shift
	} else if last == nil && shift.Abs() <= shiftSlack {
		shift = 0
	}
	c.at.Store(&reading{taken: middle, database: database, shift: shift})
}

// measure asks the database for its time.
func (s *Store) measure(ctx context.Context) error {
	if s.clock.fixed {
		return nil
	}
	asked := time.Now()
	var database time.Time
	if err := s.pool.QueryRow(ctx, "select clock_timestamp()").Scan(&database); err != nil {
		return err
	}
	s.clock.measured(asked, time.Now(), database, s.clock.local())
	return nil
}

// now returns the database's time as the tables hold it.
func (s *Store) now() int64 { return nanos(s.clock.now()) }
