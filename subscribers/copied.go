// SPDX-License-Identifier: Apache-2.0

package subscribers

// stored is a stored endpoint as it was last read. An endpoint that cannot be read
// has an err.
type stored struct {
	version  uint64
	owner    string
	endpoint Endpoint
	err      error
}

// copied is a copy of the endpoints that are stored.
type copied struct {
	// known has them by id, and of by tenant.
	known map[string]*stored
	of    map[string]map[string]*stored
	// unread are the ids of those that cannot be read. They are tried again with each
	// refresh.
	unread map[string]bool
	// touched are the tenants whose endpoints have changed since the set was made. They
	// stay here if reading fails halfway.
	touched map[string]bool
}

func newCopied() copied {
	return copied{
		known: make(map[string]*stored), of: make(map[string]map[string]*stored),
		unread: make(map[string]bool), touched: make(map[string]bool),
	}
}

// put takes an endpoint as it is now.
func (c *copied) put(id string, now *stored) {
	c.drop(id)
	if c.of[now.owner] == nil {
		c.of[now.owner] = make(map[string]*stored)
	}
	c.known[id], c.of[now.owner][id] = now, now
	if now.err != nil {
		c.unread[id] = true
	}
	c.touched[now.owner] = true
}

// drop drops an endpoint, if it is known.
func (c *copied) drop(id string) {
	before, ok := c.known[id]
	if !ok {
		return
	}
	delete(c.known, id)
	delete(c.unread, id)
	if delete(c.of[before.owner], id); len(c.of[before.owner]) == 0 {
		delete(c.of, before.owner)
	}
	c.touched[before.owner] = true
}
