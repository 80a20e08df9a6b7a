// SPDX-License-Identifier: Apache-2.0

package effect

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// listener takes what is told.
type listener struct {
	mu   sync.Mutex
	said []string
}

func listen(r *Register) *listener {
	l := new(listener)
	r.Tell(func(line Line, over bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.said = append(l.said, fmt.Sprintf("%s %d %s %t", line.Word, line.Looked, line.Instead, over))
	})
	return l
}

func (l *listener) expect(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Join(l.said, "\n") != strings.Join(want, "\n") {
		t.Errorf("told %q, want %q", l.said, want)
	}
}

// A word is told once when it has looked in vain often enough, and once when it is over.
func TestWord(t *testing.T) {
	r := New(time.Time{})
	heard := listen(r)
	hide, other := r.Add(Line{Word: "hide a", Leaks: true}, 3), r.Add(Line{Word: "version b"}, 3)
	like := func() string { return "data.a" }
	hide.Note(false, like)
	hide.Note(false, like)
	heard.expect(t)
	for range 5 {
		hide.Note(false, like)
	}
	heard.expect(t, "hide a 3 data.a false")
	if lines := r.Lines(); len(lines) != 1 || lines[0].Looked != 7 {
		t.Errorf("lines %+v", lines)
	}
	hide.Note(true, nil)
	hide.Note(false, nil)
	heard.expect(t, "hide a 3 data.a false", "hide a 3 data.a true")
	if lines := r.Lines(); len(lines) != 0 {
		t.Errorf("lines afterwards %+v", lines)
	}
	// One that was found once has an effect, however rarely.
	other.Note(false, nil)
	other.Note(true, nil)
	for range 10 {
		other.Note(false, nil)
	}
	heard.expect(t, "hide a 3 data.a false", "hide a 3 data.a true")
}

// A rule is told with the first kind of requests that is like its own, and with their
// latest number.
func TestWordOfRule(t *testing.T) {
	r := New(time.Time{})
	heard := listen(r)
	rule := r.Add(Line{Word: "update PUT /orders/:id", Rule: true}, 3)
	rule.Compare(2, "PUT /order/:id")
	heard.expect(t)
	rule.Compare(3, "PUT /order/:id")
	rule.Compare(9, "PUT /ordres/:id")
	rule.Compare(4, "PUT /order/:id")
	heard.expect(t, "update PUT /orders/:id 3 PUT /order/:id false")
	if lines := r.Lines(); len(lines) != 1 || lines[0].Looked != 4 || !strings.Contains(lines[0].String(), "4 requests PUT /order/:id passed that no rule matches") {
		t.Errorf("lines %+v", lines)
	}
	rule.Note(true, nil)
	rule.Compare(9, "PUT /order/:id")
	heard.expect(t, "update PUT /orders/:id 3 PUT /order/:id false", "update PUT /orders/:id 4 PUT /order/:id true")
}

// Those that leak come first, and those of two sites are one.
func TestSorted(t *testing.T) {
	sorted := Sorted([]Line{{Resource: "b", Word: "x"}, {Resource: "a", Word: "x"}, {Resource: "b", Word: "x"}, {Resource: "z", Word: "y", Leaks: true}})
	if len(sorted) != 3 || sorted[0].Resource+sorted[1].Resource+sorted[2].Resource != "zab" {
		t.Errorf("sorted %+v", sorted)
	}
	var none *Register
	none.Tell(nil)
	if word := none.Add(Line{}, 1); !word.Done() || none.Lines() != nil {
		t.Error("no register takes words")
	}
	(*Word)(nil).Note(false, nil)
	(*Word)(nil).Compare(9, "")
}

// However many look at once, it is told once, and never as over before it was told.
func TestWordConcurrently(t *testing.T) {
	for range 200 {
		r := New(time.Time{})
		heard := listen(r)
		word := r.Add(Line{Word: "w"}, 4)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { word.Note(i == 7, nil) })
		}
		all.Wait()
		if len(heard.said) == 1 || len(heard.said) > 2 {
			t.Fatalf("told %q", heard.said)
		}
	}
}
