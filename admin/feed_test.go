// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// feed returns a page of the feed.
func (s *stage) feed(query string) admin.FeedView {
	s.t.Helper()
	got := s.do(http.MethodGet, "/webhooks/feed"+query, "")
	if got.status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", query, got.status, got.body)
	}
	var page admin.FeedView
	must(s.t, json.Unmarshal([]byte(got.body), &page))
	return page
}

func objects(page admin.FeedView) string {
	var all []string
	for _, item := range page.Items {
		all = append(all, item.Object)
	}
	return strings.Join(all, " ")
}

// announce commits an event of an object to endpoints.
func announce(t *testing.T, store queue.Store, id, tenant string, endpoints ...string) {
	t.Helper()
	must(t, store.Announce(t.Context(), event.Event{
		Type: "items.updated", Key: event.Key{Resource: "items", ID: id}, Tenant: tenant, Sequence: 7, Time: time.Now(), Payload: []byte(`"secret"`),
	}, endpoints))
}

// The feed has the events of all, in the order of their commits, from any place.
func TestFeed(t *testing.T) {
	s, store, eventID := newFilledStage(t)
	announce(t, store, "3", "umbrella", "erp", "crm", "old")
	announce(t, store, "4", "")
	all := s.feed("")
	if got := objects(all); got != "items/1 items/2 items/3 items/4" {
		t.Fatalf("the feed has %s", got)
	}
	first, third := all.Items[0], all.Items[2]
	if first.ID != eventID || first.Endpoints != 1 || first.Tenant != "acme" || first.Time.IsZero() {
		t.Errorf("the first is %+v", first)
	}
	if third.Endpoints != 3 || third.Tenant != "umbrella" || third.Type != "items.updated" || third.AtLeast || all.Items[3].Endpoints != 0 {
		t.Errorf("the last are %+v", all.Items[2:])
	}
	if got := s.do(http.MethodGet, "/webhooks/feed", ""); strings.Contains(got.body, "secret") {
		t.Errorf("the feed has payloads: %s", got.body)
	}
	for query, want := range map[string]string{
		"?after=oldest": "items/1 items/2 items/3 items/4", "?after=latest": "", "?after=1h": "items/1 items/2 items/3 items/4", "?limit=2": "items/1 items/2",
		"?after=" + first.Position: "items/2 items/3 items/4", "?after=" + all.Next: "", "?after=" + all.Next + "&wait=1ms": "", "?wait=1m": "items/1 items/2 items/3 items/4",
	} {
		if got := objects(s.feed(query)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	page := s.feed("?limit=3")
	if rest := s.feed("?after=" + page.Next); !page.More || rest.More || objects(rest) != "items/4" {
		t.Errorf("%+v, and behind it %+v", page, rest)
	}
	for query, want := range map[string]int{
		"?after=yesterday": 400, "?after=": 400, "?limit=0": 400, "?limit=1001": 400, "?wait=2m": 400, "?wait=-1s": 400, "?type=a": 400, "?after=-1h": 400,
		"?after=" + queue.NewPosition(queue.Instance{ID: [16]byte{1, 2, 3, 4}}, 1).String(): 410,
	} {
		if got := s.do(http.MethodGet, "/webhooks/feed"+query, ""); got.status != want {
			t.Errorf("%s: %d %s, want %d", query, got.status, got.body, want)
		}
	}
	must(t, store.Close())
	if got := s.do(http.MethodGet, "/webhooks/feed", ""); got.status != http.StatusServiceUnavailable {
		t.Errorf("closed: %d %s", got.status, got.body)
	}
}

// waitingStage has a queue with nothing in it, and a configuration that end ends.
func waitingStage(t *testing.T) (s *stage, store *diskStore, end context.CancelFunc) {
	store = &diskStore{Store: memory.New(time.Now)}
	s = newStage(t, filer{&engine{dir: t.TempDir(), store: store}})
	s.server.Context, end = context.WithCancel(t.Context())
	s.start()
	return s, store, end
}

// A request waits for an event, for as long as it says, and no longer than its
// configuration lasts, nor than the queue is open.
func TestFeedWaits(t *testing.T) {
	for name, tc := range map[string]struct {
		after   time.Duration
		do      func(t *testing.T, store *diskStore, end context.CancelFunc)
		objects string
		status  int
		took    time.Duration
	}{
		"event":         {3 * time.Second, func(t *testing.T, store *diskStore, _ context.CancelFunc) { announce(t, store, "1", "") }, "items/1", 200, 3 * time.Second},
		"nothing":       {time.Hour, func(*testing.T, *diskStore, context.CancelFunc) {}, "", 200, 30 * time.Second},
		"configuration": {5 * time.Second, func(_ *testing.T, _ *diskStore, end context.CancelFunc) { end() }, "", 200, 5 * time.Second},
		"queue":         {7 * time.Second, func(t *testing.T, store *diskStore, _ context.CancelFunc) { must(t, store.Close()) }, "", 503, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, store, end := waitingStage(t)
				defer end()
				timer := time.AfterFunc(tc.after, func() { tc.do(t, store, end) })
				defer timer.Stop()
				began := time.Now()
				got := s.do(http.MethodGet, "/webhooks/feed?after=latest&wait=30s", "")
				if took := time.Since(began); got.status != tc.status || took != tc.took {
					t.Errorf("%d %s after %s, want %d after %s", got.status, got.body, took, tc.status, tc.took)
				}
				if tc.status == 200 {
					var page admin.FeedView
					must(t, json.Unmarshal([]byte(got.body), &page))
					if objects(page) != tc.objects || page.Next == "" {
						t.Errorf("answered %s", got.body)
					}
				}
			})
		})
	}
}
