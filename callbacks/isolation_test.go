// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// names are what acme has, by the name that a route gives it, and what nobody has.
type names map[string][2]string

// has fills the queue with things of acme's.
func (s *stage) has(tenant string) names {
	s.t.Helper()
	id := s.create(tenant, strings.Replace(simple, `{`, `{"begin":"snapshot",`, 1)).text("id")
	rotated := s.as(tenant, http.MethodPost, "/endpoints/"+id+"/secrets", "").want(s.t, 201)
	secret := rotated.json["secrets"].([]any)[1].(map[string]any)["id"].(string)
	key := s.as(tenant, http.MethodPost, "/keys", `{"name":"second"}`).want(s.t, 201)
	must(s.t, s.store.Announce(s.t.Context(), event.Event{
		Type: "items.updated", Key: event.Key{Resource: "items", ID: "1"}, Tenant: tenant, Time: s.now, Payload: []byte(`{"canary":"payload"}`), ContentType: "application/json",
	}, []string{id}))
	rows, _, err := s.store.Events(s.t.Context(), queue.Filter{}, queue.Page{Limit: 1})
	must(s.t, err)
	return names{
		"endpoints": {id, "ep_" + strings.Repeat("a", 26)}, "secret": {secret, "0000000000000000"}, "keys": {key.text("id"), "key_00000000000000000000"},
		"events":     {rows[0].DeliveryID(), "evt_" + strings.Repeat("a", 26) + "_" + strings.Repeat("b", 26)},
		"deliveries": {rows[0].ID + "." + id, "evt_" + strings.Repeat("a", 26) + ".ep_" + strings.Repeat("a", 26)},
	}
}

// bodies are ones that each route would do something with.
var bodies = map[string]string{
	"POST /endpoints/{id}/secrets": `{"overlap":"1h"}`, "PUT /endpoints/{id}": `{"label":"stolen"}`, "PATCH /endpoints/{id}": `{"label":"stolen"}`,
}

// Over every route, what is another tenant's is answered as what is not there: the same
// status, headers and words, and nothing is done.
func TestTenantsAreApart(t *testing.T) {
	s := newStage(t)
	acme := s.has("acme")
	s.has("umbrella")
	before := s.snapshot()
	routes := 0
	for _, rt := range s.server.routes {
		if !strings.Contains(rt.path, "{") && rt.path != "/why" {
			continue
		}
		kind := strings.Split(rt.path, "/")[1]
		for method := range rt.methods {
			routes++
			for _, query := range queriesOf(rt.path, method) {
				var got [2]reply
				for i := range got {
					path := strings.NewReplacer("{id}", acme[kind][i], "{delivery}", acme[kind][i], "{event}", acme[kind][i], "{secret}", acme["secret"][i]).Replace(rt.path)
					for name, values := range acme {
						query = strings.ReplaceAll(query, "{"+name+"}", values[i])
					}
					got[i] = s.as("umbrella", method, path+query, bodies[method+" "+rt.path], "Idempotency-Key", "guessed", "If-Match", "*")
					query = queriesOf(rt.path, method)[0]
				}
				if got[0].status != 404 || got[0].status != got[1].status || got[0].body != got[1].body || !reflect.DeepEqual(got[0].header, got[1].header) {
					t.Errorf("%s %s: another's is %d %s %v, what is not there is %d %s %v", method, rt.path,
						got[0].status, got[0].body, got[0].header, got[1].status, got[1].body, got[1].header)
				}
			}
		}
	}
	if routes < 8 {
		t.Errorf("%d routes were tried", routes)
	}
	if after := s.snapshot(); after != before {
		t.Errorf("something was done:\n%s\n%s", before, after)
	}
	// Nor is it in any list.
	for _, path := range []string{"/endpoints", "/deliveries", "/events", "/keys", "/audit", "/me", "/public-keys"} {
		if got := s.as("umbrella", http.MethodGet, path, ""); strings.Contains(got.body, acme["endpoints"][0]) || strings.Contains(got.body, acme["keys"][0]) || strings.Contains(got.body, "acme") {
			t.Errorf("%s tells of acme: %s", path, got.body)
		}
	}
}

// queriesOf returns the parameters with which a route is tried.
func queriesOf(path, method string) []string {
	switch {
	case path == "/why":
		return []string{"?endpoint={endpoints}&event={events}"}
	case strings.HasSuffix(path, "/recover") && method != "":
		return []string{"?since=1h"}
	}
	return []string{""}
}

// snapshot returns all records that acme has, but for when its keys were used, and its
// deliveries.
func (s *stage) snapshot() string {
	s.t.Helper()
	var all []any
	for _, kind := range []string{queue.KindEndpoint, subscribers.KindKey, subscribers.KindAudit, subscribers.KindRun, kindIdempotency} {
		kept, _, err := s.store.RecordsOf(s.t.Context(), kind, "acme", queue.Page{})
		must(s.t, err)
		all = append(all, kept)
	}
	rows, _, err := s.store.Deliveries(s.t.Context(), queue.Filter{}, queue.Page{})
	must(s.t, err)
	text, err := json.Marshal(append(all, rows))
	must(s.t, err)
	return string(text)
}

