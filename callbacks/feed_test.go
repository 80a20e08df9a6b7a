// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/receiver"
)

// objects returns the objects of a page of a feed.
func (r reply) objects() string {
	var all []string
	for _, row := range r.json["data"].([]any) {
		headers := row.(map[string]any)["headers"].(map[string]any)
		all = append(all, fmt.Sprint(headers["webhook-object"]))
	}
	return strings.Join(all, " ")
}

// A tenant reads its own events in the order of their commits, from any place, and
// `next` moves although nothing of it happens.
func TestFeed(t *testing.T) {
	s := newStage(t)
	first := s.as("acme", http.MethodGet, "/feed", "").want(t, 200, `"data":[]`, `"more":false`)
	s.announce("acme", "items.created", "1")
	s.announce("umbrella", "items.created", "2")
	s.announce("acme", "items.updated", "1")
	all := s.as("acme", http.MethodGet, "/feed", "").want(t, 200)
	if got := all.objects(); got != "items/1 items/1" {
		t.Errorf("the feed has %s", got)
	}
	item := all.json["data"].([]any)[0].(map[string]any)
	if body := item["body"].(string); !strings.HasPrefix(body, `{"type":"items.created"`) || item["delivery"] != nil {
		t.Errorf("the first is %v", item)
	}
	if got := s.as("acme", http.MethodGet, "/feed?after="+item["cursor"].(string), "").objects(); got != "items/1" {
		t.Errorf("behind the first, there is %q", got)
	}
	if got := s.as("acme", http.MethodGet, "/feed?after="+first.text("next"), "").objects(); got != "items/1 items/1" {
		t.Errorf("from an empty feed's next on, there is %q", got)
	}
	page := s.as("acme", http.MethodGet, "/feed?limit=1", "").want(t, 200, `"more":true`)
	if got := s.as("acme", http.MethodGet, "/feed?limit=5&after="+page.text("next"), "").objects(); got != "items/1" {
		t.Errorf("the second page has %q", got)
	}
	next := all.text("next")
	s.announce("umbrella", "items.created", "3")
	if moved := s.as("acme", http.MethodGet, "/feed?after="+next, "").want(t, 200, `"data":[]`).text("next"); moved == next {
		t.Error("next does not move when nothing of the tenant happens")
	}
	s.as("acme", http.MethodGet, "/feed?after=latest", "").want(t, 200, `"data":[]`)
	if got := s.as("acme", http.MethodGet, "/feed?after=1h", "").objects(); got != "items/1 items/1" {
		t.Errorf("of the last hour, there is %q", got)
	}
	for query, pointer := range map[string]string{
		"?after=yesterday": "?after", "?limit=0": "?limit", "?limit=x": "?limit", "?limit=5000": "?limit", "?wait=2h": "?wait", "?wait=-1s": "?wait", "?from=1": "?from",
	} {
		if got := s.as("acme", http.MethodGet, "/feed"+query, "").want(t, 400).pointers(); !slices.Equal(got, []string{pointer}) {
			t.Errorf("%s: %v", query, got)
		}
	}
	s.as("acme", http.MethodHead, "/feed?after=latest&wait=60s", "").want(t, 200)
	s.as("nobody", http.MethodGet, "/feed", "").want(t, 401)
}

