// SPDX-License-Identifier: Apache-2.0

//go:build linux

package strangers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// Requests that fail, are refused, or never reach the API announce nothing, whatever
// they are about.
func TestEventsOfNothing(t *testing.T) {
	t.Parallel()
	objects, inbox := newObjects(), newInbox(t, nil)
	for i := range 20 {
		objects.put(fmt.Sprintf("/items/old%d", i), fmt.Sprintf(`{"id":"old%d","state":"paid"}`, i))
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/items/spelled"):
			// Many spellings of one object.
			r.URL.Path = "/items/old0"
			fallthrough
		case r.Method == http.MethodGet:
			objects.ServeHTTP(w, r)
		case r.Header.Get("X-Fail") != "":
			w.WriteHeader(http.StatusBadGateway)
		default:
			objects.ServeHTTP(w, r)
		}
	})
	s := newSite(t, api, inbox, parts{rules: "resource items {\n event items.created on create\n event items.updated on change\n event items.deleted on delete\n event items.paid on change state to paid\n }"})
	s.Start(t)
	for i := range 20 {
		path := fmt.Sprintf("/items/old%d", i)
		switch i % 4 {
		case 0:
			s.breakOff(t, "PATCH", path, `{}`)
		case 1:
			s.do(t, "PATCH", path, `{"refused":true}`, http.StatusForbidden)
		case 2:
			s.fail(t, "PUT", path)
		default:
			s.fail(t, "DELETE", path)
		}
	}
	for i := range 30 {
		s.breakOff(t, "PATCH", fmt.Sprintf("/items/spelled%d", i), `{}`)
	}
	s.breakOff(t, "DELETE", "/items/nothing", `{}`)
	s.do(t, "PATCH", "/items/nothing", `{}`, http.StatusNotFound)
	s.settled(t)
	if got := inbox.got("/all"); len(got) > 0 {
		t.Errorf("%d events of nothing, the first %+v", len(got), got[0])
	}
	// What comes next is a change.
	s.do(t, "PATCH", "/items/old0", `{"id":"old0","state":"paid","n":1}`, http.StatusNoContent)
	s.told(t, "/all", "items/old0", "items.updated")
	s.healthy(t)
	s.Stop(t)
}

// fail sends a request that the API answers with 502.
func (s *site) fail(t *testing.T, method, path string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Site()+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Fail", "1")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusBadGateway {
		t.Fatalf("%s %s: %d", method, path, response.StatusCode)
	}
}

