// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
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

// Loans are kept as long as there is memory for them, and not for ever; the oldest go first.
func TestLoansAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewRemembered()
		m.limit = 10_000
		key := func(i int) event.Key { return event.Key{Resource: "items", ID: strconv.Itoa(i)} }
		lend := func(i, size int) {
			m.put(key(i), Loan{at: time.Now(), Show: &show.Show{Body: make([]byte, size)}})
		}
		for i := range 100 {
			lend(i, 1000-loanCost)
			lend(i, 1000-loanCost) // again
		}
		if len(m.kept) != 10 || m.order.Len() != 10 || m.bytes != 10_000 {
			t.Errorf("%d are kept, %d in order, of %d bytes", len(m.kept), m.order.Len(), m.bytes)
		}
		if m.Take(key(89)).Show != nil || m.Take(key(90)).Show == nil || m.Take(key(99)).Show == nil {
			t.Error("not the last ten are kept")
		}
		lend(200, 20_000)
		if len(m.kept) != 0 || m.bytes != 0 {
			t.Errorf("what there is no room for is kept: %d, %d bytes", len(m.kept), m.bytes)
		}
		m.put(key(1), Loan{at: time.Now(), Header: http.Header{"Authorization": {strings.Repeat("x", 9_000)}}})
		if m.bytes < 9_000 {
			t.Errorf("a credential counts for %d bytes", m.bytes)
		}
		time.Sleep(rememberFor + time.Second)
		lend(2, 10)
		if len(m.kept) != 1 || m.Take(key(1)).Header != nil {
			t.Error("a loan is kept for too long")
		}
	})
}
