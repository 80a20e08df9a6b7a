// SPDX-License-Identifier: Apache-2.0

// Package kubernetes tests the module with an API that knows nothing of it: the server of
// Kubernetes' custom resources. It is a process of its own, with Caddy in front of it. The
// receiver's events are compared with what its watch tells.
package kubernetes

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
)

// rules are the lines of a Caddyfile that an owner of this API writes.
//
//go:embed rules.caddyfile
var rules string

// lab is the API server, its watch, and Caddy in front of it.
type lab struct {
	site       *witness.Site
	api, token string
	feed       *witness.Journal[witness.Change]
}

func newLab(t *testing.T) *lab {
	t.Helper()
	address, token := startAPI(t)
	l := &lab{api: "http://" + address, token: token}
	l.feed = follow(t, l.api, token)
	l.site = witness.Start(t, address, rules, state, `header_up Authorization "Bearer `+token+`"`)
	return l
}

func (l *lab) client(n int, namespace string) *client {
	return &client{site: l.site, token: l.token, namespace: namespace, random: rand.New(rand.NewPCG(uint64(n), 6443)), answers: make(map[string]int)}
}

// If each request waits for the events of the one before, events and watch correspond one
// to one, whatever the request was.
func TestLockstep(t *testing.T) {
	l := newLab(t)
	ctx := witness.Within(t)
	var work sync.WaitGroup
	for n, namespace := range []string{"team-a", "me"} {
		c := l.client(n, namespace)
		work.Go(func() {
			for step := range 130 {
				if err := l.step(ctx, c); err != nil {
					t.Errorf("%s, step %d: %v", namespace, step, err)
					return
				}
			}
			t.Logf("%s: %v", namespace, c.answers)
		})
	}
	work.Wait()
	l.finish(ctx, t, witness.Exact)
}

// If no request waits for an event, and clients change the same objects, events may skip
// states. They still follow the order of the watch, and end with the last state.
func TestBurst(t *testing.T) {
	l := newLab(t)
	ctx := witness.Within(t)
	var work sync.WaitGroup
	for n := range 6 {
		c := l.client(100+n, "shared")
		work.Go(func() {
			for range 60 {
				if err := c.act(ctx); err != nil {
					t.Errorf("client %d: %v", n, err)
				}
			}
		})
	}
	work.Wait()
	l.finish(ctx, t, witness.Merged)
}

// step sends one request, and waits until the watch and the receiver have been told what
// it changed.
func (l *lab) step(ctx context.Context, c *client) error {
	before, err := l.versions(ctx, c.namespace)
	if err != nil {
		return err
	}
	own := func(told witness.Change) bool { return strings.HasPrefix(told.Object, "widgets/"+c.namespace+"/") }
	told := len(l.feed.Pick(own))
	if err := c.act(ctx); err != nil {
		return err
	}
	after, err := l.versions(ctx, c.namespace)
	if err != nil {
		return err
	}
	for object, version := range after {
		if before[object] != version {
			told++
		}
		delete(before, object)
	}
	changes, err := l.feed.Await(ctx, own, witness.AtLeast[witness.Change](told+len(before)))
	if err != nil {
		return fmt.Errorf("waiting for the watch: %w", err)
	}
	count := make(map[string]int)
	for _, change := range changes {
		count[change.Object]++
	}
	for object, n := range count {
		of := func(e witness.Event) bool { return e.Object == object }
		if _, err := l.site.Receiver.Events.Await(ctx, of, witness.AtLeast[witness.Event](n)); err != nil {
			return fmt.Errorf("waiting for event %d of %s: %w", n, object, err)
		}
	}
	return nil
}

// versions returns the versions of a namespace's widgets, asked of the API itself.
func (l *lab) versions(ctx context.Context, namespace string) (map[string]string, error) {
	a, err := l.site.Do(ctx, http.MethodGet, l.api+"/apis/example.com/v1/namespaces/"+namespace+"/widgets", "", "Authorization", "Bearer "+l.token)
	if err != nil {
		return nil, err
	}
	var list struct{ Items []meta }
	if err := json.Unmarshal(a.Body, &list); err != nil {
		return nil, err
	}
	versions := make(map[string]string)
	for _, item := range list.Items {
		versions[item.object()] = item.Metadata.ResourceVersion
	}
	return versions, nil
}

func (l *lab) finish(ctx context.Context, t *testing.T, compare func([]witness.Change, []witness.Event) error) {
	t.Helper()
	if err := l.site.Quiet(ctx); err != nil {
		t.Error(err)
	}
	changes, events := l.feed.Pick(witness.All[witness.Change]), l.site.Receiver.Events.Pick(witness.All[witness.Event])
	if err := compare(changes, events); err != nil {
		t.Error(err)
	}
	t.Logf("%d changes, %d events", len(changes), len(events))
	records, err := l.site.Unresolved(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		t.Errorf("unresolved: %+v", record)
	}
}
