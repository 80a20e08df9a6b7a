// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// recordingQueue keeps what a watcher gives to the queue, in order.
type recordingQueue struct {
	mu       sync.Mutex
	log      []string
	intents  []queue.Intent
	resolved []resolved
	fail     error
	// late is the number of an intent that failed and is open all the same.
	late queue.IntentID
	// onResolve is called with every resolution before it is taken.
	onResolve func(durable bool)
	sightings []sighting
	uncovered []string
}

// sighting is a Show that passed.
type sighting struct {
	key  event.Key
	show show.Show
}

type resolved struct {
	id         queue.IntentID
	resolution queue.Resolution
	durable    bool
}

func (q *recordingQueue) Note(_ context.Context, intent queue.Intent) (queue.IntentID, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fail != nil {
		return q.late, q.fail
	}
	q.log = append(q.log, "intent")
	q.intents = append(q.intents, intent)
	return queue.IntentID(len(q.intents)), nil
}

func (q *recordingQueue) Resolve(_ context.Context, _ string, id queue.IntentID, resolution queue.Resolution, durable bool) {
	if q.onResolve != nil {
		q.onResolve(durable)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.log = append(q.log, "resolve")
	q.resolved = append(q.resolved, resolved{id, resolution, durable})
}

func (q *recordingQueue) seal(resource string, named Callback) ([]byte, error) {
	if !strings.HasPrefix(named.URL, "https://") {
		return nil, errors.New("no TLS")
	}
	return []byte(resource + " " + named.URL + " " + named.Authorization), nil
}

func (q *recordingQueue) observe(_ *rules.Resource, key event.Key, passed show.Show) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sightings = append(q.sightings, sighting{key, passed})
}

func (q *recordingQueue) unmatched(method, path string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.uncovered = append(q.uncovered, method+" "+path)
}

func (q *recordingQueue) say(what string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.log = append(q.log, what)
}

// only returns the one resolution that there must be.
func (q *recordingQueue) only(t *testing.T) resolved {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.resolved) != 1 {
		t.Fatalf("%d resolutions, want 1", len(q.resolved))
	}
	return q.resolved[0]
}

// uncounted counts nothing.
type uncounted struct{}

func (uncounted) Exchange(string, event.Kind, event.Outcome) {}
func (uncounted) Gap(string)                                 {}
func (uncounted) Unresolved(string)                          {}
func (uncounted) CallbackRefused(string)                     {}
func (uncounted) Unmatched()                                 {}

func watcherFor(t testing.TB, q *recordingQueue, resources ...*syntax.Resource) *Watcher {
	t.Helper()
	set, err := rules.Compile(resources, nil)
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{
		Rules: set, UpstreamTimeout: 30 * time.Second, Capture: 1 << 20,
		Notes: q, Seal: q.seal, Observe: q.observe, Unmatched: q.unmatched, Metrics: uncounted{},
	})
}

// serve passes a request on, as the handler does.
func (w *Watcher) serve(writer http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return w.Serve(writer, rules.Request{HTTP: r, Method: r.Method, Limit: w.opts.Capture}, next)
}

// send passes a request through the watcher to an API, as Caddy's server does.
func send(watcher *Watcher, method, target, body string, api caddyhttp.HandlerFunc) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	recorder := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
	return recorder, watcher.serve(recorder, r, api)
}

func answers(status int, header map[string]string, body string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, err := io.WriteString(w, body)
		return err
	}
}

