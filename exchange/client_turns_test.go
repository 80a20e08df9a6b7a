// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func requestOf(client string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), "PATCH", "/items/1", nil)
	return r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.ClientIPVarKey: client}))
}

// unconfirmed returns marks that only a client stands for.
func unconfirmed(n int) []queue.Mark {
	marks := make([]queue.Mark, n)
	for i := range marks {
		marks[i].Hints = queue.HintMayBeUpdated | queue.HintUnconfirmed
	}
	return marks
}

// One client's many marks are due one after the other, another's first one at once.
func TestClientTurns(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newClientTurns(10)
	many := unconfirmed(100)
	c.spread(requestOf("192.0.2.1"), many, now)
	for i, mark := range many {
		want := time.Time{}
		if i >= 10 { // the burst
			want = now.Add(time.Duration(i-9) * 100 * time.Millisecond)
		}
		if !mark.After.Equal(want) {
			t.Fatalf("mark %d is due at %v, want %v", i, mark.After, want)
		}
	}
	for client, waits := range map[string]bool{
		"192.0.2.2": false, "192.0.2.1": true, "::ffff:192.0.2.1": true, "2001:db8::1": false, "": false,
	} {
		one := unconfirmed(1)
		c.spread(requestOf(client), one, now)
		if got := !one[0].After.IsZero(); got != waits {
			t.Errorf("%q waits: %t, want %t", client, got, waits)
		}
	}
	// A client has a network of IPv6 for itself.
	c.spread(requestOf("2001:db8::1"), unconfirmed(50), now)
	one := unconfirmed(1)
	c.spread(requestOf("2001:db8::ffff:1"), one, now)
	if one[0].After.IsZero() {
		t.Error("another address of the same network does not wait")
	}
	// What somebody else stands for has no turn, and time passes.
	others := []queue.Mark{{Hints: queue.HintUpdated}, {Hints: queue.HintMayBeUpdated}, {Hints: queue.HintLooked}}
	c.spread(requestOf("192.0.2.1"), others, now)
	for _, mark := range others {
		if !mark.After.IsZero() {
			t.Errorf("%+v waits", mark)
		}
	}
	later := now.Add(time.Minute)
	c.spread(requestOf("192.0.2.1"), one, later)
	if one[0].After.After(later) {
		t.Error("what was left to do a minute ago is still waited for")
	}
}

// Clients beyond the limit count as one, nobody waits for more than an hour, and who
// has nothing left to wait for is forgotten.
func TestClientTurnsAreLimited(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newClientTurns(1)
	for i := range maxClients + 500 {
		c.take(fmt.Sprint("client ", i), now)
	}
	if len(c.next) > maxClients+1 {
		t.Errorf("%d clients are remembered", len(c.next))
	}
	for range 10000 {
		if due := c.take("client 1", now); due.After(now.Add(maxTurn)) {
			t.Fatalf("a turn is %s away", due.Sub(now))
		}
	}
	c.take("new", now.Add(10*time.Minute))
	if len(c.next) > 10 {
		t.Errorf("%d clients are remembered, and most have nothing left to wait for", len(c.next))
	}
	if c = newClientTurns(0); c != nil {
		t.Error("turns without a rate")
	}
	c.spread(requestOf(""), unconfirmed(1), now)
}

// With all places taken, it is not looked for clients to forget at each request.
func TestClientTurnsAreCheap(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newClientTurns(1)
	for i := range maxClients {
		c.take(fmt.Sprint("client ", i), now)
	}
	c.take("one more", now)
	looked := c.looked
	c.take("another", now.Add(forgetEvery/2))
	if !c.looked.Equal(looked) {
		t.Error("it was looked for clients twice within a moment")
	}
	if c.take("a third", now.Add(2*forgetEvery)); c.looked.Equal(looked) || len(c.next) > 2 {
		t.Errorf("%d clients are remembered", len(c.next))
	}
}
