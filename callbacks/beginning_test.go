// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// beginningWith is the body of an endpoint that begins with something.
func beginningWith(begin string) string {
	return fmt.Sprintf(`{"url":"https://erp.example/h","events":["items.*"],"begin":%s}`, begin)
}

func TestBegin(t *testing.T) {
	s := newStage(t)
	first := s.announce("acme", "items.created", "1")
	page, err := s.store.ReadFeed(t.Context(), queue.OfTenant("acme"), queue.Position{}, 1)
	must(t, err)
	cursor := page.Next.String()
	for begin, want := range map[string]struct {
		state subscribers.RunState
		from  string
	}{
		`"snapshot"`: {subscribers.Listing, ""}, `"` + cursor + `"`: {subscribers.Replaying, cursor},
		`"1h"`: {subscribers.Replaying, queue.Position{}.String()}, `"` + first.Time.Add(time.Second).Format(time.RFC3339) + `"`: {subscribers.Replaying, cursor},
		`"now"`: {}, `null`: {}, `""`: {"400", ""}, `7`: {"400", ""}, `"soon"`: {"400", ""}, `["snapshot"]`: {"400", ""},
	} {
		if want.state == "400" {
			got := s.as("acme", http.MethodPost, "/endpoints", beginningWith(begin)).want(t, 400, "snapshot")
			if got.pointers()[0] != "/begin" {
				t.Errorf("%s: %s", begin, got.body)
			}
			continue
		}
		made := s.create("acme", beginningWith(begin))
		id := made.text("id")
		run, err := (&subscribers.Book{Store: s.store}).Run(t.Context(), "acme", id)
		path := "/endpoints/" + id + "/snapshot"
		if want.state == "" {
			s.as("acme", http.MethodGet, path, "").want(t, 404)
			if err == nil {
				t.Errorf("%s: begins with %+v", begin, run)
			}
			continue
		}
		must(t, err)
		if run.State != want.state || run.From != want.from || !run.Began.Equal(s.now) || run.Queue != subscribers.QueueName(s.store.Instance()) {
			t.Errorf("%s: begins with %+v", begin, run)
		}
		s.as("acme", http.MethodGet, path, "").want(t, 200, `"state":"`+string(want.state)+`"`, `"done":0`, `"of":0`, `"complete":true`)
		s.as("acme", http.MethodDelete, "/endpoints/"+id, "").want(t, 204)
		// It is gone with the endpoint.
		if _, err := s.store.Record(t.Context(), subscribers.KindRun, id); err == nil {
			t.Errorf("%s: the run has outlived its endpoint", begin)
		}
	}
	// It cannot be changed later, nor given to what is sent nothing.
	id := s.create("acme", simple).text("id")
	s.as("acme", http.MethodPatch, "/endpoints/"+id, `{"begin":"snapshot"}`).want(t, 400, "/begin")
	if got := s.as("acme", http.MethodPost, "/endpoints", `{"begin":"snapshot"}`).want(t, 422, "no url"); got.pointers()[0] != "/begin" {
		t.Error(got.body)
	}
	pulls := s.create("acme", `{}`).text("id")
	s.as("acme", http.MethodPost, "/endpoints/"+pulls+"/snapshot", "").want(t, 422, "no url")
	// A position of another queue.
	other := queue.NewPosition(queue.Instance{ID: [16]byte{1}}, 5).String()
	s.as("acme", http.MethodPost, "/endpoints", beginningWith(`"`+other+`"`)).want(t, 410, `"oldest":"`)
	s.as("acme", http.MethodGet, "/audit", "").want(t, 200, `"changed":["begin","events","url"]`)
}