func TestResolutions(t *testing.T) {
	items := &syntax.Resource{Name: "items", Version: "items.v"}
	dial := caddyhttp.Error(http.StatusBadGateway, &net.OpError{Op: "dial", Err: errors.New("connection refused")})
	read := caddyhttp.Error(http.StatusBadGateway, &net.OpError{Op: "read", Err: errors.New("reset")})
	fails := func(err error, retries any) caddyhttp.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) error {
			r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).Set("http.reverse_proxy.retries", retries)
			return err
		}
	}
	aborts := func(status int, body string) caddyhttp.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) error {
			if status > 0 {
				_ = answers(status, map[string]string{"Content-Length": "100"}, body)(w, r)
			}
			panic(http.ErrAbortHandler)
		}
	}
	const changed, unknown = event.OutcomeChanged, event.OutcomeUnknown
	for name, tc := range map[string]struct {
		method, target string
		api            caddyhttp.HandlerFunc
		// want is the mark's key, "" for no mark, or "?" for unresolved.
		want    string
		outcome event.Outcome
		hints   queue.Hints
		version string
		durable bool
	}{
		"update":             {"PATCH", "/items/42", answers(200, nil, `{"items":{"id":"42","v":3}}`), "items/42", changed, queue.HintUpdated, "3", false},
		"update, no version": {"PATCH", "/items/42", answers(200, nil, `{"items":{"id":"42","v":"`+strings.Repeat("1", event.MaxVersionLength+1)+`"}}`), "items/42", changed, queue.HintUpdated, "", false},
		"update, 204":        {"PATCH", "/items/42", answers(204, nil, ""), "items/42", changed, queue.HintUpdated, "", false},
		"update, 303":        {"POST", "/items/42/x", answers(303, nil, ""), "items/42", changed, queue.HintUpdated, "", false},
		"update, no write":   {"PATCH", "/items/42", func(http.ResponseWriter, *http.Request) error { return nil }, "items/42", changed, queue.HintUpdated, "", false},
		"upsert":             {"PUT", "/items/42", answers(201, nil, ""), "items/42", changed, queue.HintUpdated | queue.HintCreated, "", false},
		"delete":             {"DELETE", "/items/42", answers(204, nil, ""), "items/42", changed, queue.HintDeleted, "", false},
		"refused":            {"PATCH", "/items/42", answers(422, nil, "{}"), "", "", 0, "", false},
		"refused by a route": {"PATCH", "/items/42", fails(caddyhttp.Error(403, errors.New("no")), nil), "", "", 0, "", false},
		"refused, cut":       {"PATCH", "/items/42", aborts(409, "x"), "", "", 0, "", false},
		"no connection":      {"PATCH", "/items/42", fails(dial, 0), "", "", 0, "", false},

		"no connection, after a retry": {"PATCH", "/items/42", fails(dial, 1), "items/42", unknown, queue.HintMayBeUpdated, "", false},
		"connection lost":              {"PATCH", "/items/42", fails(read, 0), "items/42", unknown, queue.HintMayBeUpdated, "", false},
		"500":                          {"PATCH", "/items/42", answers(500, nil, ""), "items/42", unknown, queue.HintMayBeUpdated, "", false},
		"504 of the API":               {"DELETE", "/items/42", answers(504, nil, ""), "items/42", unknown, queue.HintMayBeDeleted, "", false},
		"408":                          {"PATCH", "/items/42", answers(408, nil, ""), "items/42", unknown, queue.HintMayBeUpdated, "", false},
		"client gone":                  {"PATCH", "/items/42", answers(499, nil, ""), "items/42", unknown, queue.HintMayBeUpdated, "", false},
		"cut before the header":        {"PATCH", "/items/42", aborts(0, ""), "items/42", unknown, queue.HintMayBeUpdated, "", false},
		"cut in the body":              {"PATCH", "/items/42", aborts(200, "x"), "items/42", unknown, queue.HintMayBeUpdated, "", false},

		"create":                     {"POST", "/items", answers(201, nil, `{"items":{"id":"7","v":1}}`), "items/7", changed, queue.HintCreated, "1", true},
		"create, length told":        {"POST", "/items", answers(201, map[string]string{"Content-Length": "10"}, `{"id":"7"}`), "items/7", changed, queue.HintCreated, "", true},
		"create, Location":           {"POST", "/items", answers(201, map[string]string{"Location": "/items/7"}, ""), "items/7", changed, queue.HintCreated, "", true},
		"create, Location elsewhere": {"POST", "/items", answers(201, map[string]string{"Location": "https://evil.example/items/7"}, ""), "?", "", 0, "", false},
		"create, nothing tells":      {"POST", "/items", answers(201, nil, `{"ok":true}`), "?", "", 0, "", false},
		"create, bad id":             {"POST", "/items", answers(201, nil, `{"id":"../users/1"}`), "?", "", 0, "", false},
		"create, 500":                {"POST", "/items", answers(500, nil, `{"id":"7"}`), "?", "", 0, "", false},
		"create, cut":                {"POST", "/items", aborts(201, `{"id":"7"`), "?", "", 0, "", false},
		"create, refused":            {"POST", "/items", answers(422, nil, `{"id":"7"}`), "", "", 0, "", false},
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, items)
		func() {
			defer func() {
				if cause := recover(); cause != nil && !isAbort(cause) {
					panic(cause)
				}
			}()
			_, _ = send(watcher, tc.method, tc.target, "{}", tc.api)
		}()
		got := q.only(t)
		if got.id != 1 {
			t.Errorf("%s: the intent was not closed", name)
		}
		switch {
		case tc.want == "":
			if len(got.resolution.Marks) != 0 || got.resolution.Unresolved != "" {
				t.Errorf("%s: resolved as %+v", name, got.resolution)
			}
			continue
		case tc.want == "?":
			if len(got.resolution.Marks) != 0 || got.resolution.Unresolved == "" {
				t.Errorf("%s: resolved as %+v", name, got.resolution)
			}
			continue
		case len(got.resolution.Marks) != 1:
			t.Errorf("%s: resolved as %+v", name, got.resolution)
			continue
		}
		mark := got.resolution.Marks[0]
		if tc.outcome == unknown {
			tc.hints |= queue.HintUnconfirmed
		}
		if mark.Key.String() != tc.want || mark.Hints != tc.hints || mark.Cause.Outcome != tc.outcome || mark.Version != tc.version || got.durable != tc.durable {
			t.Errorf("%s: mark %+v, durable %v", name, mark, got.durable)
		}
		if settles := !mark.SettleAt.IsZero(); settles != (tc.outcome == unknown || tc.method == http.MethodDelete) {
			t.Errorf("%s: settles at %s", name, mark.SettleAt)
		}
	}
}

