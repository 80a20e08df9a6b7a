// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// experiment runs a test on a lab in a bubble.
func experiment(t *testing.T, change func(*lab), test func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t.Context(), t, change)
		defer l.close()
		test(l)
	})
}

// settle waits until all that is marked is reconciled.
func (l *lab) settle() {
	l.t.Helper()
	for {
		stats, err := l.store.Stats(l.ctx)
		l.must(err)
		if stats.Marks+stats.Looks == 0 {
			return
		}
		time.Sleep(time.Second)
	}
}

// stock makes some objects of acme, one of umbrella, and one that is gone.
func (l *lab) stock() {
	l.t.Helper()
	for _, id := range []string{"1", "2", "3", "gone"} {
		l.put(id, object{tenant: "acme"}, queue.HintCreated)
	}
	l.put("other", object{tenant: "umbrella"}, queue.HintCreated)
	l.settle()
	l.put("2", object{tenant: "acme", a: 1}, queue.HintUpdated)
	l.remove("gone")
	l.settle()
}

func TestSnapshot(t *testing.T) {
	for name, keep := range map[string]bool{"by what is kept": true, "by what is read": false} {
		t.Run(name, func(t *testing.T) {
			experiment(t, func(l *lab) { l.keepShow, l.listed = keep, true }, func(l *lab) {
				l.stock()
				before := len(l.feed(queue.OfTenant("acme")))
				reads := l.reads["2"]
				id := l.endpoint(nil)
				run := l.done(id)
				l.want(id, "snapshot 1 1", "snapshot 2 2", "snapshot 3 1")
				if run.State != subscribers.Done || run.Done != 3 || run.Of != 3 || !run.Complete() || run.Ended.IsZero() {
					t.Errorf("the run is %+v", run)
				}
				// The list looks at each object, too.
				if more := l.reads["2"] - reads; more != map[bool]int{true: 1, false: 2}[keep] {
					t.Errorf("the object was read %d times", more)
				}
				second := l.feed(queue.OfEndpoint(id))[1]
				if got := string(second.Payload); got != (object{tenant: "acme", a: 1}).show("2") || second.Type != "items.snapshot" ||
					second.ContentType != "application/json" || second.Changed != nil || second.State != 2 || second.Tenant != "acme" {
					t.Errorf("got %s in %+v", got, second)
				}
				if after := len(l.feed(queue.OfTenant("acme"))); after != before {
					t.Errorf("the tenant's feed has %d events more", after-before)
				}
				l.put("2", object{tenant: "acme", a: 2}, queue.HintUpdated)
				l.settle()
				l.put("new", object{tenant: "acme"}, queue.HintCreated)
				l.settle()
				l.want(id, "snapshot 1 1", "snapshot 2 2", "snapshot 3 1", "change 2 3", "create new 1")
			})
		})
	}
}

// An object that changes while it is read is left to its event, or, if the endpoint does
// not ask for that, told as it is then.
func TestWindow(t *testing.T) {
	for name, test := range map[string]struct {
		events []string
		want   []string
	}{
		"asked for":     {[]string{"items.*"}, []string{"snapshot 1 1", "change 2 3", "snapshot 3 1"}},
		"not asked for": {[]string{"items.created"}, []string{"snapshot 1 1", "snapshot 2 3", "snapshot 3 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			experiment(t, nil, func(l *lab) {
				l.stock()
				var once atomic.Bool
				l.mu.Lock()
				l.during = func(id string) {
					if id == "2" && once.CompareAndSwap(false, true) {
						l.put("2", object{tenant: "acme", a: 7}, queue.HintUpdated)
						l.settle()
					}
				}
				l.mu.Unlock()
				id := l.endpoint(func(e *subscribers.Endpoint) { e.Events = test.events })
				l.done(id)
				l.want(id, test.want...)
				if last := l.feed(queue.OfEndpoint(id))[1]; string(last.Payload) != (object{tenant: "acme", a: 7}).show("2") {
					t.Errorf("it was told %s", last.Payload)
				}
			})
		})
	}
}

