// SPDX-License-Identifier: Apache-2.0

package assure

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// stage is the running example. The provider decides when a test says so.
type stage struct {
	*system.System
	t     *testing.T
	later system.Later
}

func newStage(t *testing.T, replace ...string) *stage {
	t.Helper()
	t.Setenv("ASSURE_PLATFORM_KEY", PlatformKey)
	s := &stage{t: t}
	api := New(Options{Later: s.later.Hold})
	s.System = system.Start(t, binary, api.Handler(), append(replace, "every 5s", "every 1s")...)
	return s
}

// ask sends a request through Caddy, and returns the answer.
func (s *stage) ask(key, method, path string, body any) (status int, answer map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	got := s.Request(s.t, key, method, path, string(text))
	_ = json.Unmarshal([]byte(got.Body), &answer) // some answers are empty
	return got.Status, answer
}

// begin creates a process, and returns its path.
func (s *stage) begin(path, document, receiver, authorization string) string {
	s.t.Helper()
	status, made := s.ask("ann-key", "POST", path, map[string]string{"document": document, "notificationUrl": receiver, "authorizationHeader": authorization})
	if status != http.StatusCreated || made["status"] != "pending" {
		s.t.Fatalf("POST %s: %d %v", path, status, made)
	}
	return "/dossiers/" + made["dossierId"].(string) + "/processes/" + made["processId"].(string)
}

// notified waits for the notification of a process, and returns it.
func (s *stage) notified(process, status string) system.Delivery {
	s.t.Helper()
	parts := strings.Split(process, "/")
	want := `{"dossierId":"` + parts[2] + `","processId":"` + parts[4] + `","status":"` + status + `"}`
	return s.Receiver.Await(s.t, want, func(d system.Delivery) bool { return d.Body == want })
}

// attempts waits until there are as many attempts, of the one process that there is.
func (s *stage) attempts(want int) []map[string]any {
	s.t.Helper()
	var found struct {
		Items []map[string]any `json:"items"`
	}
	s.Eventually(s.t, "attempts", 2*time.Minute, func() error {
		if err := s.Ask("/webhooks/attempts?endpoint=notify.processes", &found); err != nil {
			return err
		}
		if len(found.Items) != want {
			return fmt.Errorf("there are %d: %v", len(found.Items), found.Items)
		}
		return nil
	})
	return found.Items
}

var errNotYet = errors.New("it is not so yet")

// part runs a part of a test, in which nothing else happens.
func (s *stage) part(name string, story func(t *testing.T)) {
	s.t.Helper()
	whole := s.t
	defer func() { s.t = whole }()
	whole.Run(name, func(t *testing.T) {
		s.t = t
		story(t)
	})
}

// What the document says, see the README.
func TestAssure(t *testing.T) {
	s := newStage(t)
	_, made := s.ask("ann-key", "POST", "/dossiers", nil)
	dossier := "/dossiers/" + made["dossierId"].(string) + "/processes"
	receiver := s.Receiver.URL() + "/hook"

	s.part("create process", func(t *testing.T) {
		process := s.begin(dossier, "passport", receiver, "Basic c2VjcmV0")
		s.later.Happen() // no request passes
		got := s.notified(process, "accepted")
		if got.Path != "/hook" || got.Header.Get("Authorization") != "Basic c2VjcmV0" {
			t.Errorf("notified at %s with %q", got.Path, got.Header.Get("Authorization"))
		}
		if got.Header.Get("Webhook-Signature") != "" || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
			t.Errorf("notified with %v", got.Header)
		}
	})
	s.part("capture flow", func(t *testing.T) {
		process := s.begin("/capture-flow", "passport", receiver, "")
		s.later.Happen()
		if got := s.notified(process, "accepted"); got.Header.Get("Authorization") != "" {
			t.Errorf("notified with %v", got.Header)
		}
	})
	s.part("not successful", func(*testing.T) {
		for document, status := range map[string]string{"forged": "rejected", "blurred": "failed"} {
			process := s.begin(dossier, document, receiver, "")
			s.later.Happen()
			s.notified(process, status)
		}
	})
	s.part("nothing before", func(t *testing.T) {
		process := s.begin(dossier, "passport", receiver, "")
		s.Eventually(t, "the process is known", 2*time.Minute, func() error {
			var status map[string]any
			if err := s.Ask("/webhooks/status", &status); err != nil {
				return err
			}
			if text := fmt.Sprint(status); !strings.Contains(text, " marks:0 open_intents:0") {
				return errNotYet
			}
			return nil
		})
		if slices.ContainsFunc(s.Receiver.Got(), func(d system.Delivery) bool { return strings.Contains(d.Body, `"pending"`) }) {
			t.Error("it was notified of a process that is not finished")
		}
		s.later.Happen()
		s.notified(process, "accepted")
	})
	s.part("process by its ids", func(t *testing.T) {
		process := s.begin(dossier, "passport", receiver, "")
		s.later.Happen()
		s.notified(process, "accepted")
		if status, shown := s.ask("ann-key", "GET", process, nil); status != http.StatusOK || shown["status"] != "accepted" || shown["document"] != "passport" {
			t.Errorf("it shows %d %v", status, shown)
		}
	})
	s.part("fragment", func(t *testing.T) {
		process := s.begin(dossier, "passport", s.Receiver.URL()+"/view/#!/705bcdd5", "")
		s.later.Happen()
		if got := s.notified(process, "accepted"); got.Path != "/view/" {
			t.Errorf("notified at %s", got.Path)
		}
	})
}

