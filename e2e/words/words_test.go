// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package words has a real Caddy with the mistakes and the troubles that operators have,
// and reads what it says to them.
package words

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

const (
	oldSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	newSecret = "whsec_HxAeHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="
	caddyfile = `{
	admin $ADMIN
	auto_https off
	persist_config off
	webhooks {
		queue badger $QUEUE
		endpoint erp RECEIVER {
			secret {file.SECRET}
			retry 1h
			events items.*
		}
		endpoint crm RECEIVER/nothing {
			secret {file.SECRET}
			events order.*
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
	}
}
http://$SITE {
	bind 127.0.0.1
	webhooks {
		upstream API
		resource items {
			hide buyer.crad
		}
	}
	reverse_proxy API
}
`
	testTimeout = time.Minute
)

// stage is Caddy between an API and a receiver.
type stage struct {
	*testing.T
	*lab.Caddy

	secret string // the file's name

	mu       sync.Mutex
	shows    map[string]string
	loggedIn bool
	down     bool // of the receiver
	got      []string
	signedBy string // the secret that the last delivery was signed with
}

func newStage(t *testing.T) *stage {
	t.Parallel()
	s := &stage{T: t, secret: filepath.Join(t.TempDir(), "secret"), shows: make(map[string]string), loggedIn: true}
	api, receiver := httptest.NewServer(http.HandlerFunc(s.serveAPI)), httptest.NewServer(http.HandlerFunc(s.receive))
	t.Cleanup(api.Close)
	t.Cleanup(receiver.Close)
	s.keep(oldSecret)
	s.Caddy = lab.New(t, binary, nil, nil, filepath.Join(t.TempDir(), "queue"))
	s.Config = strings.NewReplacer("RECEIVER", receiver.URL, "API", api.Listener.Addr().String(), "SECRET", s.secret).Replace(caddyfile)
	s.Start(t)
	return s
}

// keep puts a secret into the file.
func (s *stage) keep(secret string) {
	if err := os.WriteFile(s.secret, []byte(secret+"\n"), 0o600); err != nil {
		s.Fatal(err)
	}
}

func (s *stage) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPut {
		s.shows[r.URL.Path] = string(body)
	} else if !s.loggedIn {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<form>Log in</form>")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, s.shows[r.URL.Path])
}

func (s *stage) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	s.got = append(s.got, r.Header.Get("Webhook-Event")+" "+r.Header.Get("Webhook-Object")+" "+string(body))
	for _, secret := range []string{oldSecret, newSecret} {
		if hook, err := standardwebhooks.NewWebhook(secret); err == nil && hook.Verify(body, r.Header) == nil {
			s.signedBy = secret
		}
	}
}

// set changes what the world is like.
func (s *stage) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// put changes an item through Caddy.
func (s *stage) put(item int, text string) {
	s.Helper()
	show := fmt.Sprintf(`{"id":"%d","buyer":{"card":"c"},"text":%q}`, item, text)
	if status, err := s.Do(context.Background(), http.MethodPut, fmt.Sprint("/items/", item), show); err != nil || status != http.StatusOK {
		s.Fatalf("PUT: %d, %v", status, err)
	}
}

// told waits until the receiver has an event with a text.
func (s *stage) told(text string) {
	s.Helper()
	s.Eventually(s.T, text+" is told", testTimeout, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, event := range s.got {
			if strings.Contains(event, text) {
				return nil
			}
		}
		return fmt.Errorf("told are %v", s.got)
	})
}

// says waits until a command prints all of some texts.
func (s *stage) says(command string, texts ...string) {
	s.Helper()
	s.Eventually(s.T, command, testTimeout, func() error {
		args := append([]string{"webhooks"}, strings.Fields(command)...)
		printed, err := s.Caddy.Run(context.Background(), append(args, "--address", s.Admin())...)
		for _, text := range texts {
			if !strings.Contains(printed, text) {
				return fmt.Errorf("it lacks %q (%w): %s", text, err, printed)
			}
		}
		return nil
	})
}

