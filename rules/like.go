// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// Limits of the search for what a path may have meant.
const (
	maxLikeDepth   = 8
	maxLikeMembers = 2000
	// manyMembers is how many members an object has whose names are probably not
	// those of fields, but data.
	manyMembers = 40
)

// like returns the path of a member of a document that a path may have meant, "" for none:
// one of the same last name elsewhere, or of almost the same name.
func like(json []byte, path string) string {
	steps, err := jsonpath.Parse(strings.TrimSuffix(strings.TrimSuffix(path, namesStep), "."))
	if err != nil || !gjson.ValidBytes(json) {
		return ""
	}
	s := search{}
	for _, step := range steps {
		if step.Kind == jsonpath.Name {
			s.wanted = step.Name
		}
	}
	if s.wanted != "" {
		s.walk(gjson.ParseBytes(json), "", 0)
	}
	return s.best
}

// hasElements reports whether a document has a list with anything in it, or is one.
func hasElements(json []byte) bool {
	s := search{}
	s.walk(gjson.ParseBytes(json), "", 0)
	return s.elements
}

// search looks for a member with a name.
type search struct {
	wanted, best string
	distance     int // of best, if there is one
	seen         int
	elements     bool
}

func (s *search) walk(value gjson.Result, path string, depth int) {
	if depth > maxLikeDepth || s.seen > maxLikeMembers {
		return
	}
	isArray, isMap := value.IsArray(), len(value.Map()) > manyMembers
	if !isArray && !value.IsObject() {
		return
	}
	value.ForEach(func(name, member gjson.Result) bool {
		s.seen++
		step := "#"
		switch {
		case isArray:
			s.elements = true
		case isMap || !isFieldName(name.String()):
			step = "*"
		default:
			step = jsonpath.Escape(name.String())
		}
		at := strings.TrimPrefix(path+"."+step, ".")
		if !isArray && step != "*" {
			s.meet(name.String(), at)
		}
		s.walk(member, at, depth+1)
		return s.seen <= maxLikeMembers
	})
}

// meet compares a member with the name that is looked for.
func (s *search) meet(name, at string) {
	if s.wanted == "" {
		return
	}
	d, ok := distance(plainName(name), plainName(s.wanted))
	if ok && (s.best == "" || d < s.distance) {
		s.best, s.distance = at, d
	}
}

// plainName returns a name without what differs between the habits of writing names.
func plainName(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
}

// isFieldName reports whether a member's name may be that of a field, and so may be told:
// names of members can be data.
func isFieldName(name string) bool {
	digits := 0
	for _, c := range name {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', strings.ContainsRune("_-@$#:.", c):
		default:
			return false
		}
	}
	return name != "" && len(name) <= 40 && digits <= 2 && !strings.Contains(name[1:], "@")
}

// distance returns how many letters differ between two words, and whether they are so few
// that one may be a slip of the pen for the other: one in a short word, two in a long one.
func distance(a, b string) (int, bool) {
	const short, long = 3, 6
	shorter := min(len(a), len(b))
	most := 0
	switch {
	case shorter >= long:
		most = 2
	case shorter >= short:
		most = 1
	}
	if len(a) > 64 || len(b) > 64 || max(len(a), len(b))-shorter > most {
		return 0, false
	}
	d := edits(a, b)
	return d, d <= most
}

// edits returns how many letters are to be added, left out, replaced, or swapped with their
// neighbours to make one word of another.
func edits(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, last, next := rows[0], rows[1], rows[2]
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(last[j]+cost, last[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
