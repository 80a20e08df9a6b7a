// SPDX-License-Identifier: Apache-2.0

// Package radicale tests the module with an API that knows nothing of it: Radicale, a
// server of calendars (CalDAV). It is a process of its own, with Caddy in front of it. The
// receiver's events are compared with what Radicale's sync tokens tell.
package radicale

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// rules are the lines of a Caddyfile that an owner of this API writes.
//
//go:embed rules.caddyfile
var rules string

// lab is Radicale, and Caddy in front of it.
type lab struct {
	site *witness.Site
	api  string
}

func newLab(t *testing.T, users ...string) *lab {
	t.Helper()
	address := startAPI(t, users...)
	state := func(_ string, payload []byte) string { return string(payload) }
	return &lab{
		api:  "http://" + address,
		site: witness.Start(t, address, rules, state, `header_up Authorization "Basic b3BlcmF0b3I6b3BlcmF0b3I="`),
	}
}

func (l *lab) follow(user string) *feed {
	return &feed{
		api: l.api, user: user, do: l.site.Do,
		tokens: make(map[string]string), items: make(map[string]map[string]string), shows: make(map[string]string),
	}
}

// of returns the events of a user's objects.
func (l *lab) of(user string) []witness.Event {
	return l.site.Receiver.Events.Pick(func(e witness.Event) bool {
		_, key, _ := strings.Cut(e.Object, "/")
		return strings.HasPrefix(key, user+"/")
	})
}

// If each request waits for the events of the one before, events and feed correspond one
// to one, whatever the request was.
func TestLockstep(t *testing.T) {
	users := []string{"ann", "bob", "cora", "dan"}
	l := newLab(t, users...)
	l.run(t, 45, (*lab).awaited, witness.Exact, users...)
}

// If no request waits for an event, events may skip states. They still follow the order
// of the feed, and end with the last state.
func TestBurst(t *testing.T) {
	users := []string{"carl", "dora", "eve", "fay"}
	l := newLab(t, users...)
	l.run(t, 40, func(*lab, context.Context, *feed) error { return nil }, witness.Merged, users...)
}

// run lets users send requests side by side, and compares what they and the receiver
// were told.
func (l *lab) run(
	t *testing.T, steps int, wait func(*lab, context.Context, *feed) error, compare func([]witness.Change, []witness.Event) error, users ...string,
) {
	t.Helper()
	ctx := witness.Within(t)
	clients, feeds := make([]*client, len(users)), make([]*feed, len(users))
	var work sync.WaitGroup
	for n, user := range users {
		feeds[n] = l.follow(user)
		clients[n] = newClient(l.site, user, uint64(n), feeds[n].there)
		work.Go(func() {
			for step := range steps {
				err := clients[n].act(ctx)
				if err == nil {
					err = feeds[n].sync(ctx)
				}
				if err == nil {
					err = wait(l, ctx, feeds[n])
				}
				if err != nil {
					t.Errorf("%s, step %d: %v", user, step, err)
					return
				}
			}
		})
	}
	work.Wait()
	if err := l.quiet(ctx, clients, feeds); err != nil {
		t.Error(err)
	}
	for n, user := range users {
		events := l.of(user)
		if err := compare(feeds[n].told, events); err != nil {
			t.Errorf("%s:\n%v", user, err)
		}
		t.Logf("%s: %d changes, %d events, answers %v", user, len(feeds[n].told), len(events), clients[n].answers)
	}
	l.nothingUnresolved(ctx, t)
}

// unproven is why an object is asked for again and again that is not there.
const unproven = "nothing proves that the object was deleted"

// quiet waits until nothing is left to do. If an item was made, and taken away with all of
// its calendar, before it was read for the first time, nothing proves that it was deleted,
// and it is asked for all day: its owner puts it again.
func (l *lab) quiet(ctx context.Context, clients []*client, feeds []*feed) error {
	err := witness.Eventually(ctx, func() error {
		marks, err := l.site.Marks(ctx)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(marks, func(m witness.Mark) bool { return !strings.Contains(m.LastError, unproven) }); at >= 0 {
			return fmt.Errorf("%s is still to be read: %s", marks[at].Object, marks[at].LastError)
		}
		for _, mark := range marks {
			if err := putAgain(ctx, clients, mark.Object); err != nil {
				return err
			}
		}
		return nil
	})
	for _, f := range feeds {
		if err == nil {
			err = f.sync(ctx)
		}
	}
	return errors.Join(err, l.site.Quiet(ctx))
}

// putAgain has its owner put an item.
func putAgain(ctx context.Context, clients []*client, object string) error {
	key, err := event.ParseKey(object)
	if err != nil {
		return err
	}
	path := ""
	for _, part := range key.Parts() {
		path += "/" + url.PathEscape(part)
	}
	owner := slices.IndexFunc(clients, func(c *client) bool { return strings.HasPrefix(path, "/"+c.user+"/") })
	if owner < 0 {
		return fmt.Errorf("nobody owns %s", object)
	}
	c := clients[owner]
	return c.send(ctx, http.MethodPut, path, calendar(c.vevent("put again "+path)), "Content-Type", "text/calendar")
}

// awaited waits until the receiver has been told as much as the feed.
func (l *lab) awaited(ctx context.Context, f *feed) error {
	count := make(map[string]int)
	for _, change := range f.told {
		count[change.Object]++
	}
	for _, object := range slices.Sorted(maps.Keys(count)) {
		of := func(e witness.Event) bool { return e.Object == object }
		if _, err := l.site.Receiver.Events.Await(ctx, of, witness.AtLeast[witness.Event](count[object])); err != nil {
			return fmt.Errorf("waiting for event %d of %s, %s: %w", count[object], object, f.told[len(f.told)-1], err)
		}
	}
	return nil
}

func (l *lab) nothingUnresolved(ctx context.Context, t *testing.T) {
	t.Helper()
	records, err := l.site.Unresolved(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		t.Errorf("unresolved: %+v", record)
	}
}