// What has changed without anybody's knowledge is found, told of by its event, and told as
// it is then to who does not ask for the event.
func TestSilentChange(t *testing.T) {
	for name, test := range map[string]struct {
		to     object
		events string
		want   string
	}{
		"asked for":     {object{tenant: "acme", a: 9}, "items.*", "change 1 2"},
		"not asked for": {object{tenant: "acme", a: 9}, "items.created", "snapshot 1 2"},
		"without event": {object{tenant: "acme", b: 9}, "items.*", "snapshot 1 1"},
	} {
		t.Run(name, func(t *testing.T) {
			experiment(t, nil, func(l *lab) {
				l.put("1", object{tenant: "acme"}, queue.HintCreated)
				l.settle()
				l.put("1", test.to, 0)
				id := l.endpoint(func(e *subscribers.Endpoint) { e.Events = []string{test.events} })
				if run := l.done(id); run.Unread != 0 || run.Done != 1 {
					t.Errorf("the run is %+v", run)
				}
				l.want(id, test.want)
				if got := l.feed(queue.OfEndpoint(id))[0]; string(got.Payload) != test.to.show("1") {
					t.Errorf("it was told %s", got.Payload)
				}
			})
		})
	}
	experiment(t, nil, func(l *lab) {
		l.stock()
		l.mu.Lock()
		delete(l.objects, "1")
		l.objects["3"] = object{tenant: "umbrella"}
		l.mu.Unlock()
		id := l.endpoint(func(e *subscribers.Endpoint) { e.Events = []string{"items.created"} })
		l.done(id)
		// One is not there, and one is another tenant's by now.
		l.want(id, "snapshot 2 2")
	})
}

// The walk goes on where it was, wherever it is interrupted, and tells of nothing twice.
func TestRestarts(t *testing.T) {
	for _, at := range []string{"1", "2", "3"} {
		experiment(t, nil, func(l *lab) {
			l.stock()
			reached := make(chan struct{}, 100)
			l.mu.Lock()
			l.during = func(id string) {
				if id == at {
					reached <- struct{}{}
				}
			}
			l.mu.Unlock()
			id := l.endpoint(nil)
			<-reached
			l.end()
			if run := l.run(id); !run.Running() {
				t.Fatalf("at %s: the run is over", at)
			}
			l.start()
			l.done(id)
			l.want(id, "snapshot 1 1", "snapshot 2 2", "snapshot 3 1")
		})
	}
}

// A run that is cancelled, or whose endpoint is deleted, tells of nothing more; one that
// is begun again tells of all.
func TestCancelled(t *testing.T) {
	experiment(t, nil, func(l *lab) {
		l.stock()
		made := make(chan string, 1)
		l.mu.Lock()
		l.during = func(object string) {
			if object == "2" {
				if _, err := l.book.CancelRun(l.ctx, "acme", <-made); err != nil {
					t.Error(err)
				}
			}
		}
		l.mu.Unlock()
		id := l.endpoint(nil)
		made <- id
		if run := l.done(id); run.State != subscribers.Cancelled || run.Done != 1 || run.Ended.IsZero() {
			t.Errorf("the run is %+v", run)
		}
		time.Sleep(time.Hour)
		l.want(id, "snapshot 1 1")
		first := l.feed(queue.OfEndpoint(id))[0].ID
		if run, err := l.book.CancelRun(l.ctx, "acme", id); err != nil || run.State != subscribers.Cancelled {
			t.Errorf("once more: %+v, %v", run, err)
		}

		l.mu.Lock()
		l.during = nil
		l.mu.Unlock()
		_, err := l.book.BeginRun(l.ctx, "acme", id, subscribers.NewSnapshotRun(l.store.Instance(), time.Now()))
		l.must(err)
		l.done(id)
		l.want(id, "snapshot 1 1", "snapshot 1 1", "snapshot 2 2", "snapshot 3 1")
		if l.feed(queue.OfEndpoint(id))[1].ID == first {
			t.Error("two runs have one id")
		}
	})
	experiment(t, nil, func(l *lab) {
		l.stock()
		made := make(chan string, 1)
		l.mu.Lock()
		l.during = func(object string) {
			if object == "2" {
				if err := l.book.Delete(l.ctx, "acme", <-made, queue.AnyVersion); err != nil {
					t.Error(err)
				}
			}
		}
		l.mu.Unlock()
		id := l.endpoint(nil)
		made <- id
		time.Sleep(time.Hour)
		l.want(id, "snapshot 1 1")
		if _, err := l.store.Record(l.ctx, subscribers.KindRun, id); err == nil {
			t.Error("the run is still there")
		}
	})
}

func TestFilterOfSnapshot(t *testing.T) {
	for filter, test := range map[string]struct {
		want     []string
		filtered int
	}{
		`event.op != "snapshot"`: {nil, 3},
		`object.a == 1`:          {[]string{"snapshot 2 2"}, 2},
		// What cannot be decided comes.
		`size(changed) == 1`: {[]string{"snapshot 1 1", "snapshot 2 2", "snapshot 3 1"}, 0},
	} {
		experiment(t, nil, func(l *lab) {
			l.stock()
			id := l.endpoint(func(e *subscribers.Endpoint) { e.Filter = filter })
			if run := l.done(id); run.Done != 3 || run.Filtered != test.filtered {
				t.Errorf("%s: the run is %+v", filter, run)
			}
			l.want(id, test.want...)
		})
	}
}