func isAbort(cause any) bool {
	err, ok := cause.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// The intent is there before the API is asked, and says all that a restart
// needs to bring the object back.
func TestIntentComesFirst(t *testing.T) {
	q := new(recordingQueue)
	watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
	api := func(w http.ResponseWriter, r *http.Request) error {
		q.say("api")
		return answers(200, nil, "{}")(w, r)
	}
	if _, err := send(watcher, "PATCH", "/items/42", "", api); err != nil {
		t.Fatal(err)
	}
	if want := []string{"intent", "api", "resolve"}; !slices.Equal(q.log, want) {
		t.Errorf("the order is %v, want %v", q.log, want)
	}
	intent := q.intents[0]
	if intent.Key.String() != "items/42" || intent.Kind != event.KindUpdate || intent.Rule != "PUT|PATCH /items/:id" ||
		intent.Deadline.Sub(intent.Noted) != 30*time.Second {
		t.Errorf("intent %+v", intent)
	}
}

// If only the response shows the object, the client does not get its last byte
// before the mark is durable, however the response shows its end.
func TestLastByteWaitsForTheMark(t *testing.T) {
	body := `{"id":"7","text":"` + strings.Repeat("x", 5000) + `"}`
	for name, api := range map[string]caddyhttp.HandlerFunc{
		"length told": func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.WriteHeader(201)
			for _, part := range []string{body[:100], body[100:2000], body[2000:]} {
				if _, err := io.WriteString(w, part); err != nil {
					return err
				}
				_ = http.NewResponseController(w).Flush()
			}
			return nil
		},
		"chunked": func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(201)
			_, err := io.WriteString(w, body)
			_ = http.NewResponseController(w).Flush()
			return err
		},
		"no body": func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Location", "/items/7")
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(201)
			_ = http.NewResponseController(w).Flush()
			return nil
		},
		"read from a file": func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.WriteHeader(201)
			_, err := io.Copy(w, io.LimitReader(strings.NewReader(body), 1<<20))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			waiting := make(chan bool, 1)
			q := &recordingQueue{onResolve: func(durable bool) {
				waiting <- durable
				<-release
			}}
			watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
				if err := watcher.serve(w, r, api); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()

			finished := make(chan string, 1)
			go func() {
				response, err := http.Post(server.URL+"/items", "application/json", strings.NewReader("{}"))
				if err != nil {
					finished <- err.Error()
					return
				}
				defer response.Body.Close()
				got, err := io.ReadAll(response.Body)
				if err != nil {
					finished <- err.Error()
					return
				}
				finished <- string(got)
			}()
			if durable := <-waiting; !durable {
				t.Error("the mark is not asked to be durable")
			}
			select {
			case got := <-finished:
				t.Errorf("the client has the whole response of %d bytes, and the mark is not durable", len(got))
			case <-time.After(50 * time.Millisecond):
			}
			close(release)
			if got := <-finished; got != body && name != "no body" {
				t.Errorf("the client got %d bytes of %d", len(got), len(body))
			}
			if marks := q.only(t).resolution.Marks; len(marks) != 1 || marks[0].Key.String() != "items/7" {
				t.Errorf("marks %+v", marks)
			}
		})
	}
}

