// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// nameEvery is how often a name of the API's is looked up, at most.
	nameEvery = 30 * time.Second
	// nameKept is how long an address counts as the API's after the name has
	// led there: many names lead to a few of their addresses at a time.
	nameKept = 10 * time.Minute
	// nameTimeout limits a look-up.
	nameTimeout = 2 * time.Second
)

// ownName is a name and port of the API's. A receiver may name the address that
// it leads to.
type ownName struct {
	host   string
	port   uint16
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	now    func() time.Time

	// looking is held by the one who looks the name up.
	looking sync.Mutex
	mu      sync.Mutex
	asked   time.Time
	seen    map[netip.Addr]time.Time
}

func newOwnName(host string, port uint16, resolver *net.Resolver) *ownName {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	return &ownName{host: host, port: port, lookup: resolver.LookupNetIP, now: time.Now, seen: map[netip.Addr]time.Time{}}
}

// addresses returns where the name leads. While another looks the name up, or if
// it cannot be looked up, these are the addresses that are known.
func (n *ownName) addresses() []netip.Addr {
	if n.due() && n.looking.TryLock() {
		n.look()
		n.looking.Unlock()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	known := make([]netip.Addr, 0, len(n.seen))
	for addr, at := range n.seen {
		if n.now().Sub(at) < nameKept {
			known = append(known, addr)
		}
	}
	return known
}

func (n *ownName) due() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked.IsZero() || n.now().Sub(n.asked) >= nameEvery
}

func (n *ownName) look() {
	ctx, cancel := context.WithTimeout(context.Background(), nameTimeout)
	defer cancel()
	found, err := n.lookup(ctx, "ip", n.host)
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.asked = now
	for _, addr := range found {
		n.seen[plain(addr)] = now
	}
	for addr, at := range n.seen {
		// Nothing is forgotten while there is no news.
		if err == nil && now.Sub(at) >= nameKept {
			delete(n.seen, addr)
		}
	}
}
