// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// TestPromisesOfRelations is [TestPromises] for objects that belong together: one
// request changes objects of several resources, some have keys of two parts, projects
// are renamed with all that is in them, and take it along when they are deleted.
func TestPromisesOfRelations(t *testing.T) {
	// A walk that is walked again may end otherwise, so what passed is kept here.
	var shortest []string
	t.Cleanup(func() {
		if len(shortest) > 0 {
			t.Log("the shortest walk with a fault:\n" + strings.Join(shortest, "\n"))
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		world := &relations{
			dice:  trial{rolls: rapid.SliceOfN(rapid.IntRange(0, 999), 20, 60).Draw(rt, "rolls")},
			steps: rapid.IntRange(2, 25).Draw(rt, "steps"),
			lag:   time.Duration(rapid.IntRange(0, 9000).Draw(rt, "lag in ms")) * time.Millisecond,
		}
		synctest.Test(t, world.run)
		for _, fault := range world.faults {
			rt.Error(fault)
		}
		if len(world.faults) > 0 && (len(shortest) == 0 || len(world.said) <= len(shortest)) {
			shortest = append(world.said, world.faults...)
		}
	})
}

// relationRules: a board has a rule of its own about requests for projects and their
// tasks; who a task is for is touched; a project shows how many tasks it has, and nothing
// but `parent` says that it changes with them.
const relationRules = `
resource projects {
	create POST   /projects
	update PATCH  /projects/:id
	delete DELETE /projects/:id
	move   POST   /projects/:id/rename {
		id request:to
		touches tasks via GET /projects/{request:to}/tasks tasks.#.project tasks.#.id
	}
	id     name request:name
	lag    10s
}
resource boards {
	show   GET /boards/:id
	create POST   /projects
	update *      /projects/:id/tasks/*
	update POST   /projects/:id/tasks
	delete DELETE /projects/:id
	move   POST   /projects/:id/rename {
		id request:to
	}
	id     name request:name
	lag    10s
}
resource tasks {
	show   GET    /projects/:project/tasks/:id
	create POST   /projects/:project/tasks {
		touches people request:for
	}
	update PATCH  /projects/:project/tasks/:id
	delete DELETE /projects/:project/tasks/:id
	parent projects :project
	lag    10s
}
resource people {
	lag    10s
}`

// relations is one run: an API, and what it has done.
type relations struct {
	dice  trial
	steps int
	lag   time.Duration

	mu       sync.Mutex
	projects map[string]*project
	// renamed are the names that lead to others, and handed how many tasks people
	// were ever given.
	renamed map[string]string
	handed  map[string]int
	next    int
	reads   int
	// history has the states of each object, by its name in events, oldest first: its
	// Show, "" for none, or the name that it leads to after "->".
	history map[string][]told
	// named are the objects that an exchange names, confirmed those of which the API
	// confirmed a change.
	named, confirmed map[string]bool
	faults           []string
	// said is what passed, for whoever has to explain a fault.
	said []string
}

type project struct {
	note  int
	tasks map[int]int // the state of each task
}

// told is a state of an object and when it began.
type told struct {
	at   time.Time
	show string
}

func (w *relations) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// say notes what passes. The caller holds the lock.
func (w *relations) say(format string, args ...any) {
	w.said = append(w.said, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

// Write takes a line of the reconciler's log. It implements io.Writer.
func (w *relations) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say("%s", bytes.TrimSpace(line))
	return len(line), nil
}

// Sync implements zapcore.WriteSyncer.
func (w *relations) Sync() error { return nil }

func (w *relations) run(t *testing.T) {
	w.projects, w.renamed, w.handed = make(map[string]*project), make(map[string]string), make(map[string]int)
	w.history, w.named, w.confirmed = make(map[string][]told), make(map[string]bool), make(map[string]bool)
	w.note()
	s := &script{
		t: t, name: "relations", answers: make(map[string]*scriptAnswer),
		store: memory.New(time.Now), seen: make(map[string]bool), routes: make(map[string][]string),
	}
	s.logger = zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "m"}), w, zap.DebugLevel))
	s.handler = s.newHandler(relationRules)
	s.handler.upstream = &show.Upstream{Handler: caddyhttp.HandlerFunc(w.serveShow)}
	s.start()
	var clients sync.WaitGroup
	dice := w.dice.dice(0)
	for i := range w.steps {
		clients.Go(func() { w.exchange(s.handler, w.dice.dice(1000*(i+1)+i)) })
		switch dice.roll(6) {
		case 0, 1:
			time.Sleep(dice.time(40 * time.Second))
		case 2:
			s.stop()
			s.start()
		case 3:
			time.Sleep(dice.time(500 * time.Millisecond))
		}
		time.Sleep(time.Duration(i+1) * time.Microsecond)
	}
	clients.Wait()
	time.Sleep(time.Hour)
	synctest.Wait()
	w.check(s.store)
	s.stop()
	if err := s.store.Close(); err != nil {
		t.Error(err)
	}
}

