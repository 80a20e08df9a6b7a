// SPDX-License-Identifier: Apache-2.0

package body

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Values that stand in one element of an array belong together; what is not told by
// the document makes no row.
func TestRows(t *testing.T) {
	for name, tc := range map[string]struct {
		document, paths, want string
		problem               error
	}{
		"one array":               {`{"p":[{"v":"a","u":1},{"v":"b","u":2}]}`, "p.#.v p.#.u", "a/1 b/2", nil},
		"the same text twice":     {`{"p":[{"v":"a","u":1},{"v":"a","u":2},{"v":"b","u":1}]}`, "p.#.v p.#.u", "a/1 a/2 b/1", nil},
		"an object for a list":    {`{"p":{"v":"a","u":1}}`, "p.#.v p.#.u", "a/1", nil},
		"a batch":                 {`[{"v":"a","u":1},{"v":"b","u":2}]`, "v u", "a/1 b/2", nil},
		"the array at the top":    {`[{"v":"a","u":1},{"v":"b","u":2}]`, "#.v *.u", "a/1 b/2", ErrUnpaired},
		"any element":             {`[{"v":"a","u":1},{"v":"b","u":2}]`, "*.v *.u", "a/1 b/2", nil},
		"one for all":             {`{"v":"a","p":[{"u":1},{"u":2}]}`, "v p.#.u", "a/1 a/2", nil},
		"lists in lists":          {`{"p":[{"v":"a","us":[{"n":1},{"n":2}]},{"v":"b","us":[{"n":3}]}]}`, "p.#.v p.#.us.#.n", "a/1 a/2 b/3", nil},
		"lists of texts in lists": {`{"p":[{"v":"a","us":[1,2]},{"v":"b","us":3}]}`, "p.#.v p.#.us", "a/1 a/2 b/3", nil},
		"three parts":             {`{"p":[{"o":"x","q":[{"v":"a","u":1},{"v":"b","u":2}]},{"o":"y","q":[{"v":"c","u":3}]}]}`, "p.#.o p.#.q.#.v p.#.q.#.u", "x/a/1 x/b/2 y/c/3", nil},
		"a query":                 {`{"p":[{"s":200,"b":{"v":"a","u":1}},{"s":409,"b":{"v":"b","u":2}},{"s":201,"b":{"v":"c","u":3}}]}`, "p.#(s<300)#.b.v p.#(s<300)#.b.u", "a/1 c/3", nil},
		"an element without both": {`{"p":[{"v":"a","u":1},{},{"v":"b","u":2}]}`, "p.#.v p.#.u", "a/1 b/2", nil},

		"an empty list":        {`{"v":"a","p":[]}`, "v p.#.u", "", nil},
		"an empty inner list":  {`{"p":[{"v":"a","us":[]},{"v":"b","us":[{"n":3}]}]}`, "p.#.v p.#.us.#.n", "b/3", nil},
		"no list":              {`{"v":"a"}`, "v p.#.u", "", nil},
		"an inner one lacks":   {`{"p":[{"v":"a","us":[{}]}]}`, "p.#.v p.#.us.#.n", "", ErrIncomplete},
		"two arrays":           {`{"v":["a","b"],"u":[1,2]}`, "v.# u.#", "", ErrUnpaired},
		"two lists by nature":  {`{"v":["a","b"],"u":[1,2]}`, "v u", "", ErrUnpaired},
		"two lists within one": {`{"p":[{"v":["a","b"],"u":[1,2]}]}`, "p.#.v p.#.u", "", ErrUnpaired},
		"two queries":          {`{"p":[{"s":1,"v":"a","u":1},{"s":1,"v":"b","u":2}]}`, "p.#(s==1)#.v p.#(s>0)#.u", "", ErrUnpaired},
		"an element lacks one": {`{"p":[{"v":"a","u":1},{"v":"b"}]}`, "p.#.v p.#.u", "", ErrIncomplete},
		"null is no part":      {`{"p":[{"v":"a","u":1},{"v":"b","u":null}]}`, "p.#.v p.#.u", "", ErrIncomplete},
	} {
		paths := strings.Fields(tc.paths)
		for reader, read := range map[string]func() (Rows, error){
			"answer":  func() (Rows, error) { return ScalarRows([]byte(tc.document), paths, 100) },
			"request": func() (Rows, error) { return Document{JSON: []byte(tc.document)}.Rows(paths, 100) },
		} {
			rows, err := read()
			if !errors.Is(err, tc.problem) {
				t.Errorf("%s, %s: %v", name, reader, err)
				continue
			}
			if got := joinRows(rows.All); err == nil && (got != tc.want || rows.Unsure || rows.Unknown) {
				t.Errorf("%s, %s: %q, %v; want %q", name, reader, got, rows, tc.want)
			}
		}
	}
}

