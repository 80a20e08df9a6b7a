// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

// patience is how long tests wait for what has to come.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// stage is the running example. What happens inside the API happens when a test says so.
type stage struct {
	*system.System
	t     *testing.T
	parts parts
	later system.Later
	// settings is the address of the pages, and session who is signed in there.
	settings, session string
	// unseen keeps objects from being read with the platform's key.
	unseen sync.RWMutex
	// read are the paths of those that were.
	read sync.Map
}

// another is a second merchant, as Caddy knows it.
const another = "basic_auth {\n\t\t\t" + Other + " $2a$12$Dk1L68XTGNb40O0uZdQA8ehvU2z2SkjzfPuX0NeWkIa9ml/5/Ku8C"

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageAfter(t, func(*stage, http.Handler) {})
}

// newStageAfter starts it after something was done with the API alone, and replaces texts
// in the Caddyfile.
func newStageAfter(t *testing.T, before func(*stage, http.Handler), replace ...string) *stage {
	t.Helper()
	t.Setenv("GATEWAY_PLATFORM_KEY", PlatformKey)
	s := &stage{t: t, settings: freeport.Address(t)}
	s.parts.stage = s
	api := New(Options{Later: s.later.Hold}).Handler()
	before(s, api)
	s.System = system.Start(t, binary, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			s.unseen.RLock()
			defer s.unseen.RUnlock()
			defer s.read.Store(r.URL.Path, true)
		}
		api.ServeHTTP(w, r)
	}), append([]string{"every 10s", "every 1s", "basic_auth {", another, "localhost:8081", s.settings}, replace...)...)
	return s
}

// parts are those of a test.
type parts struct{ stage *stage }

// Run runs one, which fails by itself.
func (p parts) Run(name string, part func()) {
	whole := p.stage.t
	whole.Run(name, func(t *testing.T) {
		p.stage.t = t
		defer func() { p.stage.t = whole }()
		part()
	})
}

// request sends a request through Caddy, as a merchant.
func (s *stage) request(merchant, password, method, path, body string) system.Answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.Site()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return s.send(merchant, password, request)
}

// send sends a request as a merchant. Redirects are for whoever asks to follow.
func (s *stage) send(merchant, password string, request *http.Request) system.Answer {
	s.t.Helper()
	request.SetBasicAuth(merchant, password)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return system.Answer{Status: response.StatusCode, Header: response.Header, Body: string(text)}
}

// asks sends a request as a merchant, which must be answered with a status.
func (s *stage) asks(merchant, method, path, body string, want int) map[string]any {
	s.t.Helper()
	got := s.request(merchant, Passwords[merchant], method, path, body)
	if got.Status != want {
		s.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, got.Status, got.Body, want)
	}
	var answer map[string]any
	if got.Body != "" {
		if err := json.Unmarshal([]byte(got.Body), &answer); err != nil {
			s.t.Fatal(err)
		}
	}
	return answer
}

func (s *stage) ask(method, path, body string, want int) map[string]any {
	s.t.Helper()
	return s.asks(Merchant, method, path, body, want)
}

// webhook is what the fields of a webhook are filled in with.
type webhook map[string]any

// add adds a webhook of a merchant at a path of the receiver.
func (s *stage) add(merchant, path string, fields webhook) (id string, made map[string]any) {
	s.t.Helper()
	all := webhook{"label": "Till " + path, "url": s.Receiver.URL() + path, "events": []string{"*"}}
	for name, value := range fields {
		all[name] = value
	}
	body, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	made = s.asks(merchant, "POST", "/webhooks/endpoints", string(body), http.StatusCreated)
	id, _ = made["id"].(string)
	return id, made
}

// edit changes fields of a webhook.
func (s *stage) edit(id, fields string) map[string]any {
	s.t.Helper()
	return s.ask("PATCH", "/webhooks/endpoints/"+id, fields, http.StatusOK)
}

// make makes an object, and returns its path.
func (s *stage) make(kind, body string) string {
	s.t.Helper()
	key, _ := s.ask("POST", "/"+kind, body, http.StatusCreated)["key"].(string)
	return "/" + kind + "/" + key
}

// sale makes a sale that is approved at once.
func (s *stage) sale() string {
	s.t.Helper()
	return s.make("transactions", `{"kind":"sale","amount":"5.00"}`)
}

