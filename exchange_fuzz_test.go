// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// fuzzedQueue takes what a handler notes, and refuses keys that cannot be read
// back from what operators and the queue's files know them by.
type fuzzedQueue struct{ t *testing.T }

func (q fuzzedQueue) check(key event.Key) {
	if key.IsZero() || strings.Contains(key.Resource, "@") {
		return // a listing is named by more than a resource
	}
	if back, err := event.ParseKey(key.String()); err != nil || back != key {
		q.t.Errorf("key %q is read as %v, %v", key.String(), back, err)
	}
}

func (q fuzzedQueue) Note(_ context.Context, intent queue.Intent) (queue.IntentID, error) {
	q.check(intent.Key)
	for _, key := range intent.Touches {
		q.check(key)
	}
	return 1, nil
}

func (q fuzzedQueue) Resolve(_ context.Context, _ string, _ queue.IntentID, resolution queue.Resolution, _ bool) {
	for i := range resolution.Marks {
		q.check(resolution.Marks[i].Key)
	}
}

// newFuzzed returns a handler with some rules, or nil where they are refused.
func newFuzzed(t *testing.T, resources string) *Handler {
	h := new(Handler)
	if h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("webhooks {\nupstream 127.0.0.1:1\n"+resources+"\n}")) != nil {
		return nil
	}
	h.Capture = 1 << 12
	h.setDefaults()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if h.provisionRules(ctx) != nil {
		return nil
	}
	q := fuzzedQueue{t}
	h.watch(zap.NewNop(), exchange.Options{
		Notes: q, Metrics: counted,
		Seal:    func(string, exchange.Callback) ([]byte, error) { return []byte("sealed"), nil },
		Observe: func(_ *rules.Resource, key event.Key, _ show.Show) { q.check(key) },
	})
	return h
}

// addCorpus adds the exchanges of the corpus as seeds.
func addCorpus(f *testing.F) {
	pages, err := filepath.Glob("testdata/exchanges/*.md")
	if err != nil || len(pages) == 0 {
		f.Fatal("no corpus", err)
	}
	for _, page := range append(pages, "docs/configuration.md") {
		for _, s := range storiesOf(f, page) {
			var method, target, sent, sentKind, kind string
			for _, line := range scriptLines(s.script) {
				word, rest, _ := strings.Cut(line, " ")
				first, after, _ := strings.Cut(rest, " ")
				switch {
				case word == ">" && first == "Content-Type:":
					sentKind = after
				case word == ">" && !strings.HasSuffix(first, ":"):
					method, sentKind, kind = first, "", ""
					target, sent, _ = strings.Cut(after, " ")
				case word == "<" && first == "Content-Type:":
					kind = after
				case word == "<":
					if status, err := strconv.Atoi(first); err == nil {
						f.Add(s.rules, method, target, sentKind, []byte(sent), status, kind, []byte(after))
					}
				}
			}
		}
	}
}

// FuzzExchange sends exchanges of any kind past any rules: nothing panics, the
// API gets the request and the client the answer byte by byte, every key can
// be read back, and none of it takes long.
func FuzzExchange(f *testing.F) {
	addCorpus(f)
	f.Fuzz(func(t *testing.T, rules, method, target, sentKind string, sent []byte, status int, kind string, answer []byte) {
		if len(rules)+len(target)+len(sent)+len(answer) > 1<<16 || status < 200 || status > 599 ||
			len(answer) > 0 && (status == http.StatusNoContent || status == http.StatusNotModified) {
			t.Skip()
		}
		request, err := http.NewRequest(method, "http://api.example"+target, strings.NewReader(string(sent)))
		if err != nil || !strings.HasPrefix(target, "/") {
			t.Skip()
		}
		h := newFuzzed(t, rules)
		if h == nil {
			t.Skip()
		}
		request.Header.Set("Content-Type", sentKind)
		request.RequestURI = target
		w := httptest.NewRecorder()
		r := caddyhttp.PrepareRequest(request, caddy.NewReplacer(), w, new(caddyhttp.Server))
		begun := time.Now()
		err = h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			var got strings.Builder
			if _, err := io.Copy(&got, r.Body); err != nil || got.String() != string(sent) {
				t.Errorf("the API got %q, %v; the client sent %q", got.String(), err, sent)
			}
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			if len(answer) == 0 {
				return nil
			}
			_, err := w.Write(answer)
			return err
		}))
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		if err != nil || w.Code != status || w.Body.String() != string(answer) {
			t.Errorf("the client got %d %q, %v; the API answered %d %q", w.Code, w.Body, err, status, answer)
		}
	})
}