func TestSnapshotRoutes(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", simple).text("id")
	path := "/endpoints/" + id + "/snapshot"
	s.as("acme", http.MethodGet, path, "").want(t, 404)
	s.as("acme", http.MethodDelete, path, "").want(t, 404)
	started := s.as("acme", http.MethodPost, path, "").want(t, 202, `"state":"listing"`)
	if started.header.Get("Location") != "/webhooks"+path {
		t.Errorf("it is at %q", started.header.Get("Location"))
	}
	s.as("acme", http.MethodPost, path, "").want(t, 409, "running already")

	// Far on, it says where it is.
	book := &subscribers.Book{Store: s.store, Now: func() time.Time { return s.now }}
	run, err := book.Run(t.Context(), "acme", id)
	must(t, err)
	run.State, run.Resource, run.After, run.Done, run.Of, run.Filtered, run.Unread, run.Partial = subscribers.Walking, "items", "7", 12, 10, 2, 1, true
	kept, err := run.Record(id, "acme")
	must(t, err)
	_, err = s.store.Change(t.Context(), kept)
	must(t, err)
	got := s.as("acme", http.MethodGet, path, "").want(t, 200)
	const want = `{"state":"walking","resource":"items","done":12,"of":12,"filtered":2,"unread":1,"complete":false,"began_at":"2026-11-28T12:00:00Z"}`
	if strings.TrimSpace(got.body) != want {
		t.Errorf("got %s", got.body)
	}
	s.as("acme", http.MethodDelete, path, "").want(t, 200, `"state":"cancelled"`, `"ended_at"`)
	s.as("acme", http.MethodDelete, path, "").want(t, 200, `"state":"cancelled"`)
	s.as("acme", http.MethodPost, path, "").want(t, 202, `"state":"listing"`, `"done":0`)
	audit := s.as("acme", http.MethodGet, "/audit", "")
	if n := strings.Count(audit.body, `"endpoint.snapshot"`); n != 2 {
		t.Errorf("%d starts are in the audit: %s", n, audit.body)
	}
	if n := strings.Count(audit.body, `"endpoint.snapshot.cancel"`); n != 1 {
		t.Errorf("%d ends are in the audit: %s", n, audit.body)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		s.as("umbrella", method, path, "").want(t, 404)
		s.as("acme", method, path+"?x=1", "").want(t, 400)
	}
}

// Few endpoints of a tenant begin with something at the same time; another tenant's do
// not count.
func TestManyRuns(t *testing.T) {
	s := newStage(t)
	var ids []string
	for range subscribers.MaxRuns {
		ids = append(ids, s.create("acme", beginningWith(`"snapshot"`)).text("id"))
	}
	s.as("acme", http.MethodPost, "/endpoints", beginningWith(`"snapshot"`)).want(t, 409, "3 of your endpoints")
	s.as("acme", http.MethodPost, "/endpoints", beginningWith(`"1h"`)).want(t, 409)
	more := s.create("acme", simple).text("id")
	s.as("acme", http.MethodPost, "/endpoints/"+more+"/snapshot", "").want(t, 409, "3 of your endpoints")
	s.create("umbrella", beginningWith(`"snapshot"`))
	s.as("acme", http.MethodDelete, "/endpoints/"+ids[0]+"/snapshot", "").want(t, 200)
	s.now = s.now.Add(snapshotsEvery)
	s.as("acme", http.MethodPost, "/endpoints/"+more+"/snapshot", "").want(t, 202)
}

// With an Idempotency-Key, a repeat is answered with the first endpoint, and begins no
// second run.
func TestBeginOnce(t *testing.T) {
	s := newStage(t)
	for range 3 {
		s.create("acme", beginningWith(`"snapshot"`), "Idempotency-Key", "1")
	}
	kept, _, err := s.store.RecordsOf(t.Context(), subscribers.KindRun, "acme", queue.Page{})
	must(t, err)
	if len(kept) != 1 {
		t.Errorf("there are %d runs", len(kept))
	}
}