// An endpoint's feed has what was sent to it, as it was sent, signed when it is read, and
// what its filter left out.
func TestFeedOfEndpoint(t *testing.T) {
	s := newStage(t)
	made := s.create("acme", simple)
	id, secret := made.text("id"), made.text("secret")
	other := s.create("acme", simple).text("id")
	s.announce("acme", "items.created", "1", id)
	s.announce("acme", "items.created", "2", other)
	s.attempt(id, queue.Attempt{Code: 204}, queue.StatusDelivered)
	s.announce("acme", "items.created", "3", id)
	s.filtered("4", id)
	got := s.as("acme", http.MethodGet, "/endpoints/"+id+"/feed?after="+made.text("cursor"), "").want(t, 200)
	if objects, states := got.objects(), got.rows("delivery"); objects != "items/1 items/3 items/4" || states != "delivered pending filtered" {
		t.Errorf("the feed has %s, %s", objects, states)
	}
	verify, err := standardwebhooks.NewWebhook(secret)
	must(t, err)
	for _, row := range got.json["data"].([]any) {
		item := row.(map[string]any)
		header := http.Header{}
		for name, value := range item["headers"].(map[string]any) {
			header.Set(name, value.(string))
		}
		// Its time is the stage's.
		if err := verify.VerifyIgnoringTimestamp([]byte(item["body"].(string)), header); err != nil {
			t.Errorf("%v: %v", item, err)
		}
		for _, name := range []string{"Authorization", "Cookie", "User-Agent"} {
			if header.Get(name) != "" {
				t.Errorf("the feed tells %s", name)
			}
		}
	}
}

// filtered commits an event that an endpoint's filter leaves out.
func (s *stage) filtered(object, endpoint string) {
	s.t.Helper()
	ctx, key := s.t.Context(), event.Key{Resource: "items", ID: object}
	must(s.t, s.store.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key, Hints: queue.HintUpdated}}}, true))
	lease, err := s.store.LeaseMark(ctx, "items", time.Minute)
	must(s.t, err)
	epoch, err := s.store.Epoch(ctx, queue.KindEndpoint)
	must(s.t, err)
	must(s.t, s.store.CommitReconciled(ctx, lease, queue.Reconciled{
		Epoch: epoch, Snapshot: &event.Snapshot{Key: key, Sequence: 1, Time: s.now, Tenant: "acme"},
		Events: []queue.Routed{{Filtered: []string{endpoint}, Event: event.Event{
			ID: "evt_" + object, Type: "items.created", Key: key, Sequence: 1, Op: event.OpCreate, Time: s.now, Tenant: "acme",
			Payload: []byte(`{"id":"` + object + `"}`), ContentType: "application/json",
		}}},
	}))
}

// What a filter left out can be listed and counted, and is the answer to why it did not
// come.
func TestFiltered(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"url":"https://erp.example/h","filter":"false"}`).text("id")
	path := "/endpoints/" + id + "/filtered"
	s.as("acme", http.MethodGet, path, "").want(t, 200, `"data":[]`, `"count":0`)
	for _, object := range []string{"1", "2", "3"} {
		s.filtered(object, id)
	}
	sent := s.announce("acme", "items.created", "4", id)
	page := s.as("acme", http.MethodGet, path+"?limit=2", "").want(t, 200, `"count":3`)
	rest := s.as("acme", http.MethodGet, path+"?limit=2&cursor="+page.text("next"), "").want(t, 200)
	if got := page.rows("object") + " " + rest.rows("object"); got != "items/3 items/2 items/1" {
		t.Errorf("got %s", got)
	}
	for of, verdict := range map[string]string{"evt_1": "filtered", "evt_3": "filtered", sent.ID: "pending"} {
		got := s.as("acme", http.MethodGet, "/why?endpoint="+id+"&event="+of, "").want(t, 200)
		if got.text("verdict") != verdict {
			t.Errorf("%s: %s", of, got.body)
		}
	}
}

// unsynced is a queue whose feeds do not have yet what was committed.
type unsynced struct{ queue.Store }

func (unsynced) ReadFeed(context.Context, queue.Scope, queue.Position, int) (queue.FeedPage, error) {
	return queue.FeedPage{}, nil
}

// What a filter has just left out, no feed may have yet, and the reason is known all the
// same: also if much was left out at once.
func TestWhyFilteredJustNow(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"url":"https://erp.example/h","filter":"false"}`).text("id")
	for i := range maxPage + 1 {
		s.filtered(fmt.Sprint(i), id)
	}
	unrouted := s.announce("acme", "items.created", "other")
	s.store = unsynced{s.store}
	for of, verdict := range map[string]string{"evt_0": "filtered", fmt.Sprint("evt_", maxPage): "filtered", unrouted.ID: "unrouted"} {
		got := s.as("acme", http.MethodGet, "/why?endpoint="+id+"&event="+of, "").want(t, 200)
		if got.text("verdict") != verdict {
			t.Errorf("%s: %s", of, got.body)
		}
	}
}

