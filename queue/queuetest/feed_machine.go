// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Reopen opens the same queue each time, after it was closed. The suite closes it.
type Reopen func() queue.Store

// RunKept runs what engines promise beyond [Run] that keep a queue when it is closed. Create
// makes a new queue that can be opened again and again.
func RunKept(t *testing.T, create func(t *testing.T, now func() time.Time) Reopen) {
	t.Run("feeds over restarts", func(t *testing.T) {
		runFeeds(t, func(t *testing.T) (queue.Store, Reopen) {
			reopen := create(t, time.Now)
			return reopen(), reopen
		})
	})
}

// RunUnkept runs what [RunKept] does, for engines that keep nothing.
func RunUnkept(t *testing.T, open Open) {
	t.Run("feeds", func(t *testing.T) {
		runFeeds(t, func(t *testing.T) (queue.Store, Reopen) { return open(t, time.Now), nil })
	})
}

// runFeeds has readers read feeds at any time while events are committed by several at
// once, expire, are trimmed, and the queue is opened again if it can be. Each reader gets
// what a model says that it must get, or is told that it cannot.
func runFeeds(t *testing.T, open func(t *testing.T) (queue.Store, Reopen)) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			m := &feedMachine{t: t, ctx: t.Context(), retention: feedRetentions[0]}
			m.store, m.reopen = open(t)
			m.store.Configure(queue.Settings{Retention: m.retention})
			defer func() { _ = m.store.Close() }()
			for i := range 5 {
				m.readers = append(m.readers, &feedReader{name: fmt.Sprint("reader ", i), of: feedScopes.Draw(rt, "scope")})
			}
			m.observer = feedReader{name: "observer", of: queue.Everything()}
			rt.Repeat(map[string]func(*rapid.T){
				"commit":    m.commit,
				"read":      m.read,
				"come":      m.come,
				"decide":    m.decide,
				"briefly":   m.briefly,
				"trim":      m.trim,
				"wait":      m.wait,
				"configure": m.configure,
				"restart":   m.restart,
			})
			for _, reader := range m.readers {
				m.toEnd(rt, reader)
			}
		})
	})
}

var (
	feedRetentions = []time.Duration{200 * time.Second, 50 * time.Second, 1000 * time.Second}
	feedScopes     = rapid.SampledFrom([]queue.Scope{
		queue.Everything(), queue.OfTenant("acme"), queue.OfTenant("umbrella"), queue.OfTenant(""),
		queue.OfEndpoint("erp"), queue.OfEndpoint("crm"), queue.OfEndpoint("nobody"),
	})
)

// feedMachine drives a store and what it must tell the readers of its feeds.
type feedMachine struct {
	t         *testing.T
	ctx       context.Context
	store     queue.Store
	reopen    Reopen
	retention time.Duration
	committed int
	// log has the events in the order of their commits.
	log      []fedEvent
	readers  []*feedReader
	observer feedReader
	// trimmed is how many of the first events may have been trimmed.
	trimmed int
}

// fedEvent is an event of the log.
type fedEvent struct {
	queue.Routed
	position queue.Position
	made     time.Time
	// expires is when it may be gone.
	expires time.Time
}

// feedReader is somebody who reads a feed.
type feedReader struct {
	name string
	of   queue.Scope
	at   queue.Position
	// seen is how many events of the log are before at.
	seen int
}

// in reports whether an event is in a feed, and whether as one that was filtered.
func (e *fedEvent) in(of queue.Scope) (in, filtered bool) {
	if tenant, ok := of.Tenant(); ok {
		return e.Op != event.OpSnapshot && e.VisibleTo(tenant), false
	}
	if endpoint, ok := of.Endpoint(); ok {
		routed := slices.Contains(e.Endpoints, endpoint)
		filtered = !routed && slices.Contains(e.Filtered, endpoint)
		return routed || filtered, filtered
	}
	return of.Everything(), false
}