// Whoever looks at what came sees a snapshot like any other event, and nobody else can
// have it sent.
func TestSnapshotDelivered(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", beginningWith(`"snapshot"`)).text("id")
	other := s.create("acme", simple).text("id")
	key := event.Key{Resource: "items", ID: "1"}
	must(t, s.store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key, Hints: queue.HintLooked}}}, true))
	lease, err := s.store.LeaseMark(t.Context(), "items", time.Minute)
	must(t, err)
	must(t, s.store.CommitReconciled(t.Context(), lease, queue.Reconciled{AskedAt: s.now, Snapshot: &event.Snapshot{Key: key, Tenant: "acme", Sequence: 4}}))
	was, err := s.store.Sighted(t.Context(), key)
	must(t, err)
	progress, err := s.store.Record(t.Context(), subscribers.KindRun, id)
	must(t, err)
	epoch, err := s.store.Epoch(t.Context(), queue.KindEndpoint)
	must(t, err)
	_, err = s.store.Introduce(t.Context(), queue.Introduction{
		Sighting: was, Endpoint: id, Epoch: epoch, Progress: progress,
		Event: event.Event{ID: "evt_1", Type: "items.snapshot", Key: key, Sequence: 4, Op: event.OpSnapshot, Tenant: "acme", Time: s.now, Payload: []byte(`{"id":"1"}`)},
	})
	must(t, err)
	s.as("acme", http.MethodGet, "/endpoints/"+id+"/feed", "").want(t, 200, `"webhook-op":"snapshot"`, `"webhook-sequence":"4"`)
	s.as("acme", http.MethodGet, "/feed", "").want(t, 200, `"data":[]`)
	s.as("acme", http.MethodGet, "/events/evt_1", "").want(t, 200, `"op":"snapshot"`, id)
	s.as("umbrella", http.MethodGet, "/events/evt_1", "").want(t, 404)
	s.as("acme", http.MethodGet, "/why?event=evt_1&endpoint="+id, "").want(t, 200, `"pending"`)
	s.as("acme", http.MethodGet, "/why?event=evt_1&endpoint="+other, "").want(t, 200, `"snapshot"`)
	s.as("acme", http.MethodGet, "/endpoints/"+other+"/replay?since=1h", "").want(t, 200, `"count":0`)
	s.as("acme", http.MethodPost, "/endpoints/"+other+"/replay?since=1h", "").want(t, 202, `"changed":0`)
	s.attempt(id, queue.Attempt{Error: "no"}, queue.StatusDead)
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/recover?since=1h", "").want(t, 202, `"changed":1`)
}

// Each start of a snapshot has all listed anew, so a tenant may not start one after the other
// without end: not by making endpoints, either. What is refused for another reason has
// started nothing.
func TestSnapshotsAreLimited(t *testing.T) {
	s := newStage(t)
	begins := strings.Replace(simple, `{`, `{"begin":"snapshot",`, 1)
	id := s.create("acme", begins).text("id")
	path := "/endpoints/" + id + "/snapshot"
	for range 5 {
		s.as("acme", http.MethodPost, path, "").want(t, 409)
	}
	for range 2 {
		s.as("acme", http.MethodDelete, path, "").want(t, 200)
		s.as("acme", http.MethodPost, path, "").want(t, 202)
	}
	s.as("acme", http.MethodDelete, path, "").want(t, 200)
	if got := s.as("acme", http.MethodPost, path, "").want(t, 429, "wait before you start the next one"); got.header.Get("Retry-After") != "300" {
		t.Errorf("it may be started again in %s", got.header.Get("Retry-After"))
	}
	// Nor by deleting and making endpoints.
	s.as("acme", http.MethodDelete, "/endpoints/"+id, "").want(t, 204)
	before := len(s.prober.urls)
	s.as("acme", http.MethodPost, "/endpoints", begins).want(t, 429)
	s.as("acme", http.MethodPost, "/endpoints", strings.Replace(simple, `{`, `{"begin":"1h",`, 1)).want(t, 201)
	s.create("umbrella", begins)
	if len(s.prober.urls) != before+3 {
		t.Errorf("tested %v", s.prober.urls[before:])
	}
	s.now = s.now.Add(5 * time.Minute)
	s.create("acme", begins)
	s.as("acme", http.MethodPost, "/endpoints", begins).want(t, 429)
}
