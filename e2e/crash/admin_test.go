// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// status returns the queue's figures.
func (c *caddy) status(ctx context.Context) (queue.Stats, error) {
	var status struct {
		Queue queue.Stats `json:"queue"`
	}
	err := c.ask(ctx, "/webhooks/status", &status)
	return status.Queue, err
}

func (c *caddy) ask(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Admin+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, response.Status, body)
	}
	return json.Unmarshal(body, into)
}

// list reads all pages of a list.
func list[T any](ctx context.Context, t *testing.T, c *caddy, view string, filter url.Values) []T {
	t.Helper()
	var rows []T
	query := url.Values{"limit": {"1000"}}
	for name, values := range filter {
		query[name] = values
	}
	for {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next"`
		}
		if err := c.ask(ctx, "/webhooks/"+view+"?"+query.Encode(), &page); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, page.Items...)
		if page.Next == "" {
			return rows
		}
		query.Set("cursor", page.Next)
	}
}

// drained waits until nothing is left to do: no open intent, no mark, no
// pending delivery. The figures are taken one after the other, so work that
// moves from one to the next could be in none of them: they must be 0 several
// times.
func (c *caddy) drained(t *testing.T) {
	t.Helper()
	const often = 6
	times := 0
	err := eventually(within(t, patience), 25*time.Millisecond, func() error {
		if err := c.idle(t.Context()); err != nil {
			times = 0
			return err
		}
		if times++; times < often {
			return errors.New("it was not for long")
		}
		return nil
	})
	if err != nil {
		var marks any
		if err := c.ask(t.Context(), "/webhooks/marks?limit=10", &marks); err != nil {
			t.Error(err)
		}
		t.Fatalf("the queue is not drained: %v\nmarks: %v\n%s", err, marks, c.tail())
	}
}

// idle returns the remaining work, as an error.
func (c *caddy) idle(ctx context.Context) error {
	stats, err := c.status(ctx)
	if err != nil {
		return err
	}
	// A delivery is counted once its event is durable, but listed before.
	var deliveries struct {
		Items []any `json:"items"`
	}
	if err := c.ask(ctx, "/webhooks/deliveries?status=pending&limit=1", &deliveries); err != nil {
		return err
	}
	pending := len(deliveries.Items)
	for _, n := range stats.PendingDeliveries {
		pending += n
	}
	if stats.OpenIntents+stats.Marks+pending > 0 {
		return fmt.Errorf("there are %d open intents, %d marks and %d pending deliveries", stats.OpenIntents, stats.Marks, pending)
	}
	return nil
}

// reload gives a running process another configuration.
func (c *caddy) reload(ctx context.Context, caddyfile string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Admin+"/load", strings.NewReader(caddyfile))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Header.Set("Cache-Control", "must-revalidate")
	response, body, err := sendAgain(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, body)
	}
	return nil
}

// makeKey makes an API key of the tenant acme.
func (c *caddy) makeKey(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Admin+"/webhooks/keys?tenant=acme&name=crash", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	response, body, err := sendAgain(request)
	var made struct{ Key string }
	if err == nil {
		err = json.Unmarshal(body, &made)
	}
	if err != nil || made.Key == "" {
		t.Fatalf("making a key: %v: %v: %s", err, response.Status, body)
	}
	return made.Key
}

// sendAgain sends a request until it is answered. Caddy replaces its admin
// endpoint with every configuration, and a connection that is accepted at that
// moment is reset.
func sendAgain(request *http.Request) (response *http.Response, body []byte, err error) {
	request.Close = true
	for range 20 {
		if request.Body, err = request.GetBody(); err != nil {
			return nil, nil, err
		}
		if response, err = http.DefaultClient.Do(request); err == nil {
			body, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		if err == nil || request.Context().Err() != nil {
			return response, body, err
		}
		pause(request.Context(), 50*time.Millisecond)
	}
	return response, body, err
}