// Only a 200 is success, and nothing is tried again but by the Notify call.
func TestNotify(t *testing.T) {
	s := newStage(t)
	s.Receiver.Answer(func(system.Delivery) int { return http.StatusAccepted })
	process := s.begin("/capture-flow", "passport", s.Receiver.URL(), "Basic c2VjcmV0")
	s.later.Happen()
	if got := s.attempts(1); got[0]["code"] != 202.0 {
		t.Errorf("the attempt is %v", got[0])
	}
	for name, ask := range map[string]struct{ key, path string }{
		"another user":    {"bob-key", process + "/notify"},
		"no such process": {"ann-key", "/dossiers/none/processes/p9/notify"},
		"nobody":          {"nobodys-key", process + "/notify"},
	} {
		if status, _ := s.ask(ask.key, "POST", ask.path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", name, status)
		}
	}
	s.Receiver.Answer(func(system.Delivery) int { return http.StatusOK })
	if status, answer := s.ask("ann-key", "POST", process+"/notify", nil); status != http.StatusAccepted {
		t.Fatalf("notify: %d %v", status, answer)
	}
	if got := s.notified(process, "accepted"); got.Header.Get("Authorization") != "Basic c2VjcmV0" {
		t.Errorf("notified with %v", got.Header)
	}
	s.attempts(2)
}

// A server that answers too late has not been notified.
func TestTenSeconds(t *testing.T) {
	s := newStage(t, "timeout 10s", "timeout 1s")
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	s.Receiver.Answer(func(system.Delivery) int {
		<-released
		return http.StatusOK
	})
	s.begin("/capture-flow", "passport", s.Receiver.URL(), "")
	s.later.Happen()
	got := s.attempts(1)
	release()
	if _, answered := got[0]["code"]; answered || got[0]["error"] == "" {
		t.Errorf("the attempt is %v", got[0])
	}
}

// A server that is not on the list is never called, and the process goes on.
func TestAllowList(t *testing.T) {
	s := newStage(t, "only host 127.0.0.1 webhook.site", "only host *.customer.example")
	process := s.begin("/capture-flow", "passport", s.Receiver.URL(), "")
	s.later.Happen()
	parts := strings.Split(process, "/")
	s.Eventually(t, "the process is finished", 2*time.Minute, func() error {
		var events struct{ Items []any }
		if err := s.Ask("/webhooks/events?object=processes/"+parts[2]+"/"+parts[4], &events); err != nil || len(events.Items) == 0 {
			return errNotYet
		}
		return nil
	})
	if !strings.Contains(s.Log(), "a receiver that a request named is refused") {
		t.Error("nobody is told that it is refused")
	}
	if got := s.Receiver.Got(); len(got) > 0 {
		t.Errorf("it was called: %v", got)
	}
}

func TestReadme(t *testing.T) {
	system.CheckReadme(t, 10)
	system.CheckCaddyfile(t, binary)
	s := newStage(t)
	happens := s.Reader.Meanwhile
	s.Reader.Meanwhile = func(what string) error {
		if what == "inside" {
			s.later.Happen()
			return nil
		}
		return happens(what)
	}
	s.ReadAlong(t)
}
