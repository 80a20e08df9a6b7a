// SPDX-License-Identifier: Apache-2.0

package bond

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// stage is the running example. What happens inside the API happens when a test says so.
type stage struct {
	*system.System
	t     *testing.T
	later system.Later

	mu sync.Mutex
	// dropping is called when the API has done what a request asks for, and does not
	// answer it until the client has gone. It is for one request.
	dropping func()
}

func newStage(t *testing.T) *stage {
	t.Helper()
	t.Setenv("BOND_PLATFORM_KEY", PlatformKey)
	s := &stage{t: t}
	api := New(Options{Later: s.later.Hold})
	s.System = system.Start(t, binary, s.dropped(api.Handler()), "every 10s", "every 1s")
	return s
}

// dropped drops the answers of some requests.
func (s *stage) dropped(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		dropping := s.dropping
		if r.Method == http.MethodGet {
			dropping = nil
		}
		if dropping != nil {
			s.dropping = nil
		}
		s.mu.Unlock()
		if dropping == nil {
			api.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(httptest.NewRecorder(), r)
		dropping()
		<-r.Context().Done()
	})
}

// ask sends a request through Caddy, which must be answered with a status, and returns
// the answer.
func (s *stage) ask(key, method, path, body string, want int) map[string]any {
	s.t.Helper()
	var answer map[string]any
	got := s.Wants(s.t, key, method, path, body, want, nil)
	if got.Body != "" {
		if err := json.Unmarshal([]byte(got.Body), &answer); err != nil {
			s.t.Fatal(err)
		}
	}
	return answer
}

// subscribe makes an endpoint at a path of the receiver.
func (s *stage) subscribe(key, path string, types ...string) (id, secret string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"url": s.Receiver.URL() + path, "events": types})
	if err != nil {
		s.t.Fatal(err)
	}
	made := s.ask(key, "POST", "/webhooks/endpoints", string(body), http.StatusCreated)
	id, _ = made["id"].(string)
	secret, _ = made["secret"].(string)
	return id, secret
}

// make makes an object, and returns its id.
func (s *stage) make(key, kind, id, body string) string {
	s.t.Helper()
	made, _ := s.ask(key, "POST", "/"+kind, body, http.StatusCreated)[id].(string)
	return made
}

// told waits for an event at a path of the receiver.
func (s *stage) told(path, eventType, object string) system.Delivery {
	s.t.Helper()
	return s.Receiver.Await(s.t, eventType+" of "+object+" at "+path, func(d system.Delivery) bool {
		return d.Path == path && d.Type() == eventType && d.Object() == object
	})
}

// at returns what came at a path, but for tests.
func (s *stage) at(path string) (types []string) {
	for _, d := range s.Receiver.Got() {
		if d.Path == path && d.Type() != "webhooks.test" {
			types = append(types, d.Type()+" "+d.Object())
		}
	}
	return types
}

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
func TestBond(t *testing.T) {
	s := newStage(t)
	s.subscribe("acme-key", "/all")
	s.subscribe("globex-key", "/globex")

	s.part("verification", func(t *testing.T) {
		id := s.make("acme-key", "customers", "customer_id", `{"name":"Ann","ssn":"123-45-6789"}`)
		s.told("/all", "customers.created", "customers/"+id)
		s.ask("acme-key", "POST", "/customers/"+id+"/verification", "", http.StatusAccepted)
		s.later.Happen() // no request passes from here on
		told := s.told("/all", "kyc.verification.success", "customers/"+id)
		if !strings.Contains(told.Body, `"success"`) || strings.Contains(told.Body, "6789") {
			t.Errorf("told %s", told.Body)
		}
	})
	s.part("verification that fails", func(*testing.T) {
		id := s.make("acme-key", "customers", "customer_id", `{"name":"Bob","ssn":"`+refusedSSN+`"}`)
		s.ask("acme-key", "POST", "/customers/"+id+"/verification", "", http.StatusAccepted)
		s.later.Happen()
		s.told("/all", "kyc.verification.failure", "customers/"+id)
	})
	s.part("payment", func(*testing.T) {
		id := s.make("acme-key", "payments", "payment_id", `{"amount":5}`)
		s.told("/all", "payments.created", "payments/"+id)
		s.later.Happen()
		s.told("/all", "payment.confirmed", "payments/"+id)
	})
	s.part("fast payment", func(*testing.T) {
		// It is confirmed before it is read for the first time.
		id := s.make("acme-key", "payments", "payment_id", `{"amount":6}`)
		s.later.Happen()
		s.told("/all", "payment.confirmed", "payments/"+id)
	})
	s.part("recurring payment", func(*testing.T) {
		id := s.make("acme-key", "payments", "payment_id", `{"amount":7,"recurring":true}`)
		s.later.Happen()
		s.told("/all", "payment.recurring.succeeded", "payments/"+id)
	})
	s.part("dispute", func(*testing.T) {
		id := s.make("acme-key", "charges", "charge_id", `{"amount":8}`)
		s.told("/all", "charges.created", "charges/"+id)
		s.ask("acme-key", "POST", "/charges/"+id+"/dispute", "", http.StatusOK)
		s.told("/all", "charge.disputed", "charges/"+id)
	})
	s.part("dropped request", func(t *testing.T) { droppedRequest(t, s) })
	s.part("subscription by type", func(t *testing.T) {
		s.subscribe("acme-key", "/confirmed", "payment.confirmed")
		id := s.make("acme-key", "payments", "payment_id", `{"amount":9}`)
		s.later.Happen()
		s.told("/confirmed", "payment.confirmed", "payments/"+id)
		for _, told := range s.at("/confirmed") {
			if !strings.HasPrefix(told, "payment.confirmed ") {
				t.Errorf("told of %s, too", told)
			}
		}
	})
	s.part("another brand", func(t *testing.T) {
		id := s.make("globex-key", "payments", "payment_id", `{"amount":10}`)
		s.told("/globex", "payments.created", "payments/"+id)
		if told := s.at("/globex"); len(told) != 1 {
			t.Errorf("a brand was told of others' objects: %q", told)
		}
		if slices.ContainsFunc(s.at("/all"), func(told string) bool { return strings.HasSuffix(told, id) }) {
			t.Error("another brand was told of its payment")
		}
	})
	s.part("only with a key", func(*testing.T) {
		s.ask("nobody's", "GET", "/webhooks/endpoints", "", http.StatusUnauthorized)
	})
	s.part("test", func(t *testing.T) {
		listed, _ := s.ask("acme-key", "GET", "/webhooks/endpoints", "", http.StatusOK)["data"].([]any)
		first, _ := listed[0].(map[string]any)
		id, _ := first["id"].(string)
		answer := s.ask("acme-key", "POST", "/webhooks/endpoints/"+id+"/test", "", http.StatusOK)
		if answer["accepted"] != true {
			t.Errorf("the test: %v", answer)
		}
	})
}

