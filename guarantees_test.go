// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// TestPromises runs the handler, the reconciler and a queue against an API that
// lags, fails after it has done what it was asked, does it late, and repeats
// itself, and holds what comes of it against what the API has really done: G1
// to G5 and G7 of docs/guarantees.md. A seed that fails is printed by rapid and
// run again with -rapid.seed.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		world := drawTrial(rt)
		world.open = func(*testing.T) queue.Store { return memory.New(time.Now) }
		synctest.Test(t, world.run)
		for _, fault := range world.faults {
			rt.Error(fault)
		}
	})
}

var walksOnDisk = flag.Int("walks-on-disk", 2, "how many walks TestPromisesOnDisk makes")

// TestPromisesOnDisk is the same with the queue that people run. Its
// housekeeping turns some hundred thousand times in the hours of a run, so
// there are few of them, always the same.
func TestPromisesOnDisk(t *testing.T) {
	for seed := range *walksOnDisk {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			dir := t.TempDir()
			world := rapid.Custom(drawTrial).Example(seed)
			world.reopens = true
			world.open = func(t *testing.T) queue.Store {
				store, err := badger.Open(badger.Options{Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				return store
			}
			synctest.Test(t, world.run)
			for _, fault := range world.faults {
				t.Error(fault)
			}
		})
	}
}

func drawTrial(rt *rapid.T) *trial {
	return &trial{
		versions: rapid.Bool().Draw(rt, "versions"),
		rolls:    rapid.SliceOfN(rapid.IntRange(0, 999), 20, 60).Draw(rt, "rolls"),
		steps:    rapid.IntRange(1, 25).Draw(rt, "steps"),
		lag:      time.Duration(rapid.IntRange(0, 9000).Draw(rt, "lag in ms")) * time.Millisecond,
	}
}

// trial is one run: an API, and what it has done.
type trial struct {
	versions bool
	rolls    []int
	steps    int
	lag      time.Duration
	// open opens the queue. One that reopens is closed and opened for the last
	// restart.
	open    func(t *testing.T) queue.Store
	reopens bool

	mu     sync.Mutex
	next   int
	shows  map[string]int      // how many Shows of an object were asked for
	states map[string][]moment // by id, oldest first
	// told are the ids of which an answer, or a path, told; confirmed are those
	// of which the API confirmed a change.
	told, confirmed map[string]bool
	faults          []string
}

// moment is a state of an object and when it began. A nil state is none.
type moment struct {
	at    time.Time
	state *objectState
}

type objectState struct {
	ID    string `json:"id"`
	Value int    `json:"value"`
	Rev   int    `json:"rev,omitempty"`
}

func (w *trial) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// dice are a row of the drawn numbers. Whoever acts at the same time as others
// has dice of its own, so that a run does not depend on who comes first.
type dice struct {
	w        *trial
	at, step int
}

func (w *trial) dice(at int) *dice {
	return &dice{w, at, 1 + at%7}
}

// roll returns the next number, below n.
func (d *dice) roll(n int) int {
	d.at += d.step
	return (d.w.rolls[d.at%len(d.w.rolls)] + 31*d.at) % n
}

func (d *dice) time(most time.Duration) time.Duration {
	return time.Duration(d.roll(1000)) * most / 1000
}

func (w *trial) run(t *testing.T) {
	w.states, w.shows = make(map[string][]moment), make(map[string]int)
	w.told, w.confirmed = make(map[string]bool), make(map[string]bool)
	rules := "resource items {\nlag 10s\n}"
	if w.versions {
		rules = "resource items {\nversion rev\nlag 10s\n}"
	}
	s := &script{
		t: t, name: "trial", answers: make(map[string]*scriptAnswer),
		store: w.open(t), seen: make(map[string]bool), routes: make(map[string][]string),
	}
	s.handler = s.newHandler(rules)
	s.handler.upstream = &show.Upstream{Handler: caddyhttp.HandlerFunc(w.serveShow)}
	s.start()
	var clients sync.WaitGroup
	dice := w.dice(0)
	for i := range w.steps {
		clients.Go(func() { w.exchange(s.handler, w.dice(1000*(i+1)+i)) })
		switch dice.roll(6) {
		case 0:
			time.Sleep(dice.time(40 * time.Second))
		case 1:
			s.stop()
			s.start()
		case 2, 3:
			time.Sleep(dice.time(500 * time.Millisecond))
		}
		// No two exchanges begin at the same time.
		time.Sleep(time.Duration(i+1) * time.Microsecond)
	}
	clients.Wait()
	// Until everything has settled: the API's last late commit, its lag, and
	// the last look.
	time.Sleep(time.Hour)
	synctest.Wait()
	events := w.events(s.store)
	w.check(events, w.uncertain(s.store))
	// Nothing has changed since, so nothing comes of a restart.
	s.stop()
	if w.reopens {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
		s.store = w.open(t)
	}
	s.start()
	time.Sleep(time.Hour)
	synctest.Wait()
	if again := w.events(s.store); len(again) != len(events) {
		w.fault("G7: a restart made %d events", len(again)-len(events))
	}
	s.stop()
	if err := s.store.Close(); err != nil {
		t.Error(err)
	}
}

