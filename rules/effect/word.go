// SPDX-License-Identifier: Apache-2.0

// Package effect notes which words of a configuration have no effect, as only traffic
// shows: what they look for stands in no answer, or what they are about is never asked.
package effect

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Enough is how often a word looks in vain before that is told. A field that one object in
// five has is missed in twenty Shows by one word in a hundred; a slip of the pen by all.
const Enough = 20

// Where words look.
const (
	InShows     = "Shows that were new or had changed"
	InExchanges = "exchanges"
	InRequests  = "requests"
	InAnswers   = "answers"
	InPages     = "pages of a list that had something"
)

// Line says of a word what it is, and how it fares.
type Line struct {
	// Resource is the resource in which the word stands.
	Resource string `json:"resource"`
	// Word is the word as it is written: "hide buyer.card".
	Word string `json:"word"`
	// At is the file and line, or the place in the handler's JSON.
	At string `json:"at"`
	// Leaks means that what should be hidden may be sent.
	Leaks bool `json:"leaks,omitempty"`
	// Rule means that the word is a rule: it has no effect if it matches no request.
	Rule bool `json:"rule,omitempty"`

	// Since is when counting began.
	Since time.Time `json:"since"`
	// Looked counts how often the word has looked in vain, and In says where; of a
	// rule, how many requests like its own no rule has matched.
	Looked uint64 `json:"looked"`
	In     string `json:"in"`
	// Instead is what is there and alike, "" for nothing: a path, or of a rule a kind
	// of requests.
	Instead string `json:"instead,omitempty"`
}

// String returns the line in words.
func (l Line) String() string { return l.Name() + ": " + l.Reason() }

// Name returns the word, and where it stands.
func (l Line) Name() string { return fmt.Sprintf("%s, in resource %s (%s)", l.Word, l.Resource, l.At) }

// Reason returns why the word has no effect.
func (l Line) Reason() string {
	since := l.Since.Format(time.RFC3339)
	if l.Rule {
		return fmt.Sprintf("no request matched since %s, and %d requests %s passed that no rule matches", since, l.Looked, l.Instead)
	}
	text := fmt.Sprintf("looked for in %d %s since %s, and never found", l.Looked, l.In, since)
	switch {
	case l.Leaks && l.Instead != "":
		text += "; there is " + l.Instead + ", which is stored and sent if that is what was meant"
	case l.Leaks:
		text += "; what was to be hidden is stored and sent, if it has another name"
	case l.Instead != "":
		text += "; there is " + l.Instead
	}
	return text
}

// Word is a word of the configuration that has an effect once it has found what it looks
// for. A nil Word notes nothing. Its methods are safe for concurrent use; noting takes
// no lock.
type Word struct {
	register *Register
	enough   uint64
	looked   atomic.Uint64
	found    atomic.Bool

	mu   sync.Mutex
	line Line // guarded by mu, as is told
	told bool
}

// Done reports whether there is nothing to note any more.
func (w *Word) Done() bool { return w == nil || w.found.Load() }

// Note notes that the word has looked for something, and whether it has found it.
// Instead, if not nil, returns what is there that is like it; it is called when it is to
// be told.
func (w *Word) Note(found bool, instead func() string) {
	switch {
	case w.Done():
	case found:
		w.settle()
	case w.looked.Add(1) == w.enough:
		like := ""
		if instead != nil {
			like = instead()
		}
		w.miss(w.enough, like)
	}
}

// Compare notes that a number of requests like those of a rule passed that no rule
// matches. Of several kinds, the first is told.
func (w *Word) Compare(requests uint64, kind string) {
	if w.Done() || requests < w.enough {
		return
	}
	w.miss(requests, kind)
}

// miss tells that the word has no effect, unless it was told.
func (w *Word) miss(looked uint64, instead string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.found.Load():
	case w.told:
		if w.line.Instead == instead {
			w.line.Looked = max(w.line.Looked, looked)
		}
	default:
		w.told, w.line.Looked, w.line.Instead = true, looked, instead
		w.register.say(w.line, false)
	}
}

// settle notes that the word has an effect, and tells it if the contrary was told.
func (w *Word) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.found.Swap(true) || !w.told {
		return
	}
	w.told = false
	w.register.say(w.line, true)
}

// report returns how the word fares, and whether it has been told to have no effect.
func (w *Word) report() (Line, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := w.line
	if !line.Rule {
		line.Looked = w.looked.Load()
	}
	return line, w.told
}
