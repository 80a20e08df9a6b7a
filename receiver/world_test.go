// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

var (
	errCrash = errors.New("the process is dead")
	errUser  = errors.New("the function fails")
)

// world is a sender with events, its feed, and the disk of a receiver that crashes.
type world struct {
	t      failer
	events []*event.Event // in the order of commits
	// filtered are those that the endpoint's filter leaves out.
	filtered map[string]bool
	// rolls are the random numbers behind crashes and failures.
	rolls []int

	mu sync.Mutex
	// disk is what survives: the store, and what the user's function has done.
	disk    *Memory
	handled []string
	late    []string
	notices []Notice
	roll    int
	// trouble is false at the end, when nothing fails any more.
	trouble bool
	// feedFails is true while the feed cannot be had.
	feedFails bool
	// oldest is the first event that the feed still has.
	oldest int
	asked  int
}

func (w *world) next() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.roll++; !w.trouble || w.roll > 3*len(w.rolls) {
		return -1
	}
	return w.rolls[w.roll%len(w.rolls)]
}

// life is one process of the receiver: its store loses what is not committed when it dies.
type life struct {
	*Memory
	w    *world
	dead context.Context
	die  context.CancelFunc
}

// effects are what the user's function has done in a transaction.
type effects struct{ handled, late []string }

type effectsKey struct{}

// Take implements Store as a database does, with a crash before and after each step.
func (l *life) Take(ctx context.Context, step Step, handle func(context.Context) error) error {
	crash := l.w.next()
	if crash == 0 {
		l.die()
	}
	if l.dead.Err() != nil {
		return errCrash
	}
	done := new(effects)
	if handle != nil {
		if err := handle(context.WithValue(ctx, effectsKey{}, done)); err != nil {
			return err
		}
	}
	if crash == 1 {
		l.die()
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if l.dead.Err() != nil {
		return errCrash // rolled back
	}
	if err := l.Memory.Take(ctx, step, nil); err != nil {
		return err
	}
	l.w.handled, l.w.late = append(l.w.handled, done.handled...), append(l.w.late, done.late...)
	if crash == 2 {
		l.die()
		return errCrash // committed, and nobody is told
	}
	return nil
}

// KeepCursor implements Store.
func (l *life) KeepCursor(ctx context.Context, cursor string) error {
	crash := l.w.next()
	if crash == 0 {
		l.die()
	}
	if l.dead.Err() != nil {
		return errCrash
	}
	err := l.Memory.KeepCursor(ctx, cursor)
	if crash == 1 {
		l.die()
		return errCrash
	}
	return err
}

func (w *world) handle(_ context.Context, e *Event) string {
	return e.Object + "#" + strconv.FormatUint(e.Sequence, 10)
}

// start starts a process.
func (w *world) start(change func(*Options)) (*Receiver, *life) {
	l := &life{Memory: w.disk, w: w}
	l.dead, l.die = context.WithCancel(context.Background())
	options := Options{
		Secrets: []string{secret}, Store: l,
		Handle: func(ctx context.Context, e *Event) error {
			switch w.next() {
			case 3:
				return errUser
			case 4:
				panic(errUser)
			case 5:
				time.Sleep(time.Second)
			}
			done := ctx.Value(effectsKey{}).(*effects)
			done.handled = append(done.handled, w.handle(ctx, e))
			return nil
		},
		Notice: func(_ context.Context, n Notice) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.notices = append(w.notices, n)
		},
	}
	if change != nil {
		change(&options)
	}
	r, err := New(options)
	if err != nil {
		w.t.Fatal(err)
	}
	return r, l
}

// deliver sends an event, as the sender does, and returns the status.
func (w *world) deliver(r *Receiver, l *life, e *event.Event) int {
	body := `{"n":` + strconv.FormatUint(e.Sequence, 10) + `}`
	request, err := http.NewRequestWithContext(l.dead, http.MethodPost, "/", bytes.NewReader([]byte(body)))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header = headersOf(w.t, e, secret, time.Now(), body)
	answer := &answered{header: make(http.Header)}
	r.ServeHTTP(answer, request)
	if l.dead.Err() != nil {
		return 0 // nobody hears it
	}
	return answer.status
}

// answered is a response writer.
type answered struct {
	header http.Header
	status int
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) Write(p []byte) (int, error) { return len(p), nil }
func (a *answered) WriteHeader(status int)      { a.status = status }

// RoundTrip answers as the feed of the sender does. A cursor is the number of events
// before it.
func (w *world) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	if wait, err := time.ParseDuration(query.Get("wait")); err == nil && query.Get("after") == strconv.Itoa(len(w.events)) {
		select {
		case <-time.After(wait):
		case <-request.Context().Done():
		}
	}
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if w.feedFails {
		return nil, errors.New("no connection")
	}
	after, err := strconv.Atoi(query.Get("after"))
	if query.Get("after") == "oldest" {
		after, err = w.oldest, nil
	}
	if err != nil {
		return nil, err
	}
	if after < w.oldest {
		return answerJSON(http.StatusGone, map[string]any{"status": 410, "oldest": strconv.Itoa(w.oldest)})
	}
	end := min(after+3, len(w.events))
	data := []map[string]any{}
	for i := after; i < end; i++ {
		e := w.events[i]
		body := `{"n":` + strconv.FormatUint(e.Sequence, 10) + `}`
		headers := make(map[string]string)
		for name, values := range headersOf(w.t, e, secret, time.Now(), body) {
			headers[name] = values[0]
		}
		one := map[string]any{"cursor": strconv.Itoa(i + 1), "headers": headers, "body": body}
		if w.filtered[e.ID] {
			one["delivery"] = "filtered"
		}
		data = append(data, one)
	}
	return answerJSON(http.StatusOK, map[string]any{"data": data, "next": strconv.Itoa(end), "more": end < len(w.events)})
}

func answerJSON(status int, value any) (*http.Response, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status), Header: make(http.Header), Body: io.NopCloser(bytes.NewReader(body)),
	}, nil
}

// feed returns the options of the feed.
func (w *world) feed() *Feed {
	return &Feed{URL: "https://api.example.com/feed", Begin: "oldest", Client: &http.Client{Transport: w}}
}

// check reports what of the events was not handled once and in order.
func (w *world) check() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	want := make(map[string][]string)
	for _, e := range w.events {
		if !w.filtered[e.ID] {
			want[e.Key.String()] = append(want[e.Key.String()], e.Key.String()+"#"+strconv.FormatUint(e.Sequence, 10))
		}
	}
	got := make(map[string][]string)
	for _, name := range w.handled {
		object, _, _ := bytes.Cut([]byte(name), []byte("#"))
		got[string(object)] = append(got[string(object)], name)
	}
	for object := range want {
		if !slices.Equal(got[object], want[object]) {
			return fmt.Errorf("%s: handled %v, want %v; late %v", object, got[object], want[object], w.late)
		}
	}
	for _, n := range w.notices {
		if n.Kind == Gap || n.Kind == Late || n.Kind == Rewound || n.Kind == Refused || n.Kind == Expired {
			return fmt.Errorf("told %s", n)
		}
	}
	return nil
}
