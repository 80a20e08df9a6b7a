// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"sync"
	"time"
)

// clientsFor is for how long the most exchanges under way count: clients come in waves.
const clientsFor = 10 * time.Second

// Clients counts the exchanges that an API's own clients have under way. An API that
// serves so many at once can be asked for as many Shows.
type Clients struct {
	mu       sync.Mutex
	underWay int
	// most is the maximum since begun, and before that of the time before.
	most, before int
	begun        time.Time
}

// Enter counts an exchange that begins.
func (c *Clients) Enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(time.Now())
	c.underWay++
	c.most = max(c.most, c.underWay)
}

// Leave counts an exchange that ends.
func (c *Clients) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(time.Now())
	c.underWay--
}

// Most returns the maximum of the last ten seconds, or up to twice that.
func (c *Clients) Most() int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(time.Now())
	return max(c.most, c.before)
}

func (c *Clients) turn(now time.Time) {
	switch passed := now.Sub(c.begun); {
	case passed >= 2*clientsFor:
		c.before, c.most, c.begun = c.underWay, c.underWay, now
	case passed >= clientsFor:
		c.before, c.most, c.begun = c.most, c.underWay, now
	}
}
