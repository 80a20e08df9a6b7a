// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Each request in a batch is an exchange: with its own objects, and its own outcome.
func TestBatched(t *testing.T) {
	crlf := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	sent := crlf("--b\nContent-Type: application/http\n\nPATCH items/1 HTTP/1.1\n\n{}\n" +
		"--b\nContent-Type: application/http\n\nDELETE items/2 HTTP/1.1\n\n\n" +
		"--b\nContent-Type: application/http\n\nPOST items HTTP/1.1\nContent-Type: application/json\n\n{}\n" +
		"--b\nContent-Type: application/http\n\nPOST others HTTP/1.1\n\n{}\n--b--\n")
	answer := func(statuses ...string) string {
		text := ""
		for _, status := range statuses {
			text += "--r\nContent-Type: application/http\n\nHTTP/1.1 " + status + "\n\n"
		}
		return crlf(text + "--r--\n")
	}
	for name, tc := range map[string]struct {
		sentType, sent, path string
		status               int
		answerType, answer   string
		want                 string // "key outcome" of each mark
		unresolved           string
	}{
		"all done": {
			"multipart/mixed; boundary=b", sent, "/$batch", 200, "multipart/mixed; boundary=r",
			answer("204 No", "204 No", "201 Created\nContent-Type: application/json\n\n{\"id\":7}", "201 Created"),
			"items/1 changed, items/2 changed, items/7 changed created", "",
		},
		"one refused, one made elsewhere": {
			"multipart/mixed; boundary=b", sent, "/%24batch/", 202, "multipart/mixed; boundary=r",
			answer("409 No", "204 No", "201 Created\nLocation: /items/8", "201 Created"), "items/2 changed, items/8 changed created", "",
		},
		"it stopped": {
			"multipart/mixed; boundary=b", sent, "/$batch", 200, "multipart/mixed; boundary=r",
			answer("204 No"), "items/1 changed, items/2 unknown", "no id",
		},
		"refused as a whole": {"multipart/mixed; boundary=b", sent, "/$batch", 400, "text/plain", "no", "", ""},
		"failed as a whole":  {"multipart/mixed; boundary=b", sent, "/$batch", 500, "text/plain", "no", "items/1 unknown, items/2 unknown", "without a response"},
		"cut":                {"multipart/mixed; boundary=b", sent[:len(sent)/2], "/$batch", 200, "text/plain", "ok", "", "neither a request nor a change set"},
		"cut, and refused":   {"multipart/mixed; boundary=b", sent[:len(sent)/2], "/$batch", 400, "text/plain", "no", "", ""},
		"another object": {
			"application/json", `{"requests":[{"id":"1","method":"PATCH","url":"$9","body":{}}]}`, "/$batch", 200, "application/json",
			`{"responses":[{"id":"1","status":200}]}`, "", "about an object that another one makes",
		},
		"JSON": {
			"application/json", `{"requests":[{"id":"a","method":"PUT","url":"items/1","body":{"x":1}},{"id":"b","method":"GET","url":"items/2"}]}`, "/$batch", 200,
			"application/json", `{"responses":[{"id":"a","status":200,"body":{}},{"id":"b","status":200,"body":{}}]}`, "items/1 changed", "",
		},
		"atomic": {
			"application/vnd.api+json", `{"atomic:operations":[{"op":"add","data":{"type":"items"}},{"op":"remove","ref":{"type":"items","id":"2"}}]}`, "/$batch", 200,
			"application/vnd.api+json", `{"atomic:results":[{"data":{"id":"7"}},{}]}`, "items/2 changed, items/7 changed created", "",
		},
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
		if err := watcher.opts.Rules.DeclareBatches([]string{"/$batch"}); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "http://api.example"+tc.path, strings.NewReader(tc.sent))
		r.Header.Set("Content-Type", tc.sentType)
		recorder := httptest.NewRecorder()
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
		if err := watcher.serve(recorder, r, answers(tc.status, map[string]string{"Content-Type": tc.answerType}, tc.answer)); err != nil {
			t.Fatal(err)
		}
		if len(q.resolved) != 1 {
			t.Errorf("%s: resolved %+v, uncovered %q", name, q.resolved, q.uncovered)
			continue
		}
		got := q.only(t).resolution
		var marks []string
		for _, m := range got.Marks {
			text := fmt.Sprintf("%s %s", m.Key, m.Cause.Outcome)
			if m.Hints.Has(queue.HintCreated) && m.Cause.Outcome == event.OutcomeChanged {
				text += " created"
			}
			marks = append(marks, text)
		}
		slices.Sort(marks)
		if strings.Join(marks, ", ") != tc.want || (tc.unresolved == "") != (got.Unresolved == "") || !strings.Contains(got.Unresolved, tc.unresolved) {
			t.Errorf("%s: %q, %q; want %q, %q", name, strings.Join(marks, ", "), got.Unresolved, tc.want, tc.unresolved)
		}
		if tc.sent == sent && tc.status == 200 && !slices.Equal(q.uncovered, []string{"POST /others"}) {
			t.Errorf("%s: without a rule: %q", name, q.uncovered)
		}
		for _, m := range got.Marks {
			if strings.Contains(m.Cause.Path, "batch") || m.Cause.Method == "GET" {
				t.Errorf("%s: cause %+v", name, m.Cause)
			}
		}
	}
}

