// SPDX-License-Identifier: Apache-2.0

package body

import (
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// Reasons why values at several paths make no rows.
var (
	// ErrUnpaired means that two paths have several values each, and that nothing
	// tells which of them belong together.
	ErrUnpaired = errors.New("two parts of the object's key have several values each, and they stand in no common array that tells which belong together")
	// ErrIncomplete means that an element has values at some of the paths only.
	ErrIncomplete = errors.New("an element of the array has only some of the parts of the object's key")
)

// Rows are texts that belong together, one for each of several paths: those of
// `perms.#.vhost` and `perms.#.user` that stand in the same element of `perms`.
type Rows struct {
	// All are the rows. There may be one more than the limit.
	All [][]string
	// Unsure is true if readers may find other rows of All, and Unknown if they may
	// find rows that All does not have.
	Unsure, Unknown bool
}

// ScalarRows returns the rows of some paths in a document, whose texts [Scalars] finds
// one by one. It returns none if there is nothing at all at one of the paths.
func ScalarRows(document []byte, paths []string, limit int) (Rows, error) {
	return readRows(&rowReader{limit: limit}, document, paths)
}

// Rows returns the rows that readers may find at some paths, whose texts
// [Document.At] finds one by one.
func (d Document) Rows(paths []string, limit int) (Rows, error) {
	return readRows(&rowReader{document: d, lenient: true, limit: limit}, d.JSON, paths)
}

// IsList reports whether a path leads to several values by what it says: through the
// elements of an array, or to all that a query finds.
func IsList(path string) bool {
	c := newColumn(0, path)
	return c.query != "" && strings.HasSuffix(c.query, "#") || slices.ContainsFunc(c.steps, func(s jsonpath.Step) bool { return s.Kind != jsonpath.Name })
}

// HaveRows reports whether the values of two paths that lead to several stand in a
// common array.
func HaveRows(a, b string) bool {
	return newColumn(0, a).shares(newColumn(1, b))
}

// column is a path of a row.
type column struct {
	at int
	// query is the beginning of a path that has more than names, indexes, "#" and
	// "*", up to where it has them; "" for most paths.
	query string
	steps []jsonpath.Step
	// whole is true for a path that nothing can be shared with.
	whole bool
}

func newColumn(at int, path string) column {
	steps, err := jsonpath.Parse(path)
	if err == nil {
		return column{at: at, steps: steps}
	}
	if i := strings.LastIndex(path, ")#."); i >= 0 {
		if steps, err := jsonpath.Parse(path[i+len(")#."):]); err == nil {
			return column{at: at, query: path[:i+len(")#")], steps: steps}
		}
	}
	return column{at: at, query: path, whole: true}
}

// array returns how many steps lead to the elements of the first array of the path, 0
// if it has none.
func (c column) array() int {
	return 1 + slices.IndexFunc(c.steps, func(s jsonpath.Step) bool { return s.Kind != jsonpath.Name })
}

// shares reports whether two paths lead through the elements of one array.
func (c column) shares(d column) bool {
	if c.query != "" || d.query != "" {
		return c.query == d.query && !c.whole && !d.whole
	}
	n := c.array()
	return n > 0 && n == d.array() && slices.Equal(c.steps[:n], d.steps[:n])
}

// rowReader finds rows.
type rowReader struct {
	document Document
	// lenient is true if all ways in which readers may follow a path count.
	lenient bool
	limit   int

	unsure, unknown bool
	err             error
}

func readRows(r *rowReader, document []byte, paths []string) (Rows, error) {
	if len(document) == 0 {
		return Rows{}, nil
	}
	root := gjson.ParseBytes(document)
	columns := make([]column, len(paths))
	inArray := root.IsArray() && !r.document.Lists
	for i, path := range paths {
		columns[i] = newColumn(i, path)
		c := columns[i]
		_, isIndex := c.first().Index()
		inArray = inArray && c.query == "" && c.first().Kind == jsonpath.Name && !isIndex
	}
	if inArray {
		// A batch: the paths are those of each element.
		for i := range columns {
			columns[i].steps = append([]jsonpath.Step{{Kind: jsonpath.Each}}, columns[i].steps...)
		}
	}
	rows := r.rows(root, columns, len(paths))
	if r.err != nil {
		return Rows{}, r.err
	}
	return Rows{All: rows, Unsure: r.unsure, Unknown: r.unknown}, nil
}

func (c column) first() jsonpath.Step {
	if len(c.steps) == 0 {
		return jsonpath.Step{Kind: jsonpath.Each}
	}
	return c.steps[0]
}

// rows returns the rows of some columns below a value. The other columns of its rows,
// of width in all, are empty. It returns none if all of the columns are missing.
func (r *rowReader) rows(at gjson.Result, columns []column, width int) [][]string {
	made := [][]string{make([]string, width)}
	missing := 0
	for rest := columns; len(rest) > 0; {
		var group, others []column
		for _, c := range rest {
			if len(group) == 0 || group[0].shares(c) {
				group = append(group, c)
			} else {
				others = append(others, c)
			}
		}
		rest = others
		found := r.group(at, group, width)
		switch {
		case len(found) == 0 && r.isEmpty(at, group[0]):
			return nil // an empty list
		case len(found) == 0:
			missing += len(group)
			continue
		case len(found) > 1 && len(made) > 1:
			r.fail(ErrUnpaired)
			return nil
		}
		made = product(made, found)
	}
	switch {
	case missing == len(columns):
		return nil
	case missing > 0:
		r.fail(ErrIncomplete)
		return nil
	}
	return made
}

// isEmpty reports whether a path leads to an array without elements.
func (r *rowReader) isEmpty(at gjson.Result, c column) bool {
	n := c.array()
	switch {
	case c.query != "":
		return len(valuesOfQuery([]byte(at.Raw), c.query)) == 0
	case n == 0:
		return false
	}
	return len(r.find(at, column{steps: c.steps[:n]})) == 0
}

// group returns the rows of columns that lead through one array, or of a column alone.
func (r *rowReader) group(at gjson.Result, group []column, width int) (found [][]string) {
	first := group[0]
	if len(group) == 1 {
		for _, text := range r.texts(at, first) {
			row := make([]string, width)
			row[first.at] = text
			found = append(found, row)
		}
		return found
	}
	n := first.array()
	if first.query != "" {
		n = 0
	}
	inner := make([]column, len(group))
	for i, c := range group {
		inner[i] = column{at: c.at, steps: c.steps[n:]}
	}
	for _, element := range r.find(at, column{query: first.query, steps: first.steps[:n]}) {
		found = append(found, r.rows(element, inner, width)...)
		if r.err != nil || len(found) > r.limit {
			break
		}
	}
	return found
}

// find returns the values to which a column leads.
func (r *rowReader) find(at gjson.Result, c column) (found []gjson.Result) {
	if c.query != "" {
		r.unknown = r.unknown || r.lenient && repeats(at)
		var values []gjson.Result
		for _, raw := range valuesOfQuery([]byte(at.Raw), c.query) {
			values = append(values, gjson.ParseBytes(raw))
		}
		if len(c.steps) == 0 {
			return values
		}
		for _, value := range values {
			found = append(found, r.find(value, column{steps: c.steps})...)
		}
		return found
	}
	if !r.lenient {
		for _, raw := range appendValues(nil, at, c.steps) {
			found = append(found, gjson.ParseBytes(raw))
		}
		return found
	}
	w := walk{document: r.document}
	w.follow(at, c.steps)
	r.unsure = r.unsure || w.unsure
	return w.found
}

// texts returns the strings and numbers to which a column leads, each once.
func (r *rowReader) texts(at gjson.Result, c column) []string {
	var texts Texts
	for _, value := range r.find(at, c) {
		if !r.lenient {
			texts.All = appendScalars(texts.All, value, r.limit, maxNested)
			continue
		}
		lists := r.document.Lists && len(c.steps) > 0 && c.steps[len(c.steps)-1].Kind != jsonpath.Each
		texts.addScalars(value, r.limit, maxNested, lists)
	}
	r.unsure = r.unsure || texts.Unsure
	r.unknown = r.unknown || texts.Unknown
	return texts.All
}

func (r *rowReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// product returns the rows of two sets of columns, of which one has one row.
func product(a, b [][]string) [][]string {
	made := make([][]string, 0, len(a)*len(b))
	for _, left := range a {
		for _, right := range b {
			row := slices.Clone(left)
			for i, text := range right {
				if text != "" {
					row[i] = text
				}
			}
			made = append(made, row)
		}
	}
	return made
}
