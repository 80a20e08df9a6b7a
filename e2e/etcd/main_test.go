// SPDX-License-Identifier: Apache-2.0

// Package etcd tests the module with an API that knows nothing of it: the JSON gateway
// of etcd. It serves in this process, with Caddy in front of it. The receiver's events
// are compared with what etcd's watch tells.
package etcd

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
)

// rules are the lines of a Caddyfile that an owner of this API writes.
//
//go:embed rules.caddyfile
var rules string

// lab is etcd, its feed, and Caddy in front of it.
type lab struct {
	site *witness.Site
	api  string
	feed *witness.Journal[change]
}

func newLab(t *testing.T) *lab {
	t.Helper()
	address := startAPI(t)
	l := &lab{api: "http://" + address, feed: follow(t, address)}
	l.site = witness.Start(t, address, rules, state)
	return l
}

func (l *lab) newClient(n int) *client {
	name := fmt.Sprintf("client%d", n)
	return &client{
		site: l.site, api: l.api, name: name, prefix: name + "/", random: rand.New(rand.NewPCG(uint64(n), 2379)), sent: make(map[string]int),
	}
}

// told returns the changes of keys, and the events of keys, so far.
func (l *lab) told() (changes []witness.Change, events []witness.Event) {
	for _, c := range l.feed.Pick(witness.All[change]) {
		changes = append(changes, c.Change)
	}
	return changes, l.site.Receiver.Events.Pick(func(e witness.Event) bool { return strings.HasPrefix(e.Object, "kv/") })
}

// If each change waits for the event of the one before, events and feed correspond one
// to one, whatever the request was.
func TestLockstep(t *testing.T) {
	l := newLab(t)
	ctx := witness.Within(t)
	clients := make([]*client, 4)
	var work sync.WaitGroup
	for n := range clients {
		clients[n] = l.newClient(n)
		work.Go(func() {
			for range 75 {
				if err := l.step(ctx, clients[n]); err != nil {
					t.Errorf("client %d, step %d: %v", n, clients[n].step, err)
					return
				}
			}
		})
	}
	work.Wait()
	l.finish(ctx, t, clients, witness.Exact)
}

// step sends one request, and waits until the feed has told what it changed, and the
// receiver as much.
func (l *lab) step(ctx context.Context, c *client) error {
	before, err := stored(ctx, l.site, l.api, c.prefix)
	if err != nil {
		return err
	}
	own := func(told change) bool { return strings.HasPrefix(told.key, c.prefix) }
	told := len(l.feed.Pick(own))
	if err := c.act(ctx); err != nil {
		return err
	}
	after, err := stored(ctx, l.site, l.api, c.prefix)
	if err != nil {
		return err
	}
	for key, revision := range after {
		if before[key] != revision {
			told++
		}
		delete(before, key)
	}
	changes, err := l.feed.Await(ctx, own, witness.AtLeast[change](told+len(before)))
	if err != nil {
		return fmt.Errorf("waiting for the feed: %w", err)
	}
	count := make(map[string]int)
	for _, told := range changes {
		count[told.Object]++
	}
	for object, n := range count {
		of := func(e witness.Event) bool { return e.Object == object }
		if _, err := l.site.Receiver.Events.Await(ctx, of, witness.AtLeast[witness.Event](n)); err != nil {
			return fmt.Errorf("waiting for event %d of %s: %w", n, object, err)
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
	for n := range clients {
		clients[n] = l.newClient(n)
		clients[n].prefix = fmt.Sprintf("shared%d/", n%2) // four clients change the same keys
	}
	// On a slow machine a pair's lease may run out before the pair is read. One that was
	// never seen would be asked for again for a day, as it may not be there yet.
	for _, c := range clients[:2] {
		if err := c.done(ctx, "kv/put", `{"key":%q,"value":%q}`, encoded(c.prefix+runsOut), c.value()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.site.Quiet(ctx); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for n := range clients {
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
	if t.Failed() {
		changes, events := l.told()
		t.Log(compare(changes, events))
		return
	}
	err := witness.Eventually(ctx, func() error {
		if err := l.site.Quiet(ctx); err != nil {
			return err
		}
		return compare(l.told())
	})
	if err != nil {
		t.Errorf("%v\n%v", err, compare(l.told()))
	}
	changes, events := l.told()
	t.Logf("%d requests, %d changes in the feed, %d events", requests, len(changes), len(events))
	t.Log(slices.Sorted(maps.Keys(sent)))
}
