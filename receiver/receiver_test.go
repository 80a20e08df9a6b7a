// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// bench is a receiver whose handled events and notices are kept.
type bench struct {
	t     *testing.T
	r     *Receiver
	world *world
	seen  []string
	fails error
}

// newBench returns a receiver without trouble.
func newBench(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, world: &world{t: t, filtered: make(map[string]bool)}}
	options := Options{
		Secrets: []string{secret}, Store: NewMemory(0),
		Handle: func(_ context.Context, e *Event) error {
			if b.fails != nil {
				return b.fails
			}
			b.seen = append(b.seen, fmt.Sprintf("%s %d", e.Op, e.Sequence))
			return nil
		},
		Notice: func(_ context.Context, n Notice) { b.world.notices = append(b.world.notices, n) },
	}
	if change != nil {
		change(&options)
	}
	var err error
	if b.r, err = New(options); err != nil {
		t.Fatal(err)
	}
	return b
}

// take delivers events one after the other, and returns the last status.
func (b *bench) take(events ...*event.Event) (status int) {
	b.t.Helper()
	l := &life{w: b.world, dead: b.t.Context()}
	for _, e := range events {
		status = b.world.deliver(b.r, l, e)
	}
	return status
}

func (b *bench) told() (kinds []string) {
	for _, n := range b.world.notices {
		kinds = append(kinds, string(n.Kind))
	}
	return kinds
}

// expect compares what was handled and told.
func (b *bench) expect(seen, told string) {
	b.t.Helper()
	if got := strings.Join(b.seen, ", "); got != seen {
		b.t.Errorf("handled %q, want %q", got, seen)
	}
	if got := strings.Join(b.told(), ", "); got != told {
		b.t.Errorf("told %q, want %q", got, told)
	}
}

// with returns an event with another op and id.
func with(e *event.Event, op event.Op, id string) *event.Event {
	e.Op = op
	if id != "" {
		e.ID = eventID(id, e.Sequence)
	}
	return e
}

func number(n uint64) *event.Event { return someEvent("42", n) }

func TestTurns(t *testing.T) {
	for name, test := range map[string]struct {
		events     []*event.Event
		change     func(*Options)
		seen, told string
	}{
		"a repeat":                   {events: []*event.Event{number(1), number(1), number(2), number(1), number(2)}, seen: "change 1, change 2"},
		"a gap":                      {events: []*event.Event{number(1), number(4), number(5)}, seen: "change 1, change 4, change 5", told: "gap"},
		"an object that is known":    {events: []*event.Event{number(17), number(18)}, seen: "change 17, change 18", told: "gap"},
		"late":                       {events: []*event.Event{number(1), number(3), number(2), number(2)}, seen: "change 1, change 3", told: "gap, late"},
		"partial":                    {events: []*event.Event{number(3), number(9), number(5)}, change: func(o *Options) { o.Partial = true }, seen: "change 3, change 9", told: "late"},
		"no hold":                    {events: []*event.Event{number(1), number(3)}, change: func(o *Options) { o.Hold = NoHold }, seen: "change 1, change 3", told: "gap"},
		"a snapshot":                 {events: []*event.Event{with(number(7), OpSnapshot, "s"), number(8)}, seen: "snapshot 7, change 8"},
		"a snapshot of what is held": {events: []*event.Event{number(1), with(number(1), OpSnapshot, "s"), number(2)}, seen: "change 1, snapshot 1, change 2"},
		"an old snapshot":            {events: []*event.Event{number(1), number(2), with(number(1), OpSnapshot, "s"), number(3)}, seen: "change 1, change 2, change 3"},
		"a snapshot, repeated":       {events: []*event.Event{with(number(7), OpSnapshot, "s"), with(number(7), OpSnapshot, "s")}, seen: "snapshot 7"},
		"a test":                     {events: []*event.Event{number(1), with(number(9), "test", "t"), number(2)}, seen: "change 1, change 2"},
		"restored from a backup": {
			events: []*event.Event{number(1), number(2), number(3), with(number(2), event.OpChange, "b"), with(number(3), event.OpChange, "b"), number(3)},
			seen:   "change 1, change 2, change 3, change 2, change 3", told: "rewound",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, test.change)
				if status := b.take(test.events...); status != http.StatusNoContent {
					t.Errorf("status %d", status)
				}
				b.expect(test.seen, test.told)
			})
		})
	}
}

