// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// counting is a queue that notes what it is asked for. What it answers is of each row's own
// size, and is not counted: where a row is another tenant's, it is one record, or none.
type counting struct {
	queue.Store
	asked []string
}

func (c *counting) note(verb string) { c.asked = append(c.asked, verb) }

func (c *counting) Change(ctx context.Context, changes ...queue.Record) (uint64, error) {
	kinds := "change"
	for i := range changes {
		kinds += " " + changes[i].Kind
	}
	c.note(kinds)
	return c.Store.Change(ctx, changes...)
}

func (c *counting) Record(ctx context.Context, kind, id string) (queue.Record, error) {
	c.note("record " + kind)
	return c.Store.Record(ctx, kind, id)
}

func (c *counting) RecordsOf(ctx context.Context, kind, owner string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	all, next, err := c.Store.RecordsOf(ctx, kind, owner, page)
	c.note(fmt.Sprintf("%d records %s of %s", len(all), kind, owner))
	return all, next, err
}

func (c *counting) Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	c.note("records " + kind)
	return c.Store.Records(ctx, kind, page)
}

func (c *counting) Object(ctx context.Context, key event.Key) (event.Snapshot, error) {
	c.note("object")
	return c.Store.Object(ctx, key)
}

// Event is of whoever it is: what is read of it depends on the event.
func (c *counting) Event(ctx context.Context, id string) (event.Event, error) {
	e, err := c.Store.Event(ctx, id)
	c.note(fmt.Sprintf("event of %d bytes", len(e.Payload)))
	return e, err
}

func (c *counting) EventOf(ctx context.Context, tenant, id string) (event.Event, error) {
	c.note("event of " + tenant)
	return c.Store.EventOf(ctx, tenant, id)
}

func (c *counting) Events(ctx context.Context, filter queue.Filter, page queue.Page) ([]event.Event, queue.Cursor, error) {
	all, next, err := c.Store.Events(ctx, filter, page)
	c.note(fmt.Sprintf("%d events", len(all)))
	return all, next, err
}

func (c *counting) LastEvent(ctx context.Context, tenant string, key event.Key) (event.Event, error) {
	c.note("last event of " + tenant)
	return c.Store.LastEvent(ctx, tenant, key)
}

func (c *counting) RecordIDsOf(ctx context.Context, kind, owner string, page queue.Page) ([]string, queue.Cursor, error) {
	all, next, err := c.Store.RecordIDsOf(ctx, kind, owner, page)
	c.note(fmt.Sprintf("%d ids of %s", len(all), kind))
	return all, next, err
}

// Deliveries looks through those of an endpoint, or of all.
func (c *counting) Deliveries(ctx context.Context, filter queue.Filter, page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
	all, next, err := c.Store.Deliveries(ctx, filter, page)
	c.note(fmt.Sprintf("%d deliveries to %q", len(all), filter.Endpoint))
	return all, next, err
}

func (c *counting) DeliveriesTo(ctx context.Context, endpoints []string, filter queue.Filter, page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
	all, next, err := c.Store.DeliveriesTo(ctx, endpoints, filter, page)
	c.note(fmt.Sprintf("%d deliveries to %q", len(all), endpoints))
	return all, next, err
}

func (c *counting) DeliveriesOf(ctx context.Context, id string, endpoints ...string) ([]queue.Delivery, error) {
	c.note("deliveries of an event to " + strings.Join(endpoints, " "))
	return c.Store.DeliveriesOf(ctx, id, endpoints...)
}

func (c *counting) Attempts(ctx context.Context, filter queue.Filter, page queue.Page) ([]queue.Attempt, queue.Cursor, error) {
	all, next, err := c.Store.Attempts(ctx, filter, page)
	c.note(fmt.Sprintf("%d attempts to %s", len(all), filter.Endpoint))
	return all, next, err
}

func (c *counting) Filtered(ctx context.Context, endpoint string, page queue.Page) ([]event.Event, queue.Cursor, error) {
	c.note("filtered " + endpoint)
	return c.Store.Filtered(ctx, endpoint, page)
}

func (c *counting) CountFiltered(ctx context.Context, endpoint string) (int, error) {
	c.note("count filtered " + endpoint)
	return c.Store.CountFiltered(ctx, endpoint)
}

func (c *counting) WasFiltered(ctx context.Context, endpoint, eventID string) (bool, error) {
	c.note("was filtered " + endpoint)
	return c.Store.WasFiltered(ctx, endpoint, eventID)
}

// Count and the verbs that follow read all of an event that they are about.
func (c *counting) Count(ctx context.Context, selection queue.Selection) (int, error) {
	c.note("count " + c.about(ctx, &selection))
	return c.Store.Count(ctx, selection)
}

func (c *counting) Redeliver(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	c.note("redeliver " + c.about(ctx, &selection))
	return c.Store.Redeliver(ctx, selection, page)
}

func (c *counting) Replay(ctx context.Context, endpoint string, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	c.note("replay " + c.about(ctx, &selection))
	return c.Store.Replay(ctx, endpoint, selection, page)
}

