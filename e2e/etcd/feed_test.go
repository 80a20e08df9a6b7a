// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/e2e/internal/witness"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// all is the range of all keys.
const all = `"key":"AA==","range_end":"AA=="`

// change is a change of etcd's own feed.
type change struct {
	witness.Change
	key string // as it is, not in base64
}

// follow watches all keys with etcd itself, not through Caddy, until the test ends.
func follow(t *testing.T, address string) *witness.Journal[change] {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	body := `{"create_request":{` + all + `,"prev_kv":true}}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v3/watch", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("watching: %v", err)
	}
	journal := witness.NewJournal[change]()
	done, created := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer response.Body.Close()
		if err := readFeed(response.Body, journal, created); err != nil && ctx.Err() == nil {
			t.Errorf("the feed ended: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	select {
	case <-created:
	case <-done:
		t.Fatal("the feed ended before it began")
	}
	return journal
}

// readFeed reads the answers of a watch, until they end.
func readFeed(body io.Reader, journal *witness.Journal[change], created chan struct{}) error {
	answers := json.NewDecoder(body)
	for {
		var answer struct {
			Result struct {
				Created bool `json:"created"`
				Events  []struct {
					Type string          `json:"type"`
					KV   json.RawMessage `json:"kv"`
				} `json:"events"`
			} `json:"result"`
		}
		if err := answers.Decode(&answer); err != nil {
			return err
		}
		if answer.Result.Created {
			close(created)
		}
		for _, e := range answer.Result.Events {
			key := gjson.GetBytes(e.KV, "key").String()
			name, err := event.NewKey("kv", key)
			if err != nil {
				return fmt.Errorf("the feed has a key that is no id: %w", err)
			}
			told := change{Change: witness.Change{Object: name.String(), Op: "change", State: string(event.Canonical(e.KV))}, key: decoded(key)}
			switch {
			case e.Type == "DELETE":
				told.Op, told.State = "delete", witness.Gone
			case gjson.GetBytes(e.KV, "version").String() == "1":
				told.Op = "create"
			}
			journal.Add(told)
		}
	}
}

// state returns the state that a payload shows, in the form of the feed.
func state(object string, payload []byte) string {
	if !strings.HasPrefix(object, "kv/") {
		return string(event.Canonical(payload))
	}
	return string(event.Canonical([]byte(gjson.GetBytes(payload, "kvs.0").Raw)))
}

func encoded(key string) string { return base64.StdEncoding.EncodeToString([]byte(key)) }

func decoded(text string) string {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "not base64: " + text
	}
	return string(key)
}

// end returns the end of the range of the keys that begin with some text.
func end(prefix string) string {
	last := []byte(prefix)
	last[len(last)-1]++
	return string(last)
}

// stored returns the keys that begin with some text and the revisions at which they
// were changed, from etcd itself.
func stored(ctx context.Context, site *witness.Site, api, prefix string) (map[string]string, error) {
	body := fmt.Sprintf(`{"key":%q,"range_end":%q,"keys_only":true}`, encoded(prefix), encoded(end(prefix)))
	a, err := site.Do(ctx, http.MethodPost, api+"/v3/kv/range", body)
	if err != nil || a.Status != http.StatusOK {
		return nil, fmt.Errorf("reading what is stored: %d %s (%w)", a.Status, bytes.TrimSpace(a.Body), err)
	}
	revisions := make(map[string]string)
	for _, kv := range gjson.GetBytes(a.Body, "kvs").Array() {
		revisions[decoded(kv.Get("key").String())] = kv.Get("mod_revision").String()
	}
	return revisions, nil
}
