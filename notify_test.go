// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// processes is an API that is told with each process whom to notify, and
// leaves that to others. It decides on its processes by itself.
type processes struct {
	mu     sync.Mutex
	status map[string]string // by path
}

func (p *processes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method == http.MethodPost {
		id := fmt.Sprintf("p%d", len(p.status)+1)
		p.status[r.URL.Path+"/"+id] = "pending"
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id":%q,"status":"pending"}`, id)
		return
	}
	status, found := p.status[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id, "status": status, "applicant": "Ann"})
}

func (p *processes) decide(path, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status[path] = status
}

func (s *stage) notifyConfig(only string) string {
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	log {
		level ERROR
	}
	webhooks {
		queue badger %s
		endpoint notify.processes requests {
			signature none
			payload fields dossierId=:1 processId=:2 status=status
			retry none
		}
		egress {
			allow http
			%s
		}
	}
}
http://%s {
	webhooks {
		upstream %s
		resource processes {
			show GET /dossiers/:dossier/processes/:id
			create POST /dossiers/:dossier/processes
			conventions rules
			event processes.finished on create when "object.status in ['accepted', 'rejected']"
			event processes.finished on change status to accepted rejected
			watch every 1s until status in accepted rejected
			notify url request:notificationUrl authorization request:authorizationHeader until status in accepted rejected
		}
	}
	reverse_proxy %s
}
`, s.admin, s.dir, only, s.address, s.api.Listener.Addr(), s.api.Listener.Addr())
}

// begin creates a process, and returns what the API answered.
func (s *stage) begin(dossier, receiver, authorization string) string {
	s.t.Helper()
	response, err := http.Post("http://"+s.address+"/dossiers/"+dossier+"/processes", "application/json",
		strings.NewReader(fmt.Sprintf(`{"notificationUrl":%q,"authorizationHeader":%q}`, receiver, authorization)))
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusCreated {
		s.t.Fatalf("the API's answer became %d, %v", response.StatusCode, err)
	}
	return string(body)
}

// A request names its receiver and how to be let in there; the receiver gets
// one call when the process has ended, also if Caddy was restarted meanwhile.
func TestNotify(t *testing.T) {
	s := newStage(t)
	api := &processes{status: make(map[string]string)}
	s.api.Config.Handler = api
	calls := make(capture, 10)
	s.receiver.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- callback{r.Method, r.URL.String(), r.Header.Clone(), body}
	})
	const credential = "Basic canary-5f2d8c11"
	const secretPath = "/hooks/canary-77aa01"
	allowed := s.notifyConfig("allow network 127.0.0.0/8")
	s.mustLoad(allowed)

	// As users copy it from a page; what follows the # is not sent.
	if got := s.begin("d1", s.receiver.URL+secretPath+"#!/view", credential); got != `{"id":"p1","status":"pending"}` {
		t.Errorf("the API's answer became %s", got)
	}
	// It is seen as pending before it ends: nobody is to be told of that.
	s.until("/webhooks/status", " marks:0 open_intents:0")
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	kept := append(lab.Written(t, s.dir), recordsOf(t, s.dir)...)
	for _, canary := range []string{"canary-5f2d8c11", "canary-77aa01"} {
		if bytes.Contains(kept, []byte(canary)) {
			t.Errorf("%s is on disk in clear", canary)
		}
	}
	if !bytes.Contains(kept, []byte("d1/p1")) {
		t.Error("the process is not on disk at all: nothing is tested")
	}
	s.mustLoad(allowed)
	api.decide("/dossiers/d1/processes/p1", "accepted")
	got := s.call(calls)
	if got.method != http.MethodPost || got.url != secretPath || got.header.Get("Authorization") != credential ||
		string(got.body) != `{"dossierId":"d1","processId":"p1","status":"accepted"}` {
		t.Errorf("the receiver got %s %s, %s as %q", got.method, got.url, got.body, got.header.Get("Authorization"))
	}
	unsigned(t, got)

	// What comes after the last state is told to nobody: the next call is the
	// next process's.
	api.decide("/dossiers/d1/processes/p1", "rejected")
	if status, answer := s.post("/webhooks/look?object=processes/d1/p1"); status != http.StatusOK {
		t.Fatalf("look: %d %v", status, answer)
	}
	s.until("/webhooks/events?object=processes/d1/p1", "sequence:2")
	s.begin("d2", s.receiver.URL, "")
	api.decide("/dossiers/d2/processes/p2", "rejected")
	if got := s.call(calls); string(got.body) != `{"dossierId":"d2","processId":"p2","status":"rejected"}` || got.header.Get("Authorization") != "" {
		t.Errorf("the receiver got %s as %q", got.body, got.header.Get("Authorization"))
	}
	s.expectNoCall(calls)
}

// A receiver that egress refuses is called by nobody, and the API's answer is
// the same.
func TestNotifyRefused(t *testing.T) {
	s := newStage(t)
	api := &processes{status: make(map[string]string)}
	s.api.Config.Handler = api
	calls := make(capture, 10)
	s.receiver.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls <- callback{r.Method, r.URL.String(), r.Header.Clone(), nil}
	})
	s.mustLoad(s.notifyConfig(""))
	if got := s.begin("d1", s.receiver.URL, "x"); got != `{"id":"p1","status":"pending"}` {
		t.Errorf("the API's answer became %s", got)
	}
	api.decide("/dossiers/d1/processes/p1", "accepted")
	s.until("/webhooks/events?object=processes/d1/p1", "processes.finished")
	if status, answer := s.get("/webhooks/deliveries"); status != http.StatusOK || len(answer["items"].([]any)) > 0 {
		t.Errorf("there are deliveries: %v", answer)
	}
	s.expectNoCall(calls)
}

func (s *stage) call(calls capture) callback {
	s.t.Helper()
	select {
	case got := <-calls:
		return got
	case <-time.After(testTimeout):
		s.t.Fatal("the receiver was not called")
		return callback{}
	}
}

// expectNoCall is for when nothing waits to be delivered.
func (s *stage) expectNoCall(calls capture) {
	s.t.Helper()
	s.until("/webhooks/status", " marks:0 open_intents:0")
	if len(calls) > 0 {
		s.t.Errorf("the receiver was called again: %+v", <-calls)
	}
}
