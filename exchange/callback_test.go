// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// A request names a receiver for the object that it made, once the API has
// confirmed that it made it, and the client hears of that only when the receiver is
// durable. Whatever else a request does, or how it ends, it names nobody.
func TestWhoNamesAReceiver(t *testing.T) {
	const hook = `{"url":"https://partner.example/"}`
	aborts := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		_ = answers(201, map[string]string{"Content-Length": "100"}, `{"id":"7"`)(w, r)
		panic(http.ErrAbortHandler)
	})
	for name, tc := range map[string]struct {
		method, target, body string
		api                  caddyhttp.HandlerFunc
		named                bool
	}{
		"a create":                      {"POST", "/items", hook, answers(201, nil, `{"id":"7"}`), true},
		"a create answered with 200":    {"POST", "/items", hook, answers(200, nil, `{"id":"7"}`), true},
		"an upsert that made it":        {"PUT", "/items/7", hook, answers(201, nil, ""), true},
		"an upsert that did not":        {"PUT", "/items/7", hook, answers(200, nil, ""), false},
		"an update":                     {"PATCH", "/items/7", hook, answers(204, nil, ""), false},
		"an action":                     {"POST", "/items/7/pay", hook, answers(200, nil, ""), false},
		"a delete":                      {"DELETE", "/items/7", hook, answers(204, nil, ""), false},
		"a refused create":              {"POST", "/items", hook, answers(401, nil, `{"id":"7"}`), false},
		"a create that fails":           {"POST", "/items", hook, answers(500, nil, `{"id":"7"}`), false},
		"a create that is broken off":   {"POST", "/items", hook, aborts, false},
		"an upsert of unknown outcome":  {"PUT", "/items/7", hook, answers(504, nil, ""), false},
		"an update that is broken off":  {"PATCH", "/items/7", hook, answers(499, nil, ""), false},
		"a create with half a body":     {"POST", "/items", hook[:20], answers(201, nil, `{"id":"7"}`), false},
		"a create that names nobody":    {"POST", "/items", "{}", answers(201, nil, `{"id":"7"}`), false},
		"a create with a bad receiver":  {"POST", "/items", `{"url":"http://127.0.0.1/"}`, answers(201, nil, `{"id":"7"}`), false},
		"an update of many, confirmed":  {"PATCH", "/items/7", hook, answers(200, nil, `[{"id":"7"},{"id":"8"}]`), false},
		"a create that came to nothing": {"POST", "/items", hook, answers(201, nil, `{"ok":true}`), false},
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, &syntax.Resource{Name: "items", Notify: &syntax.Notify{URL: "request:url"}})
		func() {
			defer func() {
				if cause := recover(); cause != nil && !isAbort(cause) {
					panic(cause)
				}
			}()
			_, _ = send(watcher, tc.method, tc.target, tc.body, tc.api)
		}()
		if len(q.intents) != 1 || q.intents[0].Callback != nil {
			t.Errorf("%s: the intents are %+v", name, q.intents)
		}
		got := q.only(t)
		named := false
		for _, mark := range got.resolution.Marks {
			named = named || len(mark.Callback) > 0
		}
		if named != tc.named || named && !got.durable {
			t.Errorf("%s: it names a receiver: %v, durable: %v", name, named, got.durable)
		}
	}
}