// Whatever is sent, the answer is never that something is wrong on our side.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		simple, whole, `{}`, `[]`, `null`, `{"url":1e999}`, `{"events":[null]}`, `{"headers":{"":""}}`, `{"auth":{}}`, `{"payload":{"format":"fields","fields":[{"name":"a","path":"@this"}]}}`,
		`{"url":"https://[::1"}`, `{"url":"http://%00"}`, `{"overlap":"9999999999h"}`, `{"name":"\u0000"}`, `{"expires":"2026-13-45T99:99:99Z"}`, `{"label":"\ud800"}`, "\xff",
	} {
		for method := range 5 {
			f.Add(uint8(method), "/endpoints/ep_x", "", seed, "application/json", "k", "*")
			f.Add(uint8(method), "/endpoints", "", seed, "application/json", "", "")
			f.Add(uint8(method), "/keys", "limit=1", seed, "application/json", "k", `"x"`)
		}
	}
	f.Add(uint8(0), "/endpoints", "cursor=%00&limit=-1", "", "", "", "")
	f.Add(uint8(0), "/why", "endpoint=x&event=y", "", "", "", "")
	f.Add(uint8(0), "/deliveries/x.y", "", "", "", "", "")
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	f.Fuzz(func(t *testing.T, method uint8, path, query, body, contentType, key, match string) {
		s := newStage(t)
		id := s.create("acme", simple).text("id")
		path = strings.ReplaceAll(path, "ep_x", id)
		r := httptest.NewRequest(methods[int(method)%len(methods)], "/", strings.NewReader(body))
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header = http.Header{"Authorization": {"Bearer " + s.keys["acme"]}, "Content-Type": {contentType}, "If-Match": {match}}
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		if got := s.serve(r); got.status >= 500 {
			t.Errorf("%s %q?%q %q: %d %s, %s", r.Method, path, query, body, got.status, got.body, s.log)
		}
	})
}

// No secret is told by any answer but the one that makes it, nor noted in a log, nor
// found on the disk.
func TestCanaries(t *testing.T) {
	dir := t.TempDir()
	store, err := badger.Open(badger.Options{Dir: dir})
	must(t, err)
	s := newStage(t).on(store)
	s.now = time.Now()
	made := s.create("acme", whole, "Idempotency-Key", "once")
	id := made.text("id")
	path := "/endpoints/" + id
	secrets := []string{"canary-password", "canary-token", made.text("secret"), s.keys["acme"]}
	rotated := s.as("acme", http.MethodPost, "/endpoints", simple, "Idempotency-Key", "more").want(t, 201)
	secrets = append(secrets, rotated.text("secret"))
	key := s.as("acme", http.MethodPost, "/keys", `{"name":"x"}`, "Idempotency-Key", "key").want(t, 201)
	secrets = append(secrets, key.text("key"))
	var told bytes.Buffer
	for _, request := range [][3]string{
		{http.MethodPatch, path, `{"auth":{"scheme":"bearer","credential":"canary-token"},"url":"https://other.example/"}`},
		{http.MethodPatch, path, `{"auth":{"scheme":"canary-token","credential":"canary-token"}}`},
		{http.MethodPatch, path, `{"auth":{"scheme":"header","name":"X y","credential":"canary-token"}}`},
		{http.MethodPatch, path, `{"auth":{"scheme":"bearer","credential":["canary-token"]}}`},
		{http.MethodPatch, path, `{"auth":"canary-token"}`},
		{http.MethodPatch, path, `{"auth":{"scheme":"bearer","credential":"canary-token"}`},
		{http.MethodPut, path, simple},
		{http.MethodPost, path + "/test", ""},
		{http.MethodPost, path + "/pause", ""},
		{http.MethodPost, path + "/resume", ""},
		{http.MethodGet, path, ""},
		{http.MethodGet, "/endpoints", ""},
		{http.MethodGet, "/keys", ""},
		{http.MethodGet, "/audit", ""},
		{http.MethodGet, "/me", ""},
	} {
		told.WriteString(s.as("acme", request[0], request[1], request[2]).body)
	}
	// A closed queue may have compressed what an open one has written.
	disk := lab.Written(t, dir)
	must(t, store.Close())
	disk = append(disk, lab.Written(t, dir)...)
	if !bytes.Contains(disk, []byte(id)) {
		t.Error("the search finds nothing")
	}
	for where, content := range map[string][]byte{"an answer": told.Bytes(), "the log": s.log.Bytes(), "the disk": disk} {
		for _, secret := range secrets {
			if at := bytes.Index(content, []byte(secret)); at >= 0 {
				t.Errorf("%s is in %s: %q", secret, where, content[max(0, at-80):min(len(content), at+80)])
			}
		}
	}
}