// Which resources an endpoint is told of follows from the types that it asks for.
func TestAskedFor(t *testing.T) {
	for events, want := range map[string]int{
		"*": 3, "items.*": 3, "items.updated": 3, "items.snapshot": 3, "items.paid": 0, "users.*": 0, "users.created items.deleted": 3,
	} {
		experiment(t, nil, func(l *lab) {
			l.stock()
			id := l.endpoint(func(e *subscribers.Endpoint) { e.Events = strings.Fields(events) })
			if run := l.done(id); run.Done != want {
				t.Errorf("%s: the run is %+v", events, run)
			}
			if got := l.feed(queue.OfEndpoint(id)); len(got) != want {
				t.Errorf("%s: it was told %q", events, lines(got))
			}
		})
	}
}

// A complete list finds what nobody has seen: the first list makes it known, and a later
// one makes it come as created.
func TestListed(t *testing.T) {
	experiment(t, func(l *lab) {
		l.listed = true
		l.objects["1"], l.objects["2"], l.objects["other"] = object{tenant: "acme"}, object{tenant: "acme"}, object{tenant: "umbrella"}
	}, func(l *lab) {
		id := l.endpoint(nil)
		if run := l.done(id); !run.Complete() || run.Of != 2 {
			t.Errorf("the run is %+v", run)
		}
		l.want(id, "snapshot 1 0", "snapshot 2 0")
		l.put("0", object{tenant: "acme"}, 0)
		second := l.endpoint(nil)
		if run := l.done(second); !run.Complete() || run.Done != 3 {
			t.Errorf("the run is %+v", run)
		}
		// Its create was found while the endpoint was there already.
		l.want(second, "create 0 1", "snapshot 1 0", "snapshot 2 0")
		l.want(id, "snapshot 1 0", "snapshot 2 0", "create 0 1")
	})
	// What the first list has found may take long to read.
	experiment(t, func(l *lab) {
		l.listed = true
		for n := range 20 {
			l.objects[fmt.Sprintf("%02d", n)] = object{tenant: "acme"}
		}
		l.during = func(string) { time.Sleep(time.Minute) }
	}, func(l *lab) {
		if run := l.done(l.endpoint(nil)); !run.Complete() || run.Of != 20 || run.Done != 20 {
			t.Errorf("slowly read: the run is %+v", run)
		}
	})
	// What can never be read is not waited for without end.
	experiment(t, func(l *lab) {
		l.listed = true
		l.objects["1"], l.objects["2"] = object{tenant: "acme"}, object{tenant: "acme"}
		l.unreadable = "2"
	}, func(l *lab) {
		id := l.endpoint(nil)
		if run := l.done(id); run.Complete() || run.Unread != 1 || run.Done != 1 {
			t.Errorf("one cannot be read: the run is %+v", run)
		}
		l.want(id, "snapshot 1 0")
	})
	experiment(t, nil, func(l *lab) {
		l.stock()
		l.put("unseen", object{tenant: "acme"}, 0)
		id := l.endpoint(nil)
		if run := l.done(id); run.Complete() || run.Done != 3 {
			t.Errorf("without a list: the run is %+v", run)
		}
	})
}

// An API that is down holds up the run, and loses nothing; an object that can never be
// read is left in the end.
func TestUnread(t *testing.T) {
	experiment(t, nil, func(l *lab) {
		l.stock()
		l.mu.Lock()
		l.down = true
		l.mu.Unlock()
		id := l.endpoint(nil)
		time.Sleep(2 * time.Minute)
		if run := l.run(id); !run.Running() || run.Done != 0 {
			t.Errorf("the run is %+v", run)
		}
		l.mu.Lock()
		l.down = false
		l.mu.Unlock()
		if run := l.done(id); run.Done != 3 || run.Unread != 0 {
			t.Errorf("the run is %+v", run)
		}
		l.want(id, "snapshot 1 1", "snapshot 2 2", "snapshot 3 1")
	})
	experiment(t, nil, func(l *lab) {
		l.stock()
		l.mu.Lock()
		l.down = true
		l.mu.Unlock()
		id := l.endpoint(nil)
		if run := l.done(id); run.Unread != 3 || run.Complete() {
			t.Errorf("the run is %+v", run)
		}
	})
	// It is not given up object by object while the API is down for longer.
	experiment(t, nil, func(l *lab) {
		for n := range 6 {
			l.put(fmt.Sprint(n), object{tenant: "acme"}, queue.HintCreated)
		}
		l.settle()
		l.mu.Lock()
		l.down = true
		l.mu.Unlock()
		id := l.endpoint(nil)
		time.Sleep(75 * time.Minute)
		l.mu.Lock()
		l.down = false
		l.mu.Unlock()
		if run := l.done(id); run.Unread != trouble || run.Done != 6 {
			t.Errorf("the run is %+v", run)
		}
		l.want(id, "snapshot 3 1", "snapshot 4 1", "snapshot 5 1")
	})
}

