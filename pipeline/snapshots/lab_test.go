// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
	"github.com/caddy-webhooks/caddy-webhooks/show"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const aSecret = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"

// bubble hides that a test runs in a bubble: rapid calls Deadline, which panics there.
type bubble struct{ *testing.T }

// failing is a test, or a part of one.
type failing interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

// lab is an API, a queue, what reconciles the API's objects, and the worker.
type lab struct {
	t     failing
	ctx   context.Context
	store queue.Store
	ring  *seal.Keyring
	// keepShow and listed say what the resource has.
	keepShow, listed bool
	// indifferent is true if whose an object is does not count when Shows are compared.
	indifferent bool
	// takes is how long the API takes to answer, a millisecond if it is 0.
	takes time.Duration
	// decided, if not nil, is called when it is decided who is told of an object that
	// passes to a tenant, and before that is committed.
	decided func()
	// open opens the queue, a new one unless the lab is kept in a directory. One that is
	// not outlives the process, as if it were elsewhere.
	open func() queue.Store
	dir  string
	// witness is the queue as the worker and the reconciler have it.
	witness *witness

	mu sync.Mutex
	// objects are those of the API, by id; down is true while it answers nothing.
	objects map[string]object
	down    bool
	// unreadable is an object whose Show fails.
	unreadable string
	// during, if not nil, is called before a Show is answered.
	during func(id string)
	reads  map[string]int

	plan      *reconcile.Plan
	directory *subscribers.Directory
	book      *subscribers.Book
	r         *reconcile.Reconciler
	stop      context.CancelFunc
	stopped   chan struct{}
}

// object is an object of the API.
type object struct {
	tenant string
	a, b   int
}

func (o object) show(id string) string {
	return fmt.Sprintf(`{"id":%q,"tenant":%q,"a":%d,"b":%d}`, id, o.tenant, o.a, o.b)
}

func newLab(ctx context.Context, t failing, change func(*lab)) *lab {
	t.Helper()
	l := &lab{t: t, ctx: ctx, objects: map[string]object{}, reads: map[string]int{}}
	l.open = func() queue.Store { return memory.New(time.Now) }
	if change != nil {
		change(l)
	}
	l.opened()
	var err error
	l.ring, err = seal.NewKeyring(seal.NewKey())
	l.must(err)
	l.book = &subscribers.Book{Store: l.store, Sealer: l.ring, Now: time.Now}
	l.start()
	return l
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("%v", err)
	}
}

// start puts the reconciler and the worker to work, as a process does.
func (l *lab) start() {
	l.t.Helper()
	l.directory = subscribers.NewDirectory(l.store, func() subscribers.Sealer { return l.ring }, zap.NewNop())
	none, err := endpoint.NewSet()
	l.must(err)
	l.directory.Apply(none, endpoint.Endpoint{}, subscribers.Offer{})
	l.must(l.directory.Refresh(l.ctx))
	l.r = reconcile.New(l.store, reconcile.Options{Jitter: func() float64 { return .5 }})
	l.plan = &reconcile.Plan{Resources: []reconcile.Resource{l.resource()}}
	if l.listed {
		l.plan.Lists = []reconcile.List{l.list()}
	}
	l.r.Apply(*l.plan)
	worker := New(Options{Store: l.store, Reconciler: l.r, Endpoints: l.directory, Plan: func() *reconcile.Plan { return l.plan }})
	ctx, cancel := context.WithCancel(l.ctx)
	l.stop, l.stopped = cancel, make(chan struct{})
	go func() {
		defer close(l.stopped)
		worker.Follow(ctx)
	}()
}

// kept has the lab's queue in a directory.
func (l *lab) kept(dir string) {
	l.dir = dir
	l.open = func() queue.Store {
		// There is room for whatever is written.
		free := func(string) (free, total uint64, err error) { return 1 << 40, 1 << 41, nil }
		s, err := badger.Open(badger.Options{Dir: dir, Now: time.Now, Durability: queue.Process, Space: queue.Space{Reserve: 1}, FreeSpace: free})
		l.must(err)
		return s
	}
}

