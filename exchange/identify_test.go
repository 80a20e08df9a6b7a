// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

func TestIdentify(t *testing.T) {
	watcher := watcherFor(t, new(recordingQueue),
		&syntax.Resource{Name: "items"},
		&syntax.Resource{Name: "files", Slashes: true},
		&syntax.Resource{Name: "batch_transactions"},
		&syntax.Resource{Name: "addresses", Show: &syntax.Request{Path: "/v1/addresses/:id"}},
		&syntax.Resource{Name: "goods", ID: []string{"data.0.sku"}},
		&syntax.Resource{Name: "processes", Show: &syntax.Request{Path: "/dossiers/:dossier/processes/:id"}},
	)
	for i, tc := range []struct {
		target string
		answer captured
		want   string // "" for none
	}{
		{"/items", captured{body: []byte(`{"id":"7"}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"items":{"id":7}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"item":{"id":7}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"data":{"id":"7"}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"id":null,"item":{"id":7}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"id":"","item":{"id":7}}`)}, "items/7"},
		{"/items", captured{body: []byte(`{"id":{"a":1}}`)}, ""},
		{"/items", captured{body: []byte(`{"id":true}`)}, ""},
		// Numbers as they stand.
		{"/items", captured{body: []byte(`{"id":9007199254740993}`)}, "items/9007199254740993"},
		{"/items", captured{body: []byte(`{"id":"b c"}`)}, "items/b%20c"},
		{"/items", captured{body: []byte(`{"id":"a/b c"}`)}, ""},
		{"/files", captured{body: []byte(`{"id":"a/b c"}`)}, "files/a%2Fb%20c"},
		{"/batch_transactions", captured{body: []byte(`{"batch_transaction":{"id":"x"}}`)}, "batch_transactions/x"},
		{"/v1/addresses", captured{body: []byte(`{"address":{"id":"x"}}`)}, "addresses/x"},
		{"/goods", captured{body: []byte(`{"id":"no","data":[{"sku":"x1"}]}`)}, "goods/x1"},
		{"/dossiers/d1/processes", captured{body: []byte(`{"id":"p1"}`)}, "processes/d1/p1"},
		// Location, if the body has no id.
		{"/items", captured{location: "/items/7"}, "items/7"},
		{"/items", captured{location: "/items/7/"}, "items/7"},
		{"/items", captured{location: "items/7"}, "items/7"},
		{"/items", captured{location: "http://api.example/items/7?x=1#y"}, "items/7"},
		{"/items", captured{location: "/items/a%2Fb"}, ""},
		{"/files", captured{location: "/files/a%2Fb"}, "files/a%2Fb"},
		{"/items", captured{body: []byte(`{"id":"8"}`), location: "/items/7"}, "items/8"},
		{"/items", captured{truncated: true, location: "/items/7"}, "items/7"},
		{"/items", captured{body: []byte("x"), encoding: "unheard-of", location: "/items/7"}, "items/7"},
		{"/dossiers/d1/processes", captured{location: "/dossiers/d1/processes/p1"}, "processes/d1/p1"},
		{"/items", captured{location: "http://other.example/items/7"}, ""},
		{"/items", captured{location: "/others/7"}, ""},
		{"/items", captured{location: "/items"}, ""},
		{"/items", captured{location: "/items/7/parts"}, ""},
		{"/items", captured{location: "/items/..%2f..%2fusers"}, ""},
		{"/items", captured{location: "::"}, ""},
		// A body that is not JSON has no id.
		{"/items", captured{body: []byte(`{"id":"7"`)}, ""},
		{"/items", captured{body: []byte(`<html><id>7</id></html>`), kind: "text/html"}, ""},
		{"/items", captured{body: []byte(`{"id":"7"} trailing`)}, ""},
		{"/items", captured{}, ""},
	} {
		key, err := exchangeOf(t, watcher, "POST", tc.target, "", tc.answer).identified()
		if tc.want == "" {
			if err == nil {
				t.Errorf("Test %d: identified %s", i, key)
			}
			continue
		}
		if err != nil || key != tc.want {
			t.Errorf("Test %d: identified %v, %v; want %s", i, key, err, tc.want)
		}
	}
}

// exchangeOf returns an exchange with its answer, as it is when it has ended.
func exchangeOf(t testing.TB, watcher *Watcher, method, target, requestBody string, answer captured) *exchange {
	t.Helper()
	r := httptest.NewRequest(method, "http://api.example"+target, strings.NewReader(requestBody))
	request := rules.Request{HTTP: r, Method: method, Limit: watcher.opts.Capture}
	var found rules.Match
	if !watcher.opts.Rules.Find(&request, &found) {
		t.Fatalf("%s %s matches nothing", method, target)
	}
	x := newExchange(watcher, newTee(httptest.NewRecorder()), request, found)
	x.tee.status, x.tee.answer = http.StatusCreated, answer
	return x
}

// identified returns the keys that an exchange is about, joined by spaces.
func (x *exchange) identified() (string, error) {
	keys := x.keys
	if len(keys) == 0 {
		var err error
		if keys, err = x.identify(); err != nil {
			return "", err
		}
	}
	texts := make([]string, len(keys))
	for i, key := range keys {
		texts[i] = key.String()
	}
	return strings.Join(texts, " "), nil
}

func FuzzIdentify(f *testing.F) {
	f.Add([]byte(`{"id":"7"}`), "", "/items/7")
	f.Add([]byte(`{"items":{"id":1e400}}`), "gzip", "http://h/items/%2e%2e")
	f.Add([]byte{0x1f, 0x8b, 8, 0}, "gzip", "//x")
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd}, "zstd,deflate", "items/7/")
	watcher := watcherFor(f, new(recordingQueue), &syntax.Resource{Name: "items", Version: "v"})
	f.Fuzz(func(t *testing.T, body []byte, encoding, location string) {
		x := exchangeOf(t, watcher, "POST", "/items", "", captured{body: body, encoding: encoding, location: location})
		_ = x.version()
		keys, err := x.identify()
		if err != nil {
			return
		}
		for _, key := range keys {
			if again, err := event.ParseKey(key.String()); err != nil || again != key {
				t.Errorf("identified %v, which is no key: %v", key, err)
			}
		}
	})
}
