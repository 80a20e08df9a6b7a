// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func keys(n int) map[event.Key]bool {
	all := make(map[event.Key]bool)
	for i := range n {
		all[event.Key{Resource: "items", ID: strconv.Itoa(i)}] = true
	}
	return all
}

func TestFares(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	before := began.Add(-time.Hour)
	some := &trouble{since: before, reason: "old", objects: keys(2)}
	for _, test := range []struct {
		name  string
		u     *unread
		of    *trouble
		after time.Duration
		want  Shows
	}{
		{"well", nil, nil, time.Hour, Shows{Status: ShowsActive}},
		{"one object fails among others", nil, some, time.Hour, Shows{Status: ShowsRetrying, Since: before, Reason: "old", Objects: 2}},
		{"for a moment", &unread{since: began, tries: 9, reason: "502", unusable: true}, nil, failingAfter - 1, Shows{Status: ShowsRetrying, Since: began, Reason: "502"}},
		{"for a minute", &unread{since: began, tries: 3, reason: "502", unusable: true}, some, failingAfter, Shows{Status: ShowsFailing, Since: began, Reason: "502", Objects: 2}},
		{"two tries", &unread{since: began, tries: 2, reason: "502", unusable: true}, nil, time.Hour, Shows{Status: ShowsRetrying, Since: began, Reason: "502"}},
		{"one object is not there", &unread{since: began, tries: 50, reason: "404", objects: keys(1)}, nil, time.Hour, Shows{Status: ShowsRetrying, Since: began, Reason: "404"}},
		{"no object is there", &unread{since: began, tries: 3, reason: "404", objects: keys(3)}, nil, time.Hour, Shows{Status: ShowsFailing, Since: began, Reason: "404"}},
	} {
		if got := fares(test.u, test.of, began.Add(test.after)); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

// TestShowsThatFail asks an API that is down, one whose login has ended, and one that
// knows no object, until each works again, and while only strangers ask.
func TestShowsThatFail(t *testing.T) {
	for name, test := range map[string]struct {
		hints  queue.Hints
		status int
		want   ShowsStatus
		reason string
	}{
		"down":           {queue.HintUpdated, http.StatusBadGateway, ShowsFailing, "502"},
		"logged out":     {queue.HintUpdated, http.StatusFound, ShowsFailing, "302 and no Location"},
		"only strangers": {queue.HintMayBeUpdated | queue.HintUnconfirmed, http.StatusBadGateway, ShowsRetrying, "502"},
		"wrong path":     {queue.HintUpdated, http.StatusNotFound, ShowsRetrying, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t)
				shows := func() Shows { return b.r.Shows()[0] }
				if got := shows(); got.Status != ShowsActive || got.Resource != "items" {
					t.Errorf("before: %+v", got)
				}
				b.api.set("{}")
				b.api.state[testKey] = answer(test.status, "")
				began := time.Now()
				b.mark(queue.Mark{Hints: test.hints})
				synctest.Wait()
				if got := shows(); got.Status == ShowsFailing {
					t.Errorf("at once: %+v", got)
				}
				time.Sleep(20 * time.Minute)
				synctest.Wait()
				got := shows()
				if got.Status != test.want || !strings.Contains(got.Reason, test.reason) || got.Since.Sub(began) > failingAfter {
					t.Errorf("after 20 minutes: %+v", got)
				}
				b.api.set(`{"v":1}`)
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := shows(); got.Status != ShowsActive || got.Reason != "" || !got.Since.IsZero() {
					t.Errorf("when it works: %+v", got)
				}
			})
		})
	}
}

// TestOneObjectThatFails: an object whose Show fails for good is no trouble of the
// others, which work.
func TestOneObjectThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.api.set("{}")
		b.api.state[testKey] = answer(http.StatusInternalServerError, "")
		b.mark(queue.Mark{Hints: queue.HintUpdated})
		other := event.Key{Resource: testKey.Resource, ID: "another"}
		for i := range 20 {
			time.Sleep(time.Minute)
			b.api.mu.Lock()
			b.api.state[other] = answer(http.StatusOK, `{"v":`+strconv.Itoa(i+1)+`}`)
			b.api.mu.Unlock()
			mark := queue.Mark{Key: other, Hints: queue.HintUpdated}
			if err := b.store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{mark}}, true); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := b.r.Shows()[0]; got.Status != ShowsRetrying || got.Objects != 1 || got.Reason != "Show was answered with 500" {
				t.Fatalf("after %d minutes: %+v", i+1, got)
			}
		}
	})
}

// TestLogHasTheWords: the line about Shows that cannot be had has their status, and
// since when.
func TestLogHasTheWords(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	troubles := newTroubles(zap.New(core))
	began := time.Unix(1_700_000_000, 0)
	for i := range 4 {
		at := began.Add(time.Duration(i) * failingAfter / 2)
		troubles.unread(testKey, ResultFailed, "502", at)
		troubles.failed(testKey, ResultFailed, "502", at)
	}
	var told []any
	for _, entry := range logs.All() {
		told = append(told, entry.ContextMap()["status"])
		if since := entry.ContextMap()["since"].(time.Time); !since.Equal(began) {
			t.Errorf("since %s", since)
		}
	}
	if len(told) != 2 || told[0] != "retrying" || told[1] != "failing" {
		t.Errorf("told %v", told)
	}
}
