// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Limits of what is remembered. It only saves a request, or lends a credential
// once, so forgetting is always safe.
const (
	maxRemembered = 4096
	rememberFor   = 5 * time.Minute
)

// Remembered holds what exchanges lend to the reading of Shows, for resources
// whose Show is not the operator's: the response to the last write, if no other
// write overlapped it, or the credential of its caller. None of it is stored.
type Remembered struct {
	mu sync.Mutex
	// running counts the exchanges under way, and kept holds the loans, by
	// object.
	running map[event.Key]runners
	kept    map[event.Key]Loan
}

// runners counts the exchanges about an object that are under way.
type runners struct {
	count int
	// overlap is true once there are two at a time, until there is none: neither
	// answer is sure to be that of the last write.
	overlap bool
}

// Loan is what an exchange lends.
type Loan struct {
	at time.Time
	// Show is the response to the last write, nil for none.
	Show *show.Show
	// Header is the credential of the last caller, nil for none.
	Header http.Header
}

// NewRemembered returns a Remembered with nothing in it.
func NewRemembered() *Remembered {
	return &Remembered{running: make(map[event.Key]runners), kept: make(map[event.Key]Loan)}
}

// lends reports whether an exchange has anything to lend.
func (x *exchange) lends() bool {
	return x.match.Rule.Resource.ShowFrom != syntax.ShowFromOperator && len(x.members) == 0
}

// begin notes that an exchange is about to change its objects: the response to an
// earlier one is not that of the last write any more.
func (m *Remembered) begin(x *exchange) {
	if !x.lends() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range x.keys {
		r := m.running[key]
		m.running[key] = runners{count: r.count + 1, overlap: r.overlap || r.count > 0}
		if k := m.kept[key]; k.Show != nil {
			delete(m.kept, key)
		}
	}
}

// keep takes what an exchange lends for its object, before the object is marked.
func (m *Remembered) keep(x *exchange, key event.Key) {
	if !x.lends() {
		return
	}
	lent := Loan{at: time.Now()}
	if x.match.Rule.Resource.ShowFrom == syntax.ShowFromCaller {
		lent.Header = x.credential()
	} else {
		lent.Show = x.ownShow()
	}
	if lent.Header == nil && lent.Show == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	// The response is complete. The object may be reconciled before the exchange
	// has ended, and must not find it under way then.
	overlap := m.running[key].overlap
	m.leave(x)
	if lent.Show != nil && (overlap || m.running[key].count > 0) {
		return
	}
	if len(m.kept) >= maxRemembered {
		m.forget(lent.at)
	}
	m.kept[key] = lent
}

// forget makes room: it removes loans that are too old, or else any.
func (m *Remembered) forget(now time.Time) {
	for key, k := range m.kept {
		if now.Sub(k.at) > rememberFor {
			delete(m.kept, key)
		}
	}
	for key := range m.kept {
		if len(m.kept) < maxRemembered {
			return
		}
		delete(m.kept, key)
	}
}

// end notes that an exchange is over. After one of unknown outcome, no response
// that is kept is sure to be that of the last write.
func (m *Remembered) end(x *exchange, outcome event.Outcome) {
	if !x.lends() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leave(x)
	for _, key := range x.keys {
		if k := m.kept[key]; outcome == event.OutcomeUnknown && k.Show != nil {
			delete(m.kept, key)
		}
	}
}

// leave removes an exchange from those under way, once.
func (m *Remembered) leave(x *exchange) {
	if x.left {
		return
	}
	x.left = true
	for _, key := range x.keys {
		r := m.running[key]
		if r.count--; r.count > 0 {
			m.running[key] = r
		} else {
			delete(m.running, key)
		}
	}
}

// Take returns the loan for an object, and forgets it.
func (m *Remembered) Take(key event.Key) Loan {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.kept[key]
	delete(m.kept, key)
	if time.Since(k.at) > rememberFor || k.Show != nil && m.running[key].count > 0 {
		return Loan{}
	}
	return k
}

// GiveBack keeps a credential for another try, because the API did not answer.
func (m *Remembered) GiveBack(key event.Key, k Loan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, newer := m.kept[key]; !newer && len(m.kept) < maxRemembered {
		m.kept[key] = k
	}
}

// credential returns the headers that prove who the caller is, nil for none.
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

// ownShow returns the response to a write as the Show of its object, nil if it is
// not complete.
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