// change is what a client asks, and what the API does of it.
type change struct {
	method, target, body string
	// do does it, and returns the answer. It reports false if that is not possible.
	do func() (status int, answer string, ok bool)
	// answered is true if only the answer names what was made.
	answered bool
}

var projectNames, peopleNames = []string{"p", "q", "r"}, []string{"ann", "bob"}

// draw returns a random request.
func (w *relations) draw(dice *dice) change {
	name := projectNames[dice.roll(len(projectNames))]
	path := "/projects/" + name
	switch dice.roll(9) {
	case 0, 1:
		return change{"POST", "/projects", fmt.Sprintf(`{"name":%q}`, name), func() (int, string, bool) {
			if w.projects[name] != nil {
				return 0, "", false
			}
			delete(w.renamed, name)
			w.projects[name] = &project{tasks: make(map[int]int)}
			return 201, w.shows()["projects/"+name], true
		}, false}
	case 2:
		return change{"PATCH", path, "{}", w.with(name, func(p *project) (int, string) {
			p.note = dice.roll(3)
			return 200, w.shows()["projects/"+name]
		}), false}
	case 3:
		return change{"DELETE", path, "", w.with(name, func(*project) (int, string) {
			delete(w.projects, name)
			return 204, ""
		}), false}
	case 4, 5:
		to := projectNames[dice.roll(len(projectNames))]
		return change{"POST", path + "/rename", fmt.Sprintf(`{"to":%q}`, to), func() (int, string, bool) {
			if w.projects[name] == nil || w.projects[to] != nil {
				return 0, "", false
			}
			w.projects[to] = w.projects[name]
			delete(w.projects, name)
			delete(w.renamed, to)
			if dice.roll(2) == 0 {
				w.renamed[name] = to
			}
			return 200, w.shows()["projects/"+to], true
		}, false}
	case 6, 7:
		who := peopleNames[dice.roll(len(peopleNames))]
		return change{"POST", path + "/tasks", fmt.Sprintf(`{"for":%q}`, who), w.with(name, func(p *project) (int, string) {
			w.next++
			p.tasks[w.next] = 0
			w.handed[who]++
			return 201, w.shows()[fmt.Sprintf("tasks/%s/%d", name, w.next)]
		}), true}
	}
	task := 1 + dice.roll(max(w.next, 1))
	target := fmt.Sprintf("%s/tasks/%d", path, task)
	if dice.roll(3) == 0 {
		return change{"DELETE", target, "", w.withTask(name, task, func(p *project) { delete(p.tasks, task) }), false}
	}
	return change{"PATCH", target, "{}", w.withTask(name, task, func(p *project) { p.tasks[task] = dice.roll(3) }), false}
}

func (w *relations) with(name string, do func(*project) (int, string)) func() (int, string, bool) {
	return func() (int, string, bool) {
		p := w.projects[name]
		if p == nil {
			return 0, "", false
		}
		status, answer := do(p)
		return status, answer, true
	}
}

func (w *relations) withTask(name string, task int, do func(*project)) func() (int, string, bool) {
	return func() (int, string, bool) {
		p := w.projects[name]
		if p == nil {
			return 0, "", false
		}
		if _, there := p.tasks[task]; !there {
			return 0, "", false
		}
		do(p)
		return 200, "{}", true
	}
}

