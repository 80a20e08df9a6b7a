// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// verb asks the admin endpoint to do something, and returns what it says.
func (s *stage) verb(path string) (status int, answer string) {
	s.t.Helper()
	response, err := http.Post("http://"+s.admin+path, "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// set changes an object where nobody sees it.
func (s *stage) set(path, show string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if show == "" {
		delete(s.state, path)
		return
	}
	s.state[path] = show
}

// What operators can ask for and do about what was not seen.
func TestDetectionVerbs(t *testing.T) {
	uncovered.Forget(func(string, string) bool { return true })
	s := newStage(t)
	s.mustLoad(strings.Replace(s.config("", ""), "resource items", "resource items {\nlist GET /items items.#.id\n}", 1))
	// The list comes later: an object that is first read for it while a change
	// of it passes is known from then on, with the change, and without an event.
	s.put("/items/1", `{"id":"1","n":1}`)
	s.expect("items.updated items/1")
	s.set("/items", `{"items":[{"id":"1"}]}`)

	// A change that did not pass is found when somebody says where to look.
	s.set("/items/1", `{"id":"1","n":2}`)
	if status, answer := s.verb("/webhooks/look?object=items/1"); status != http.StatusOK || !strings.Contains(answer, `"done":1`) {
		t.Errorf("look: %d %s", status, answer)
	}
	s.expect("items.updated items/1")

	// A delete is announced when the operator says so and the object is gone.
	s.set("/items/1", "")
	if status, answer := s.verb("/webhooks/look?object=items/1&deleted=1"); status != http.StatusOK {
		t.Errorf("look: %d %s", status, answer)
	}
	s.expect("items.deleted items/1")

	// What a later list has, and nobody has seen, is created.
	s.set("/items/2", `{"id":"2"}`)
	s.set("/items", `{"items":[{"id":"2"}]}`)
	if status, answer := s.verb("/webhooks/list?resource=items"); status != http.StatusOK {
		t.Errorf("list: %d %s", status, answer)
	}
	s.expect("items.created items/2")

	s.tryAnything("POST", "/orders/77/ship")
	s.tryAnything("POST", "/items")
	s.until("/webhooks/coverage", "unresolved:1") // the client did not wait for that
	s.coverageShows(t)

	for path, want := range map[string]int{
		"/webhooks/look?object=nothing":    http.StatusBadRequest,
		"/webhooks/look?object=orders/1":   http.StatusBadRequest,
		"/webhooks/list?resource=orders":   http.StatusBadRequest,
		"/webhooks/dismiss":                http.StatusBadRequest,
		"/webhooks/dismiss?id=x":           http.StatusBadRequest,
		"/webhooks/dismiss?id=99999":       http.StatusNotFound,
		"/webhooks/dismiss?before=tonight": http.StatusBadRequest,
	} {
		if status, answer := s.verb(path); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, answer, want)
		}
	}
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	if status, answer := s.verb("/webhooks/dismiss?before=" + later); status != http.StatusOK || !strings.Contains(answer, `"done":1`) {
		t.Errorf("dismiss: %d %s", status, answer)
	}
	if _, answer := s.get("/webhooks/unresolved"); len(answer["items"].([]any)) != 0 {
		t.Errorf("after dismissing: %v", answer)
	}
	if status, _ := s.get("/webhooks/look"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET of look: %d", status)
	}
}

// Requests that change nothing are left out of the report, and so is what a new
// configuration has a rule about; what it has none about stays.
func TestCoverageOfConfigurations(t *testing.T) {
	uncovered.Forget(func(string, string) bool { return true })
	s := newStage(t)
	config := s.config("", "")
	s.mustLoad(config)
	templates := func() string {
		_, answer := s.get("/webhooks/coverage")
		var all []string
		for _, line := range answer["unmatched"].([]any) {
			all = append(all, line.(map[string]any)["method"].(string)+" "+line.(map[string]any)["template"].(string))
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	s.tryAnything("POST", "/orders/77/ship")
	s.tryAnything("POST", "/login")
	s.tryAnything("POST", "/other")
	if got := templates(); got != "POST /login, POST /orders/:id/ship, POST /other" {
		t.Errorf("at first: %s", got)
	}
	s.mustLoad(strings.Replace(config, "resource items", "ignore POST /login\nignore POST|PUT /items/:id/search\nresource orders {\nupdate POST /orders/:id/ship\n}\nresource items", 1))
	s.tryAnything("POST", "/Login/")
	if got := templates(); got != "POST /other" {
		t.Errorf("with rules: %s", got)
	}
	// A conventional rule leaves it alone.
	s.put("/items/1", `{"id":"1"}`)
	s.expect("items.updated items/1")
	s.set("/items/1", `{"id":"1","n":2}`)
	s.tryAnything("POST", "/items/1/search")
	s.put("/items/2", `{"id":"2"}`)
	s.expect("items.updated items/2")
	s.tryAnything("POST", "/items/1/touch")
	s.expect("items.updated items/1")
}

// tryAnything sends a request whose answer does not matter.
func (s *stage) tryAnything(method, path string) {
	s.t.Helper()
	r, err := http.NewRequest(method, "http://"+s.address+path, strings.NewReader(`{"no":"id"}`))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	response.Body.Close()
}

// coverageShows checks the report, as JSON and as people read it.
func (s *stage) coverageShows(t *testing.T) {
	t.Helper()
	_, answer := s.get("/webhooks/coverage")
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	var report admin.Coverage
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Unmatched) != 1 || report.Unmatched[0].Template != "/orders/:id/ship" || report.Unresolved != 1 || len(report.Unlisted) != 0 {
		t.Errorf("coverage %+v", report)
	}
	printed, err := s.command("coverage")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"POST /orders/:id/ship", "\tresource orders {\n\t\tupdate POST /orders/:id/ship\n\t}\n",
		fmt.Sprintf("object is not known: %d", report.Unresolved), "Without a version, so that nothing proves a Show fresh: items",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("the report lacks %q:\n%s", want, printed)
		}
	}
}