func joinRows(rows [][]string) string {
	var texts []string
	for _, row := range rows {
		texts = append(texts, strings.Join(row, "/"))
	}
	return strings.Join(texts, " ")
}

// Where readers of a request disagree about an element, its rows are all that any of
// them finds, and they are not sure.
func TestRowsOfReaders(t *testing.T) {
	for document, want := range map[string]string{
		`{"p":[{"v":"a","v":"b","u":1},{"v":"c","u":2}]}`: "a/1 b/1 c/2",
		`{"p":[{"v":"a","V":"b","u":1}]}`:                 "a/1 b/1",
		`{"p":[{"v":"a","u":9007199254740993}]}`:          "a/9007199254740993 a/9007199254740992 a/9007199254740992.0",
	} {
		rows, err := Document{JSON: []byte(document)}.Rows([]string{"p.#.v", "p.#.u"}, 100)
		if got := joinRows(rows.All); err != nil || got != want || !rows.Unsure {
			t.Errorf("%s: %q, %v, %v", document, got, rows.Unsure, err)
		}
	}
	if _, err := (Document{JSON: []byte(`{"p":[{"v":"a","v":"b","u":1,"u":2}]}`)}).Rows([]string{"p.#.v", "p.#.u"}, 100); !errors.Is(err, ErrUnpaired) {
		t.Error(err)
	}
}

// Rows have as many texts as paths, and those of a path are among its own texts.
func FuzzRows(f *testing.F) {
	f.Add([]byte(`{"p":[{"v":"a","u":1},{"v":"b","u":2}]}`), "p.#.v", "p.#.u")
	f.Add([]byte(`[{"v":"a","u":[1,2]}]`), "v", "u")
	f.Add([]byte(`{"p":[{"s":1,"b":{"v":"a"}}]}`), "p.#(s==1)#.b.v", "p.#(s==1)#.b.v")
	f.Fuzz(func(t *testing.T, document []byte, a, b string) {
		made, _, err := ofRequests.normalise(document, "application/json")
		if err != nil || len(made.JSON) == 0 {
			return
		}
		rows, err := ScalarRows(made.JSON, []string{a, b}, 100)
		if err != nil {
			return
		}
		for _, row := range rows.All {
			if len(row) != 2 || slices.Contains(row, "") {
				t.Fatalf("%q", row)
			}
			if texts := Scalars(made.JSON, a, 1000); !slices.Contains(texts, row[0]) {
				t.Fatalf("%q is not among %q of %s", row[0], texts, a)
			}
		}
	})
}

// The work grows with the size of the body, not with its square.
func BenchmarkRows(b *testing.B) {
	var list strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&list, `{"v":"a","u":%d},`, i)
	}
	document := []byte(`{"p":[` + strings.TrimSuffix(list.String(), ",") + `]}`)
	for b.Loop() {
		if rows, err := (Document{JSON: document}).Rows([]string{"p.#.v", "p.#.u"}, 20_000); err != nil || len(rows.All) != 10_000 {
			b.Fatal(len(rows.All), err)
		}
	}
}