// exchange is a client that asks the API for something, through the handler.
func (w *trial) exchange(h *Handler, dice *dice) {
	method, id := http.MethodPost, ""
	if kind := dice.roll(10); kind > 2 {
		method, id = http.MethodPatch, w.anyID(dice)
		if kind > 7 {
			method = http.MethodDelete
		}
	}
	target := "/items"
	if id != "" {
		target += "/" + id
	} else {
		method = http.MethodPost
	}
	r := httptest.NewRequest(method, target, strings.NewReader("{}"))
	recorder := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
	defer func() {
		if cause := recover(); cause != nil && !isAbort(cause) {
			panic(cause)
		}
	}()
	_ = h.ServeHTTP(recorder, r, caddyhttp.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) error {
		return w.serveWrite(rw, method, id, dice)
	}))
}

func (w *trial) anyID(dice *dice) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == 0 {
		return ""
	}
	return fmt.Sprint(1 + dice.roll(w.next))
}

// serveWrite is the API as it is asked to change something.
func (w *trial) serveWrite(rw http.ResponseWriter, method, id string, dice *dice) error {
	time.Sleep(dice.time(300 * time.Millisecond))
	fate := dice.roll(12)
	switch fate {
	case 0: // refused
		rw.WriteHeader(http.StatusUnprocessableEntity)
		return nil
	case 1: // fails, and has done nothing
		rw.WriteHeader(http.StatusInternalServerError)
		return nil
	case 2: // answered too early: it is done later
		time.AfterFunc(dice.time(25*time.Second), func() { w.commit(method, id, dice) })
		w.tell(id)
		rw.WriteHeader(http.StatusGatewayTimeout)
		return nil
	}
	state := w.commit(method, id, dice)
	if state == nil && method != http.MethodDelete {
		rw.WriteHeader(http.StatusNotFound)
		return nil
	}
	if fate == 3 { // done, and the answer is lost
		w.tell(id)
		return caddyhttp.Error(http.StatusBadGateway, errors.New("connection reset"))
	}
	if fate == 4 { // done, and the answer is cut
		w.tell(id)
		rw.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(rw, `{"id":`)
		panic(http.ErrAbortHandler)
	}
	time.Sleep(dice.time(300 * time.Millisecond))
	if method == http.MethodDelete {
		w.confirm(id)
		rw.WriteHeader(http.StatusNoContent)
		return nil
	}
	w.confirm(state.ID)
	if method == http.MethodPost {
		rw.WriteHeader(http.StatusCreated)
	}
	return json.NewEncoder(rw).Encode(state)
}

func (w *trial) tell(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id != "" {
		w.told[id] = true
	}
}

func (w *trial) confirm(id string) {
	w.tell(id)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.confirmed[id] = true
}

// commit does what the API was asked, and returns the object as it is then.
func (w *trial) commit(method, id string, dice *dice) *objectState {
	w.mu.Lock()
	defer w.mu.Unlock()
	if method == http.MethodPost {
		w.next++
		id = fmt.Sprint(w.next)
	}
	history := w.states[id]
	var last *objectState
	rev := len(history)
	if rev > 0 {
		last = history[rev-1].state
	}
	var state *objectState
	switch {
	case method == http.MethodDelete && last == nil, method == http.MethodPatch && last == nil:
		return nil // there is no such object
	case method == http.MethodDelete:
	case method == http.MethodPatch && dice.roll(5) == 0:
		return last // a write that changes nothing
	default:
		state = &objectState{ID: id, Value: dice.roll(3)}
		if w.versions {
			state.Rev = rev + 1
		}
		if last != nil && state.Value == last.Value && !w.versions {
			return last
		}
	}
	w.states[id] = append(history, moment{time.Now(), state})
	return state
}

