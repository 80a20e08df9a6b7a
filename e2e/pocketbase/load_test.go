// SPDX-License-Identifier: Apache-2.0

package pocketbase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// If no change waits for an event, events may skip states. A record's events
// still follow the order of the feed, and end with what PocketBase shows.
func TestLoad(t *testing.T) {
	l := newLab(t)
	f := l.follow(t, l.api.url())
	ctx := deadline(t)
	writers := make([]*writer, 12)
	var work sync.WaitGroup
	for n := range writers {
		w := &writer{lab: l, id: fmt.Sprintf("load%011d", n), random: rand.New(rand.NewPCG(uint64(n), 42))}
		writers[n] = w
		work.Go(func() {
			if err := w.write(ctx, 24); err != nil {
				t.Errorf("writer %d: %v", n, err)
			}
		})
	}
	work.Wait()
	if t.Failed() {
		return
	}
	states, events := 0, 0
	for _, w := range writers {
		e, s, err := w.check(ctx, f)
		if err != nil {
			t.Errorf("%s: %v", w.id, err)
		}
		states, events = states+s, events+e
	}
	t.Logf("%d states, %d events", states, events)
}

// writer changes one record at random, and waits only for PocketBase's answers.
type writer struct {
	lab    *lab
	id     string
	random *rand.Rand
	exists bool
	// changes counts the changes that PocketBase made, step the requests.
	changes, step int
}

func (w *writer) write(ctx context.Context, steps int) error {
	for w.step < steps {
		w.step++
		if err := w.once(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) once(ctx context.Context) error {
	path := records("articles") + "/" + w.id
	status, method, body := http.StatusOK, http.MethodPatch, map[string]any{"amount": w.step, "state": states[w.random.IntN(len(states))]}
	if w.step == 1 {
		// The first request is a create without a title, which is refused.
		body["title"] = ""
		path = records("articles")
		method, status = http.MethodPost, http.StatusBadRequest
	} else {
		switch dice := w.random.IntN(10); {
		case !w.exists && dice < 8:
			path, method = records("articles"), http.MethodPost
			body["id"], body["title"] = w.id, "a title"
		case !w.exists:
			status = http.StatusNotFound
		case dice == 0:
			status, method, body = http.StatusNoContent, http.MethodDelete, nil
		case dice == 1:
			status, body["state"] = http.StatusBadRequest, "lost"
		case dice == 2:
			body = map[string]any{}
		}
	}
	if _, err := w.lab.want(ctx, status, method, path, body); err != nil {
		return err
	}
	if status < 300 {
		w.changes++
		w.exists = method != http.MethodDelete
	}
	return nil
}

// check compares the record's events with the feed and with what PocketBase
// shows. It returns the number of events and of states.
func (w *writer) check(ctx context.Context, f *feed) (events, states int, _ error) {
	shown, err := w.lab.show(ctx, "articles", w.id)
	if err != nil {
		return 0, 0, err
	}
	messages, err := f.await(ctx, w.id, w.changes)
	if err != nil {
		return 0, 0, fmt.Errorf("waiting for the feed: %w", err)
	}
	got, err := w.lab.receiver.await(ctx, "articles/"+w.id, func(events []delivery) bool {
		last := len(events) - 1
		if shown.status == http.StatusNotFound {
			return last >= 0 && events[last].deleted()
		}
		return last >= 0 && bytes.Equal(events[last].payload, shown.body)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("%w: PocketBase shows %d %s, the last event tells %s", err, shown.status, shown.body, lastOf(got))
	}
	var told, published []string
	for _, m := range messages {
		told = append(told, m.state())
	}
	for _, d := range got {
		published = append(published, d.state())
	}
	switch {
	case len(messages) != w.changes:
		return 0, 0, fmt.Errorf("the feed has %d messages of %d changes", len(messages), w.changes)
	case !subsequence(published, told):
		return 0, 0, fmt.Errorf("the events are not in the feed's order:\n%s\nbut the feed:\n%s", strings.Join(published, "\n"), strings.Join(told, "\n"))
	case published[len(published)-1] != told[len(told)-1]:
		return 0, 0, errors.New("the last event is not the feed's last state")
	}
	return len(got), len(messages), inOrder(got)
}

// inOrder checks that the events of one record form a possible life of a
// record.
func inOrder(events []delivery) error {
	exists := false
	for i, d := range events {
		var want []string
		switch {
		case d.deleted() && (exists || i == 0):
			want = []string{"articles.deleted"}
		case !d.deleted() && exists:
			want = []string{"articles.updated"}
		case !d.deleted():
			want = []string{"articles.created"}
		}
		if !slices.Contains(want, d.kind) || d.sequence != i+1 {
			return fmt.Errorf("event %d has sequence %d and type %s: %s", i+1, d.sequence, d.kind, d.payload)
		}
		exists = !d.deleted()
	}
	return nil
}

func lastOf(events []delivery) string {
	if len(events) == 0 {
		return "nothing"
	}
	return string(events[len(events)-1].payload)
}
