// SPDX-License-Identifier: Apache-2.0

// Package coverage remembers which unsafe requests matched no rule, so that an
// operator can see which changes go unnoticed and which rules would catch them.
// It keeps templates of paths and counts, never paths.
package coverage

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// MaxTemplates limits how many kinds of requests are distinguished. An API has
// fewer; requests beyond the limit are noise or an attack, and are counted
// together.
const MaxTemplates = 1000

// lastEvery is the precision of the time of the last request. Writing it for
// every request would make all processors contend for it.
const lastEvery = time.Second

// Register counts requests by method and template. Its methods are safe for
// concurrent use; counting a known kind of request takes no lock.
type Register struct {
	now func() time.Time

	// known is replaced as a whole when a kind is added, and never modified.
	known atomic.Pointer[map[string]*entry]
	other atomic.Uint64
	mu    sync.Mutex // held while adding
	since time.Time  // guarded by mu
}

// entry counts one kind of request.
type entry struct {
	first time.Time
	count atomic.Uint64
	last  atomic.Int64 // Unix, in nanoseconds
}

// New returns an empty Register. Now is the clock; nil is time.Now.
func New(now func() time.Time) *Register {
	if now == nil {
		now = time.Now
	}
	r := &Register{now: now, since: now()}
	r.known.Store(&map[string]*entry{})
	return r
}

// Note counts a request, and returns how many of its kind there were; 0 if there are too
// many kinds. The path is the request's own, escaped or not, without query. Note keeps
// neither argument, and costs a fraction of a microsecond.
func (r *Register) Note(method, path string) uint64 {
	var buffer [maxTemplate]byte
	key := appendKey(buffer[:0], method, path)
	e := (*r.known.Load())[string(key)]
	if e == nil {
		if e = r.add(string(key)); e == nil {
			r.other.Add(1)
			return 0
		}
	}
	count := e.count.Add(1)
	if now := r.now().UnixNano(); now-e.last.Load() >= int64(lastEvery) {
		e.last.Store(now)
	}
	return count
}

// KindOf returns the kind of a request: its method, and the template of its path.
func KindOf(method, path string) (kind, template string) {
	kind, template, _ = strings.Cut(string(appendKey(nil, method, path)), " ")
	return kind, template
}

// add returns the entry of a kind that was not known, or nil if there are too
// many kinds.
func (r *Register) add(key string) *entry {
	// Another goroutine may have added it in the meantime, as the last that
	// fits.
	if known := *r.known.Load(); known[key] != nil || len(known) >= MaxTemplates {
		return known[key]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known := *r.known.Load()
	if e := known[key]; e != nil {
		return e
	}
	if len(known) >= MaxTemplates {
		return nil
	}
	more := make(map[string]*entry, len(known)+1)
	for k, e := range known {
		more[k] = e
	}
	e := &entry{first: r.now()}
	more[key] = e
	r.known.Store(&more)
	return e
}

// Line is one kind of request.
type Line struct {
	// Method and Template name the kind: "PATCH" and "/orders/:id".
	Method   string `json:"method"`
	Template string `json:"template"`
	// Count is how many there were.
	Count uint64 `json:"count"`
	// First and Last are when the first and the last came, Last to the second.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Suggestion is a rule that would catch them.
	Suggestion Suggestion `json:"suggestion"`
}

// Report is the content of a Register.
type Report struct {
	// Since is when counting began.
	Since time.Time `json:"since"`
	// Lines are the kinds of requests, those that came most often first.
	Lines []Line `json:"lines"`
	// Other counts requests beyond [MaxTemplates] kinds.
	Other uint64 `json:"other"`
}

// Report returns the counts so far.
func (r *Register) Report() Report {
	r.mu.Lock()
	report := Report{Since: r.since, Lines: []Line{}, Other: r.other.Load()}
	r.mu.Unlock()
	for key, e := range *r.known.Load() {
		count := e.count.Load()
		if count == 0 {
			continue // it is being added
		}
		method, template, _ := strings.Cut(key, " ")
		last := max(e.last.Load(), e.first.UnixNano())
		report.Lines = append(report.Lines, Line{
			Method: method, Template: template, Count: count,
			First: e.first, Last: time.Unix(0, last).In(e.first.Location()),
			Suggestion: suggest(method, template),
		})
	}
	slices.SortFunc(report.Lines, func(a, b Line) int {
		if a.Count != b.Count {
			if a.Count > b.Count {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Template+" "+a.Method, b.Template+" "+b.Method)
	})
	return report
}

// Forget forgets the kinds of requests of which covered reports that they need no rule
// any more, as after a new configuration: such as `PATCH` and `/orders/:id`. What is
// counted while it decides may be forgotten, too.
func (r *Register) Forget(covered func(method, template string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := make(map[string]*entry)
	for key, e := range *r.known.Load() {
		if method, template, _ := strings.Cut(key, " "); !covered(method, template) {
			left[key] = e
		}
	}
	r.known.Store(&left)
}
