// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// owned returns an event of an object's tenant. Its id says which it is.
func owned(id, tenant string) event.Event {
	return event.Event{
		ID: id, Type: "items.updated", Key: item(id), Sequence: 1, Op: event.OpChange, Time: time.Now().UTC(),
		Tenant: tenant, PreviousTenant: tenant, Payload: []byte("payload of " + id),
	}
}

// entryName names an entry of a feed, with a mark for one that was filtered.
func entryName(e queue.FeedEntry) string {
	if e.Filtered {
		return e.Event.ID + "-"
	}
	return e.Event.ID
}

// readFeed reads a feed to its end, in pages of a size, and returns how far it came.
func readFeed(t *testing.T, s queue.Store, of queue.Scope, after queue.Position, size int) ([]queue.FeedEntry, queue.Position) {
	t.Helper()
	var all []queue.FeedEntry
	for {
		page, err := s.ReadFeed(t.Context(), of, after, size)
		must(t, err)
		if len(page.Entries) > size || page.Next.Before(after) || page.More && page.Next == after {
			t.Fatalf("a page of %d from %v: %d entries, next %v", size, after, len(page.Entries), page.Next)
		}
		all, after = append(all, page.Entries...), page.Next
		if !page.More {
			return all, after
		}
	}
}

// wantFeed checks what a feed has behind a position, and that its pages end at the
// position behind the last event of all.
func wantFeed(t *testing.T, s queue.Store, of queue.Scope, after queue.Position, want ...string) queue.Position {
	t.Helper()
	_, latest, err := s.FeedEnds(t.Context())
	must(t, err)
	for size := 1; size < len(want)+2; size++ {
		entries, next := readFeed(t, s, of, after, size)
		wantNames(t, entries, entryName, want...)
		if next != latest {
			t.Errorf("the feed ends at %v, want %v", next, latest)
		}
		for i := range entries {
			rest, _ := readFeed(t, s, of, entries[i].Position, size)
			wantNames(t, rest, entryName, want[i+1:]...)
		}
	}
	return latest
}

func feedInOrder(t *testing.T, s queue.Store) {
	everything, endpoint := queue.Everything(), queue.OfEndpoint("erp")
	beginning := wantFeed(t, s, everything, queue.Position{})
	commitEvents(t, s,
		queue.Routed{Event: owned("a", "acme"), Endpoints: []string{"erp", "crm"}},
		queue.Routed{Event: owned("b", "umbrella"), Filtered: []string{"erp"}},
		queue.Routed{Event: owned("c", "")},
	)
	middle := wantFeed(t, s, everything, beginning, "a", "b", "c")
	commitEvents(t, s,
		queue.Routed{Event: owned("d", "acme"), Endpoints: []string{"erp"}, Filtered: []string{"crm", "crm", "erp"}},
		queue.Routed{Event: owned("e", "acm"), Endpoints: []string{"er", "p"}, Filtered: []string{"rp"}},
	)
	for of, want := range map[queue.Scope]string{
		everything:                 "a b c d e",
		endpoint:                   "a b- d",
		queue.OfEndpoint("crm"):    "a d-",
		queue.OfEndpoint("er"):     "e",
		queue.OfEndpoint("rp"):     "e-",
		queue.OfEndpoint("nobody"): "",
		queue.OfEndpoint(""):       "",
		queue.OfTenant("acme"):     "a d",
		queue.OfTenant("acm"):      "e",
		queue.OfTenant("umbrella"): "b",
		queue.OfTenant("nobody"):   "",
		queue.OfTenant(""):         "a b c d e",
		{}:                         "",
	} {
		wantFeed(t, s, of, beginning, strings.Fields(want)...)
	}
	wantFeed(t, s, everything, middle, "d", "e")
	end := wantFeed(t, s, endpoint, middle, "d")
	wantFeed(t, s, everything, end)

	// Deliveries are in the feed wherever they stand, and events as they were committed.
	deliver(t, s, leaseDelivery(t, s, "erp"))
	cancelled, _, err := s.Cancel(t.Context(), queue.Selection{Endpoint: "erp", EventID: "d"}, queue.Page{})
	must(t, err)
	entries, _ := readFeed(t, s, endpoint, queue.Position{}, 10)
	wantNames(t, entries, entryName, "a", "b-", "d")
	if cancelled != 1 || entries[0].Status != queue.StatusDelivered || entries[1].Status != "" || entries[2].Status != queue.StatusCancelled {
		t.Errorf("got %+v", entries)
	}
	if want := owned("a", "acme"); string(entries[0].Event.Payload) != "payload of a" || entries[0].Event.Tenant != want.Tenant || !entries[0].Event.Time.Equal(want.Time) {
		t.Errorf("got %+v", entries[0].Event)
	}
	// An event that is replayed stands in its own place.
	_, _, err = s.Replay(t.Context(), "erp", queue.Selection{EventID: "c"}, queue.Page{})
	must(t, err)
	_, _, err = s.Replay(t.Context(), "erp", queue.Selection{EventID: "b"}, queue.Page{})
	must(t, err)
	wantFeed(t, s, endpoint, queue.Position{}, "a", "b", "c", "d")
	wantFeed(t, s, endpoint, middle, "d")
}