// An endpoint without a URL is sent nothing, and reads in its feed what it would be sent.
func TestFeedWithoutURL(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", `{"label":"pull","events":["items.*"],"filter":"object.id != '2'"}`).text("id")
	for _, object := range []string{"1", "2", "3"} {
		s.announce("acme", "items.created", object)
	}
	s.announce("acme", "users.created", "4")
	s.announce("umbrella", "items.created", "5")
	got := s.as("acme", http.MethodGet, "/endpoints/"+id+"/feed", "").want(t, 200, "webhook-signature")
	if objects, states := got.objects(), got.rows("delivery"); objects != "items/1 items/2 items/3" || states != "<nil> filtered <nil>" {
		t.Errorf("the feed has %s, %s", objects, states)
	}
	mine := s.announce("acme", "items.created", "6")
	if got := s.as("acme", http.MethodGet, "/why?endpoint="+id+"&event="+mine.ID, "").want(t, 200); got.text("verdict") != "feed" {
		t.Errorf("why: %s", got.body)
	}
}

// A request waits for the next event, and no longer than it asks for, nor than the
// process lasts.
func TestFeedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ending atomic.Bool
		s := newStage(t, func(o *Options) { o.Ending = ending.Load })
		after := s.as("acme", http.MethodGet, "/feed?after=latest", "").text("next")
		answers := make(chan reply, maxWaiting)
		ask := func() { answers <- s.as("acme", http.MethodGet, "/feed?wait=60s&after="+after, "") }
		waiting := func(want int) {
			t.Helper()
			synctest.Wait()
			if s.server.limits.allWaiting != want || len(answers) > 0 {
				t.Fatalf("%d requests wait, want %d; %d were answered", s.server.limits.allWaiting, want, len(answers))
			}
		}
		go ask()
		waiting(1)
		s.announce("umbrella", "items.created", "1")
		waiting(1)
		s.announce("acme", "items.created", "2")
		if got := (<-answers).want(t, 200).objects(); got != "items/2" {
			t.Errorf("got %s", got)
		}
		after = s.as("acme", http.MethodGet, "/feed?after=latest", "").text("next")
		began := time.Now()
		go ask()
		(<-answers).want(t, 200, `"data":[]`)
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("it waited for %s", waited)
		}
		// Nobody takes all places.
		for range maxWaiting {
			go ask()
		}
		waiting(maxWaiting)
		s.as("acme", http.MethodGet, "/feed?wait=60s&after=latest", "").want(t, 429)
		s.as("acme", http.MethodGet, "/feed", "").want(t, 200)
		s.as("umbrella", http.MethodGet, "/feed?wait=1ms&after=latest", "").want(t, 200)
		began = time.Now()
		ending.Store(true)
		for range maxWaiting {
			(<-answers).want(t, 200, `"data":[]`)
		}
		if lasted := time.Since(began); lasted > 2*endingEvery {
			t.Errorf("requests held up the end for %s", lasted)
		}
		waiting(0)
	})
}

// A stream ends after its time, with its key, and before the process does.
func TestFeedStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ending atomic.Bool
		s := newStage(t, func(o *Options) { o.Ending = ending.Load })
		lasted := func() time.Duration {
			began := time.Now()
			s.as("acme", http.MethodGet, "/feed?after=latest", "", "Accept", typeStream).want(t, 200, "id: ")
			return time.Since(began)
		}
		if got := lasted(); got != streamFor {
			t.Errorf("it lasted for %s", got)
		}
		made := s.as("acme", http.MethodPost, "/keys", `{"name":"short","expires":"`+s.now.Add(time.Minute).Format(time.RFC3339)+`"}`).want(t, 201)
		s.keys["acme"] = made.text("key")
		if got := lasted(); got != time.Minute {
			t.Errorf("with a key that ends, it lasted for %s", got)
		}
		ending.Store(true)
		if got := lasted(); got > 2*endingEvery {
			t.Errorf("it held up the end for %s", got)
		}
	})
}