// A queue that fails is no error of the API's, unless the operator wants so;
// and what changed is still marked.
func TestQueueError(t *testing.T) {
	q := &recordingQueue{fail: errors.New("disk full")}
	watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
	w, err := send(watcher, "PATCH", "/items/42", "", answers(200, nil, "ok"))
	if err != nil || w.Code != 200 || w.Body.String() != "ok" {
		t.Errorf("the client got %d %q, %v", w.Code, w.Body, err)
	}
	if got := q.only(t); got.id != 0 || len(got.resolution.Marks) != 1 {
		t.Errorf("resolved as %+v", got)
	}

	watcher.opts.Refuse = true
	called := false
	_, err = send(watcher, "PATCH", "/items/42", "", func(http.ResponseWriter, *http.Request) error {
		called = true
		return nil
	})
	var failure caddyhttp.HandlerError
	if !errors.As(err, &failure) || failure.StatusCode != 503 || called {
		t.Errorf("on_queue_error fail: %v, API asked: %v", err, called)
	}

	// An intent that was noted too late is closed, since nothing was asked.
	q = &recordingQueue{fail: context.DeadlineExceeded, late: 7}
	watcher.opts.Notes = q
	if _, err = send(watcher, "PATCH", "/items/42", "", answers(200, nil, "")); err == nil {
		t.Error("the API was asked")
	}
	if got := q.only(t); got.id != 7 || len(got.resolution.Marks) != 0 {
		t.Errorf("resolved as %+v", got)
	}
}

// What is not watched is passed on as it came: the very same writer.
func TestUnmatchedIsUntouched(t *testing.T) {
	q := new(recordingQueue)
	watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
	for _, tc := range []struct{ method, target string }{
		{"GET", "/others/42"},
		{"POST", "/others"},
		{"CONNECT", "/items/42/stream"},
	} {
		r := httptest.NewRequest(tc.method, "/", nil)
		r.URL.Path = tc.target
		w := httptest.NewRecorder()
		err := watcher.serve(w, r, caddyhttp.HandlerFunc(func(got http.ResponseWriter, same *http.Request) error {
			if got != http.ResponseWriter(w) || same != r {
				t.Errorf("%s %s is wrapped", tc.method, tc.target)
			}
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
	}
	if len(q.log) != 0 {
		t.Errorf("the queue was told %v", q.log)
	}
}

// An API may decline to change the protocol, and do what it is asked. If it
// accepts, nobody knows what it did.
func TestUpgradeIsWatched(t *testing.T) {
	for status, outcome := range map[int]event.Outcome{
		http.StatusOK:                 event.OutcomeChanged,
		http.StatusSwitchingProtocols: event.OutcomeUnknown,
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
		r := httptest.NewRequest("PATCH", "/items/42", nil)
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
		r.Header.Set("Connection", "Upgrade, HTTP2-Settings")
		r.Header.Set("Upgrade", "h2c")
		err := watcher.serve(httptest.NewRecorder(), r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(status)
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		marks := q.only(t).resolution.Marks
		if len(marks) != 1 || marks[0].Key.String() != "items/42" || marks[0].Cause.Outcome != outcome {
			t.Errorf("status %d: marks %+v", status, marks)
		}
	}
}

// The error and the panic of the handlers below reach those above unchanged.
func TestErrorsPass(t *testing.T) {
	watcher := watcherFor(t, new(recordingQueue), &syntax.Resource{Name: "items"})
	want := caddyhttp.Error(http.StatusTeapot, errors.New("short and stout"))
	if _, err := send(watcher, "PATCH", "/items/42", "", func(http.ResponseWriter, *http.Request) error { return want }); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
	defer func() {
		if cause := recover(); !isAbort(cause) {
			t.Errorf("panic %v", cause)
		}
	}()
	_, _ = send(watcher, "PATCH", "/items/42", "", func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) })
}
