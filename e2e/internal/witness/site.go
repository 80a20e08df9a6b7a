// SPDX-License-Identifier: Apache-2.0

// Package witness tests the module with APIs that know nothing of it. The API serves in
// the test's process, with Caddy in front of it; what a receiver gets is compared with
// the API's own feed.
package witness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // what a Caddyfile needs

	_ "github.com/caddy-webhooks/caddy-webhooks" // the module
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
)

const caddyfile = `
{
	admin %[1]s
	persist_config off
	auto_https off
	storage file_system %[2]s
	grace_period 1s
	log {
		level ERROR
	}
	webhooks {
		queue badger %[2]s/queue
		durability process
		endpoint receiver %[3]s {
			secret %[4]s
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
	}
}

http://%[5]s {
	bind 127.0.0.1
	webhooks {
		upstream %[6]s {
			%[8]s
		}
		%[7]s
	}
	reverse_proxy %[6]s
}
`

// Site is a Caddy in front of an API, and a receiver.
type Site struct {
	// URL is Caddy's.
	URL      string
	Receiver *Receiver
	Client   *http.Client

	admin string
}

// Start starts Caddy before the API at an address, with some lines of the `webhooks`
// directive and some of its `upstream`, and stops it when the test ends. State returns the
// state that a payload shows, in the form of the API's feed.
func Start(t *testing.T, address, rules string, state func(object string, payload []byte) string, upstream ...string) *Site {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	at := freeport.Address(t)
	s := &Site{
		URL: "http://" + at, Receiver: startReceiver(t, state), Client: &http.Client{Transport: transport}, admin: freeport.Address(t),
	}
	config := fmt.Sprintf(caddyfile, s.admin, t.TempDir(), s.Receiver.url, receiverSecret, at, address, rules, strings.Join(upstream, "\n"))
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), nil)
	if err != nil {
		t.Fatalf("adapting the Caddyfile: %v", err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatalf("starting Caddy: %v", err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	s.listed(t)
	return s
}

// Within returns the context of a test's waits. Only a failing test uses it up.
func Within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Eventually asks again and again until there is no error, or returns the last one when
// ctx ends.
func Eventually(ctx context.Context, ask func() error) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// Answer is an answer that was read.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request.
func (s *Site) Do(ctx context.Context, method, url, body string, header ...string) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := s.Client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, read}, err
}

// listed waits until each list is complete: from then on, new objects are told from old
// ones.
func (s *Site) listed(t *testing.T) {
	t.Helper()
	err := Eventually(Within(t), func() error {
		var coverage struct {
			Lists []struct {
				Resource string    `json:"resource"`
				Complete time.Time `json:"complete"`
				Reason   string    `json:"reason"`
			} `json:"lists"`
		}
		if err := s.ask(t.Context(), "coverage", &coverage); err != nil {
			return err
		}
		for _, list := range coverage.Lists {
			if list.Complete.IsZero() {
				return fmt.Errorf("the list of %s is not complete: %s", list.Resource, list.Reason)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Quiet waits until nothing is left to do: no exchange, no mark, no delivery. The
// figures are taken one after the other, so they must be 0 several times.
func (s *Site) Quiet(ctx context.Context) error {
	times := 0
	err := Eventually(ctx, func() error {
		if err := s.idle(ctx); err != nil {
			times = 0
			return err
		}
		if times++; times < 5 {
			return errors.New("it was quiet, but not for long")
		}
		return nil
	})
	if err != nil {
		var marks any
		_ = s.ask(context.WithoutCancel(ctx), "marks?limit=20", &marks)
		return fmt.Errorf("%w; marks: %v", err, marks)
	}
	return nil
}

func (s *Site) idle(ctx context.Context) error {
	var status struct {
		Queue struct {
			OpenIntents       int            `json:"open_intents"`
			Marks             int            `json:"marks"`
			PendingDeliveries map[string]int `json:"pending_deliveries"`
		} `json:"queue"`
	}
	if err := s.ask(ctx, "status", &status); err != nil {
		return err
	}
	var deliveries struct {
		Items []any `json:"items"`
	}
	if err := s.ask(ctx, "deliveries?status=pending&limit=1", &deliveries); err != nil {
		return err
	}
	pending := len(deliveries.Items)
	for _, n := range status.Queue.PendingDeliveries {
		pending += n
	}
	if status.Queue.OpenIntents+status.Queue.Marks+pending > 0 {
		return fmt.Errorf("there are %d open exchanges, %d marks and %d pending deliveries", status.Queue.OpenIntents, status.Queue.Marks, pending)
	}
	return nil
}

// Mark is an object that something is left to do for.
type Mark struct {
	Object    string `json:"object"`
	LastError string `json:"last_error"`
}

// Marks returns what is left to do.
func (s *Site) Marks(ctx context.Context) ([]Mark, error) {
	var page struct {
		Items []Mark `json:"items"`
	}
	err := s.ask(ctx, "marks?limit=1000", &page)
	return page.Items, err
}

// Record is an exchange of which nobody knows which object it changed.
type Record struct {
	Resource string `json:"resource"`
	Rule     string `json:"rule"`
	Reason   string `json:"reason"`
}

// Unresolved returns the records of such exchanges.
func (s *Site) Unresolved(ctx context.Context) ([]Record, error) {
	var page struct {
		Items []Record `json:"items"`
	}
	err := s.ask(ctx, "unresolved?limit=1000", &page)
	return page.Items, err
}

// ask reads a view of the admin endpoint.
func (s *Site) ask(ctx context.Context, view string, into any) error {
	a, err := s.Do(ctx, http.MethodGet, "http://"+s.admin+"/webhooks/"+view, "")
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("%s: %d %s", view, a.Status, a.Body)
	}
	return json.Unmarshal(a.Body, into)
}