// logs waits until the log has a line with all of some texts.
func (s *stage) logs(texts ...string) {
	s.Helper()
	s.Eventually(s.T, "the log says it", testTimeout, func() error {
	lines:
		for line := range strings.Lines(s.Log()) {
			for _, text := range texts {
				if !strings.Contains(line, text) {
					continue lines
				}
			}
			return nil
		}
		return fmt.Errorf("no line has %q", texts)
	})
}

// A start says what is watched, whom it tells, and which endpoint waits for what nothing
// makes. A field that is never found where it should be hidden turns health red, with the
// line and with what is there.
func TestMistakesThatTrafficShows(t *testing.T) {
	s := newStage(t)
	s.logs(`"level":"info"`, "items", "erp")
	s.logs(`"level":"warn"`, "no rule makes the events that are wanted", "crm", "order.*")
	for item := range 20 {
		s.put(item, "a")
	}
	s.told("items/19")
	s.logs(`"level":"error"`, "hide buyer.crad", "Caddyfile:", "there is buyer.card")
	s.says("status", "failing", "hide buyer.crad")
	s.says("coverage", "hide buyer.crad, in resource items", "there is buyer.card")
	if status, problems, err := s.Health(); err != nil || status != http.StatusServiceUnavailable || !strings.Contains(problems, "hide buyer.crad") {
		t.Errorf("health: %d %s, %v", status, problems, err)
	}
	s.Stop(t)
}

// A page to log in is no Show: nothing is sent, and the state of the Shows says why. When
// Shows can be had again, all is told.
func TestPageToLogIn(t *testing.T) {
	s := newStage(t)
	s.put(1, "before")
	s.told("before")
	s.set(func() { s.loggedIn = false })
	s.put(1, "behind the form")
	s.logs(`"level":"warn"`, "a Show cannot be had", "GET /items/:id", "a page to log in")
	s.says("status", "Shows of items", "retrying")
	s.set(func() { s.loggedIn = true })
	s.says("look items/1", "items/1")
	s.told("behind the form")
	s.says("status", "Shows of items")
	s.set(func() {
		for _, event := range s.got {
			if strings.Contains(event, "<form>") {
				t.Errorf("the form is sent: %s", event)
			}
		}
	})
	s.Stop(t)
}

// What waits for a receiver that was down is sent by its first success, or by a word of
// the operator; before, it waits for its next retry, an hour away.
func TestReceiverThatIsBack(t *testing.T) {
	s := newStage(t)
	s.put(1, "before")
	s.told("before")
	s.set(func() { s.down = true })
	for item := range 5 {
		s.put(item, "while it is down")
	}
	s.says("endpoints", "retrying", "502")
	s.set(func() { s.down = false })
	s.says("retry erp", "erp")
	for item := range 5 {
		s.told(fmt.Sprintf(`items/%d {"id":"%d","buyer":{"card":"c"},"text":"while it is down"`, item, item))
	}
	s.says("endpoints", "erp", "active")
	s.Stop(t)
}

// A secret in a file is read again when the file changes, without a reload. One that is
// none is told, and the last one stays.
func TestSecretInAFile(t *testing.T) {
	s := newStage(t)
	signed := func(secret, text string) {
		t.Helper()
		s.put(1, text)
		s.told(text)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.signedBy != secret {
			t.Errorf("%s is signed by %s, want %s", text, s.signedBy, secret)
		}
	}
	signed(oldSecret, "first")
	s.keep(newSecret)
	s.logs("was read again", s.secret)
	signed(newSecret, "second")
	s.keep("")
	s.logs(`"level":"error"`, "cannot be used", s.secret)
	signed(newSecret, "third")
	if log := s.Log(); strings.Contains(log, oldSecret[6:]) || strings.Contains(log, newSecret[6:]) {
		t.Error("a secret is in the log")
	}
	s.Stop(t)
}