// Late events and those that are made up have functions of their own.
func TestOtherFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var others []string
		note := func(name string) HandleFunc {
			return func(_ context.Context, e *Event) error {
				others = append(others, fmt.Sprintf("%s %d", name, e.Sequence))
				return nil
			}
		}
		b := newBench(t, func(o *Options) { o.Late, o.Test = note("late"), note("test") })
		b.take(number(1), number(3), number(2), number(2), with(number(9), "test", "t"))
		b.expect("change 1, change 3", "gap")
		if got := strings.Join(others, ", "); got != "late 2, test 9" {
			t.Errorf("the others handled %q", got)
		}
	})
}

// Whose headers are not committed to is only recognised when it is repeated.
func TestUnordered(t *testing.T) {
	b := newBench(t, nil)
	second, first := number(2), number(1)
	second.Uncommitted, first.Uncommitted = true, true
	b.take(second, first, second)
	b.expect(" 0,  0", "")
}

// An event is held back as long as it is said, and no longer.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Hold = 3 * time.Second })
		b.take(number(1))
		began := time.Now()
		b.take(number(3))
		if held := time.Since(began); held != 3*time.Second {
			t.Errorf("it was held for %s", held)
		}
		began = time.Now()
		go func() {
			time.Sleep(time.Second)
			b.take(number(4))
		}()
		b.take(number(5))
		if held := time.Since(began); held != time.Second {
			t.Errorf("it was held for %s", held)
		}
		b.expect("change 1, change 3, change 4, change 5", "gap")
	})
}

// What waits is limited, and the sender told to come again.
func TestMaxHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Hold, o.MaxHeld = time.Minute, 2 })
		for n := range uint64(2) {
			go b.take(someEvent("object"+string(rune('a'+n)), 2))
		}
		synctest.Wait()
		if status := b.take(number(2)); status != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", status)
		}
		time.Sleep(2 * time.Minute)
		if status := b.take(number(2)); status != http.StatusNoContent {
			t.Errorf("afterwards, status %d", status)
		}
		if len(b.r.lanes.open) != 0 || b.r.lanes.held != 0 {
			t.Errorf("%d lanes and %d events are left", len(b.r.lanes.open), b.r.lanes.held)
		}
	})
}

// What the function does wrong is a 500, and the event comes again.
func TestFunctionFails(t *testing.T) {
	b := newBench(t, nil)
	b.fails = errUser
	if status := b.take(number(1)); status != http.StatusInternalServerError {
		t.Errorf("status %d", status)
	}
	b.fails = nil
	b.take(number(1))
	b.expect("change 1", "failed")

	panics := newBench(t, func(o *Options) { o.Handle = func(context.Context, *Event) error { panic("boom") } })
	if status := panics.take(number(1)); status != http.StatusInternalServerError {
		t.Errorf("status %d", status)
	}
	if n := panics.world.notices; len(n) != 1 || !strings.Contains(n[0].String(), "boom") {
		t.Errorf("told %v", n)
	}
}

// A function goes on when the sender has gone away, and the repeat waits for it.
func TestSenderGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		b := newBench(t, func(o *Options) {
			o.Handle = func(ctx context.Context, _ *Event) error {
				calls++
				time.Sleep(10 * time.Second)
				return ctx.Err()
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go b.world.deliver(b.r, &life{w: b.world, dead: ctx}, number(1))
		time.Sleep(2 * time.Second)
		if status := b.take(number(1)); status != http.StatusNoContent || calls != 1 {
			t.Errorf("status %d, %d calls", status, calls)
		}
	})
}

