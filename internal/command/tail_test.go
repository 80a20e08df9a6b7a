// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// step is what the feed answers once.
type step struct {
	status int
	body   string
}

// tailed is what a run of tail has asked and printed.
type tailed struct {
	out, notes bytes.Buffer
	asked      []string
	err        error
}

// runTail runs tail against a feed that answers step by step, and interrupts it when
// there is no further step.
func runTail(t *testing.T, patience time.Duration, steps []step, args ...string) *tailed {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var mu sync.Mutex
	var got tailed
	api := newAdminAPI(t, func(r *http.Request) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		got.asked = append(got.asked, r.URL.RawQuery)
		if len(steps) == 0 {
			interrupt()
			<-r.Context().Done()
			return http.StatusOK, ""
		}
		next := steps[0]
		steps = steps[1:]
		if next.status == 0 {
			panic(http.ErrAbortHandler)
		}
		return next.status, next.body
	})
	root := newRoot()
	cmd, _, err := root.Find([]string{"webhooks", "tail"})
	if err != nil {
		t.Fatal(err)
	}
	subcommand(cmd, func(c call) error {
		run := tail{call: c, notes: &got.notes, patience: patience, pause: time.Millisecond}
		return run.run(c.cmd.Context())
	})
	root.SetOut(&got.out)
	root.SetArgs(append([]string{"webhooks", "tail", "--address", api.Listener.Addr().String()}, args...))
	got.err = root.ExecuteContext(ctx)
	mu.Lock()
	defer mu.Unlock()
	return &got
}

const (
	paid = `{"position":"p1","id":"evt_1","time":"2026-03-04T05:06:09.5Z","type":"items.paid","object":"items/bicycle-1","sequence":2,"tenant":"acme","endpoints":2}`
	left = `{"position":"p2","id":"evt_2","time":"2026-03-04T05:06:10Z","type":"items.left","object":"items/7","sequence":11,"endpoints":1}`
	many = `{"position":"p3","id":"evt_3","time":"2026-03-04T05:06:11Z","type":"items.paid","object":"items/8","sequence":9007199254740993,"endpoints":1000,"at_least":true}`
)

func feedOf(next string, items ...string) step {
	return step{http.StatusOK, fmt.Sprintf("{\n\"items\": [%s],\n\"next\":%q}", strings.Join(items, ", "), next)}
}

// Tail prints each event on a line, and goes on from where it was.
func TestTail(t *testing.T) {
	zone := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = zone })
	for _, columns := range []int{80, 120} {
		t.Setenv("COLUMNS", fmt.Sprint(columns))
		for name, args := range map[string][]string{"tail": nil, "tail-since": {"--since", "1h"}, "tail-json": {"--json"}} {
			begin := "after=latest"
			if name == "tail-since" {
				begin = "after=1h"
			}
			got := runTail(t, time.Minute, []step{feedOf("n1"), feedOf("n2", paid, left), feedOf("n3"), feedOf("n4", many)}, args...)
			if got.err != nil || got.notes.Len() > 0 {
				t.Errorf("%s: %v, %s", name, got.err, &got.notes)
			}
			if asked, want := strings.Join(got.asked, " "), begin+" after=n1&wait=30s after=n2&wait=30s after=n3&wait=30s after=n4&wait=30s"; asked != want {
				t.Errorf("%s: asked %s, want %s", name, asked, want)
			}
			compare(t, fmt.Sprintf("%s-%d", name, columns), strings.TrimSpace("$ caddy webhooks tail "+strings.Join(args, " "))+"\n"+got.out.String())
		}
	}
}

// What an event has in it acts on no terminal, and breaks no line.
func TestTailLine(t *testing.T) {
	line := tailLine(&admin.FeedItem{Type: "a\nb", Object: "items/\x1b[31m", Tenant: "ac\rme"})
	if strings.ContainsAny(line, "\n\r\x1b") || !strings.HasSuffix(line, "0 endpoints") {
		t.Errorf("%q", line)
	}
}

