// SPDX-License-Identifier: Apache-2.0

package effect

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Register has the words of one configuration. Words are added before any of them is
// used; a new configuration begins anew. A nil Register takes none.
type Register struct {
	since time.Time
	words []*Word
	tell  atomic.Pointer[func(line Line, over bool)]
}

// New returns a Register that counts from now on.
func New(now time.Time) *Register { return &Register{since: now} }

// Tell has a function called, once for each word, when enough shows that the word has no
// effect, and once, with over, when it has one after all. It must not call the Register.
func (r *Register) Tell(tell func(line Line, over bool)) {
	if r != nil {
		r.tell.Store(&tell)
	}
}

func (r *Register) say(line Line, over bool) {
	if tell := r.tell.Load(); tell != nil {
		(*tell)(line, over)
	}
}

// Add adds a word, which is told when it has looked in vain some times.
func (r *Register) Add(line Line, enough uint64) *Word {
	if r == nil {
		return nil
	}
	line.Since = r.since
	w := &Word{register: r, enough: enough, line: line}
	r.words = append(r.words, w)
	return w
}

// Lines returns the words without effect, those that leak first.
func (r *Register) Lines() []Line {
	if r == nil {
		return nil
	}
	var lines []Line
	for _, w := range r.words {
		if line, told := w.report(); told {
			lines = append(lines, line)
		}
	}
	return Sorted(lines)
}

// Sorted sorts lines as operators want them: those that leak first. Of two about the same
// word, as two sites have that import one snippet, it keeps one.
func Sorted(lines []Line) []Line {
	slices.SortStableFunc(lines, func(a, b Line) int {
		switch {
		case a.Leaks != b.Leaks && a.Leaks:
			return -1
		case a.Leaks != b.Leaks:
			return 1
		}
		return strings.Compare(a.Resource, b.Resource)
	})
	seen := make(map[[2]string]bool, len(lines))
	return slices.DeleteFunc(lines, func(l Line) bool {
		id := [2]string{l.Resource, l.Word}
		again := seen[id]
		seen[id] = true
		return again
	})
}