// told waits for an event at a path of the receiver, and returns what is in its body.
func (s *stage) told(path, eventType, object string) (system.Delivery, envelope) {
	s.t.Helper()
	object = strings.TrimPrefix(object, "/")
	got := s.Receiver.Await(s.t, eventType+" of "+object+" at "+path, func(d system.Delivery) bool {
		return d.Path == path && d.Type() == eventType && d.Object() == object
	})
	e := opened(s.t, got.Body)
	if e.EventType != eventType || !strings.HasSuffix(object, "/"+e.Body.Object.Key) || e.Body.Merchant.MerchKey == "" {
		s.t.Errorf("%s of %s is %s", eventType, object, got.Body)
	}
	return got, e
}

// becomes makes sales until one is delivered as is wanted, and returns that. An edit counts
// for the routing of events when it is answered, and for how they are sent a moment later;
// the paths are those of the webhook before and after.
func (s *stage) becomes(what string, wanted func(system.Delivery) bool, paths ...string) system.Delivery {
	s.t.Helper()
	for end := time.Now().Add(patience); ; {
		sale := s.sale()
		got := s.Receiver.Await(s.t, sale, func(d system.Delivery) bool {
			return "/"+d.Object() == sale && slices.Contains(paths, d.Path)
		})
		switch {
		case wanted(got):
			return got
		case time.Now().After(end):
			s.t.Fatalf("%s: got %v at %s", what, got.Header, got.Path)
		}
	}
}

// envelope is the document's example.
type envelope struct {
	Type      string `json:"type"`
	Triggered string `json:"event_triggered"`
	EventType string `json:"event_type"`
	Body      struct {
		Merchant struct {
			MerchKey string `json:"merch_key"`
		} `json:"merchant"`
		Object struct {
			Type      string
			Key       string
			Status    string
			Inventory int
			Notes     []string
			Amount    amountDetail `json:"amount_detail"`
		} `json:"object"`
	} `json:"event_body"`
	ID string `json:"event_id"`
}

func opened(t *testing.T, body string) (e envelope) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return e
}

// at returns the events that came at a path, without tests.
func (s *stage) at(path string) (types []string) {
	for _, d := range s.Receiver.Got() {
		if d.Path == path && d.Header.Get("Webhook-Op") != "test" {
			types = append(types, d.Type())
		}
	}
	return types
}

// sent returns the types of what was meant for a webhook, the newest first.
func (s *stage) sent(id string) (types []string) {
	s.t.Helper()
	listed, _ := s.ask("GET", "/webhooks/endpoints/"+id+"/deliveries", "", http.StatusOK)["data"].([]any)
	for _, item := range listed {
		delivery, _ := item.(map[string]any)
		types = append(types, fmt.Sprint(delivery["type"]))
	}
	return types
}

// known waits until an object was read, and what was found is noted.
func (s *stage) known(path string) string {
	s.t.Helper()
	s.Eventually(s.t, path+" is known", patience, func() error {
		if _, read := s.read.Load(path); !read {
			return errors.New("it was not read")
		}
		var marks struct {
			Items []struct {
				Object string
				DueAt  time.Time `json:"due_at"`
				Leased bool
			}
		}
		if err := s.Ask("/webhooks/marks", &marks); err != nil {
			return err
		}
		for _, mark := range marks.Items {
			if "/"+mark.Object == path && (mark.Leased || mark.DueAt.Before(time.Now())) {
				return errors.New("it is being looked at")
			}
		}
		return nil
	})
	return path
}

// settle captures a sale, and has its batch settled, which leads to an event.
func (s *stage) settle(amount, eventType string) {
	s.t.Helper()
	s.later.Happen() // what others have captured
	sale := s.make("transactions", `{"kind":"sale","amount":"`+amount+`"}`)
	s.ask("POST", sale+"/capture", "", http.StatusOK)
	s.later.Happen()
	made := s.batches()
	s.known(made)
	s.later.Happen()
	s.told("/all", eventType, made)
}

// batches returns the path of the newest batch.
func (s *stage) batches() string {
	s.t.Helper()
	listed, _ := s.ask("GET", "/batches", "", http.StatusOK)["batches"].([]any)
	last, _ := listed[len(listed)-1].(map[string]any)
	return "/batches/" + fmt.Sprint(last["key"])
}

// alone sends a request to the API when Caddy is not there yet, and returns the key of what
// it answers with.
func (s *stage) alone(api http.Handler, path, body string) (key string) {
	s.t.Helper()
	request := httptest.NewRequestWithContext(s.t.Context(), "POST", path, strings.NewReader(body))
	request.SetBasicAuth(Merchant, Passwords[Merchant])
	made := httptest.NewRecorder()
	api.ServeHTTP(made, request)
	var shown head
	if err := json.Unmarshal(made.Body.Bytes(), &shown); err != nil || shown.Key == "" {
		s.t.Fatalf("%v: %s", err, made.Body)
	}
	return shown.Key
}
