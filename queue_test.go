// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

func init() {
	caddy.RegisterModule(new(memoryQueue))
}

// memoryQueue is all that another engine needs at the top level. It has none of
// what an engine may lack.
type memoryQueue struct {
	Dir string `json:"dir"`
}

func (*memoryQueue) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks.queues.memory", New: func() caddy.Module { return new(memoryQueue) }}
}

func (q *memoryQueue) Engine() queue.Engine { return memoryEngine{q.Dir} }

func (q *memoryQueue) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&q.Dir) {
		return d.ArgErr()
	}
	return nil
}

type memoryEngine struct{ dir string }

func (e memoryEngine) Name() string { return "memory " + e.dir }
func (e memoryEngine) Dir() string  { return e.dir }

func (e memoryEngine) Open(options queue.OpenOptions) (queue.Store, error) {
	options.Owned()
	return memoryStore{memory.New(time.Now)}, nil
}

// memoryStore does not know what is pending while uncounted is true, as a store that has
// just been opened.
type memoryStore struct{ queue.Store }

var uncounted atomic.Bool

func (s memoryStore) Stats(ctx context.Context) (queue.Stats, error) {
	stats, err := s.Store.Stats(ctx)
	if uncounted.Load() {
		stats.PendingDeliveries, stats.Lanes = nil, nil
	}
	return stats, err
}

// What is pending is not told as none while it is not known yet, in any place.
func TestCountsThatAreNotKnownYet(t *testing.T) {
	s := newStage(t)
	s.mustLoad(strings.Replace(s.config("", ""), "queue badger", "queue memory", 1))
	counts := func() (metric bool, endpoints int, status any) {
		endpoints, _ = s.get("/webhooks/endpoints")
		_, answer := s.get("/webhooks/status")
		return s.metric("deliveries_pending 0") && s.metric("lanes 0"), endpoints, answer["queue"].(map[string]any)["pending_deliveries"]
	}
	uncounted.Store(true)
	defer uncounted.Store(false)
	if metric, endpoints, status := counts(); metric || endpoints != http.StatusServiceUnavailable || status != nil {
		t.Errorf("metrics: %t, endpoints: %d, status: %v", metric, endpoints, status)
	}
	if status, health := s.health(); status != http.StatusOK {
		t.Errorf("health: %d, %s", status, health)
	}
	uncounted.Store(false)
	if metric, endpoints, status := counts(); !metric || endpoints != http.StatusOK || status == nil {
		t.Errorf("known: metrics: %t, endpoints: %d, status: %v", metric, endpoints, status)
	}
}

// Another engine is one file at the top level: everything else works with it, and
// what it lacks is said.
func TestAnotherEngine(t *testing.T) {
	s := newStage(t)
	s.mustLoad(strings.Replace(s.config("", ""), "queue badger", "queue memory", 1))
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	s.mustLoad(strings.Replace(s.config("", "max_shows 3"), "queue badger", "queue memory", 1))
	s.put("/items/1", `{"id":"1","v":2}`)
	s.expect("items.updated items/1")
	for _, global := range []string{"retention 2h 300MiB", "free_space 1GiB"} {
		err := s.load(strings.Replace(s.config(global, ""), "queue badger", "queue memory", 1))
		if err == nil || !strings.Contains(err.Error(), "keeps no files") {
			t.Errorf("%s: %v", global, err)
		}
	}
	if status, health := s.health(); status != http.StatusOK {
		t.Errorf("health: %d, %s", status, health)
	}
	if status, answer := s.get("/webhooks/queue"); status != http.StatusOK || answer["open"] != true {
		t.Errorf("queue: %d, %v", status, answer)
	}
	if status, answer := s.get("/webhooks/queue/backup"); status != http.StatusNotFound {
		t.Errorf("backup: %d, %v", status, answer)
	}
}

// A queue without a word for its engine is Badger's, in each way in which JSON can
// leave it out.
func TestDefaultEngine(t *testing.T) {
	for given, want := range map[string]string{
		"":                              `{"engine":"badger"}`,
		"null":                          `{"engine":"badger"}`,
		"{}":                            `{"engine":"badger"}`,
		`{"engine":""}`:                 `{"engine":"badger"}`,
		`{"dir":"/x"}`:                  `{"dir":"/x","engine":"badger"}`,
		`{"engine":"badger","dir":"x"}`: `{"engine":"badger","dir":"x"}`,
		`{"engine":"postgres"}`:         `{"engine":"postgres"}`,
		`{"engine":7}`:                  "",
		`[]`:                            "",
	} {
		got, err := withEngine(json.RawMessage(given))
		if (err != nil) != (want == "") || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", given, got, err, want)
		}
	}
}