// feedTellsTenants shows each tenant what it may see, and nothing else.
func feedTellsTenants(t *testing.T, s queue.Store) {
	handedOver := func(id string, audience event.Audience) queue.Routed {
		e := owned(id, "acme")
		e.PreviousTenant, e.Audience = "umbrella", audience
		return queue.Routed{Event: e, Endpoints: []string{"erp"}}
	}
	long, longer := strings.Repeat("x", 100_000), strings.Repeat("x", 100_001)
	commitEvents(t, s,
		handedOver("all", event.AudienceAll), handedOver("operators", event.AudienceOperators), handedOver("tenant", event.AudienceTenant),
		queue.Routed{Event: owned("long", long)}, queue.Routed{Event: owned("longer", longer)}, queue.Routed{Event: owned("odd", "\x00\xff")},
	)
	for tenant, want := range map[string]string{
		"acme": "all tenant", "umbrella": "", "": "all operators long longer odd", long: "long", longer: "longer", "\x00\xff": "odd", "\x00": "",
	} {
		wantFeed(t, s, queue.OfTenant(tenant), queue.Position{}, strings.Fields(want)...)
	}
	wantFeed(t, s, queue.Everything(), queue.Position{}, "all", "operators", "tenant", "long", "longer", "odd")
}

// feedFormats keeps the form of an event for an endpoint's feed, be it filtered or not.
func feedFormats(t *testing.T, s queue.Store) {
	commitEvents(t, s, queue.Routed{
		Event: owned("a", "acme"), Endpoints: []string{"erp", "plain"}, Filtered: []string{"crm", "bare"},
		Formats: map[string]string{"erp": "show", "crm": "fields x"},
	})
	for endpoint, want := range map[string]string{"erp": "show", "plain": "", "crm": "fields x", "bare": ""} {
		entries, _ := readFeed(t, s, queue.OfEndpoint(endpoint), queue.Position{}, 2)
		if len(entries) != 1 || entries[0].Format != want {
			t.Errorf("%s: got %+v, want %q", endpoint, entries, want)
		}
	}
}

