// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// at has something done once, when the Show of an object is read for the next time.
func (l *lab) at(object string, do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.during = func(id string) {
		if id != object {
			return
		}
		l.mu.Lock()
		l.during = nil
		l.mu.Unlock()
		do()
	}
}

// pass gives an object to a tenant, and returns when that is known.
func (l *lab) pass(id string, to object) {
	l.t.Helper()
	l.put(id, to, queue.HintUpdated)
	l.settle()
	if known, err := l.store.Object(l.ctx, item(id)); err != nil || known.Tenant != to.tenant {
		l.t.Errorf("%s is known as %+v: %v", id, known, err)
	}
}

// An object that becomes the tenant's while the walk goes on comes once, wherever the walk
// is: by the event of that, or by the snapshot if the endpoint gets no such event.
func TestPassesToTheTenant(t *testing.T) {
	for name, test := range map[string]struct {
		id          string
		indifferent bool
		change      func(*subscribers.Endpoint)
		want        []string
	}{
		"behind, asked for":       {"0", false, nil, []string{"snapshot 1 1", "change 0 2", "snapshot 2 2", "snapshot 3 1"}},
		"behind, not asked for":   {"0", false, only("items.created"), []string{"snapshot 1 1", "snapshot 0 2", "snapshot 2 2", "snapshot 3 1"}},
		"behind, without event":   {"0", true, nil, []string{"snapshot 1 1", "snapshot 0 1", "snapshot 2 2", "snapshot 3 1"}},
		"before, asked for":       {"9", false, nil, []string{"snapshot 1 1", "change 9 2", "snapshot 2 2", "snapshot 3 1"}},
		"before, not asked for":   {"9", false, only("items.created"), []string{"snapshot 1 1", "snapshot 9 2", "snapshot 2 2", "snapshot 3 1"}},
		"before, without event":   {"9", true, nil, []string{"snapshot 1 1", "snapshot 9 1", "snapshot 2 2", "snapshot 3 1"}},
		"behind, of another kind": {"0", false, only("users.*"), nil},
		"behind, filtered":        {"0", true, filtered("object.id != '0'"), []string{"snapshot 1 1", "snapshot 2 2", "snapshot 3 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			experiment(t, func(l *lab) { l.indifferent = test.indifferent }, func(l *lab) {
				l.stock()
				l.put("0", object{tenant: "umbrella"}, queue.HintCreated)
				l.put("9", object{}, queue.HintCreated)
				l.settle()
				passed := false
				pass := func() { l.pass(test.id, object{tenant: "acme"}); passed = true }
				if l.at("2", pass); test.want == nil {
					l.mu.Lock()
					l.during = nil
					l.mu.Unlock()
				}
				id := l.endpoint(test.change)
				if test.want == nil {
					pass()
				}
				run := l.done(id)
				l.want(id, test.want...)
				if !passed || run.Unread != 0 {
					t.Errorf("it passed: %t; the run is %+v", passed, run)
				}
			})
		})
	}
}

func only(events ...string) func(*subscribers.Endpoint) {
	return func(e *subscribers.Endpoint) { e.Events = events }
}

func filtered(by string) func(*subscribers.Endpoint) {
	return func(e *subscribers.Endpoint) { e.Filter = by }
}

// What passes to a tenant is no matter of other tenants' snapshots, nor of one that is over,
// nor of an endpoint that begins with older events.
func TestPassesToOthers(t *testing.T) {
	experiment(t, func(l *lab) { l.indifferent = true }, func(l *lab) {
		l.put("0", object{tenant: "acme"}, queue.HintCreated)
		l.put("1", object{tenant: "umbrella"}, queue.HintCreated)
		l.put("2", object{tenant: "acme"}, queue.HintCreated)
		l.settle()
		l.at("2", func() { l.pass("0", object{tenant: "umbrella"}) })
		id := l.endpoint(nil)
		l.done(id)
		l.want(id, "snapshot 0 1", "snapshot 2 1")
		l.pass("1", object{tenant: "acme"})
		l.want(id, "snapshot 0 1", "snapshot 2 1")

		// It comes back, and nothing has changed since it was told of.
		l.at("2", func() { l.pass("0", object{tenant: "acme"}) })
		_, err := l.book.BeginRun(l.ctx, "acme", id, subscribers.NewSnapshotRun(l.store.Instance(), time.Now()))
		l.must(err)
		l.done(id)
		l.want(id, "snapshot 0 1", "snapshot 2 1", "snapshot 1 1", "snapshot 0 1", "snapshot 2 1")
	})
}

// A snapshot that begins between the decision who is told of an object and the commit, and
// has come by the object by then, is told of it.
func TestBeginsWhileItPasses(t *testing.T) {
	experiment(t, func(l *lab) { l.indifferent = true }, func(l *lab) {
		l.stock()
		l.put("0", object{tenant: "umbrella"}, queue.HintCreated)
		l.settle()
		id := l.endpoint(nil)
		l.done(id)
		told := len(l.feed(queue.OfEndpoint(id)))

		walked, begun := make(chan struct{}), false
		l.decided = func() {
			if begun {
				return
			}
			begun = true
			l.at("3", func() {
				close(walked)
				for {
					known, err := l.store.Object(l.ctx, item("0"))
					if l.must(err); known.Tenant == "acme" {
						return
					}
					time.Sleep(time.Second)
				}
			})
			_, err := l.book.BeginRun(l.ctx, "acme", id, subscribers.NewSnapshotRun(l.store.Instance(), time.Now()))
			l.must(err)
			<-walked
		}
		l.put("0", object{tenant: "acme"}, queue.HintUpdated)
		l.settle()
		l.done(id)
		if got := lines(l.feed(queue.OfEndpoint(id))[told:]); len(got) != 4 || got[2] != "snapshot 0 1" {
			t.Errorf("it was told %q", got)
		}
	})
}

// What an endpoint is told of an object that passes to its tenant is what a snapshot tells.
func TestWhatPassingTells(t *testing.T) {
	experiment(t, func(l *lab) { l.indifferent = true }, func(l *lab) {
		l.stock()
		l.put("0", object{tenant: "umbrella", a: 7}, queue.HintCreated)
		l.settle()
		l.at("3", func() { l.pass("0", object{tenant: "acme", a: 7}) })
		id := l.endpoint(nil)
		l.done(id)
		for _, e := range l.feed(queue.OfEndpoint(id)) {
			if want := l.objects[e.Key.ID].show(e.Key.ID); string(e.Payload) != want || e.Op != event.OpSnapshot || e.Type != "items.snapshot" ||
				e.Tenant != "acme" || e.PreviousTenant != "acme" || e.Previous != nil || e.PreviousShow != nil || e.ContentType != "application/json" {
				t.Errorf("got %+v with %s, want %s", e, e.Payload, want)
			}
		}
		for _, feed := range []queue.Scope{queue.OfTenant("acme"), queue.OfTenant("umbrella"), queue.OfTenant("")} {
			for _, e := range l.feed(feed) {
				if e.Op == event.OpSnapshot {
					t.Errorf("%+v has %s", feed, line(&e))
				}
			}
		}
	})
}
