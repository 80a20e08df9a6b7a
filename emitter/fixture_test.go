// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// signingKey is the key of someSecret.
var signingKey = bytes.Repeat([]byte("k"), 32)

func someSecret(t testing.TB) sign.Secret {
	t.Helper()
	secret, err := sign.ParseSecret(sign.Prefix + base64.StdEncoding.EncodeToString(signingKey))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// newTarget returns an endpoint with this name on a host with this name.
func newTarget(t testing.TB, name string, transport http.RoundTripper) Target {
	t.Helper()
	return Target{Transport: transport, Endpoint: endpoint.Endpoint{
		Name: name, URL: "https://" + name + ".example/canary-path?canary=query", Secrets: []sign.Secret{someSecret(t)},
	}}
}

// publisher puts events into a queue as reconcile does.
type publisher struct {
	store     queue.Store
	sequences map[event.Key]uint64
}

func newPublisher(store queue.Store) *publisher {
	return &publisher{store: store, sequences: map[event.Key]uint64{}}
}

// publish commits the next event of an object, for some endpoints, and returns
// it. The function change may set its other fields.
func (p *publisher) publish(t testing.TB, id string, endpoints []string, change func(*event.Event)) event.Event {
	t.Helper()
	return p.publishOf(t, "items", id, endpoints, change)
}

func (p *publisher) publishOf(t testing.TB, resource, id string, endpoints []string, change func(*event.Event)) event.Event {
	t.Helper()
	ctx := context.Background()
	key, err := event.NewKey(resource, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); err != nil {
		t.Fatal(err)
	}
	lease, err := p.store.LeaseMark(ctx, key.Resource, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	p.sequences[key]++
	sequence := p.sequences[key]
	ev := event.Event{
		ID: fmt.Sprintf("evt_%s_%d", id, sequence), Type: "items.updated", Key: key, Sequence: sequence, Op: event.OpChange,
		Time: time.Now(), Freshness: event.FreshnessVersion, ContentType: "application/json; charset=utf-8",
		Payload: fmt.Appendf(nil, `{"id": %q,  "n":%d}`, id, sequence),
	}
	if change != nil {
		change(&ev)
	}
	err = p.store.CommitReconciled(ctx, lease, queue.Reconciled{
		AskedAt: time.Now(), Snapshot: &event.Snapshot{Key: key, Sequence: sequence},
		Events: []queue.Routed{{Event: ev, Endpoints: endpoints}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// got is a request as its receiver saw it.
type got struct {
	at     time.Time
	host   string
	header http.Header
	body   []byte
}

func (g got) event() string { return event.IDOf(g.header.Get("webhook-id")) }

// receivers stands in for the network: a transport that gives configurable
// answers, by host, and records requests.
type receivers struct {
	mu  sync.Mutex
	all []got
	// answer answers a request; by default with 204.
	answer func(ctx context.Context, g got) (int, error)
}

// RoundTrip implements [http.RoundTripper].
func (r *receivers) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	g := got{at: time.Now(), host: request.URL.Host, header: request.Header.Clone(), body: body}
	r.mu.Lock()
	r.all = append(r.all, g)
	answer := r.answer
	r.mu.Unlock()
	code := http.StatusNoContent
	if answer != nil {
		if code, err = answer(request.Context(), g); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("thanks"))}, nil
}

// of returns the requests that a host got, in order.
func (r *receivers) of(host string) []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	var of []got
	for _, g := range r.all {
		if g.host == host+".example" {
			of = append(of, g)
		}
	}
	return of
}

func events(all []got) string {
	ids := make([]string, len(all))
	for i, g := range all {
		ids[i] = strings.TrimPrefix(g.event(), "evt_")
	}
	return strings.Join(ids, " ")
}

// hang waits until the request is cancelled.
func hang(ctx context.Context) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func deliveries(t testing.TB, store queue.Store, filter queue.Filter) []queue.Delivery {
	t.Helper()
	list, _, err := store.Deliveries(context.Background(), filter, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// attempts returns an event's attempts at an endpoint, oldest first.
func attempts(t testing.TB, store queue.Store, filter queue.Filter) []queue.Attempt {
	t.Helper()
	list, _, err := store.Attempts(context.Background(), filter, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	sorted := make([]queue.Attempt, len(list))
	for _, attempt := range list {
		if attempt.Number < 1 || attempt.Number > len(list) {
			t.Fatalf("%d attempts, one with number %d", len(list), attempt.Number)
		}
		sorted[attempt.Number-1] = attempt
	}
	return sorted
}