// serveShow is the API as it is asked for a Show: a replica that lags.
func (w *trial) serveShow(rw http.ResponseWriter, r *http.Request) error {
	id := strings.TrimPrefix(r.URL.Path, "/items/")
	w.mu.Lock()
	w.shows[id]++
	dice := w.dice(100*w.shows[id] + len(id) + int(id[0]))
	w.mu.Unlock()
	time.Sleep(dice.time(50 * time.Millisecond))
	w.mu.Lock()
	defer w.mu.Unlock()
	if dice.roll(9) == 0 {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return nil
	}
	// Without a version nothing tells which of two answers is older, so the
	// replica must at least not go back.
	behind := w.lag
	if w.versions {
		behind = dice.time(w.lag)
	}
	now := time.Now().Add(-behind)
	var state *objectState
	for _, m := range w.states[id] {
		if !m.at.After(now) {
			state = m.state
		}
	}
	if state == nil {
		rw.WriteHeader(http.StatusNotFound)
		return nil
	}
	return json.NewEncoder(rw).Encode(state)
}

func (w *trial) events(store queue.Store) []event.Event {
	events, _, err := store.Events(context.Background(), queue.Filter{}, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		w.fault("listing events: %v", err)
	}
	return events
}

// uncertain returns the objects of which a record says that nobody knows whether
// they were changed.
func (w *trial) uncertain(store queue.Store) map[string]bool {
	records, _, err := store.Unresolved(context.Background(), queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		w.fault("listing records: %v", err)
	}
	objects := make(map[string]bool)
	for _, record := range records {
		objects[record.Intent.Key.ID] = true
	}
	return objects
}

// check holds the events, newest first, and the objects of records against what the
// API has done.
func (w *trial) check(events []event.Event, uncertain map[string]bool) {
	ids := make(map[string]bool)
	byObject := make(map[string][]event.Event)
	for i := len(events) - 1; i >= 0; i-- {
		e := events[i]
		if ids[e.ID] {
			w.fault("G5: two events have the id %s", e.ID)
		}
		ids[e.ID] = true
		byObject[e.Key.ID] = append(byObject[e.Key.ID], e)
	}
	for id, list := range byObject {
		w.checkObject(id, list)
	}
	for id := range w.told {
		history := w.states[id]
		if len(history) == 0 {
			continue
		}
		last, list := history[len(history)-1].state, byObject[id]
		switch {
		case len(list) == 0 && last != nil && !w.confirmed[id] && uncertain[id]:
			// Only clients say that it was changed, and the operator knows.
		case len(list) == 0 && last != nil:
			w.fault("G1: %s was changed %d times, and has no event", id, len(history))
		case len(list) == 0:
		case last == nil && list[len(list)-1].Op != event.OpDelete:
			w.fault("G2: %s is gone, and its last event is %s %s", id, list[len(list)-1].Type, list[len(list)-1].Payload)
		case last != nil && !same(list[len(list)-1], last):
			w.fault("G2: %s is %+v, and its last event is %s %s", id, *last, list[len(list)-1].Type, list[len(list)-1].Payload)
		}
	}
}

// checkObject checks that an object's events are an ordered part of its states.
func (w *trial) checkObject(id string, list []event.Event) {
	at := 0
	history := w.states[id]
	for i, e := range list {
		if e.Sequence != uint64(i+1) {
			w.fault("G3: event %d of %s has the sequence %d", i+1, id, e.Sequence)
		}
		found := false
		for ; at < len(history) && !found; at++ {
			found = same(e, history[at].state)
		}
		if !found {
			w.fault("G4: event %d of %s, %s %s, is no state that it had after the one before: %s", i+1, id, e.Type, e.Payload, describe(history))
		}
	}
}

// same reports whether an event says that its object is in a state.
func same(e event.Event, state *objectState) bool {
	if state == nil || e.Op == event.OpDelete {
		return state == nil && e.Op == event.OpDelete
	}
	var told objectState
	return json.Unmarshal(e.Payload, &told) == nil && told == *state
}

func describe(history []moment) string {
	texts := make([]string, len(history))
	for i, m := range history {
		texts[i] = "gone"
		if m.state != nil {
			texts[i] = fmt.Sprint(m.state.Value, "/", m.state.Rev)
		}
	}
	return strings.Join(texts, " ")
}