// A reload, a start and a queue that is not open are waited for; nothing is left out,
// and nothing printed twice.
func TestTailGoesOn(t *testing.T) {
	for name, trouble := range map[string][]step{
		// The first of them is repeated by the client of HTTP itself.
		"broken off":      {{}, {}},
		"not open":        {{http.StatusServiceUnavailable, `{"error":"the queue is not open"}`}},
		"not provisioned": {{http.StatusNotFound, `{"error":"the running configuration has no webhooks"}`}},
		"half an answer":  {{http.StatusOK, `{"items":[`}},
		"all of them":     {{}, {http.StatusServiceUnavailable, "{}"}, {}, {http.StatusNotFound, "404"}},
	} {
		steps := append(append([]step{feedOf("n1"), feedOf("n2", paid)}, trouble...), feedOf("n3", left))
		got := runTail(t, time.Minute, steps)
		if lines := strings.Count(got.out.String(), "\n"); got.err != nil || lines != 2 || !strings.Contains(got.out.String(), "items/7") {
			t.Errorf("%s: %v, printed\n%s", name, got.err, &got.out)
		}
		if notes := got.notes.String(); strings.Count(notes, "Trying again") != 1 || strings.Count(notes, "Caddy answers again.") != 1 {
			t.Errorf("%s: said\n%s", name, notes)
		}
		for _, asked := range got.asked[2 : len(got.asked)-1] {
			if asked != "after=n2&wait=30s" {
				t.Errorf("%s: asked %s", name, got.asked)
			}
		}
	}
}

// Where events were removed, it says so, and goes on with the oldest.
func TestTailExpired(t *testing.T) {
	got := runTail(t, time.Minute, []step{feedOf("n1", paid), {http.StatusGone, `{"error":"the position is too old"}`}, feedOf("n2", left)})
	if got.err != nil || !strings.Contains(got.notes.String(), "Events may be missing here: the position is too old") ||
		got.asked[2] != "after=oldest&wait=30s" || strings.Count(got.out.String(), "\n") != 2 {
		t.Errorf("%v, asked %q, said %s, printed\n%s", got.err, got.asked, &got.notes, &got.out)
	}
}

// Nothing is tried again that cannot become better, nor for ever.
func TestTailEnds(t *testing.T) {
	refused := step{http.StatusBadRequest, `{"error":"bad query: after is odd"}`}
	for name, tc := range map[string]struct {
		steps    []step
		patience time.Duration
		err      string
	}{
		"first refused":    {[]step{refused}, time.Minute, "after is odd"},
		"first broken off": {[]step{{}}, time.Minute, "no Caddy answers"},
		"first without it": {[]step{{http.StatusNotFound, "404"}}, time.Minute, "has no webhooks"},
		"refused":          {[]step{feedOf("n1"), refused}, time.Minute, "after is odd"},
		"no patience":      {[]step{feedOf("n1"), {}, {}}, 0, "no Caddy answers"},
		"nowhere to go on": {[]step{{http.StatusOK, `{"items":[]}`}}, time.Minute, "where to go on"},
	} {
		got := runTail(t, tc.patience, tc.steps)
		if got.err == nil || !strings.Contains(got.err.Error(), tc.err) {
			t.Errorf("%s: %v, want %s", name, got.err, tc.err)
		}
	}
}

// An output that takes no more ends it.
func TestTailNotPrinted(t *testing.T) {
	api := newAdminAPI(t, func(*http.Request) (int, string) { s := feedOf("n1", paid); return s.status, s.body })
	root := newRoot()
	root.SetOut(fullDisk{})
	root.SetArgs([]string{"webhooks", "tail", "--address", api.Listener.Addr().String()})
	if err := root.Execute(); !errors.Is(err, errFull) {
		t.Error(err)
	}
}