// Each resource gets its due of a batch: its own intent, and the answers to what is about
// its objects.
func TestBatchedOfSeveral(t *testing.T) {
	q := new(recordingQueue)
	watcher := watcherFor(t, q, &syntax.Resource{Name: "items"}, &syntax.Resource{
		Name: "orders", Rules: []*syntax.Rule{
			{Kind: event.KindUpdate, Path: "/orders/:id"}, {Kind: event.KindUpdate, Path: "/items/:id"}, {Kind: event.KindMove, Methods: []string{"MOVE"}, Path: "/orders/:id"},
		},
	})
	if err := watcher.opts.Rules.DeclareBatches([]string{"/batch"}); err != nil {
		t.Fatal(err)
	}
	sent := `{"requests":[{"id":"1","method":"PATCH","url":"items/1"},{"id":"2","method":"PATCH","url":"orders/2"},{"id":"3","method":"PATCH","url":"orders/3"},` +
		`{"id":"4","method":"MOVE","url":"orders/4","headers":{"Destination":"/orders/5"}}]}`
	answer := `{"responses":[{"id":"1","status":200},{"id":"2","status":409},{"id":"3","status":200},{"id":"4","status":201}]}`
	if _, err := send(watcher, "POST", "/batch", sent, answers(200, map[string]string{"Content-Type": "application/json"}, answer)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range q.resolved {
		var marks []string
		for _, m := range r.resolution.Marks {
			marks = append(marks, m.Key.String())
		}
		got = append(got, strings.Join(marks, " ")+r.resolution.Unresolved)
	}
	if slices.Sort(got); !slices.Equal(got, []string{"items/1", "orders/1 orders/3 orders/4", "orders/5"}) {
		t.Errorf("%q of %d intents", got, len(q.intents))
	}
}

// A header that would be copied for each of many requests is not, and the batch is
// recorded.
func TestBatchedFields(t *testing.T) {
	sent := `{"requests":[` + strings.Repeat(`{"method":"DELETE","url":"items/1"},`, 999) + `{"method":"DELETE","url":"items/2"}]}`
	for fields, want := range map[int]string{30: "", 1000: "too many fields"} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
		if err := watcher.opts.Rules.DeclareBatches([]string{"/batch"}); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "http://api.example/batch", strings.NewReader(sent))
		for i := range fields {
			r.Header.Add(fmt.Sprintf("X-%d", i%2*i), "x") // half of them of one name
		}
		recorder := httptest.NewRecorder()
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), recorder, new(caddyhttp.Server))
		if err := watcher.serve(recorder, r, answers(200, nil, "{}")); err != nil {
			t.Fatal(err)
		}
		got := q.only(t).resolution
		if want == "" && len(got.Marks) == 0 || !strings.Contains(got.Unresolved, want) {
			t.Errorf("%d fields: %d marks, %q", fields, len(got.Marks), got.Unresolved)
		}
	}
}

// Only the declared paths are read.
func TestUndeclaredBatch(t *testing.T) {
	q := new(recordingQueue)
	watcher := watcherFor(t, q, &syntax.Resource{Name: "items"})
	if _, err := send(watcher, "POST", "/$batch", `{"requests":[{"method":"DELETE","url":"items/1"}]}`, answers(200, nil, "{}")); err != nil {
		t.Fatal(err)
	}
	if len(q.intents) != 0 || len(q.uncovered) != 1 {
		t.Errorf("intents %v, uncovered %v", q.intents, q.uncovered)
	}
}