func feedLarge(t *testing.T, s queue.Store) {
	const many, large = 7, 1 << 20
	for i := range many {
		e := owned(fmt.Sprint(i), "acme")
		e.Payload = bytes.Repeat([]byte{byte('a' + i)}, large)
		e.PreviousShow = bytes.Repeat([]byte{byte('A' + i)}, large)
		commitEvents(t, s, queue.Routed{Event: e, Endpoints: []string{"erp"}})
	}
	for _, of := range []queue.Scope{queue.Everything(), queue.OfTenant("acme"), queue.OfEndpoint("erp")} {
		page, err := s.ReadFeed(t.Context(), of, queue.Position{}, many)
		must(t, err)
		if len(page.Entries) != queue.MaxFeedPage/(2*large) || !page.More {
			t.Errorf("a page has %d entries", len(page.Entries))
		}
		entries, _ := readFeed(t, s, of, queue.Position{}, many)
		wantNames(t, entries, entryName, "0", "1", "2", "3", "4", "5", "6")
		for i := range entries {
			e := &entries[i].Event
			if len(e.Payload) != large || e.Payload[0] != byte('a'+i) || len(e.PreviousShow) != large || e.PreviousShow[large-1] != byte('A'+i) {
				t.Errorf("the contents of %s differ", e.ID)
			}
		}
	}
}

// awaiting waits for a feed in the background.
func awaiting(ctx context.Context, s queue.Store, of queue.Scope, after queue.Position) (done func() (bool, error)) {
	ended := make(chan error, 1)
	go func() { ended <- s.AwaitFeed(ctx, of, after) }()
	return func() (bool, error) {
		synctest.Wait()
		select {
		case err := <-ended:
			return true, err
		default:
			return false, nil
		}
	}
}

