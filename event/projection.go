// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// ErrNotProjectable is returned for a document that cannot be proven free of
// hidden fields: it is neither readable JSON nor readable XML, or a hidden path
// names the whole document.
var ErrNotProjectable = errors.New("hidden fields cannot be taken out of it")

// Projection removes fields from documents before they are stored or sent:
// those at `hide` paths, or all but those at `only` paths. With both, it keeps
// the fields of `only` without those of `hide`. The zero Projection changes
// nothing.
//
// A path is dotted like a gjson path: "buyer.card", "lines.#.price" for each
// element of a list, "*.secret" for each member, `a\.b` for a name with a dot.
// It reaches further than gjson's where that is the safe reading: a name
// applied to a list continues in each of its elements, and a "#" applied to a
// value that is no list stands for that value. So "buyer.card" hides the cards
// of one buyer and of many. If a member is repeated, every one counts, and
// names are compared after unescaping.
//
// A number in a path is a member with that name, or the element at that index.
type Projection struct {
	hide, only [][]jsonpath.Step
	id         string
}

// NewProjection compiles paths. It refuses queries, modifiers and wildcards
// within names: nobody could say what they would hide in a document that has
// another shape.
func NewProjection(hide, only []string) (p Projection, err error) {
	if p.hide, err = compilePaths("hide", hide); err != nil {
		return Projection{}, err
	}
	if p.only, err = compilePaths("only", only); err != nil {
		return Projection{}, err
	}
	if !p.IsZero() {
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", hide, only))
		p.id = string(sum[:8])
	}
	return p, nil
}

// ID tells projections apart; that of the zero Projection is "". To apply the same
// one twice may remove more than to apply it once: in a list, what follows a removed
// element takes its place.
func (p Projection) ID() string { return p.id }

func compilePaths(word string, paths []string) (compiled [][]jsonpath.Step, err error) {
	for _, path := range paths {
		steps, err := jsonpath.Parse(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", word, err)
		}
		compiled = append(compiled, steps)
	}
	return compiled, nil
}

// IsZero reports whether the projection changes nothing.
func (p Projection) IsZero() bool {
	return len(p.hide) == 0 && len(p.only) == 0
}

// Apply returns the document without the fields that the projection removes.
// The rest keeps its bytes: the order of members, the text of numbers and
// strings, and the white space around each, so that a document in which nothing
// is hidden is returned as it is. With `only`, the objects and lists on the way
// to a path stay, even if they become empty.
//
// XML is projected by the paths of its normal form (package body): elements by
// their names without namespace, attributes as "-name", text beside them as
// "#text". Comments and processing instructions are removed.
//
// It fails with [ErrNotProjectable]; then no part of the document may be used.
func (p Projection) Apply(document []byte) ([]byte, error) {
	if p.IsZero() {
		return document, nil
	}
	apply := projectXML
	if json.Valid(document) {
		apply = projectJSON
	} else if !bytes.HasPrefix(bytes.TrimLeft(document, "\xef\xbb\xbf \t\r\n"), []byte("<")) {
		return nil, ErrNotProjectable
	}
	var err error
	if len(p.only) > 0 {
		if document, err = apply(document, p.only, true); err != nil {
			return nil, err
		}
	}
	if len(p.hide) > 0 {
		if document, err = apply(document, p.hide, false); err != nil {
			return nil, err
		}
	}
	return document, nil
}

// Covers reports whether a value that is read at a gjson path could hold, or be
// part of, data that the projection removes. It returns true for a path with
// more than names, indexes, "#" and "*", about which nothing can be said.
func (p Projection) Covers(path string) bool {
	if p.IsZero() {
		return false
	}
	read, err := jsonpath.Parse(path)
	if err != nil {
		return true
	}
	meets := func(hidden []jsonpath.Step) bool { return newOverlap(hidden, read).meets(0, 0) }
	keeps := func(kept []jsonpath.Step) bool { return newOverlap(kept, read).keeps(0, 0) }
	return slices.ContainsFunc(p.hide, meets) || len(p.only) > 0 && !slices.ContainsFunc(p.only, keeps)
}

// overlap compares a path of a projection with a path that is read. It caches
// its comparisons: paths with many "*" can be compared in too many ways.
type overlap struct {
	rule, read []jsonpath.Step
	known      map[[2]int]bool
}

func newOverlap(rule, read []jsonpath.Step) *overlap {
	return &overlap{rule: rule, read: read, known: make(map[[2]int]bool)}
}

func (o *overlap) remember(i, j int, compare func() bool) bool {
	at := [2]int{i, j}
	result, done := o.known[at]
	if !done {
		result = compare()
		o.known[at] = result
	}
	return result
}

// meets reports whether there is a document in which one path ends at, above or
// below a value that the other selects.
func (o *overlap) meets(i, j int) bool {
	if i == len(o.rule) || j == len(o.read) {
		return true
	}
	return o.remember(i, j, func() bool {
		rule, read := o.rule[i], o.read[j]
		return maySelectSame(rule, read) && o.meets(i+1, j+1) ||
			// A name continues in each element, and a "#" may stand for a
			// single value.
			maySelectElement(read) && (rule.Kind == jsonpath.Name || read.Kind == jsonpath.Each) && o.meets(i, j+1) ||
			rule.Kind == jsonpath.Each && o.meets(i+1, j) // a list of one
	})
}

// keeps reports whether, in every document, everything that is read is kept.
func (o *overlap) keeps(i, j int) bool {
	if i == len(o.rule) {
		return true
	}
	if j == len(o.read) {
		return false
	}
	return o.remember(i, j, func() bool {
		rule, read := o.rule[i], o.read[j]
		_, number := read.Index()
		switch {
		case rule.Kind == jsonpath.Any:
			return o.keeps(i+1, j+1)
		case rule.Kind == jsonpath.Each && read.Kind == jsonpath.Each:
			return o.keeps(i+1, j+1)
		case rule.Kind == jsonpath.Each && (number || read.Kind == jsonpath.Any):
			// The value is an element of a list, or a member of a single value.
			return o.keeps(i+1, j+1) && o.keeps(i+1, j)
		case rule.Kind == jsonpath.Each:
			return o.keeps(i+1, j)
		case read.Kind == jsonpath.Each:
			_, place := rule.Index()
			return !place && o.keeps(i, j+1)
		default:
			return read.Kind == jsonpath.Name && rule.Name == read.Name && o.keeps(i+1, j+1)
		}
	})
}

// maySelectSame reports whether two steps could select the same member or
// element.
func maySelectSame(a, b jsonpath.Step) bool {
	if a.Kind == jsonpath.Name && b.Kind == jsonpath.Name {
		x, xNumber := a.Index()
		y, yNumber := b.Index()
		return a.Name == b.Name || xNumber && yNumber && x == y
	}
	// "#" selects elements only, and only a name that is a number selects an
	// element.
	return a.Kind == jsonpath.Any || b.Kind == jsonpath.Any || maySelectElement(a) && maySelectElement(b)
}

func maySelectElement(s jsonpath.Step) bool {
	_, number := s.Index()
	return number || s.Kind != jsonpath.Name
}
