// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"container/list"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Limits of what is remembered. It only saves a request, or lends a credential
// once, so forgetting is always safe.
const (
	// maxRemembered limits the bytes, and rememberedShare their part of the memory that
	// Go may use, if that is limited (GOMEMLIMIT).
	maxRemembered   = 64 << 20
	rememberedShare = 16
	// loanCost is about what a loan costs besides what it lends.
	loanCost    = 512
	rememberFor = 5 * time.Minute
)

// Remembered holds what exchanges lend to the reading of Shows, for resources
// whose Show is not the operator's: the response to the last write, if no other
// write overlapped it, or the credential of its caller. None of it is stored.
type Remembered struct {
	mu sync.Mutex
	// running counts the exchanges under way, and kept holds the loans, by
	// object.
	running map[event.Key]runners
	kept    map[event.Key]*list.Element // of *kept
	// order has the oldest first.
	order        *list.List
	bytes, limit int
}

// kept is a loan as it is kept.
type kept struct {
	key  event.Key
	loan Loan
	size int
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
	return &Remembered{
		running: make(map[event.Key]runners), kept: make(map[event.Key]*list.Element), order: list.New(),
		limit: int(min(debug.SetMemoryLimit(-1)/rememberedShare, maxRemembered)),
	}
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
		m.dropShow(key)
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
	m.put(key, lent)
}

// put keeps a loan in the place of an older one, and forgets the oldest that there is no
// room for.
func (m *Remembered) put(key event.Key, lent Loan) {
	m.drop(key)
	k := &kept{key: key, loan: lent, size: lent.size()}
	m.kept[key] = m.order.PushBack(k)
	m.bytes += k.size
	for m.bytes > m.limit {
		m.drop(m.order.Front().Value.(*kept).key)
	}
	for {
		oldest := m.order.Front()
		if oldest == nil || lent.at.Sub(oldest.Value.(*kept).loan.at) <= rememberFor {
			return
		}
		m.drop(oldest.Value.(*kept).key)
	}
}

// drop forgets the loan for an object.
func (m *Remembered) drop(key event.Key) {
	if element, found := m.kept[key]; found {
		m.bytes -= element.Value.(*kept).size
		m.order.Remove(element)
		delete(m.kept, key)
	}
}

// dropShow forgets the response of an object's last write.
func (m *Remembered) dropShow(key event.Key) {
	if element, found := m.kept[key]; found && element.Value.(*kept).loan.Show != nil {
		m.drop(key)
	}
}

// size returns about how much memory a loan takes.
func (l Loan) size() int {
	size := loanCost
	if l.Show != nil {
		size += len(l.Show.Body)
	}
	for name, values := range l.Header {
		size += len(name)
		for _, value := range values {
			size += len(value)
		}
	}
	return size
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
		if outcome == event.OutcomeUnknown {
			m.dropShow(key)
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
	element, found := m.kept[key]
	if !found {
		return Loan{}
	}
	lent := element.Value.(*kept).loan
	m.drop(key)
	if time.Since(lent.at) > rememberFor || lent.Show != nil && m.running[key].count > 0 {
		return Loan{}
	}
	return lent
}

// GiveBack keeps a credential for another try, because the API did not answer.
func (m *Remembered) GiveBack(key event.Key, k Loan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, newer := m.kept[key]; !newer {
		m.put(key, k)
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
