// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// A response serves as the Show only where no other write overlapped its own:
// whichever of two was answered last, the other may have been done last.
func TestResponseIsTheLastWord(t *testing.T) {
	watcher := watcherFor(t, new(recordingQueue), &syntax.Resource{Name: "items", ShowFrom: syntax.ShowFromResponse})
	key := event.Key{Resource: "items", ID: "1"}
	begin := func() *exchange {
		x := exchangeOf(t, watcher, http.MethodPut, "/items/1", "{}", captured{body: []byte(`{"id":"1"}`)})
		watcher.Remembered.begin(x)
		return x
	}
	end := func(x *exchange) {
		watcher.Remembered.keep(x, key)
		watcher.Remembered.end(x, event.OutcomeChanged)
	}
	taken := func() bool { return watcher.Remembered.Take(key).Show != nil }

	end(begin())
	if !taken() {
		t.Error("the response to a write alone is not taken")
	}
	if taken() {
		t.Error("a response is taken twice")
	}
	for name, order := range map[string][2]int{"in their order": {0, 1}, "the other way round": {1, 0}} {
		both := [2]*exchange{begin(), begin()}
		end(both[order[0]])
		end(both[order[1]])
		if taken() {
			t.Errorf("two that overlap, ended %s: a response is taken", name)
		}
	}
	end(begin())
	later := begin()
	if taken() {
		t.Error("a response is taken while another write is under way")
	}
	watcher.Remembered.end(later, event.OutcomeUnknown)
	end(begin())
	if !taken() {
		t.Error("after all have ended, a response is not taken")
	}
	if len(watcher.Remembered.running)+len(watcher.Remembered.kept) != 0 {
		t.Errorf("something is kept: %v, %v", watcher.Remembered.running, watcher.Remembered.kept)
	}
}
