// SPDX-License-Identifier: Apache-2.0

package pocketbase

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// If each change waits for the event of the one before, events and feed
// correspond one to one.
func TestLockstep(t *testing.T) {
	l := newLab(t)
	f := l.follow(t, l.api.url())
	ctx := deadline(t)
	var work sync.WaitGroup
	for n := range 6 {
		work.Go(func() {
			a := &article{lab: l, feed: f, id: fmt.Sprintf("lockstep%07d", n)}
			if err := a.live(ctx, 6); err != nil {
				t.Errorf("article %d: %v", n, err)
			}
		})
	}
	work.Wait()
	if t.Failed() {
		return
	}
	// Nothing came late: there are as many events as messages.
	if events, messages := len(l.receiver.events.pick(anyOf)), len(f.messages.pick(anyOf)); events != messages {
		t.Errorf("%d events, %d messages of the feed", events, messages)
	}
}

func anyOf[T any](T) bool { return true }

// article is a record that one client changes.
type article struct {
	lab  *lab
	feed *feed
	id   string
	// changes counts the changes that PocketBase made.
	changes int
}

func (a *article) path() string { return records("articles") + "/" + a.id }

// live creates the article, changes and deletes it, and creates it again.
func (a *article) live(ctx context.Context, rounds int) error {
	if err := a.refused(ctx); err != nil {
		return err
	}
	for range 2 {
		if err := a.change(ctx, "articles.created", http.MethodPost, records("articles"), map[string]any{"id": a.id, "title": "new"}); err != nil {
			return err
		}
		for round := range rounds {
			if err := a.refused(ctx); err != nil {
				return err
			}
			patch := map[string]any{"title": fmt.Sprintf("<title> & \u2028 %d", round), "state": states[round%len(states)]}
			if round%4 == 3 {
				patch = map[string]any{} // PocketBase still sets "updated"
			}
			if err := a.change(ctx, "articles.updated", http.MethodPatch, a.path(), patch); err != nil {
				return err
			}
		}
		if err := a.change(ctx, "articles.deleted", http.MethodDelete, a.path(), nil); err != nil {
			return err
		}
	}
	return a.refused(ctx)
}

// change makes one change, and waits for the feed's message and the event.
func (a *article) change(ctx context.Context, kind, method, path string, body map[string]any) error {
	status := http.StatusOK
	if method == http.MethodDelete {
		status = http.StatusNoContent
	}
	if _, err := a.lab.want(ctx, status, method, path, body); err != nil {
		return err
	}
	a.changes++
	told, err := a.feed.messages.await(ctx, func(m message) bool { return m.id == a.id }, atLeast[message](a.changes))
	if err != nil {
		return fmt.Errorf("waiting for the feed: %w", err)
	}
	got, err := a.lab.receiver.next(ctx, "articles/"+a.id, a.changes)
	if err != nil {
		return err
	}
	shown, err := a.lab.show(ctx, "articles", a.id)
	if err != nil {
		return err
	}
	switch {
	case len(told) != a.changes || told[a.changes-1].state() != got.state():
		return fmt.Errorf("event %d: payload %s, but the feed's last message of %d is %s", a.changes, got.payload, len(told), told[len(told)-1].record)
	case got.kind != kind:
		return fmt.Errorf("event %d: type %s, want %s", a.changes, got.kind, kind)
	case shown.status == http.StatusNotFound && got.deleted():
		return nil
	case shown.status != http.StatusOK || !bytes.Equal(got.payload, shown.body):
		return fmt.Errorf("event %d: payload %s, but PocketBase shows %d %s", a.changes, got.payload, shown.status, shown.body)
	case got.contentType != shown.header.Get("Content-Type"):
		return fmt.Errorf("event %d: Content-Type %s, PocketBase's is %s", a.changes, got.contentType, shown.header.Get("Content-Type"))
	case a.changes > 1 && kind == "articles.updated" && got.freshness != string(event.FreshnessVersion):
		return fmt.Errorf("event %d: freshness %s", a.changes, got.freshness)
	}
	return nil
}

// refused sends requests that PocketBase refuses. The next change's sequence
// shows whether any of them made an event.
func (a *article) refused(ctx context.Context) error {
	for _, r := range []struct {
		status       int
		method, path string
		body         map[string]any
	}{
		{http.StatusBadRequest, http.MethodPost, records("articles"), map[string]any{"id": a.id, "state": "draft"}},
		{http.StatusBadRequest, http.MethodPost, records("articles"), map[string]any{"id": "no", "title": "id too short"}},
		{http.StatusNotFound, http.MethodPatch, a.path() + "x", map[string]any{"title": "nobody"}},
		{http.StatusNotFound, http.MethodDelete, a.path() + "x", nil},
		{http.StatusNotFound, http.MethodDelete, a.path() + "/x", nil},
	} {
		if _, err := a.lab.want(ctx, r.status, r.method, r.path, r.body); err != nil {
			return err
		}
	}
	got, err := a.lab.send(ctx, http.MethodPatch, a.path(), map[string]any{"state": "lost"})
	if err == nil && got.status != http.StatusBadRequest && got.status != http.StatusNotFound {
		err = fmt.Errorf("a wrong state is answered with %d %s", got.status, got.body)
	}
	return err
}