// shows returns the Shows of all objects that there are, by their names in events.
func (w *relations) shows() map[string]string {
	all := make(map[string]string)
	for name, p := range w.projects {
		all["projects/"+name] = fmt.Sprintf(`{"name":%q,"note":%d,"tasks":%d}`, name, p.note, len(p.tasks))
		all["boards/"+name] = fmt.Sprintf(`{"name":%q,"columns":%d}`, name, len(p.tasks))
		for task, state := range p.tasks {
			all[fmt.Sprintf("tasks/%s/%d", name, task)] = fmt.Sprintf(`{"project":%q,"id":%d,"state":%d}`, name, task, state)
		}
	}
	for from, to := range w.renamed {
		all["projects/"+from] = "->" + to
	}
	for _, who := range peopleNames {
		all["people/"+who] = fmt.Sprintf(`{"id":%q,"tasks":%d}`, who, w.handed[who])
	}
	return all
}

// note adds what has changed to the history, and returns the objects.
func (w *relations) note() (changed []string) {
	now := w.shows()
	for _, object := range slices.Sorted(maps.Keys(w.history)) {
		if _, there := now[object]; !there {
			now[object] = ""
		}
	}
	for object, text := range now {
		history := w.history[object]
		if len(history) == 0 && text == "" || len(history) > 0 && history[len(history)-1].show == text {
			continue
		}
		w.history[object] = append(history, told{time.Now(), text})
		changed = append(changed, object)
	}
	return changed
}

// commit does what was asked.
func (w *relations) commit(c change, confirms bool) (status int, answer string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	status, answer, ok = c.do()
	w.say("%s %s %s: %d %s, confirmed: %t", c.method, c.target, c.body, status, answer, confirms)
	if !ok {
		return 404, "{}", false
	}
	for _, object := range w.note() {
		w.named[object] = true
		// Of a parent that nobody has seen, its children make no event.
		byChild := strings.HasPrefix(object, "projects/") && strings.Contains(c.target, "/tasks")
		w.confirmed[object] = w.confirmed[object] || confirms && !byChild
		if history := w.history[object]; isGone(history[len(history)-1].show) {
			w.confirmed[object] = false // of the next object of this name, nothing is yet
		}
	}
	return status, answer, true
}

// exchange is a client that asks the API for something, through the handler.
func (w *relations) exchange(h *Handler, dice *dice) {
	w.mu.Lock()
	c := w.draw(dice)
	w.mu.Unlock()
	r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
	recorder := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
	defer func() {
		if cause := recover(); cause != nil && !isAbort(cause) {
			panic(cause)
		}
	}()
	_ = h.ServeHTTP(recorder, r, caddyhttp.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) error {
		_, _ = io.Copy(io.Discard, r.Body)
		return w.serveWrite(rw, c, dice)
	}))
}

// serveWrite is the API as it is asked to change something.
func (w *relations) serveWrite(rw http.ResponseWriter, c change, dice *dice) error {
	w.mu.Lock()
	w.say("%s %s %s is asked", c.method, c.target, c.body)
	w.mu.Unlock()
	time.Sleep(dice.time(300 * time.Millisecond))
	fate := dice.roll(14)
	if c.answered && fate < 5 {
		fate = 0 // its outcome would be unknown, and its object, too
	}
	switch fate {
	case 0: // refused
		rw.WriteHeader(http.StatusUnprocessableEntity)
		return nil
	case 1: // fails, and has done nothing
		rw.WriteHeader(http.StatusInternalServerError)
		return nil
	case 2: // answered too early: it is done later
		time.AfterFunc(dice.time(25*time.Second), func() { w.commit(c, false) })
		rw.WriteHeader(http.StatusGatewayTimeout)
		return nil
	}
	status, answer, _ := w.commit(c, fate > 4)
	switch fate {
	case 3: // done, and the answer is lost
		return caddyhttp.Error(http.StatusBadGateway, errors.New("connection reset"))
	case 4: // done, and the answer is cut
		rw.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(rw, `{"na`)
		panic(http.ErrAbortHandler)
	}
	time.Sleep(dice.time(300 * time.Millisecond))
	rw.WriteHeader(status)
	_, err := io.WriteString(rw, answer)
	return err
}

