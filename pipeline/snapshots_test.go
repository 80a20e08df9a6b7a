// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// ordered is a receiver that notes what comes in another order than it happened.
type ordered struct {
	*httptest.Server
	mu   sync.Mutex
	last map[string]uint64
	got  []string
	late []string
}

func newOrdered(t *testing.T) *ordered {
	t.Helper()
	o := &ordered{last: map[string]uint64{}}
	o.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		object, op := r.Header.Get("Webhook-Object"), r.Header.Get("Webhook-Op")
		sequence, _ := strconv.ParseUint(r.Header.Get("Webhook-Sequence"), 10, 64)
		line := fmt.Sprint(op, " ", object, " ", sequence)
		if o.got = append(o.got, line); sequence < o.last[object] {
			o.late = append(o.late, line)
		}
		o.last[object] = max(o.last[object], sequence)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *ordered) has(object string, sequence uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last[object] >= sequence
}

// told returns all that came, and what of it came late.
func (o *ordered) told() (all, late []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got, o.late
}

// createWith makes an endpoint that begins with something, in one step.
func createWith(t *testing.T, b *subscribers.Book, url string, run subscribers.Run) string {
	t.Helper()
	with := *b
	with.With = func(of *subscribers.Endpoint) ([]queue.Record, error) {
		record, err := run.Record(of.ID, of.Tenant)
		return []queue.Record{record}, err
	}
	made, err := with.Create(t.Context(), storedAt(url))
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// An endpoint that begins in the past is sent what happens now when it has been sent what
// happened before.
func TestOlderEventsComeFirst(t *testing.T) {
	p := newPipeline(t, silent(), nil)
	start(t, p, changing(t, p))
	store, receiver := opened(t, p), newOrdered(t)
	const events = 60
	known := func(sequence uint64) func() bool {
		return func() bool {
			object, err := store.Object(t.Context(), event.Key{Resource: "items", ID: "1"})
			return err == nil && object.Sequence >= sequence
		}
	}
	for n := range uint64(events) {
		mark(t, p, "1")
		eventually(t, "the object has changed", known(n+1))
	}
	b := book(t, p)
	id := createWith(t, b, receiver.URL, subscribers.NewReplayRun(store.Instance(), queue.Position{}, time.Now()))
	mark(t, p, "1")
	eventually(t, "what happens now comes", func() bool { return receiver.has("items/1", events+1) })
	all, late := receiver.told()
	if len(all) != events+1 || len(late) > 0 {
		t.Errorf("it was told %v, late %v", all, late)
	}
	if run, err := b.Run(t.Context(), "acme", id); err != nil || run.State != subscribers.Done || run.Done != events {
		t.Errorf("the run is %+v, %v", run, err)
	}
}

// An endpoint that begins with a snapshot is sent each object once, and then what changes.
func TestSnapshotIsDelivered(t *testing.T) {
	p := newPipeline(t, silent(), nil)
	c := changing(t, p)
	var state atomic.Int64
	c.Plan.Resources[0].Read = func(_ context.Context, lease queue.MarkLease) (show.Show, error) {
		body := fmt.Appendf(nil, `{"id":%q,"tenant":"acme","n":%d}`, lease.Key.ID, state.Load())
		return show.Show{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
	}
	start(t, p, c)
	store, receiver := opened(t, p), newOrdered(t)
	for _, id := range []string{"1", "2", "3"} {
		deliveriesOf(t, p, id)
	}
	b := book(t, p)
	id := createWith(t, b, receiver.URL, subscribers.NewSnapshotRun(store.Instance(), time.Now()))
	eventually(t, "the snapshot is done", func() bool {
		run, err := b.Run(t.Context(), "acme", id)
		return err == nil && run.State == subscribers.Done
	})
	eventually(t, "all objects come", func() bool { all, _ := receiver.told(); return len(all) == 3 })
	state.Add(1)
	mark(t, p, "2")
	eventually(t, "what changes comes", func() bool { return receiver.has("items/2", 2) })
	all, late := receiver.told()
	if len(all) != 4 || len(late) > 0 || all[3] != "change items/2 2" {
		t.Errorf("it was told %v, late %v", all, late)
	}
}
