// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

// canaries are texts that must not be found where they do not belong.
var canaries = map[string]string{
	"a hidden field":                  "canary-hidden-5105105105105100",
	"a hidden field of a nested list": "canary-nested-4242424242424242",
	"a caller's token":                "canary-caller-token",
	"a caller's cookie":               "canary-caller-cookie",
	"the operator's token":            "canary-operator-token",
	"an endpoint's path":              "canary-endpoint-path",
	"an endpoint's query":             "canary-endpoint-query",
	"an endpoint's password":          "canary-endpoint-password",
	"an endpoint's secret":            "Y2FuYXJ5LXNlY3JldC1jYW5hcnktc2VjcmV0LTEyMzQ=",
	"a named receiver's path":         "canary-named-path",
	"a named receiver's credential":   "canary-named-credential",
}

// G9: what `hide` names, secrets and callers' credentials are not found in the
// queue's directory, the log, the metrics, the admin endpoint's answers or the
// payloads of deliveries, whatever goes well or wrong.
func TestCanaries(t *testing.T) {
	s := newStage(t)
	log := filepath.Join(t.TempDir(), "log")
	var mu sync.Mutex
	var received bytes.Buffer
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		received.Write(body)
		mu.Unlock()
		s.events <- r.Header.Get("Webhook-Event") + " " + r.Header.Get("Webhook-Object")
	}))
	defer receiver.Close()
	for name, value := range map[string]string{
		"CANARY_SECRET": "whsec_" + canaries["an endpoint's secret"], "CANARY_PASSWORD": canaries["an endpoint's password"],
		"CANARY_TOKEN": canaries["the operator's token"],
		"CANARY_URL":   receiver.URL + "/" + canaries["an endpoint's path"] + "?q=" + canaries["an endpoint's query"],
		"CANARY_DEAD":  "http://" + freeport.Address(t) + "/" + canaries["an endpoint's path"] + "?q=" + canaries["an endpoint's query"],
	} {
		t.Setenv(name, value)
	}
	s.mustLoad(s.canaryConfig(log))

	send := func(method, path, body string) {
		t.Helper()
		r, err := http.NewRequest(method, "http://"+s.address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+canaries["a caller's token"])
		r.Header.Set("Cookie", "session="+canaries["a caller's cookie"])
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
	}
	show := func(n int) string {
		return fmt.Sprintf(`{"id":"1","n":%d,"card":"%s%d","lines":[{"card":"%s"},{"card":"%s"}],"hook":"https://h.example/%s","auth":"%s"}`, n,
			canaries["a hidden field"], n, canaries["a hidden field of a nested list"], canaries["a hidden field of a nested list"],
			canaries["a named receiver's path"], canaries["a named receiver's credential"])
	}
	for i := range 3 {
		send(http.MethodPut, "/items/1", show(i))
		s.expect("items.updated items/1")
		s.expect("items.card items/1")
	}
	send(http.MethodPut, "/items/2", "no JSON, and the card "+canaries["a hidden field"])
	send(http.MethodPut, "/callers/1", `{"id":"1"}`)
	s.expect("callers.updated callers/1")
	send(http.MethodPatch, "/nowhere/1", `{"card":"`+canaries["a hidden field"]+`"}`)

	answers := s.everything()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for where, content := range map[string][]byte{
		"the log": text, "the admin endpoint": answers, "payloads": received.Bytes(),
		"the queue's files": lab.Written(t, s.dir), "the queue's records": recordsOf(t, s.dir),
	} {
		if len(content) < 100 {
			t.Errorf("%s has %d bytes: nothing was looked through", where, len(content))
		}
		for what, canary := range canaries {
			if at := bytes.Index(content, []byte(canary)); at >= 0 {
				t.Errorf("%s is in %s: …%q…", what, where, content[max(0, at-80):min(len(content), at+60)])
			}
		}
	}
}

func (s *stage) canaryConfig(log string) string {
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	metrics
	log {
		level DEBUG
		output file %s
	}
	webhooks {
		queue badger %s
		endpoint good {env.CANARY_URL} {
			secret {env.CANARY_SECRET}
			auth basic user {env.CANARY_PASSWORD}
		}
		endpoint dead {env.CANARY_DEAD} {
			secret {env.CANARY_SECRET}
		}
		egress {
			allow http
			allow network 127.0.0.0/8
		}
	}
}
http://%s {
	webhooks {
		upstream %s {
			header_up Authorization "Bearer {env.CANARY_TOKEN}"
		}
		resource items {
			hide card lines.#.card hook auth
			event items.updated on change
			event items.card on change card
			keep show
			notify url request:hook authorization request:auth
		}
		resource callers {
			show as caller
		}
	}
	reverse_proxy %s
}
`, s.admin, log, s.dir, s.address, s.api.Listener.Addr(), s.api.Listener.Addr())
}

// everything returns all that the admin endpoint tells.
func (s *stage) everything() []byte {
	s.t.Helper()
	var all bytes.Buffer
	for _, path := range []string{
		"/config/", "/metrics", "/webhooks/status", "/webhooks/health", "/webhooks/events", "/webhooks/deliveries", "/webhooks/attempts",
		"/webhooks/marks", "/webhooks/unresolved", "/webhooks/coverage", "/webhooks/queue",
	} {
		response := s.getAdmin(path)
		if _, err := io.Copy(&all, response.Body); err != nil {
			s.t.Fatal(err)
		}
		response.Body.Close()
	}
	return all.Bytes()
}

// recordsOf returns all records of a closed queue, in every version that is
// kept: its files may be compressed.
func recordsOf(t *testing.T, dir string) []byte {
	t.Helper()
	db, err := badgerdb.Open(badgerdb.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all []byte
	err = db.View(func(txn *badgerdb.Txn) error {
		options := badgerdb.DefaultIteratorOptions
		options.AllVersions = true
		records := txn.NewIterator(options)
		defer records.Close()
		for records.Rewind(); records.Valid(); records.Next() {
			all = append(append(all, '\n'), records.Item().Key()...)
			if all, err = appendValue(all, records.Item()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func appendValue(all []byte, item *badgerdb.Item) ([]byte, error) {
	err := item.Value(func(value []byte) error {
		all = append(all, value...)
		return nil
	})
	return all, err
}