// A receiver that is slow holds up the run, before the disk fills.
func TestAhead(t *testing.T) {
	experiment(t, func(l *lab) { l.keepShow = true }, func(l *lab) {
		const objects, most = maxAhead + 2*perSecond, maxAhead + perSecond + countEvery
		for n := range objects {
			l.put(fmt.Sprintf("%04d", n), object{tenant: "acme"}, queue.HintCreated)
		}
		l.settle()
		id := l.endpoint(nil)
		time.Sleep(time.Hour)
		run := l.run(id)
		if !run.Running() || run.Done < maxAhead || run.Done > most {
			t.Errorf("the run is %+v", run)
		}
		// Nobody else waits for it.
		other := l.endpoint(nil)
		time.Sleep(time.Minute)
		if run := l.run(other); run.Done < maxAhead {
			t.Errorf("the other run is %+v", run)
		}
		_, _, err := l.store.Cancel(l.ctx, queue.Selection{Endpoint: id}, queue.Page{Limit: queue.MaxLimit})
		l.must(err)
		if run := l.done(id); run.Done != objects {
			t.Errorf("the run is %+v", run)
		}
	})
}

// In a queue that was restored from its backup, a run begins anew, with other ids.
func TestRestored(t *testing.T) {
	experiment(t, nil, func(l *lab) {
		l.stock()
		run := subscribers.NewSnapshotRun(l.store.Instance(), time.Now())
		run.Queue, run.State, run.Resource, run.After, run.Done = "another", subscribers.Walking, "items", "2", 2
		was := run.ID
		id, err := l.made(subscribers.Endpoint{Tenant: "acme", URL: "https://erp.example/h", Secrets: []subscribers.Secret{{Text: aSecret}}}, run)
		l.must(err)
		if run := l.done(id); run.ID == was || run.Done != 3 {
			t.Errorf("the run is %+v", run)
		}
		l.want(id, "snapshot 1 1", "snapshot 2 2", "snapshot 3 1")
	})
}

// An endpoint that begins at a position is sent what happened since then, if it asks for
// it, and once.
func TestReplay(t *testing.T) {
	experiment(t, nil, func(l *lab) {
		l.put("1", object{tenant: "acme"}, queue.HintCreated)
		l.settle()
		_, from, err := l.store.FeedEnds(l.ctx)
		l.must(err)
		l.put("2", object{tenant: "acme"}, queue.HintCreated)
		l.put("other", object{tenant: "umbrella"}, queue.HintCreated)
		l.settle()
		// Another endpoint's snapshots are not among it.
		l.done(l.endpoint(nil))
		for n := range replayPage {
			l.put("1", object{tenant: "acme", a: n + 1}, queue.HintUpdated)
			l.settle()
		}
		id, err := l.made(subscribers.Endpoint{
			Tenant: "acme", URL: "https://erp.example/h", Secrets: []subscribers.Secret{{Text: aSecret}}, Filter: "object.a < 3", Events: []string{"items.*"},
		}, subscribers.NewReplayRun(l.store.Instance(), from, time.Now()))
		l.must(err)
		l.put("3", object{tenant: "acme"}, queue.HintCreated)
		if run := l.done(id); run.State != subscribers.Done || !run.Complete() || run.Done != replayPage+1 || run.Filtered != replayPage-2 {
			t.Errorf("the run is %+v", run)
		}
		l.settle()
		l.want(id, "create 2 1", "change 1 2", "change 1 3", "create 3 1")
		pending, _, err := l.store.Deliveries(l.ctx, queue.Filter{Endpoint: id}, queue.Page{})
		l.must(err)
		if len(pending) != 4 || slices.ContainsFunc(pending, func(d queue.Delivery) bool { return d.Status != queue.StatusPending }) {
			t.Errorf("got %+v", pending)
		}
	})
}

// No two snapshots have one id, nor has an event that of a snapshot.
func TestSnapshotID(t *testing.T) {
	seen := make(map[string]bool)
	var none [16]byte
	for _, id := range []string{
		event.SnapshotID(none, "a", "b", item("1"), 1, nil), event.SnapshotID([16]byte{1}, "a", "b", item("1"), 1, nil),
		event.SnapshotID(none, "a2", "b", item("1"), 1, nil), event.SnapshotID(none, "a", "b2", item("1"), 1, nil),
		event.SnapshotID(none, "a", "b", item("2"), 1, nil), event.SnapshotID(none, "a", "b", item("1"), 2, nil),
		event.SnapshotID(none, "a", "b", item("1"), 1, []byte("x")), event.ID(none, item("1"), 1, "items.snapshot", nil),
	} {
		if seen[id] {
			t.Errorf("%s stands for two events", id)
		}
		seen[id] = true
	}
}
