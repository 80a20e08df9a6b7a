// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// pages is the API's answers to the pages of a list: the ids on each, by number; a
// status in place of ids; "->" and the next page at the end.
type pages func(page int) string

// listed lists pages once, and says how that ended.
func listed(t *testing.T, counted bool, api pages) (_ int, how string) {
	t.Helper()
	var read atomic.Int32
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.r.Apply(Plan{Lists: []List{listOf("1", counted, api, &read)}})
		synctest.Wait()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		l := b.r.Listings()[0]
		switch how = fmt.Sprintf("%d objects", l.Objects); {
		case l.Failing():
			how = l.Reason
		case l.Note != "":
			how += ", " + l.Note
		}
	})
	return int(read.Load()), how
}

func listOf(id string, counted bool, api pages, read *atomic.Int32) List {
	return List{
		Resource: "items", ID: id, Counted: counted,
		Read: func(_ context.Context, _ event.Key, page string) (show.Show, error) {
			number, _ := strconv.Atoi(page)
			read.Add(1)
			text := api(max(number, 1))
			if status, err := strconv.Atoi(text); err == nil && status >= 400 {
				return show.Show{Status: status}, nil
			}
			return show.Show{Status: 200, Body: []byte(text)}, nil
		},
		Page: func(_ event.Key, page string, answer show.Show) (objects []Listed, next string, err error) {
			number, _ := strconv.Atoi(page)
			text, next, _ := strings.Cut(string(answer.Body), "->")
			ids := strings.Fields(text)
			for _, id := range ids {
				objects = append(objects, Listed{Key: event.Key{Resource: "items", ID: id}})
			}
			if counted && len(ids) > 0 {
				next = strconv.Itoa(max(number, 1) + 1)
			}
			return objects, next, nil
		},
	}
}

// A list ends where its pages bring nothing new, however the API says so, or fails
// with the reason.
func TestEndOfAList(t *testing.T) {
	of := func(list ...string) pages {
		return func(page int) string {
			if page > len(list) {
				return ""
			}
			return list[page-1]
		}
	}
	clamped := func(list ...string) pages {
		return func(page int) string { return list[min(page, len(list))-1] }
	}
	odd := 0
	for name, tc := range map[string]struct {
		counted bool
		api     pages
		read    int // 0 for any number
		want    string
	}{
		"an empty page":               {true, of("1 2", "3"), 3, "3 objects"},
		"the last page, for ever":     {true, clamped("1 2", "3 4", "5"), 5, "5 objects"},
		"the page is ignored":         {true, clamped("1 2"), 3, "2 objects, " + notePageIgnored},
		"objects that moved a page":   {true, of("1", "1", "2", "3"), 5, "3 objects"},
		"404 past the end":            {true, clamped("1 2", "3", "404"), 4, "3 objects"},
		"400 past the end":            {true, clamped("1 2", "400"), 3, "2 objects"},
		"404 at once":                 {true, clamped("404"), 0, "page 1 of the list was answered with 404"},
		"403 past the end":            {true, clamped("1", "403"), 0, "page 2 of the list was answered with 403"},
		"500 past the end":            {true, clamped("1", "500"), 0, "page 2 of the list was answered with 500"},
		"404 where the API says next": {false, clamped("1->2", "404"), 0, "page 2 of the list was answered with 404"},
		"404 by accident": {true, func(page int) string {
			if odd++; odd == 2 {
				return "404"
			}
			return of("1", "2")(page)
		}, 4, "2 objects"},
		"a circle":               {false, of("1->2", "2->3", "3->2"), 0, errCircle.Error()},
		"a page that is itself":  {false, of("1->2", "2->2"), 0, errCircle.Error()},
		"empty pages between":    {false, of("1->2", "->3", "->4", "2"), 4, "2 objects"},
		"cursors without an end": {false, func(page int) string { return fmt.Sprintf("1->%d", page+1) }, 0, errEndless.Error()},
	} {
		read, how := listed(t, tc.counted, tc.api)
		if how != tc.want || tc.read != 0 && read != tc.read {
			t.Errorf("%s: %q after %d pages, want %q after %d", name, how, read, tc.want, tc.read)
		}
	}
}

// A list that a new configuration has replaced ends, and the new one begins at once.
func TestReplacedList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		var old, other atomic.Int32
		var begun atomic.Bool
		endless := listOf("old", false, func(page int) string { return fmt.Sprintf("%d->%d", page, page+1) }, &old)
		read := endless.Read
		endless.Read = func(ctx context.Context, parent event.Key, page string) (show.Show, error) {
			begun.Store(true)
			time.Sleep(time.Second)
			return read(ctx, parent, page)
		}
		b.r.Apply(Plan{Lists: []List{endless}})
		time.Sleep(10 * time.Second)
		if !begun.Load() {
			t.Fatal("the list was not begun")
		}
		// The same list goes on.
		b.r.Apply(Plan{Lists: []List{endless}})
		time.Sleep(10 * time.Second)
		if was := old.Load(); was < 15 {
			t.Errorf("%d pages: a reload has begun the list anew", was)
		}
		b.r.Apply(Plan{Lists: []List{listOf("new", false, func(int) string { return "1 2" }, &other)}})
		time.Sleep(5 * time.Second)
		after := old.Load()
		time.Sleep(time.Minute)
		if l := b.r.Listings()[0]; other.Load() != 1 || old.Load() != after || l.Objects != 2 {
			t.Errorf("the old list read %d more pages, the new one %d: %+v", old.Load()-after, other.Load(), l)
		}
	})
}

// Operators see of a list that fails since when and why, until it completes.
func TestListings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		var read atomic.Int32
		var down atomic.Bool
		down.Store(true)
		list := listOf("1", true, func(page int) string {
			return map[bool]string{true: "1", false: ""}[page == 1]
		}, &read)
		page := list.Page
		list.Page = func(parent event.Key, at string, answer show.Show) ([]Listed, string, error) {
			if down.Load() {
				return nil, "", errors.New("the list has 2 ids and 1 versions")
			}
			return page(parent, at, answer)
		}
		b.r.Apply(Plan{Lists: []List{list}})
		time.Sleep(100 * time.Millisecond)
		if l := b.r.Listings()[0]; l.Tries != 1 || l.Failing() || l.Reason != "the list has 2 ids and 1 versions" {
			t.Errorf("after the first try: %+v", l)
		}
		time.Sleep(5 * time.Second)
		if l := b.r.Listings()[0]; !l.Failing() || !l.Complete.IsZero() || time.Since(l.Since) < 5*time.Second {
			t.Errorf("after some tries: %+v", l)
		}
		down.Store(false)
		time.Sleep(10 * time.Minute)
		if l := b.r.Listings()[0]; l.Failing() || l.Reason != "" || l.Objects != 1 || l.Complete.IsZero() {
			t.Errorf("after all: %+v", l)
		}
		if err := b.store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: queue.ListKey("items"), Hints: queue.HintLooked}}}, true); err != nil {
			t.Fatal(err)
		}
		b.r.Apply(Plan{})
		if all := b.r.Listings(); len(all) != 0 {
			t.Errorf("without a list: %+v", all)
		}
	})
}