// opened opens the queue.
func (l *lab) opened() {
	before := l.witness
	l.witness = newWitness(l.t, l.open())
	l.store = l.witness
	if before != nil {
		l.witness.before = before.before
	}
}

// reopen ends the process, and begins another one.
func (l *lab) reopen() {
	l.t.Helper()
	l.end()
	if l.dir != "" {
		l.must(l.store.Close())
		l.opened()
	}
	l.book.Store = l.store
	l.start()
}

// end ends what start has begun, wherever it is.
func (l *lab) end() {
	l.t.Helper()
	l.stop()
	l.must(l.r.Stop(context.Background()))
	<-l.stopped
}

// close ends all.
func (l *lab) close() {
	l.end()
	l.must(l.store.Close())
}

func (l *lab) resource() reconcile.Resource {
	typed := func(text string) event.Template {
		made, err := event.ParseTemplate(text)
		l.must(err)
		return made
	}
	resource := reconcile.Resource{
		Name: "items", Tenant: "tenant", KeepShow: l.keepShow, Listed: l.listed, Limit: reconcile.NewLimit(16, nil), Routing: l.directory,
		Read: func(_ context.Context, lease queue.MarkLease) (show.Show, error) { return l.read(lease.Key.ID) },
		// What b is, nobody is told.
		Triggers: []event.Trigger{
			{Type: typed("items.created"), On: event.OpCreate},
			{Type: typed("items.updated"), On: event.OpChange, Paths: []string{"a"}},
			{Type: typed("items.deleted"), On: event.OpDelete},
		},
		Route: func(e *event.Event) (to, filtered []string) {
			return l.directory.Set().Route(e, func() event.Document { return event.NewDocument(e.Payload) }, func(string, error) {})
		},
		Own: func(key event.Key, document event.Document) (event.Key, bool) {
			return event.Key{Resource: key.Resource, ID: event.Text(document.Field("id"))}, true
		},
	}
	if l.indifferent {
		tenant, err := event.NewProjection([]string{"tenant"}, nil)
		l.must(err)
		resource.Comparison = reconcile.Comparison{Volatile: tenant, ID: "tenant"}
	}
	passing := Passing(l.store, l.directory, &resource, time.Now)
	resource.Passing = func(ctx context.Context, now *event.Snapshot, seen *reconcile.Sight, events []queue.Routed) (reconcile.Passage, error) {
		passage, err := passing(ctx, now, seen, events)
		if l.decided != nil {
			l.decided()
		}
		return passage, err
	}
	return resource
}

// read answers with how an object is, some time after it was so.
func (l *lab) read(id string) (show.Show, error) {
	l.mu.Lock()
	during, down := l.during, l.down
	of, there := l.objects[id]
	l.reads[id]++
	l.mu.Unlock()
	if during != nil {
		during(id)
	}
	time.Sleep(max(l.takes, time.Millisecond))
	switch {
	case down:
		return show.Show{}, errors.New("connection refused")
	case id == l.unreadable:
		return show.Show{Status: http.StatusInternalServerError}, nil
	case !there:
		return show.Show{Status: http.StatusNotFound}, nil
	}
	return show.Show{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(of.show(id))}, nil
}

func (l *lab) list() reconcile.List {
	return reconcile.List{
		Resource: "items", ID: "1", Limit: reconcile.NewLimit(16, nil),
		Read: func(context.Context, event.Key, string) (show.Show, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.down {
				return show.Show{}, errors.New("connection refused")
			}
			return show.Show{Status: http.StatusOK, Body: []byte(strings.Join(slices.Sorted(maps.Keys(l.objects)), ","))}, nil
		},
		Page: func(_ event.Key, _ string, answer show.Show) (objects []reconcile.Listed, next string, err error) {
			for id := range strings.SplitSeq(string(answer.Body), ",") {
				if id != "" {
					objects = append(objects, reconcile.Listed{Key: item(id)})
				}
			}
			return objects, "", nil
		},
	}
}

func item(id string) event.Key { return event.Key{Resource: "items", ID: id} }

