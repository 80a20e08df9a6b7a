// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// maxClients limits how many clients are told apart; all others count as one.
	maxClients = 4096
	// forgetEvery is how often those are looked for that have nothing left to wait for.
	forgetEvery = time.Second
	// maxTurn limits how far in the future a client's turn may be.
	maxTurn = time.Hour
)

// clientTurns spreads the marks that only clients stand for: those of one client are
// due one after the other, as fast as Shows are read for all such marks. So one that
// breaks off thousands of requests waits for itself, and another's mark comes before
// what the first has left to do. A client alone loses nothing.
type clientTurns struct {
	interval time.Duration
	burst    int

	mu sync.Mutex
	// next is when each client's next mark is due, if it spends no burst.
	next map[string]time.Time
	// looked is when it was last looked for clients to forget.
	looked time.Time
}

// newClientTurns returns the turns for a rate of Shows a second; nil, which spreads
// nothing, if there is none.
func newClientTurns(perSecond float64) *clientTurns {
	if perSecond <= 0 {
		return nil
	}
	return &clientTurns{
		interval: time.Duration(float64(time.Second) / perSecond), burst: max(int(perSecond), 1),
		next: make(map[string]time.Time),
	}
}

// spread sets when the unconfirmed ones of some marks are due.
func (c *clientTurns) spread(r *http.Request, marks []queue.Mark, now time.Time) {
	if c == nil {
		return
	}
	client := ""
	for i := range marks {
		if !marks[i].Hints.AreUnconfirmed() {
			continue
		}
		if client == "" {
			client = clientOf(r)
		}
		if due := c.take(client, now); due.After(now) {
			marks[i].After = due
		}
	}
}

// take returns when a client's next mark is due: the generic cell rate algorithm, as
// ITU-T I.371 describes it, that delays instead of refusing.
func (c *clientTurns) take(client string, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, known := c.next[client]
	if !known && len(c.next) >= maxClients && !c.forget(now) {
		client = ""
		next = c.next[client]
	}
	if next.Before(now) {
		next = now
	}
	due := next.Add(-time.Duration(c.burst-1) * c.interval)
	if next = next.Add(c.interval); next.Sub(now) > maxTurn {
		next = now.Add(maxTurn)
	}
	c.next[client] = next
	return due
}

// forget forgets the clients that have nothing left to wait for, and reports whether
// there were any. It looks at all, so it does so only now and then: requests wait for it.
func (c *clientTurns) forget(now time.Time) bool {
	if now.Sub(c.looked) < forgetEvery {
		return false
	}
	c.looked = now
	before := len(c.next)
	for client, next := range c.next {
		if !next.After(now) {
			delete(c.next, client)
		}
	}
	return len(c.next) < before
}

// clientOf names the client of a request: its address as Caddy's trusted_proxies find
// it, of IPv6 the network of 64 bits that a client usually has for itself.
func clientOf(r *http.Request) string {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	address, err := netip.ParseAddr(text)
	if err != nil {
		return text
	}
	address = address.Unmap().WithZone("")
	if address.Is4() {
		return address.String()
	}
	network, err := address.Prefix(64)
	if err != nil {
		return text
	}
	return network.String()
}
