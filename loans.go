// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"net/http"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Bounds of what is remembered. It only saves a request, or lends a credential
// once, so forgetting is always safe.
const (
	maxRemembered = 4096
	rememberFor   = 5 * time.Minute
)

// loans keeps what exchanges lend to the reading of Shows, for resources whose
// Show is not the operator's: the response to the last write, where no other
// write overlapped it; or the credential of its caller. None of it is stored.
type loans struct {
	mu      sync.Mutex
	running map[event.Key]runners
	kept    map[event.Key]loan
}

// runners are the exchanges about an object that are under way.
type runners struct {
	count int
	// overlap is true once there were two at a time, until there is none: the
	// answer of neither is sure to be what came last.
	overlap bool
}

// loan is what an exchange lent.
type loan struct {
	at     time.Time
	show   *show.Show
	header http.Header
}

func newLoans() *loans {
	return &loans{running: make(map[event.Key]runners), kept: make(map[event.Key]loan)}
}

func (x *exchange) remembered() bool {
	return x.match.Rule.Resource.ShowFrom != syntax.ShowFromOperator
}

// begin notes that an exchange is about to change its objects: what an earlier
// one told of them is not the last word any more.
func (l *loans) begin(x *exchange) {
	if !x.remembered() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range x.keys {
		r := l.running[key]
		l.running[key] = runners{count: r.count + 1, overlap: r.overlap || r.count > 0}
		if k := l.kept[key]; k.show != nil {
			delete(l.kept, key)
		}
	}
}

// keep takes what an exchange lends for its one object, before it is marked.
func (l *loans) keep(x *exchange, key event.Key) {
	if !x.remembered() {
		return
	}
	lent := loan{at: time.Now()}
	if x.match.Rule.Resource.ShowFrom == syntax.ShowFromCaller {
		lent.header = x.credential()
	} else {
		lent.show = x.ownShow()
	}
	if lent.header == nil && lent.show == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// All has been said: the object may be reconciled before the exchange has
	// ended in every respect, and then it is no other that overlaps.
	overlap := l.running[key].overlap
	l.leave(x)
	if lent.show != nil && (overlap || l.running[key].count > 0) {
		return
	}
	if len(l.kept) >= maxRemembered {
		l.forget(lent.at)
	}
	l.kept[key] = lent
}

// forget makes room: by what is too old, or else by anything.
func (l *loans) forget(now time.Time) {
	for key, k := range l.kept {
		if now.Sub(k.at) > rememberFor {
			delete(l.kept, key)
		}
	}
	for key := range l.kept {
		if len(l.kept) < maxRemembered {
			return
		}
		delete(l.kept, key)
	}
}

// end notes that an exchange is over. One that may have changed something
// without a word for it leaves nothing to be taken for the last word.
func (l *loans) end(x *exchange, outcome event.Outcome) {
	if !x.remembered() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave(x)
	for _, key := range x.keys {
		if k := l.kept[key]; outcome == event.OutcomeUnknown && k.show != nil {
			delete(l.kept, key)
		}
	}
}

// leave takes an exchange from those that run, once.
func (l *loans) leave(x *exchange) {
	if x.left {
		return
	}
	x.left = true
	for _, key := range x.keys {
		r := l.running[key]
		if r.count--; r.count > 0 {
			l.running[key] = r
		} else {
			delete(l.running, key)
		}
	}
}

// take returns what is lent for an object, which can be had once.
func (l *loans) take(key event.Key) loan {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kept[key]
	delete(l.kept, key)
	if time.Since(k.at) > rememberFor || k.show != nil && l.running[key].count > 0 {
		return loan{}
	}
	return k
}

// giveBack returns a credential that was not used up, as the API did not
// answer.
func (l *loans) giveBack(key event.Key, k loan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, newer := l.kept[key]; !newer && len(l.kept) < maxRemembered {
		l.kept[key] = k
	}
}

// credential returns what the caller proved itself with.
func (x *exchange) credential() http.Header {
	header := make(http.Header)
	for _, name := range x.match.Rule.Resource.CallerHeaders {
		if values := x.request.HTTP.Header.Values(name); len(values) > 0 {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if len(header) == 0 {
		return nil
	}
	return header
}

// ownShow returns the response to a write as the Show of its object, or nil
// where it is not whole.
func (x *exchange) ownShow() *show.Show {
	answer := &x.tee.answer
	if x.tee.status < 200 || x.tee.status > 299 || x.tee.status == http.StatusAccepted || len(answer.body) == 0 || answer.truncated {
		return nil
	}
	if json, err := answer.json(); err != nil || json == nil {
		return nil
	}
	header := http.Header{"Content-Type": {answer.kind}}
	if answer.etag != "" {
		header.Set("Etag", answer.etag)
	}
	return &show.Show{Status: http.StatusOK, Header: header, Body: answer.decoded}
}
