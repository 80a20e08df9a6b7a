// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// newFeeding returns a receiver and its world.
func newFeeding(t *testing.T, events ...*event.Event) *bench {
	t.Helper()
	w := &world{t: t, filtered: make(map[string]bool), events: events}
	b := newBench(t, func(o *Options) {
		o.Feed = w.feed()
		o.Notice = func(_ context.Context, n Notice) { w.notices = append(w.notices, n) }
	})
	b.world = w
	return b
}

func TestCatchUp(t *testing.T) {
	events := []*event.Event{number(1), number(2), number(3), number(4), number(5)}
	b := newFeeding(t, events...)
	if err := b.r.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.take(events...)
	if err := b.r.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.expect("change 1, change 2, change 3, change 4, change 5", "")
}

// A hole in what the endpoint asks for is none: the feed does not have it either.
func TestFeedExplainsHoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFeeding(t, number(1), number(4), number(5))
		b.take(number(1), number(5), number(4))
		b.expect("change 1, change 4, change 5", "")
	})
}

// What the endpoint's filter leaves out is not handled, and takes its number.
func TestFiltered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFeeding(t, number(1), number(2), number(3))
		b.world.filtered[number(2).ID] = true
		b.take(number(1), number(3))
		b.expect("change 1, change 3", "")
	})
}

// While the feed cannot be had, what waits for it comes again.
func TestFeedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFeeding(t, number(1), number(2), number(3))
		b.world.feedFails = true
		if status := b.take(number(1), number(3)); status != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", status)
		}
		b.world.feedFails = false
		if status := b.take(number(3)); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
		b.expect("change 1, change 2, change 3", "failed")
	})
}

// What the feed no longer has is told, and the rest is read.
func TestExpired(t *testing.T) {
	b := newFeeding(t, number(1), number(2), number(3), number(4))
	b.world.oldest = 2
	if err := b.r.options.Store.KeepCursor(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if err := b.r.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.expect("change 3, change 4", "expired")
}

// The cursor stays behind what failed.
func TestCursorAfterFailure(t *testing.T) {
	b := newFeeding(t, number(1), number(2))
	b.fails = errUser
	if err := b.r.CatchUp(t.Context()); !errors.Is(err, errUser) {
		t.Fatalf("error %v", err)
	}
	if cursor, _ := b.r.options.Store.Cursor(t.Context()); cursor != "" {
		t.Fatalf("the cursor is %q", cursor)
	}
	b.fails = nil
	if err := b.r.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if cursor, _ := b.r.options.Store.Cursor(t.Context()); cursor != "2" {
		t.Errorf("the cursor is %q", cursor)
	}
}

// roundTrip answers as a test wants.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Feeds that answer anything are errors, and not a loop.
func TestStrangeFeeds(t *testing.T) {
	header := func(secret string) map[string]string {
		headers := make(map[string]string)
		for name, values := range headersOf(t, number(1), secret, time.Now(), "{}") {
			headers[name] = values[0]
		}
		return headers
	}
	unsigned := header(secret)
	delete(unsigned, "Webhook-Signature")
	for name, test := range map[string]struct {
		status   int
		answer   any
		unsigned bool
		want     string
	}{
		"no feed":           {200, map[string]any{}, false, "lacks next"},
		"no JSON":           {200, "x", false, "the answer of the feed"},
		"no cursor":         {200, map[string]any{"next": "1", "data": []any{map[string]any{"body": "{}"}}}, false, "lacks its cursor"},
		"refused":           {403, map[string]any{}, false, "403"},
		"gone without more": {410, map[string]any{}, false, "410"},
		"gone, the same":    {410, map[string]any{"oldest": "oldest"}, false, "no longer has"},
		"more of nothing":   {200, map[string]any{"next": "oldest", "more": true}, false, "does not move"},
		"forged":            {200, map[string]any{"next": "1", "data": []any{map[string]any{"cursor": "1", "headers": header(other), "body": "{}"}}}, false, ErrSignature.Error()},
		"forged, where unsigned is allowed": {
			200, map[string]any{"next": "1", "data": []any{map[string]any{"cursor": "1", "headers": header(other), "body": "{}"}}}, true, ErrSignature.Error(),
		},
		"unsigned":             {200, map[string]any{"next": "1", "data": []any{map[string]any{"cursor": "1", "headers": unsigned, "body": "{}"}}}, false, ErrHeaders.Error()},
		"unsigned, as allowed": {200, map[string]any{"next": "1", "data": []any{map[string]any{"cursor": "1", "headers": unsigned, "body": "{}"}}}, true, ""},
		"in base64":            {200, map[string]any{"next": "1", "data": []any{map[string]any{"cursor": "1", "headers": header(secret), "body_base64": "e30="}}}, false, ""},
		"in broken base64":     {200, map[string]any{"next": "1", "data": []any{map[string]any{"cursor": "1", "headers": header(secret), "body_base64": "?"}}}, false, "base64"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) {
				o.Feed = &Feed{URL: "https://a/feed", Begin: "oldest", Unsigned: test.unsigned, Client: &http.Client{Transport: roundTrip(
					func(*http.Request) (*http.Response, error) { return answerJSON(test.status, test.answer) })}}
			})
			err := b.r.CatchUp(t.Context())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// A feed that does not wait is not asked in a loop, and one that fails less and less often.
func TestFollowPauses(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		want   int
	}{
		"does not wait": {200, 61}, "fails": {500, 8},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				b := newBench(t, func(o *Options) {
					o.Feed = &Feed{URL: "https://a/feed", Begin: "oldest", Client: &http.Client{Transport: roundTrip(
						func(*http.Request) (*http.Response, error) {
							asked++
							return answerJSON(test.status, map[string]any{"next": "1"})
						})}}
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := b.r.Follow(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if asked > test.want || asked < 2 {
					t.Errorf("it was asked %d times, want %d at most", asked, test.want)
				}
			})
		})
	}
}