func TestAnswers(t *testing.T) {
	b := newBench(t, func(o *Options) { o.MaxBody = 100 })
	for name, test := range map[string]struct {
		method string
		header http.Header
		body   io.Reader
		status int
	}{
		"another method": {http.MethodGet, nil, nil, http.StatusMethodNotAllowed},
		"no webhook":     {http.MethodPost, http.Header{}, strings.NewReader("{}"), http.StatusUnauthorized},
		"forged":         {http.MethodPost, headersOf(t, number(1), other, time.Now(), "{}"), strings.NewReader("{}"), http.StatusUnauthorized},
		"too large":      {http.MethodPost, headersOf(t, number(1), secret, time.Now(), "{}"), strings.NewReader(strings.Repeat("x", 101)), http.StatusRequestEntityTooLarge},
		"broken off":     {http.MethodPost, headersOf(t, number(1), secret, time.Now(), "{}"), io.MultiReader(strings.NewReader("{"), broken{}), http.StatusBadRequest},
		"good":           {http.MethodPost, headersOf(t, number(1), secret, time.Now(), "{}"), strings.NewReader("{}"), http.StatusNoContent},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequestWithContext(t.Context(), test.method, "/", test.body)
			if test.header != nil {
				request.Header = test.header
			}
			recorder := httptest.NewRecorder()
			b.r.ServeHTTP(recorder, request)
			if recorder.Code != test.status {
				t.Errorf("status %d, want %d", recorder.Code, test.status)
			}
		})
	}
	// A stranger's body is not even read.
	read := &counted{}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", read)
	b.r.ServeHTTP(httptest.NewRecorder(), request)
	if read.n > 0 {
		t.Error("the body of a stranger was read")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type counted struct{ n int }

func (c *counted) Read([]byte) (int, error) {
	c.n++
	return 0, io.EOF
}

func TestOptions(t *testing.T) {
	handle := func(context.Context, *Event) error { return nil }
	for name, options := range map[string]Options{
		"no secret":            {Handle: handle, Store: NewMemory(0)},
		"no function":          {Secrets: []string{secret}, Store: NewMemory(0)},
		"no store":             {Secrets: []string{secret}, Handle: handle},
		"a feed and partial":   {Secrets: []string{secret}, Handle: handle, Store: NewMemory(0), Partial: true, Feed: &Feed{URL: "https://a/feed", Begin: "latest"}},
		"a feed without begin": {Secrets: []string{secret}, Handle: handle, Store: NewMemory(0), Feed: &Feed{URL: "https://a/feed"}},
		"a feed nowhere":       {Secrets: []string{secret}, Handle: handle, Store: NewMemory(0), Feed: &Feed{URL: "feed", Begin: "latest"}},
		"an unsigned feed without TLS": {
			Secrets: []string{secret}, Handle: handle, Store: NewMemory(0), Feed: &Feed{URL: "http://example.com/feed", Begin: "latest", Unsigned: true},
		},
	} {
		if _, err := New(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The memory forgets what is oldest, and no more.
func TestMemoryIsBounded(t *testing.T) {
	m := NewMemory(2)
	for n := range uint64(5) {
		step := Step{ID: eventID("a", n+1), Object: fmt.Sprint("o", n), Sequence: n + 1, To: n + 1}
		if err := m.Take(t.Context(), step, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.handled.by) != 2 || len(m.taken) != 2 || len(m.positions.by) != 2 || m.handled.order.Len() != 2 {
		t.Errorf("it remembers %d events, %d places, %d objects", len(m.handled.by), len(m.taken), len(m.positions.by))
	}
	for n, want := range map[uint64]bool{3: false, 4: true, 5: true} {
		seen, err := m.Look(t.Context(), eventID("a", n), fmt.Sprint("o", n-1), n)
		if err != nil || seen.Handled != want || (seen.Position != 0) != want {
			t.Errorf("event %d: %+v, %v", n, seen, err)
		}
	}
	if err := m.Take(t.Context(), Step{ID: eventID("a", 5)}, nil); !errors.Is(err, ErrMoved) {
		t.Errorf("a repeat: %v", err)
	}
	if err := m.Take(t.Context(), Step{ID: "new", Object: "o4", Sequence: 2, From: 1, To: 2}, nil); !errors.Is(err, ErrMoved) {
		t.Errorf("from elsewhere: %v", err)
	}
}

// The package needs nothing but the standard library.
func TestImports(t *testing.T) {
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	listed, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(listed))
	if !slices.Equal(got, []string{"github.com/caddy-webhooks/caddy-webhooks/receiver"}) {
		t.Errorf("it imports %s", got)
	}
}
