// SPDX-License-Identifier: Apache-2.0

// Package opa tests the module with an API that knows nothing of it: Open Policy Agent.
// It serves in this process, with Caddy in front of it. The receiver's events are
// compared with what OPA's store tells its triggers.
package opa

import (
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
)

// rules are the lines of a Caddyfile that an owner of this API writes.
//
//go:embed rules.caddyfile
var rules string

// lab is an Open Policy Agent, its feed, and Caddy in front of it.
type lab struct {
	site *witness.Site
	api  string
	feed *feed
}

func newLab(t *testing.T) *lab {
	t.Helper()
	address, told := startAPI(t)
	return &lab{site: witness.Start(t, address, rules, state), api: "http://" + address, feed: told}
}

func (l *lab) newClient(n int) *client {
	return &client{site: l.site, api: l.api, random: rand.New(rand.NewPCG(uint64(n), 8181)), sent: make(map[string]int)}
}

// If each change waits for the event of the one before, events and feed correspond one
// to one, whatever the request was.
func TestLockstep(t *testing.T) {
	l := newLab(t)
	ctx := witness.Within(t)
	c := l.newClient(0)
	for range 260 {
		if err := l.step(ctx, c); err != nil {
			t.Errorf("step %d: %v", c.step, err)
			break
		}
	}
	l.finish(ctx, t, []*client{c}, witness.Exact)
}

// step sends one request, and waits until the receiver was told as much as the feed.
func (l *lab) step(ctx context.Context, c *client) error {
	before := len(l.feed.Pick(witness.All[witness.Change]))
	if err := c.act(ctx); err != nil {
		return err
	}
	changes := l.feed.Pick(witness.All[witness.Change])
	count := make(map[string]int)
	for _, told := range changes {
		count[told.Object]++
	}
	for _, told := range changes[before:] {
		of := func(e witness.Event) bool { return e.Object == told.Object }
		if _, err := l.site.Receiver.Events.Await(ctx, of, witness.AtLeast[witness.Event](count[told.Object])); err != nil {
			return fmt.Errorf("waiting for event %d of %s: %w", count[told.Object], told.Object, err)
		}
	}
	return nil
}

// If no change waits for an event, events may skip states. They still follow the order
// of the feed, and end with the last state.
func TestBurst(t *testing.T) {
	l := newLab(t)
	ctx := witness.Within(t)
	clients := make([]*client, 8)
	var work sync.WaitGroup
	for n := range clients {
		clients[n] = l.newClient(n + 1)
		work.Go(func() {
			for range 60 {
				if err := clients[n].act(ctx); err != nil {
					t.Errorf("client %d, step %d: %v", n, clients[n].step, err)
					return
				}
			}
		})
	}
	work.Wait()
	l.finish(ctx, t, clients, witness.Merged)
}

// finish waits until all is told, and compares.
func (l *lab) finish(ctx context.Context, t *testing.T, clients []*client, compare func([]witness.Change, []witness.Event) error) {
	t.Helper()
	sent, requests := make(map[string]int), 0
	for _, c := range clients {
		for name, n := range c.sent {
			sent[name] += n
			requests += n
		}
	}
	for _, d := range deeds {
		if sent[d.name] == 0 {
			t.Errorf("there was no %s", d.name)
		}
	}
	told := func() ([]witness.Change, []witness.Event) {
		return l.feed.Pick(witness.All[witness.Change]), l.site.Receiver.Events.Pick(witness.All[witness.Event])
	}
	if t.Failed() {
		t.Log(compare(told()))
		return
	}
	err := witness.Eventually(ctx, func() error {
		if err := l.site.Quiet(ctx); err != nil {
			return err
		}
		return compare(told())
	})
	if err != nil {
		t.Errorf("%v\n%v", err, compare(told()))
	}
	changes, events := told()
	t.Logf("%d requests, %d changes in the feed, %d events", requests, len(changes), len(events))
}