// put changes or makes an object in the API, and tells the queue how, unless the hints are
// none: then the object changes in silence.
func (l *lab) put(id string, to object, hints queue.Hints) {
	l.t.Helper()
	began := time.Now()
	l.mu.Lock()
	l.objects[id] = to
	l.mu.Unlock()
	l.mark(id, hints, began)
}

// alter is put for an object that is there, and changes no more than it says. It reports
// false if the object is not there.
func (l *lab) alter(id string, hints queue.Hints, change func(*object)) bool {
	l.t.Helper()
	began := time.Now()
	l.mu.Lock()
	of, there := l.objects[id]
	if there {
		change(&of)
		l.objects[id] = of
	}
	l.mu.Unlock()
	if there {
		l.mark(id, hints, began)
	}
	return there
}

func (l *lab) remove(id string) {
	l.t.Helper()
	began := time.Now()
	l.mu.Lock()
	delete(l.objects, id)
	l.mu.Unlock()
	l.mark(id, queue.HintDeleted, began)
}

func (l *lab) mark(id string, hints queue.Hints, began time.Time) {
	l.t.Helper()
	if hints == 0 {
		return
	}
	outcome := event.OutcomeChanged
	if hints == queue.HintLooked {
		outcome = event.OutcomeUnknown
	}
	l.must(l.store.ResolveIntent(l.ctx, 0, queue.Resolution{Marks: []queue.Mark{{
		Key: item(id), Hints: hints, Cause: event.Cause{Rule: "test", Outcome: outcome, At: began},
	}}}, true))
}

// endpoint makes an endpoint that begins with a snapshot, in one step.
func (l *lab) endpoint(change func(*subscribers.Endpoint)) string {
	l.t.Helper()
	e := subscribers.Endpoint{Tenant: "acme", URL: "https://erp.example/h", Events: []string{"items.*"}, Secrets: []subscribers.Secret{{Text: aSecret}}}
	if change != nil {
		change(&e)
	}
	run := subscribers.NewSnapshotRun(l.store.Instance(), time.Now())
	made, err := l.made(e, run)
	l.must(err)
	return made
}

func (l *lab) made(e subscribers.Endpoint, run subscribers.Run) (string, error) {
	book := *l.book
	book.With = func(of *subscribers.Endpoint) ([]queue.Record, error) {
		record, err := run.Record(of.ID, of.Tenant)
		return []queue.Record{record}, err
	}
	made, err := book.Create(l.ctx, e)
	return made.ID, err
}

func (l *lab) run(id string) subscribers.Run {
	l.t.Helper()
	run, err := l.book.Run(l.ctx, "acme", id)
	l.must(err)
	return run
}

// done waits until a run is over.
func (l *lab) done(id string) subscribers.Run {
	l.t.Helper()
	for end := time.Now().Add(24 * time.Hour); ; time.Sleep(time.Second) {
		if run := l.run(id); !run.Running() {
			return run
		}
		if time.Now().After(end) {
			l.t.Fatalf("not done within a day: %+v", l.run(id))
		}
	}
}

// feed returns what an endpoint was told, in order.
func (l *lab) feed(of queue.Scope) (events []event.Event) {
	l.t.Helper()
	at := queue.Position{}
	for {
		page, err := l.store.ReadFeed(l.ctx, of, at, 7)
		l.must(err)
		for i := range page.Entries {
			events = append(events, page.Entries[i].Event)
		}
		if at = page.Next; !page.More {
			return events
		}
	}
}

// line tells an event.
func line(e *event.Event) string { return fmt.Sprintf("%s %s %d", e.Op, e.Key.ID, e.Sequence) }

func lines(events []event.Event) (all []string) {
	for i := range events {
		all = append(all, line(&events[i]))
	}
	return all
}

// want checks what an endpoint was told.
func (l *lab) want(id string, want ...string) {
	l.t.Helper()
	if got := lines(l.feed(queue.OfEndpoint(id))); !slices.Equal(got, want) {
		l.t.Errorf("it was told %q, want %q", got, want)
	}
}