// A cursor that is too old, or of another queue, is told with the oldest one.
func TestFeedExpired(t *testing.T) {
	s, elsewhere := newStage(t), newStage(t)
	elsewhere.announce("acme", "items.created", "1")
	foreign := elsewhere.as("acme", http.MethodGet, "/feed", "").text("next")
	got := s.as("acme", http.MethodGet, "/feed?after="+foreign, "").want(t, 410, `"oldest":"`, "problems/expired")
	s.as("acme", http.MethodGet, "/feed?after="+got.text("oldest"), "").want(t, 200)
	s.as("acme", http.MethodGet, "/feed?after="+foreign, "", "Accept", "text/event-stream").want(t, 410)
}

// A stream sends each event with its cursor, and goes on from Last-Event-ID.
func TestFeedStream(t *testing.T) {
	s := newStage(t)
	ended := make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.server.ServeHTTP(w, r)
		ended <- struct{}{}
	}))
	defer server.Close()
	s.announce("acme", "items.created", "1")
	open := func(last string) (read func() (id, object string), closed func()) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/feed", http.NoBody)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+s.keys["acme"])
		r.Header.Set("Accept", "text/html;q=0.5, text/event-stream")
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		response, err := http.DefaultClient.Do(r)
		must(t, err)
		if response.StatusCode != 200 || response.Header.Get("Content-Type") != typeStream {
			t.Fatalf("got %d %v", response.StatusCode, response.Header)
		}
		lines := bufio.NewScanner(response.Body)
		read = func() (id, object string) {
			for lines.Scan() {
				if text, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
					id = text
				}
				if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					var item FeedItem
					must(t, json.Unmarshal([]byte(text), &item))
					return id, item.Headers["webhook-object"]
				}
			}
			t.Fatalf("the stream has ended: %v", lines.Err())
			return "", ""
		}
		return read, func() {
			cancel()
			response.Body.Close()
		}
	}
	read, closed := open("")
	id, object := read()
	if object != "items/1" {
		t.Errorf("first came %s", object)
	}
	s.announce("acme", "items.created", "2")
	if _, object := read(); object != "items/2" {
		t.Errorf("then came %s", object)
	}
	closed()
	<-ended // it has given back its place
	read, closed = open(id)
	defer closed()
	if _, object := read(); object != "items/2" {
		t.Errorf("after the first came %s", object)
	}
}

// The package for receivers reads an endpoint's feed: each event once and in order,
// although nothing was delivered.
func TestReceiverReadsFeed(t *testing.T) {
	s := newStage(t)
	s.now = time.Now() // signatures are as old as they say
	server := httptest.NewServer(s.server)
	defer server.Close()
	made := s.create("acme", simple)
	id := made.text("id")
	for i := range 250 {
		s.announce("acme", "items.updated", fmt.Sprint(i%7), id)
		s.now = time.Now()
	}
	var got []string
	r, err := receiver.New(receiver.Options{
		Secrets: []string{made.text("secret")},
		Handle: func(_ context.Context, e *receiver.Event) error {
			got = append(got, e.Object)
			return nil
		},
		Store: receiver.NewMemory(1000),
		Feed: &receiver.Feed{
			URL: server.URL + "/endpoints/" + id + "/feed", Begin: made.text("cursor"),
			Header: http.Header{"Authorization": {"Bearer " + s.keys["acme"]}},
		},
	})
	must(t, err)
	must(t, r.CatchUp(t.Context()))
	must(t, r.CatchUp(t.Context()))
	if len(got) != 250 || got[0] != "items/0" || got[249] != "items/4" {
		t.Errorf("%d events came: %.80v", len(got), got)
	}
}