// A Show that nobody can ask for, or that is too large, ends as a record; health stays
// as it is, and others are not held up.
func TestPoison(t *testing.T) {
	t.Parallel()
	objects, inbox := newObjects(), newInbox(t, nil)
	large := fmt.Sprintf(`{"padding":%q}`, strings.Repeat("x", 5<<20))
	objects.show = func(path, body string) string {
		if strings.Contains(path, "large") {
			return large
		}
		return body
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/show" {
			_, _ = io.WriteString(w, `{"n":1}`)
			return
		}
		objects.ServeHTTP(w, r)
	})
	s := newSite(t, api, inbox, parts{rules: "resource numbers {\n show POST /show body `{\"id\":{id}}`\n update PUT /numbers/:id\n }\n resource items"})
	s.Start(t)
	objects.put("/numbers/x", "{}")
	objects.put("/items/large", "{}")
	s.do(t, "PUT", "/numbers/x", "{}", http.StatusNoContent)
	s.do(t, "PUT", "/items/large", "{}", http.StatusNoContent)
	s.do(t, "POST", "/items", `{}`, http.StatusCreated)
	s.told(t, "/all", "items/1", "items.created")
	s.Eventually(t, "both are recorded", 2*time.Minute, func() error {
		if got := s.records(t); len(got) != 2 {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
	s.settled(t)
	s.healthy(t)
	s.Stop(t)
}

// The account that `me` stands for is the caller's: the operator's is never read.
func TestCallerIDs(t *testing.T) {
	t.Parallel()
	objects, inbox := newObjects(), newInbox(t, nil)
	objects.put("/users/me", `{"id":"operator","secret":"s"}`)
	objects.put("/users/Self", `{"id":"operator","secret":"s"}`)
	s := newSite(t, objects, inbox, parts{rules: "resource users {\n aliases\n }"})
	s.Start(t)
	s.do(t, "PATCH", "/users/me", `{"id":"operator","secret":"s"}`, http.StatusNoContent)
	s.do(t, "PATCH", "/users/Self", `{"id":"operator","secret":"s"}`, http.StatusNoContent)
	s.breakOff(t, "PATCH", "/users/me", "{}")
	s.Eventually(t, "the requests are recorded", time.Minute, func() error {
		if got := s.records(t); len(got) < 2 {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
	s.settled(t)
	if got := objects.reads("/users/me") + objects.reads("/users/Self"); got > 0 {
		t.Errorf("the operator's account was read %d times", got)
	}
	if got := inbox.got("/all"); len(got) > 0 {
		t.Errorf("%d events, the first %+v", len(got), got[0])
	}
	s.Stop(t)
}

// What an id could break out of is refused when the configuration is read.
func TestInnerQuotes(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		"show POST /graphql body `{\"query\":\"query { item(id: \\\"{id}\\\") { id } }\"}`",
		"show GET /odata?$filter=Code%20eq%20'{id}'",
		"show POST /soap body `<q>select '{id}'</q>`",
	} {
		s := newSite(t, newObjects(), nil, parts{rules: "resource items {\n " + rule + "\n update PATCH /items/:id\n }"})
		file := s.WriteConfig(t)
		output, err := s.Run(t.Context(), "validate", "--adapter", "caddyfile", "--config", file)
		if err == nil || !strings.Contains(output, "quotes") && !strings.Contains(output, "{word:id}") {
			t.Errorf("%s: %v, %s", rule, err, last(output))
		}
	}
}

func last(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return lines[len(lines)-1]
}

// Clients that read objects whose Shows always differ use up nobody's looks.
func TestLooks(t *testing.T) {
	t.Parallel()
	objects, inbox := newObjects(), newInbox(t, nil)
	var nonce, paid atomic.Int64
	objects.show = func(path, body string) string {
		switch {
		case strings.HasPrefix(path, "/noisy"):
			return fmt.Sprintf(`{"id":%q,"nonce":%d}`, filepath.Base(path), nonce.Add(1))
		case paid.Load() > 0 && strings.HasPrefix(path, "/payments"):
			return `{"id":"1","state":"paid"}`
		}
		return body
	}
	for i := range 500 {
		objects.put(fmt.Sprintf("/noisy/%d", i), "{}")
	}
	objects.put("/calm/1", `{"id":"1"}`)
	s := newSite(t, objects, inbox, parts{rules: `look_rate 5/s
		resource noisy
		resource calm {
			volatile nonce
		}
		resource payments {
			watch every 1s until state is paid
		}`})
	s.Start(t)
	s.do(t, "PUT", "/calm/1", `{"id":"1","nonce":0}`, http.StatusNoContent)
	s.told(t, "/all", "calm/1", "calm.updated")
	s.settled(t)
	before := objects.reads("/calm/1")
	for i := range 20 {
		objects.put("/calm/1", fmt.Sprintf(`{"id":"1","nonce":%d}`, i))
		s.do(t, "GET", "/calm/1", "", http.StatusOK)
	}
	s.settled(t)
	if got := objects.reads("/calm/1") - before; got > 20 {
		t.Errorf("%d Shows were read, and clients asked for 20", got)
	}
	// What is not volatile is looked at.
	objects.put("/calm/1", `{"id":"1","n":2}`)
	s.do(t, "GET", "/calm/1", "", http.StatusOK)
	s.told(t, "/all", "calm/1", "calm.updated", "calm.updated")

	s.do(t, "POST", "/payments", `{"id":"1","state":"pending"}`, http.StatusCreated)
	s.told(t, "/all", "payments/1", "payments.created")
	began := time.Now()
	for round := range 3 {
		for i := range 500 {
			s.do(t, "GET", fmt.Sprintf("/noisy/%d", i), "", http.StatusOK)
		}
		if round == 0 {
			paid.Store(1)
		}
	}
	s.told(t, "/all", "payments/1", "payments.created", "payments.updated")
	took := time.Since(began)
	looks := int(nonce.Load()) - 1500
	if limit := 5*int(took.Seconds()+1) + 10; looks > limit {
		t.Errorf("%d looks in %s", looks, took)
	}
	t.Logf("%d looks, %s", looks, took)
	s.Kill()
}

var eventType = regexp.MustCompile(`(?m)^caddy_webhooks_events_total\{[^}]*type="([^"]*)"`)

// Traffic cannot make metrics grow without end.
func TestLabels(t *testing.T) {
	t.Parallel()
	objects, inbox := newObjects(), newInbox(t, nil)
	s := newSite(t, objects, inbox, parts{rules: "resource items {\n event items.created on create\n event items.{state} on change state\n }"})
	s.Start(t)
	s.do(t, "POST", "/items", `{"id":"1","state":"new"}`, http.StatusCreated)
	s.told(t, "/all", "items/1", "items.created")
	for i := range 130 {
		s.do(t, "PUT", "/items/1", fmt.Sprintf(`{"id":"1","state":"s%d"}`, i), http.StatusNoContent)
		s.Eventually(t, "the change is announced", time.Minute, func() error {
			if got := inbox.events("/all", "items/1"); !slices.Contains(got, fmt.Sprintf("items.s%d", i)) {
				return errors.New(got[len(got)-1])
			}
			return nil
		})
	}
	text := metrics(t, s.Caddy)
	types := eventType.FindAllSubmatch(text, -1)
	if len(types) < 90 || len(types) > 110 || !strings.Contains(string(text), `type="other"`) {
		t.Errorf("%d types of events are labels", len(types))
	}
	s.Stop(t)
}

// Nobody else on the machine can read the queue, whatever its directory's mode, and a
// directory is one queue, whichever way leads there.
func TestFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, newObjects(), nil, parts{rules: "resource items"})
	if err := os.MkdirAll(s.Queue, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Queue, 0o755); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	for i := range 20 {
		s.do(t, "POST", "/items", fmt.Sprintf(`{"n":%d,"padding":%q}`, i, strings.Repeat("x", 500<<10)), http.StatusCreated)
	}
	s.settled(t)
	look := func(when string) {
		entries, err := os.ReadDir(s.Queue)
		if err != nil || len(entries) == 0 {
			t.Fatal(err, entries)
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s, %s has mode %s", when, entry.Name(), info.Mode())
			}
		}
	}
	look("while it runs")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(s.Queue, link); err != nil {
		t.Fatal(err)
	}
	queue := s.Queue
	for _, way := range []string{link, filepath.Join(queue, "..", filepath.Base(queue)), link + "/.", queue} {
		s.Queue = way
		file := s.WriteConfig(t)
		output, err := s.Run(t.Context(), "reload", "--force", "--adapter", "caddyfile", "--config", file, "--address", s.Admin())
		if err != nil {
			t.Errorf("reload to %s: %v, %s", way, err, last(output))
		}
		freeport.Single(t, s.Site(), s.Admin())
		s.do(t, "POST", "/items", `{}`, http.StatusCreated)
	}
	s.Queue = queue
	s.settled(t)
	if !strings.Contains(s.Log(), "0755") && !strings.Contains(s.Log(), "drwxr-xr-x") && !strings.Contains(s.Log(), "rwxr-xr-x") {
		t.Error("the log does not warn of the directory")
	}
	s.Stop(t)
	look("after it has ended")
}