func (c *counting) about(ctx context.Context, selection *queue.Selection) string {
	e, _ := c.Store.Event(ctx, selection.EventID)
	return fmt.Sprintf("%s, %d bytes", selection.Endpoint, len(e.Payload))
}

func (c *counting) ReadFeed(ctx context.Context, of queue.Scope, after queue.Position, limit int) (queue.FeedPage, error) {
	_, ofTenant := of.Tenant()
	c.note(fmt.Sprint("feed of a tenant: ", ofTenant))
	return c.Store.ReadFeed(ctx, of, after, limit)
}

// count counts what a stage's queue is asked for.
func (s *stage) count() *counting {
	c := &counting{Store: s.store}
	s.store = c
	return c
}

// Over every route, what is another tenant's takes the same work as what is not there: the
// queue is asked for the same. Where both are answered the same, time would tell.
func TestAnothersTakesTheSameWork(t *testing.T) {
	s := newStage(t)
	acme := s.has("acme")
	mine := s.has("umbrella")
	c := s.count()
	tried := 0
	// same tries a request with what is acme's, and with what is not there, in the name of
	// umbrella.
	same := func(method, path string) {
		t.Helper()
		tried++
		var asked [2][]string
		var status [2]int
		for i := range asked {
			to := path
			for name, values := range acme {
				to = strings.ReplaceAll(to, "{"+name+"}", values[i])
				to = strings.ReplaceAll(to, "{my "+name+"}", mine[name][0])
			}
			c.asked = nil
			s.now = s.now.Add(time.Hour) // no limit holds it back
			status[i] = s.as("umbrella", method, to, bodies[method+" "+strings.ReplaceAll(path, "{endpoints}", "{id}")], "If-Match", "*").status
			asked[i] = slices.Clone(c.asked)
		}
		if !slices.Equal(asked[0], asked[1]) || status[0] != status[1] {
			t.Errorf("%s %s: for another's the queue is asked for\n%q, answered %d; for what is not there\n%q, %d", method, path, asked[0], status[0], asked[1], status[1])
		}
		if len(asked[0]) == 0 {
			t.Errorf("%s %s: the queue is asked for nothing", method, path)
		}
	}
	for _, rt := range s.server.routes {
		kind := strings.Split(rt.path, "/")[1]
		for method := range rt.methods {
			path := strings.NewReplacer("{id}", "{"+kind+"}", "{delivery}", "{deliveries}", "{event}", "{events}").Replace(rt.path)
			switch {
			case path == "/why":
				same(method, path+"?endpoint={endpoints}&event={events}")
				same(method, path+"?endpoint={my endpoints}&event={events}")
				same(method, path+"?endpoint={endpoints}&event={my events}")
			case strings.HasSuffix(path, "/recover"), strings.HasSuffix(path, "/replay"):
				same(method, path+"?since=1h")
				same(method, path+"?event={events}")
				same(method, strings.Replace(path, "{endpoints}", "{my endpoints}", 1)+"?event={events}")
			case strings.HasPrefix(path, "/deliveries/"):
				same(method, path)
				same(method, strings.Replace(path, "{deliveries}", "{events}.{my endpoints}", 1))
			case strings.Contains(path, "{secret}"):
				same(method, path)
				same(method, strings.Replace(path, "{endpoints}", "{my endpoints}", 1))
			case strings.Contains(path, "{") && kind != "types":
				same(method, path)
			}
		}
	}
	if tried < 35 {
		t.Errorf("%d requests were tried", tried)
	}
}

// What an event's deliveries are looked for in are the caller's endpoints, however many
// others have it. Of those, the first by name would crowd the caller's out.
func TestDeliveriesAmongManyEndpoints(t *testing.T) {
	s := newStage(t)
	id := s.create("acme", simple).text("id")
	endpoints := []string{id}
	for i := range 300 {
		endpoints = append(endpoints, fmt.Sprint("a", i))
	}
	must(t, s.store.Announce(t.Context(), event.Event{
		Type: "items.updated", Key: event.Key{Resource: "items", ID: "1"}, Tenant: "acme", Time: s.now, Payload: []byte(`{}`),
	}, endpoints))
	rows, _, err := s.store.Events(t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(t, err)
	s.as("acme", http.MethodGet, "/events/"+rows[0].ID, "").want(t, 200, `"endpoint":"`+id+`"`)
}

// What a replay means is counted among the tenant's own events: nobody reads all that has
// happened for one request.
func TestReplaysAreCountedAmongOwnEvents(t *testing.T) {
	s := newStage(t)
	mine := s.has("acme")
	s.has("umbrella")
	c := s.count()
	s.as("acme", http.MethodGet, "/endpoints/"+mine["endpoints"][0]+"/replay?since=1h", "").want(t, 200, `"count":1`)
	if asked := strings.Join(c.asked, ", "); !strings.HasSuffix(asked, "feed of a tenant: true") || strings.Contains(asked, "events") {
		t.Errorf("the queue is asked for %s", asked)
	}
}
