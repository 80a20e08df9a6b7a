// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/console"
)

// The names that the page uses for this API and for its reader's receiver.
const (
	pageAPI      = "https://api.example.com"
	pageReceiver = "https://erp.example.com"
)

// subscriber is the reader of the page for subscribers, who types what it says.
type subscriber struct {
	*stage
	console.Reader
	receiver *httptest.Server

	mu sync.Mutex
	// status and word are what the receiver answers.
	status int
	word   string
}

// Each request of the page for subscribers gets the answer that the page shows.
func TestSubscribersPage(t *testing.T) {
	steps, err := console.Steps(pageText(t, "docs/subscribers.md"))
	if err != nil {
		t.Fatal(err)
	}
	r := newSubscriber(t)
	requests := 0
	for _, step := range steps {
		if strings.HasPrefix(step.Command, "curl ") {
			requests++
		}
		if err := r.Do(t.Context(), step); err != nil {
			t.Fatalf("docs/subscribers.md:%d: %s%s: %v", step.Line, step.Command, step.Meanwhile, err)
		}
	}
	if requests < 30 {
		t.Errorf("the page has %d requests", requests)
	}
}

func newSubscriber(t *testing.T) *subscriber {
	t.Helper()
	r := &subscriber{stage: newStage(t), status: http.StatusNoContent}
	r.receiver = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.receiver.Close)
	text := r.config("", "}\nhandle_path /webhooks/* {\nwebhooks_api")
	r.mustLoad(strings.Replace(text, "resource items\n", "resource items {\ntenant seller\n}\n", 1))
	r.change("/items/1", "items.updated items/1")
	created, err := http.Post("http://"+r.admin+"/webhooks/keys?tenant=acme&name=erp", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer created.Body.Close()
	var key struct{ Key string }
	if err := json.NewDecoder(created.Body).Decode(&key); err != nil {
		t.Fatal(err)
	}
	r.Reader = console.Reader{
		Names: []string{pageAPI, "http://" + r.address, pageReceiver, r.receiver.URL}, Given: map[string]string{"KEY": key.Key},
		Meanwhile: r.meanwhile, Timeout: testTimeout, Logf: t.Logf,
	}
	return r
}

// receive is the reader's receiver.
func (s *subscriber) receive(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.word != "" {
		w.Header().Set("Webhook-Delivery", s.word)
	}
	w.WriteHeader(s.status)
}

// meanwhile does what happens while the page tells of something else: `put` changes an
// object of the API, `receiver` says what the receiver answers, and `until` waits for a
// text in the answer to a path.
func (s *subscriber) meanwhile(what string) error {
	word, rest, _ := strings.Cut(what, " ")
	first, second, _ := strings.Cut(rest, " ")
	switch word {
	case "put":
		s.put(first, second)
	case "receiver":
		status, err := strconv.Atoi(first)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.status, s.word = status, second
		s.mu.Unlock()
	case "until":
		words, err := console.Words(`"`+first+`"`, s.Variables)
		if err != nil || len(words) != 1 {
			return fmt.Errorf("%q is no path: %w", first, err)
		}
		reader := client{s.t, "http://" + s.address + "/webhooks", http.Header{"Authorization": {"Bearer " + s.Variables["KEY"]}}}
		// Polling more often would use up what a subscriber may ask.
		tick, end := time.NewTicker(250*time.Millisecond), time.After(testTimeout)
		defer tick.Stop()
		for {
			_, answer, _ := reader.do(http.MethodGet, words[0], "")
			if text, err := json.Marshal(answer); err == nil && strings.Contains(string(text), second) {
				return nil
			}
			select {
			case <-tick.C:
			case <-end:
				return fmt.Errorf("not within %s", testTimeout)
			}
		}
	default:
		return fmt.Errorf("nothing of that name happens")
	}
	return nil
}