// serveShow is the API as it is asked for a Show, or for the tasks of a project: a
// replica that lags.
func (w *relations) serveShow(rw http.ResponseWriter, r *http.Request) error {
	w.mu.Lock()
	w.reads++
	dice := w.dice.dice(100*w.reads + len(r.URL.Path))
	w.mu.Unlock()
	time.Sleep(dice.time(50 * time.Millisecond))
	w.mu.Lock()
	defer w.mu.Unlock()
	if dice.roll(9) == 0 {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return nil
	}
	object := strings.TrimPrefix(r.URL.Path, "/")
	if parts := strings.Split(object, "/"); len(parts) == 4 {
		object = fmt.Sprintf("tasks/%s/%s", parts[1], parts[3])
	} else if len(parts) == 3 {
		return w.listTasks(rw, parts[1])
	}
	text := w.lagging(object)
	w.say("Show of %s: %s", object, text)
	switch to, led := strings.CutPrefix(text, "->"); {
	case led:
		rw.Header().Set("Location", "/projects/"+to)
		rw.WriteHeader(http.StatusMovedPermanently)
		return nil
	case text == "":
		rw.WriteHeader(http.StatusNotFound)
		return nil
	}
	_, err := io.WriteString(rw, text)
	return err
}

// lagging returns what the replica shows of an object.
func (w *relations) lagging(object string) (text string) {
	for _, s := range w.history[object] {
		if !s.at.After(time.Now().Add(-w.lag)) {
			text = s.show
		}
	}
	return text
}

func (w *relations) listTasks(rw http.ResponseWriter, name string) error {
	var tasks []json.RawMessage
	for _, object := range slices.Sorted(maps.Keys(w.history)) {
		if text := w.lagging(object); strings.HasPrefix(object, "tasks/"+name+"/") && text != "" {
			tasks = append(tasks, json.RawMessage(text))
		}
	}
	return json.NewEncoder(rw).Encode(map[string]any{"tasks": tasks})
}

// check holds the events and the records against what the API has done.
func (w *relations) check(store queue.Store) {
	events, _, err := store.Events(context.Background(), queue.Filter{}, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		w.fault("listing events: %v", err)
	}
	records, _, err := store.Unresolved(context.Background(), queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		w.fault("listing records: %v", err)
	}
	uncertain := make(map[string]bool)
	for _, record := range records {
		uncertain[record.Intent.Key.String()] = true
	}
	byObject := make(map[string][]event.Event)
	for _, e := range slices.Backward(events) {
		byObject[e.Key.String()] = append(byObject[e.Key.String()], e)
		w.say("event of %s: %s %s %s", e.Time.Format("04:05.000"), e.Key, e.Type, e.Payload)
	}
	for object, list := range byObject {
		w.checkObject(object, list)
	}
	for object := range w.named {
		history, list := w.history[object], byObject[object]
		last := history[len(history)-1].show
		gone := isGone(last)
		switch {
		case len(list) == 0 && (gone || !w.confirmed[object] && uncertain[object]):
		case len(list) == 0:
			w.fault("G1: %s has no event: %v", object, states(history))
		case !tells(list[len(list)-1], last):
			w.fault("G2: %s is %q, and its last event is %s %s: %v", object, last, list[len(list)-1].Type, list[len(list)-1].Payload, states(history))
		}
	}
}

// checkObject checks that an object's events are an ordered part of its states, and that
// their kinds follow each other.
func (w *relations) checkObject(object string, list []event.Event) {
	at, there := 0, strings.HasPrefix(object, "people/")
	history := w.history[object]
	for i, e := range list {
		if e.Sequence != uint64(i+1) {
			w.fault("G3: event %d of %s has the sequence %d", i+1, object, e.Sequence)
		}
		found := false
		for ; at < len(history) && !found; at++ {
			found = tells(e, history[at].show)
		}
		if !found {
			w.fault("G4: event %d of %s, %s %s, is no state that it had after the one before: %v", i+1, object, e.Type, e.Payload, states(history))
		}
		if e.Op == event.OpCreate && there || e.Op == event.OpChange && !there && i > 0 {
			w.fault("the kind of event %d of %s is %s: %v", i+1, object, e.Type, states(history))
		}
		there = e.Op != event.OpDelete
	}
}

// tells reports whether an event says that its object is in a state.
func tells(e event.Event, state string) bool {
	if isGone(state) || e.Op == event.OpDelete {
		return e.Op == event.OpDelete && isGone(state)
	}
	return string(e.Payload) == state
}

// isGone reports whether there is no object in a state: its name leads to another, if
// anywhere.
func isGone(state string) bool { return state == "" || strings.HasPrefix(state, "->") }

func states(history []told) (all []string) {
	for _, s := range history {
		all = append(all, s.at.Format("04:05 ")+s.show)
	}
	return all
}
