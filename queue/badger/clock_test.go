// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"sync/atomic"
	"time"
)

// testClock is a clock that a test sets while a store reads it in the background.
type testClock struct{ at atomic.Pointer[time.Time] }

func newClock(at time.Time) *testClock {
	c := new(testClock)
	c.set(at)
	return c
}

func (c *testClock) now() time.Time      { return *c.at.Load() }
func (c *testClock) set(at time.Time)    { c.at.Store(&at) }
func (c *testClock) add(d time.Duration) { c.set(c.now().Add(d)) }
