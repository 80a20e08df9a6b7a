// SPDX-License-Identifier: Apache-2.0

package pocketbase

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// message is a message of PocketBase's realtime feed about a change.
type message struct {
	action string
	id     string
	record json.RawMessage
	// step and updated give the order of a record's changes: the tests count
	// articles' changes in their amount, PocketBase records the time.
	step    float64
	updated string
}

// state is the record's state, in the form of delivery.state.
func (m message) state() string {
	if m.action == "delete" {
		return gone
	}
	return string(event.Canonical(m.record))
}

// feed is a subscription to all changes of articles.
type feed struct {
	messages *journal[message]
}

// follow subscribes to the feed at the given URL, until the test ends.
func (l *lab) follow(t *testing.T, base string) *feed {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/realtime", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := l.client.Do(r)
	if err != nil {
		t.Fatalf("connecting to the feed: %v", err)
	}
	f := &feed{messages: newJournal[message]()}
	client := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer response.Body.Close()
		if err := f.read(response.Body, client); err != nil && ctx.Err() == nil {
			t.Errorf("the feed ended: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	select {
	case id := <-client:
		l.subscribe(t, base, id)
	case <-done:
		t.Fatal("the feed ended before it began")
	case <-deadline(t).Done():
		t.Fatal("the feed does not begin")
	}
	return f
}

func (l *lab) subscribe(t *testing.T, base, client string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"clientId": client, "subscriptions": []string{"articles/*"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(deadline(t), http.MethodPost, base+"/api/realtime", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if a, err := l.do(r); err != nil || a.status != http.StatusNoContent {
		t.Fatalf("subscribing to the feed: %d %s (%v)", a.status, a.body, err)
	}
}

// read reads server-sent events until they end.
func (f *feed) read(body io.Reader, client chan<- string) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	name := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		switch {
		case field == "event":
			name = value
		case field == "data" && name == "PB_CONNECT":
			var connected struct {
				ClientID string `json:"clientId"`
			}
			if err := json.Unmarshal([]byte(value), &connected); err != nil {
				return err
			}
			client <- connected.ClientID
		case field == "data":
			if err := f.take(value); err != nil {
				return err
			}
		}
	}
	return cmp.Or(lines.Err(), errors.New("no more events"))
}

func (f *feed) take(data string) error {
	var change struct {
		Action string          `json:"action"`
		Record json.RawMessage `json:"record"`
	}
	if err := json.Unmarshal([]byte(data), &change); err != nil {
		return err
	}
	var record struct {
		ID      string  `json:"id"`
		Amount  float64 `json:"amount"`
		Updated string  `json:"updated"`
	}
	if err := json.Unmarshal(change.Record, &record); err != nil {
		return err
	}
	f.messages.add(message{change.Action, record.ID, change.Record, record.Amount, record.Updated})
	return nil
}

// await waits for n messages of a record and returns them in the order of the
// changes. PocketBase sends each message from its own goroutine, so that
// messages about quick changes can overtake each other.
func (f *feed) await(ctx context.Context, id string, n int) ([]message, error) {
	messages, err := f.messages.await(ctx, func(m message) bool { return m.id == id }, atLeast[message](n))
	slices.SortStableFunc(messages, func(a, b message) int {
		return cmp.Or(cmp.Compare(a.step, b.step), strings.Compare(a.updated, b.updated), lastIfDelete(a)-lastIfDelete(b))
	})
	return messages, err
}

func lastIfDelete(m message) int {
	if m.action == "delete" {
		return 1
	}
	return 0
}