// droppedRequest changes an object with a request whose answer never arrives.
func droppedRequest(t *testing.T, s *stage) {
	id := s.make("acme-key", "charges", "charge_id", `{"amount":11}`)
	s.told("/all", "charges.created", "charges/"+id)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.mu.Lock()
	s.dropping = cancel
	s.mu.Unlock()
	request, err := http.NewRequestWithContext(ctx, "POST", "http://"+s.Site()+"/charges/"+id+"/dispute", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer acme-key")
	if _, err := http.DefaultClient.Do(request); !errors.Is(err, context.Canceled) {
		t.Fatalf("the answer arrived: %v", err)
	}
	s.told("/all", "charge.disputed", "charges/"+id)
}

// Deliveries are signed with the secret that is given when the subscription is set up,
// as another implementation of the standard sees it; and with no other.
func TestSecretCode(t *testing.T) {
	s := newStage(t)
	_, secret := s.subscribe("acme-key", "/a")
	_, other := s.subscribe("acme-key", "/b")
	id := s.make("acme-key", "charges", "charge_id", `{"amount":1}`)
	told := s.told("/a", "charges.created", "charges/"+id)
	for _, test := range []struct {
		secret, body string
		genuine      bool
	}{
		{secret, told.Body, true},
		{other, told.Body, false},
		{secret, strings.Replace(told.Body, "1", "2", 1), false},
	} {
		verifier, err := standardwebhooks.NewWebhook(test.secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify([]byte(test.body), told.Header); (err == nil) != test.genuine {
			t.Errorf("genuine is %v: %v", test.genuine, err)
		}
	}
}

// What a receiver did not take comes again, so that it ends with the right state.
func TestStateIsRightInTheEnd(t *testing.T) {
	s := newStage(t)
	endpoint, _ := s.subscribe("acme-key", "/a")
	var mu sync.Mutex
	refused := 0
	s.Receiver.Answer(func(system.Delivery) int {
		mu.Lock()
		defer mu.Unlock()
		if refused++; refused <= 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	id := s.make("acme-key", "payments", "payment_id", `{"amount":1}`)
	s.later.Happen()
	// The next attempts would be due in seconds, then in minutes.
	s.Eventually(t, "the delivery is retried until it is taken", 2*time.Minute, func() error {
		if len(s.at("/a")) > 0 {
			return nil
		}
		output, err := s.Run(t.Context(), "webhooks", "retry", endpoint, "--address", s.Admin())
		return cmp.Or(err, errors.New(output))
	})
	if last := s.told("/a", "payment.confirmed", "payments/"+id); !strings.Contains(last.Body, "confirmed") {
		t.Errorf("the last state is %s", last.Body)
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
