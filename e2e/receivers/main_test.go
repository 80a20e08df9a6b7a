// SPDX-License-Identifier: Apache-2.0

// Package receivers tests what receives webhooks against a real Caddy: the package
// receiver, in memory and in a database, and the examples in other languages, as far as
// their languages are installed.
package receivers

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	_ "modernc.org/sqlite" // a database without C

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
	"github.com/caddy-webhooks/caddy-webhooks/receiver"
)

const secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// handled is an event that a receiver has handled.
type handled struct {
	ID       string `json:"id"`
	Type     string `json:"event"`
	Object   string `json:"object"`
	Sequence uint64 `json:"sequence"`
	Op       string `json:"op"`
	Body     string `json:"body"`
}

// subject is a receiver that is tested.
type subject struct {
	url string

	mu     sync.Mutex
	events []handled
}

func (s *subject) add(h handled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, h)
}

// of returns what was handled of an object.
func (s *subject) of(object string) (events []handled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.events {
		if h.Object == object {
			events = append(events, h)
		}
	}
	return events
}

// subjects are the receivers, by name; feed is the URL of a feed, or empty. Start is called
// again, with the same directory, as a restart.
var subjects = map[string]func(t *testing.T, s *subject, dir, feed string){
	"go": func(t *testing.T, s *subject, dir, feed string) {
		startGo(t, s, feed, func(options *receiver.Options) { options.Store = memories.of(dir) })
	},
	"go with a database": func(t *testing.T, s *subject, dir, feed string) {
		startGo(t, s, feed, func(options *receiver.Options) { options.Store, _ = openStore(t, dir) })
	},
	"python": func(t *testing.T, s *subject, dir, feed string) {
		startProgram(t, s, dir, feed, "python3", "../../examples/receiver/python/receiver.py")
	},
	"typescript": func(t *testing.T, s *subject, dir, feed string) {
		startProgram(t, s, dir, feed, "node", stripped(t, "../../examples/receiver/typescript/receiver.ts"))
	},
}

// stores are what outlives a restart that is none.
type stores struct {
	mu sync.Mutex
	by map[string]*receiver.Memory
}

var memories = stores{by: make(map[string]*receiver.Memory)}

func (s *stores) of(dir string) *receiver.Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by[dir] == nil {
		s.by[dir] = receiver.NewMemory(0)
	}
	return s.by[dir]
}

// openStore opens the database in a directory.
func openStore(t *testing.T, dir string) (*receiver.SQL, *sql.DB) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "webhooks.db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := receiver.NewSQL(t.Context(), db, receiver.SQLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return store, db
}

func startGo(t *testing.T, s *subject, feed string, change func(*receiver.Options)) {
	t.Helper()
	options := receiver.Options{
		Secrets: []string{secret},
		Handle: func(_ context.Context, e *receiver.Event) error {
			s.add(handled{e.ID, e.Type, e.Object, e.Sequence, e.Op, string(e.Body)})
			return nil
		},
	}
	if feed != "" {
		options.Feed = &receiver.Feed{URL: feed, Begin: "oldest"}
	}
	change(&options)
	handler, err := receiver.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.url = server.URL
}

// stripped returns a file with a TypeScript program without its types, for Nodes that do
// not take them.
func stripped(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	result := api.Transform(string(text), api.TransformOptions{Loader: api.LoaderTS, Format: api.FormatESModule})
	if len(result.Errors) > 0 {
		t.Fatal(result.Errors)
	}
	to := filepath.Join(t.TempDir(), "receiver.mjs")
	if err := os.WriteFile(to, result.Code, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// startProgram starts a receiver in another language, which prints what it handles.
func startProgram(t *testing.T, s *subject, dir, feed, command, file string) {
	t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		t.Skipf("NOT TESTED: there is no %s here", command)
	}
	address := freeport.Address(t)
	s.url = "http://" + address
	_, port, _ := strings.Cut(address, ":")
	ctx, cancel := context.WithCancel(context.Background())
	program := exec.CommandContext(ctx, command, file) //nolint:gosec // one of the examples
	program.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret, "WEBHOOK_PORT="+port, "WEBHOOK_FEED="+feed,
		"WEBHOOK_DB="+filepath.Join(dir, "webhooks.db"), "WEBHOOK_LOG="+filepath.Join(dir, "webhooks.log"))
	var complaints strings.Builder
	program.Stderr = &complaints
	printed, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(printed)
		for lines.Scan() {
			var h handled
			if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
				t.Errorf("%s printed %q", command, lines.Text())
			}
			s.add(h)
		}
	}()
	t.Cleanup(func() {
		cancel() // kills it
		<-ended
		_ = program.Wait()
		if t.Failed() {
			t.Logf("%s complained: %s", command, complaints.String())
		}
	})
	eventually(t, func() error {
		connection, err := http.Get(s.url)
		if err == nil {
			_ = connection.Body.Close()
		}
		return err
	})
}

func eventually(t *testing.T, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // polling another process
	}
}

// number returns an event of an object.
func number(object string, n uint64) *event.Event {
	id := fmt.Sprintf("%s%020d", object, n)
	return &event.Event{
		ID: "evt_" + strings.Repeat("0", 32-len(id)) + id, Type: "items.updated", Key: event.Key{Resource: "items", ID: object},
		Sequence: n, Op: event.OpChange, Freshness: event.FreshnessVersion,
	}
}

// headersOf returns the headers of a delivery.
func headersOf(t *testing.T, e *event.Event, body string) map[string]string {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := signer.Sign(e.DeliveryID(), now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	said := e.Claims()
	return map[string]string{
		"webhook-id": e.DeliveryID(), "webhook-timestamp": strconv.FormatInt(now.Unix(), 10), "webhook-signature": signature,
		"webhook-event": said.Type, "webhook-object": said.Object, "webhook-sequence": said.Sequence, "webhook-op": said.Op,
		"webhook-freshness": said.Freshness,
	}
}

// send sends an event, and returns the status.
func send(t *testing.T, url string, e *event.Event, change func(map[string]string)) int {
	t.Helper()
	const body = `{"a":"ü"}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	headers := headersOf(t, e, body)
	if change != nil {
		change(headers)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