// feedWaits wakes the readers whose feeds have more, at once, and no others.
func feedWaits(t *testing.T, s queue.Store) {
	ctx := t.Context()
	began := time.Now()
	scopes := []queue.Scope{
		queue.Everything(), queue.OfTenant(""), queue.OfTenant("acme"), queue.OfTenant("umbrella"),
		queue.OfEndpoint("erp"), queue.OfEndpoint("crm"), queue.OfEndpoint("acme"),
		{},
	}
	wait := func(after queue.Position) (awake func(want ...int)) {
		var waiting []func() (bool, error)
		for _, of := range scopes {
			waiting = append(waiting, awaiting(ctx, s, of, after))
		}
		return func(want ...int) {
			t.Helper()
			for i := range scopes {
				done, err := waiting[i]()
				if err != nil || done != slices.Contains(want, i) {
					t.Errorf("%+v is awake: %v, %v", scopes[i], done, err)
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	awake := wait(queue.Position{})
	awake()
	markKey(t, s, item("nothing"))
	must(t, s.CommitReconciled(t.Context(), leaseMark(t, s, "items"), queue.Reconciled{AskedAt: time.Now()}))
	awake()
	commitEvents(t, s, queue.Routed{Event: owned("a", "acme"), Endpoints: []string{"erp"}, Filtered: []string{"crm"}})
	awake(0, 1, 2, 4, 5)
	cancel()

	// Whoever comes later need not wait for what is there, and waits for more.
	ctx, cancel = context.WithCancel(t.Context())
	wait(queue.Position{})(0, 1, 2, 4, 5)
	cancel()
	ctx, cancel = context.WithCancel(t.Context())
	_, latest, err := s.FeedEnds(ctx)
	must(t, err)
	awake = wait(latest)
	awake()
	commitEvents(t, s, queue.Routed{Event: owned("b", "umbrella"), Endpoints: []string{"crm"}})
	awake(0, 1, 3, 5)
	cancel()

	// Operational events are in the feeds, too.
	ctx, cancel = context.WithCancel(t.Context())
	_, latest, err = s.FeedEnds(ctx)
	must(t, err)
	awake = wait(latest)
	must(t, s.Announce(t.Context(), event.Event{Type: "endpoint.disabled", Key: event.Key{Resource: "endpoint", ID: "x"}}, []string{"erp"}))
	awake(0, 1, 4)
	cancel()
	if waited := time.Since(began); waited != 0 {
		t.Errorf("they waited for %v", waited)
	}

	// Who leaves, and who is sent away.
	_, latest, err = s.FeedEnds(t.Context())
	must(t, err)
	ctx, cancel = context.WithCancel(t.Context())
	leaves := awaiting(ctx, s, queue.OfTenant("acme"), latest)
	cancel()
	if done, err := leaves(); !done || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", done, err)
	}
	stays := awaiting(t.Context(), s, queue.OfTenant("acme"), latest)
	must(t, s.Close())
	if done, err := stays(); !done || !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v, %v", done, err)
	}
	if err := s.AwaitFeed(t.Context(), queue.Everything(), latest); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := s.ReadFeed(t.Context(), queue.Everything(), latest, 1); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.FeedEnds(t.Context()); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// wantExpired checks that a position is told to be expired, and returns the oldest one.
func wantExpired(t *testing.T, s queue.Store, of queue.Scope, p queue.Position) queue.Position {
	t.Helper()
	_, err := s.ReadFeed(t.Context(), of, p, 1)
	var expired *queue.ExpiredError
	if !errors.As(err, &expired) || !errors.Is(err, queue.ErrExpired) {
		t.Fatalf("reading from %v: %v, want ErrExpired", p, err)
	}
	if err := s.AwaitFeed(t.Context(), of, p); !errors.Is(err, queue.ErrExpired) {
		t.Errorf("awaiting from %v: %v, want ErrExpired", p, err)
	}
	oldest, latest, err := s.FeedEnds(t.Context())
	must(t, err)
	if expired.Oldest != oldest || latest.Before(oldest) {
		t.Errorf("the oldest is %v, want %v, and the latest %v", expired.Oldest, oldest, latest)
	}
	return expired.Oldest
}

// feedOfAnother refuses positions that this queue has not given out.
func feedOfAnother(t *testing.T, s queue.Store) {
	of := s.Instance()
	commitEvents(t, s, queue.Routed{Event: owned("a", "acme")})
	_, latest, err := s.FeedEnds(t.Context())
	must(t, err)
	number, _ := latest.In(of)
	wantExpired(t, s, queue.Everything(), queue.NewPosition(of, number+1<<40))
	of.ID[0]++
	for _, p := range []queue.Position{queue.NewPosition(of, number), queue.NewPosition(of, 1)} {
		oldest := wantExpired(t, s, queue.OfTenant("acme"), p)
		wantFeed(t, s, queue.OfTenant("acme"), oldest, "a")
	}
	again, err := queue.ParsePosition(latest.String())
	must(t, err)
	wantFeed(t, s, queue.Everything(), again)
}

// feedTrimmed tells what was trimmed, also where younger events are gone and older ones
// are not.
func feedTrimmed(t *testing.T, s queue.Store) {
	for _, id := range []string{"a", "b", "c", "d"} {
		commitEvents(t, s, queue.Routed{Event: owned(id, "acme"), Endpoints: []string{"erp"}, Filtered: []string{"crm"}})
	}
	before, _ := readFeed(t, s, queue.Everything(), queue.Position{}, 10)
	for _, id := range []string{"b", "c"} {
		_, _, err := s.Cancel(t.Context(), queue.Selection{EventID: id}, queue.Page{})
		must(t, err)
	}
	removed, more, err := queue.TrimmerOf(s).Trim(t.Context())
	must(t, err)
	if removed == 0 {
		wantFeed(t, s, queue.Everything(), queue.Position{}, "a", "b", "c", "d")
		return
	}
	if removed != 2 || more {
		t.Errorf("trimmed %d, and more: %v", removed, more)
	}
	for i, of := range []queue.Scope{queue.Everything(), queue.OfTenant("acme"), queue.OfEndpoint("erp"), queue.OfEndpoint("crm"), queue.OfTenant("other")} {
		// The second event is gone, and the first is not.
		for _, p := range []queue.Position{{}, before[0].Position, before[1].Position} {
			if oldest := wantExpired(t, s, of, p); oldest != before[2].Position {
				t.Errorf("the oldest position is %v", oldest)
			}
		}
		want := []string{"d", "d", "d", "d-", ""}[i]
		wantFeed(t, s, of, before[2].Position, strings.Fields(want)...)
		wantFeed(t, s, of, before[3].Position)
	}
	filtered, _, err := s.Filtered(t.Context(), "crm", queue.Page{})
	must(t, err)
	wantNames(t, filtered, eventName, "d", "a")
	if count, err := s.CountFiltered(t.Context(), "crm"); err != nil || count != 2 {
		t.Errorf("%d are filtered, %v", count, err)
	}
}

// feedDecidedBriefly keeps in an endpoint's feed what was decided while the retention was
// a shorter one than that of the events. Expiry cuts the feed off at a position, and must
// not leave holes behind it.
func feedDecidedBriefly(t *testing.T, s queue.Store) {
	const usual, brief = 1000 * time.Second, 50 * time.Second
	s.Configure(queue.Settings{Retention: usual})
	for _, id := range []string{"a", "b", "c"} {
		commitEvents(t, s, queue.Routed{Event: owned(id, "acme"), Endpoints: []string{"erp"}})
	}
	s.Configure(queue.Settings{Retention: brief})
	deliver(t, s, leaseDelivery(t, s, "erp"))
	cancelled, _, err := s.Cancel(t.Context(), queue.Selection{Endpoint: "erp", EventID: "b"}, queue.Page{})
	must(t, err)
	if cancelled != 1 {
		t.Errorf("%d were cancelled", cancelled)
	}
	s.Configure(queue.Settings{Retention: usual})
	time.Sleep(2 * brief)
	wantFeed(t, s, queue.OfEndpoint("erp"), queue.Position{}, "a", "b", "c")
}

// feedExpires tells what has expired, and goes on from behind it.
func feedExpires(t *testing.T, s queue.Store) {
	const retention = 100 * time.Second
	s.Configure(queue.Settings{Retention: retention})
	commitEvents(t, s, queue.Routed{Event: owned("a", "acme"), Endpoints: []string{"erp"}, Filtered: []string{"crm"}})
	_, first, err := s.FeedEnds(t.Context())
	must(t, err)
	deliver(t, s, leaseDelivery(t, s, "erp"))
	time.Sleep(retention / 2)
	commitEvents(t, s, queue.Routed{Event: owned("b", "acme"), Endpoints: []string{"erp"}})
	_, second, err := s.FeedEnds(t.Context())
	must(t, err)
	deliver(t, s, leaseDelivery(t, s, "erp"))
	wantFeed(t, s, queue.OfTenant("acme"), queue.Position{}, "a", "b")
	time.Sleep(retention / 2)
	if _, err := s.Event(t.Context(), "a"); err == nil {
		return // nothing expires
	}
	for i, of := range []queue.Scope{queue.OfTenant("acme"), queue.OfEndpoint("erp"), queue.OfEndpoint("crm"), queue.Everything(), queue.OfTenant("x"), {}} {
		if oldest := wantExpired(t, s, of, queue.Position{}); oldest != first {
			t.Errorf("the oldest is %v, want %v", oldest, first)
		}
		want := []string{"b", "b", "", "b", "", ""}[i]
		wantFeed(t, s, of, first, strings.Fields(want)...)
	}
	if was, err := s.WasFiltered(t.Context(), "crm", "a"); err != nil || was {
		t.Errorf("what is removed was filtered: %v, %v", was, err)
	}
	if filtered, _, err := s.Filtered(t.Context(), "crm", queue.Page{}); err != nil || len(filtered) > 0 {
		t.Errorf("got %v, %v", filtered, err)
	}
	// A reader who is at the end does not fall behind, however long nothing happens.
	time.Sleep(10 * retention)
	wantExpired(t, s, queue.Everything(), first)
	wantFeed(t, s, queue.Everything(), second)
	commitEvents(t, s, queue.Routed{Event: owned("c", "acme")})
	wantExpired(t, s, queue.Everything(), first)
	wantFeed(t, s, queue.Everything(), second, "c")

	// A shorter retention counts at once, and what it has not removed is found again.
	_, third, err := s.FeedEnds(t.Context())
	must(t, err)
	time.Sleep(retention / 2)
	s.Configure(queue.Settings{Retention: retention / 4})
	wantExpired(t, s, queue.Everything(), second)
	wantFeed(t, s, queue.Everything(), third)
	commitEvents(t, s, queue.Routed{Event: owned("d", "acme")})
	wantFeed(t, s, queue.Everything(), third, "d")
	s.Configure(queue.Settings{Retention: retention})
	time.Sleep(retention / 4)
	// It was stored for no longer.
	wantExpired(t, s, queue.Everything(), third)
}

// feedSince finds where a time is.
func feedSince(t *testing.T, s queue.Store) {
	began := time.Now()
	const hours = 20
	for i := range hours {
		commitEvents(t, s, queue.Routed{Event: owned(fmt.Sprint(i), "acme")}, queue.Routed{Event: owned(fmt.Sprint(i, "-second"), "acme")})
		time.Sleep(time.Minute)
	}
	for i := range hours {
		p, err := s.FeedSince(t.Context(), began.Add(time.Duration(i)*time.Minute))
		must(t, err)
		entries, _ := readFeed(t, s, queue.Everything(), p, 100)
		if least := 2 * (hours - i); len(entries) < least || len(entries) > least+4 {
			t.Errorf("%d minutes later: %d events, want about %d", i, len(entries), least)
		}
	}
	_, latest, err := s.FeedEnds(t.Context())
	must(t, err)
	for at, want := range map[time.Duration]queue.Position{-time.Hour: {}, 1000 * time.Hour: latest} {
		if got, err := s.FeedSince(t.Context(), began.Add(at)); err != nil || got != want {
			t.Errorf("%v: got %v, %v, want %v", at, got, err, want)
		}
	}
}

func filteredListed(t *testing.T, s queue.Store) {
	for i := range 5 {
		commitEvents(t, s, queue.Routed{Event: owned(fmt.Sprint(i), "acme"), Endpoints: []string{"erp"}, Filtered: []string{"erp", "crm", "crm"}})
	}
	for _, endpoint := range []string{"erp", "cr", "", "crm\x00"} {
		listed, next, err := s.Filtered(t.Context(), endpoint, queue.Page{})
		count, countErr := s.CountFiltered(t.Context(), endpoint)
		if err != nil || countErr != nil || len(listed) > 0 || next != "" || count != 0 {
			t.Errorf("%q: got %v and %d, %v, %v", endpoint, listed, count, err, countErr)
		}
	}
	for size := 1; size < 7; size++ {
		listed := pages(t, size, func(page queue.Page) ([]event.Event, queue.Cursor, error) {
			return s.Filtered(t.Context(), "crm", page)
		})
		wantNames(t, listed, eventName, "4", "3", "2", "1", "0")
		if listed[0].Payload != nil || listed[0].PreviousShow != nil || listed[0].Tenant != "acme" {
			t.Errorf("got %+v", listed[0])
		}
	}
	if count, err := s.CountFiltered(t.Context(), "crm"); err != nil || count != 5 {
		t.Errorf("%d are filtered, %v", count, err)
	}
	for of, want := range map[[2]string]bool{{"crm", "3"}: true, {"erp", "3"}: false, {"crm", "nothing"}: false, {"nobody", "3"}: false, {"", ""}: false} {
		if got, err := s.WasFiltered(t.Context(), of[0], of[1]); err != nil || got != want {
			t.Errorf("%v: filtered is %v, %v", of, got, err)
		}
	}
	if _, _, err := s.Filtered(t.Context(), "crm", queue.Page{Cursor: "x"}); !errors.Is(err, queue.ErrBadCursor) {
		t.Errorf("got %v", err)
	}
	// What was filtered is no delivery.
	deliveries, _, err := s.Deliveries(t.Context(), queue.Filter{Endpoint: "crm"}, queue.Page{})
	must(t, err)
	noDelivery(t, s, "crm")
	if len(deliveries) != 0 {
		t.Errorf("got %v", deliveries)
	}
}