// commit commits the events of several objects at the same time.
func (m *feedMachine) commit(t *rapid.T) {
	var objects [][]queue.Routed
	for range rapid.IntRange(1, 3).Draw(t, "objects") {
		key := event.Key{Resource: fmt.Sprint("r", len(objects)), ID: "1"}
		var events []queue.Routed
		for range rapid.IntRange(0, 3).Draw(t, "events") {
			m.committed++
			e := event.Event{ID: fmt.Sprint("e", m.committed), Type: "x", Key: key, Sequence: uint64(m.committed)}
			e.Tenant = rapid.SampledFrom([]string{"acme", "umbrella", ""}).Draw(t, "tenant")
			e.Audience = rapid.SampledFrom([]event.Audience{"", "", event.AudienceOperators, event.AudienceTenant}).Draw(t, "audience")
			e.Op = rapid.SampledFrom([]event.Op{event.OpChange, event.OpChange, event.OpSnapshot}).Draw(t, "op")
			events = append(events, queue.Routed{
				Event:     e,
				Endpoints: rapid.SliceOfNDistinct(someEndpoints, 0, 2, rapid.ID).Draw(t, "endpoints"),
				Filtered:  rapid.SliceOfNDistinct(someEndpoints, 0, 2, rapid.ID).Draw(t, "filtered"),
			})
		}
		objects = append(objects, events)
	}
	waiting := rapid.SampledFrom(m.readers).Draw(t, "waiting")
	m.toEnd(t, waiting)
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	ended := awaiting(ctx, m.store, waiting.of, waiting.at)
	var group sync.WaitGroup
	errs := make([]error, len(objects))
	for i, events := range objects {
		group.Go(func() { errs[i] = commitObject(m.ctx, m.store, fmt.Sprint("r", i), events) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("committing: %v", err)
	}
	m.observe(t, slices.Concat(objects...))
	told := slices.ContainsFunc(m.log[waiting.seen:], func(e fedEvent) bool { in, _ := e.in(waiting.of); return in })
	if done, err := ended(); err != nil || done != told {
		t.Fatalf("%s is awake: %v, %v; want %v", waiting.name, done, err, told)
	}
}

// commitObject marks an object and commits its events.
func commitObject(ctx context.Context, s queue.Store, resource string, events []queue.Routed) error {
	key := event.Key{Resource: resource, ID: "1"}
	if err := s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); err != nil {
		return err
	}
	held, err := s.LeaseMark(ctx, resource, lease)
	if err != nil {
		return err
	}
	return s.CommitReconciled(ctx, held, queue.Reconciled{AskedAt: time.Now(), Events: events})
}

// observe takes over in which order events were committed, and where they are. Those of
// one object keep their order.
func (m *feedMachine) observe(t *rapid.T, events []queue.Routed) {
	known := len(m.log)
	for more := true; more; {
		page, err := m.store.ReadFeed(m.ctx, m.observer.of, m.observer.at, 3)
		if err != nil {
			t.Fatalf("whoever reads at once: %v", err)
		}
		for i := range page.Entries {
			entry := &page.Entries[i]
			at := slices.IndexFunc(events, func(r queue.Routed) bool { return r.ID == entry.Event.ID })
			if at < 0 {
				t.Fatalf("%s is in the feed, and was not committed now", entry.Event.ID)
			}
			if !m.observer.at.Before(entry.Position) {
				t.Fatalf("%s is at %v, and not behind %v", entry.Event.ID, entry.Position, m.observer.at)
			}
			m.observer.at = entry.Position
			m.log = append(m.log, fedEvent{Routed: events[at], position: entry.Position, made: time.Now(), expires: time.Now().Add(m.retention)})
		}
		m.observer.at, more = page.Next, page.More
	}
	got := m.log[known:]
	for i := range got {
		earlier := func(e fedEvent) bool { return e.Key == got[i].Key && e.Sequence >= got[i].Sequence }
		if slices.ContainsFunc(got[:i], earlier) {
			t.Fatalf("%s comes after a later event of its object", got[i].ID)
		}
	}
	if len(got) != len(events) {
		t.Fatalf("%d events were committed, and %d are in the feed", len(events), len(got))
	}
}

func (m *feedMachine) read(t *rapid.T) {
	m.page(t, rapid.SampledFrom(m.readers).Draw(t, "reader"), rapid.IntRange(1, 4).Draw(t, "limit"))
}

func (m *feedMachine) toEnd(t *rapid.T, reader *feedReader) {
	for m.page(t, reader, 3) {
	}
}

// page reads one page, compares it with the log, and reports whether there is more.
func (m *feedMachine) page(t *rapid.T, reader *feedReader, limit int) (more bool) {
	page, err := m.store.ReadFeed(m.ctx, reader.of, reader.at, limit)
	if err != nil {
		m.expired(t, reader, err)
		return true
	}
	entries := page.Entries
	for ; reader.seen < len(m.log); reader.seen++ {
		want := &m.log[reader.seen]
		if page.More && page.Next.Before(want.position) {
			break
		}
		in, filtered := want.in(reader.of)
		if !in {
			continue
		}
		if len(entries) == 0 {
			t.Fatalf("%s of %+v misses %s", reader.name, reader.of, want.ID)
		}
		if got := &entries[0]; got.Event.ID != want.ID || got.Filtered != filtered || got.Position != want.position {
			t.Fatalf("%s of %+v got %s at %v, want %s at %v", reader.name, reader.of, got.Event.ID, got.Position, want.ID, want.position)
		}
		entries = entries[1:]
	}
	if len(entries) > 0 || len(page.Entries) > limit {
		t.Fatalf("%s of %+v got %d entries on a page of %d, %d of them too many", reader.name, reader.of, len(page.Entries), limit, len(entries))
	}
	if page.Next.Before(reader.at) || page.More && page.Next == reader.at || !page.More && page.Next != m.observer.at {
		t.Fatalf("%s was at %v, and is at %v; more: %v", reader.name, reader.at, page.Next, page.More)
	}
	reader.at = page.Next
	return page.More
}

// expired checks that a reader had to be told that it has missed something, and has it
// go on from the oldest position.
func (m *feedMachine) expired(t *rapid.T, reader *feedReader, err error) {
	var expired *queue.ExpiredError
	if !errors.As(err, &expired) {
		t.Fatalf("%s: %v", reader.name, err)
	}
	// A thousandth of the longest retention, and a second that is not over.
	soon := time.Now().Add(3 * time.Second)
	gone := func(e fedEvent) bool { return !e.expires.After(soon) }
	if reader.seen >= m.trimmed && !slices.ContainsFunc(m.log[reader.seen:], gone) {
		t.Fatalf("%s is at %v, and nothing behind that is gone: %v", reader.name, reader.at, err)
	}
	if !reader.at.Before(expired.Oldest) || m.observer.at.Before(expired.Oldest) {
		t.Fatalf("%s is at %v, and the oldest position is %v", reader.name, reader.at, expired.Oldest)
	}
	reader.at = expired.Oldest
	for reader.seen < len(m.log) && !expired.Oldest.Before(m.log[reader.seen].position) {
		reader.seen++
	}
}

// come is a reader who comes and begins at one of the ends.
func (m *feedMachine) come(t *rapid.T) {
	reader := rapid.SampledFrom(m.readers).Draw(t, "reader")
	oldest, latest, err := m.store.FeedEnds(m.ctx)
	if err != nil || latest != m.observer.at {
		t.Fatalf("the feed ends at %v, %v, want %v", latest, err, m.observer.at)
	}
	reader.of, reader.at = feedScopes.Draw(t, "scope"), oldest
	if rapid.Bool().Draw(t, "latest") {
		reader.at = latest
	}
	for reader.seen = 0; reader.seen < len(m.log) && !reader.at.Before(m.log[reader.seen].position); {
		reader.seen++
	}
}

// decide ends deliveries, so that their events can be trimmed.
func (m *feedMachine) decide(t *rapid.T) {
	selection := queue.Selection{Endpoint: someEndpoints.Draw(t, "endpoint")}
	if _, _, err := m.store.Cancel(m.ctx, selection, queue.Page{Limit: rapid.IntRange(1, 5).Draw(t, "deliveries")}); err != nil {
		t.Fatalf("Cancel: %v", err)
	}
}

func (m *feedMachine) trim(t *rapid.T) {
	removed, _, err := queue.TrimmerOf(m.store).Trim(m.ctx)
	if err != nil {
		t.Fatalf("Trim: %v", err)
	}
	if removed > 0 {
		m.trimmed = len(m.log)
	}
}

func (m *feedMachine) wait(t *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{time.Second / 2, 5 * time.Second, 40 * time.Second, 100 * time.Second}).Draw(t, "time"))
}

// configure changes the retention. What is removed because of it does not come back.
func (m *feedMachine) configure(t *rapid.T) {
	m.retain(rapid.SampledFrom(feedRetentions).Draw(t, "retention"))
}

// briefly decides deliveries while the retention is a short one for a moment. Their events
// stay in the feeds.
func (m *feedMachine) briefly(t *rapid.T) {
	usual := m.retention
	m.retain(slices.Min(feedRetentions))
	m.decide(t)
	m.retain(usual)
}

func (m *feedMachine) retain(retention time.Duration) {
	m.retention = retention
	m.store.Configure(queue.Settings{Retention: m.retention})
	for i := range m.log {
		e := &m.log[i]
		if shorter := e.made.Add(m.retention); e.expires.After(shorter) {
			e.expires = shorter
		}
	}
}

func (m *feedMachine) restart(t *rapid.T) {
	if m.reopen == nil {
		t.Skip("it is not kept")
	}
	must(m.t, m.store.Close())
	time.Sleep(rapid.SampledFrom([]time.Duration{0, time.Second, 60 * time.Second}).Draw(t, "closed for"))
	m.open()
}

func (m *feedMachine) open() {
	m.store = m.reopen()
	m.store.Configure(queue.Settings{Retention: m.retention})
}
