// SPDX-License-Identifier: Apache-2.0

// Package shapes runs the example APIs that are not REST with the Caddyfiles
// beside them, in a real Caddy, and compares the deliveries with the changes
// that each API recorded.
package shapes

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhooks/caddy-webhooks"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

// testTimeout limits every wait. Only a failing test uses it up.
const testTimeout = 2 * time.Minute

const secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// delivery is a delivery that the receiver got.
type delivery struct {
	eventType string
	sequence  int
	payload   []byte
}

// stage is Caddy between an API and a receiver.
type stage struct {
	dir           string
	t             *testing.T
	api, receiver *httptest.Server
	site, admin   string
	mu            sync.Mutex
	seen          map[string]bool
	deliveries    map[string][]delivery // by object, in the order of arrival
	webhook       *standardwebhooks.Webhook
	wrong         []string
}

// newStage loads a Caddyfile, in which it replaces the addresses by those of
// this test.
func newStage(t *testing.T, file string, api http.Handler) *stage {
	t.Helper()
	// The directory is made before registering the cleanup that stops Caddy, so
	// that it outlives Caddy.
	s := &stage{t: t, dir: t.TempDir(), seen: make(map[string]bool), deliveries: make(map[string][]delivery)}
	var err error
	if s.webhook, err = standardwebhooks.NewWebhook(secret); err != nil {
		t.Fatal(err)
	}
	s.api = httptest.NewServer(api)
	s.receiver = httptest.NewServer(http.HandlerFunc(s.receive))
	s.site, s.admin = freeport.Address(t), freeport.Address(t)
	t.Setenv("WEBHOOK_SECRET", secret)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		s.api.Close()
		s.receiver.Close()
	})

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(s.at(string(text))), map[string]any{"filename": file})
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
	return s
}

// at puts the stage's addresses into a Caddyfile.
func (s *stage) at(text string) string {
	s.t.Helper()
	for _, replaced := range []struct {
		this, by string
		times    int
	}{
		{"{\n\twebhooks {", "{\n\tadmin " + s.admin + "\n\tpersist_config off\n\tlog {\n\t\tlevel ERROR\n\t}\n\twebhooks {", 1},
		{"./data/", s.dir + "/", 1},
		{"http://127.0.0.1:9001/", s.receiver.URL + "/", 1},
		{"127.0.0.1:9000", s.api.Listener.Addr().String(), 2},
		{"http://localhost:8080", "http://" + s.site, 1},
	} {
		if !strings.Contains(text, replaced.this) {
			s.t.Fatalf("the Caddyfile has no %q", replaced.this)
		}
		text = strings.Replace(text, replaced.this, replaced.by, replaced.times)
	}
	return text
}

func checkFormatted(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if formatted := caddyfile.Format(text); strings.TrimSpace(string(formatted)) != strings.TrimSpace(string(text)) {
		t.Errorf("%s is not formatted as caddy fmt does", file)
	}
}

func (s *stage) receive(_ http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err == nil {
		err = s.webhook.Verify(payload, r.Header)
	}
	sequence, notNumber := strconv.Atoi(r.Header.Get("Webhook-Sequence"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || notNumber != nil {
		s.wrong = append(s.wrong, "a delivery is wrong: "+r.Header.Get("Webhook-Object"))
		return
	}
	if id := r.Header.Get("Webhook-Id"); !s.seen[id] {
		s.seen[id] = true
		object := r.Header.Get("Webhook-Object")
		s.deliveries[object] = append(s.deliveries[object], delivery{r.Header.Get("Webhook-Event"), sequence, payload})
	}
}

// request is a request to the API.
type request struct {
	method, target, kind, body string
}

// send sends a request through Caddy, and returns the answer.
func (s *stage) send(asked request) (int, string) {
	r, err := http.NewRequest(asked.method, "http://"+s.site+asked.target, strings.NewReader(asked.body))
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	if asked.kind != "" {
		r.Header.Set("Content-Type", asked.kind)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Error(err)
	}
	return response.StatusCode, string(text)
}

// work is the queue's remaining work.
type work struct {
	Queue struct {
		OpenIntents       int            `json:"open_intents"`
		Marks             int            `json:"marks"`
		Looks             int            `json:"looks"`
		Unresolved        int            `json:"unresolved"`
		PendingDeliveries map[string]int `json:"pending_deliveries"`
	} `json:"queue"`
}

// settle waits until nothing is left to do: no open intent, no object to look
// at, now or later, and no delivery.
func (s *stage) settle() {
	s.t.Helper()
	var last work
	for deadline := time.Now().Add(testTimeout); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		response, err := http.Get("http://" + s.admin + "/webhooks/status")
		if err != nil {
			s.t.Fatal(err)
		}
		last = work{}
		err = json.NewDecoder(response.Body).Decode(&last)
		response.Body.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		pending := 0
		for _, n := range last.Queue.PendingDeliveries {
			pending += n
		}
		if last.Queue.Unresolved > 0 {
			s.t.Fatalf("there are changes whose object is not known: %+v", last)
		}
		if last.Queue.OpenIntents+last.Queue.Marks+last.Queue.Looks+pending == 0 {
			return
		}
	}
	s.t.Fatalf("there is work left: %+v", last)
}
