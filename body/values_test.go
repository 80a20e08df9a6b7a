// SPDX-License-Identifier: Apache-2.0

package body

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestValues(t *testing.T) {
	const document = `{"t":[{"id":1,"l":[{"n":"a"},{"n":"b"}]},{"id":"2","l":{"n":"c"}},{}],"one":{"id":3},"ids":[4,[5]],"n":null,"a.b":6,"0":7,"c\u0061":8}`
	for path, want := range map[string]string{
		"t.#.id":          `1 "2"`,
		"t.#.l.#.n":       `"a" "b" "c"`,
		"t.1.id":          `"2"`,
		"t.9.id":          ``,
		"t.id":            ``,
		"one.#.id":        `3`, // a list of one, as XML has it
		"one.id":          `3`,
		"one":             `{"id":3}`,
		"ids":             `[4,[5]]`,
		"ids.#":           `4 [5]`,
		"n":               `null`,
		"n.#":             `null`,
		"none.#.id":       ``,
		`a\.b`:            `6`,
		"0":               `7`,
		"ca":              `8`,
		"one.*":           `3`,
		"t.#(id==1).id":   `1`,
		"t.#(id<9)#.id":   `1 "2"`,
		"t.#.id|0":        `1`,
		"t.#.nothing":     ``,
		"t.#(id==9)#.id":  ``,
		"ids.#.#":         `4 5`,
		"[one.id,t.0.id]": `3 1`,
	} {
		values := Values([]byte(document), path)
		texts := make([]string, len(values))
		for i, value := range values {
			texts[i] = string(value)
		}
		if got := strings.Join(texts, " "); got != want {
			t.Errorf("%s: %s; want %s", path, got, want)
		}
	}
}

func TestAmbiguous(t *testing.T) {
	for _, tc := range []struct {
		document, path string
		want           bool
	}{
		{`{"id":1,"id":2}`, "id", true},
		{`{"id":1,"\u0069d":2}`, "id", true},
		{`{"id":1,"x":1,"x":2}`, "id", false},
		{`{"a":{"id":1},"a":{"x":2}}`, "a.id", true},
		{`{"a":{"id":1},"a":{"id":1}}`, "a.id", true},
		{`{"a":{"id":1,"b":1,"b":1}}`, "a.id", false},
		{`{"l":[{"id":1},{"id":2,"id":3}]}`, "l.#.id", true},
		{`{"l":[{"id":1},{"id":2,"id":3}]}`, "l.0.id", false},
		{`{"l":[{"id":1},{"id":2,"id":3}]}`, "l.1.id", true},
		{`{"l":{"id":2,"id":3}}`, "l.#.id", true},
		{`{"a":{"id":1},"b":{"id":2,"id":3}}`, "*.id", true},
		{`{"a":{"id":1},"a":{"id":2}}`, "*.id", true},
		{`{"a":{"id":1},"b":{"id":2}}`, "*.id", false},
		{`{"a.b":1,"a.b":2}`, `a\.b`, true},
		// A path that cannot be followed step by step is ambiguous if any name
		// in the document is repeated.
		{`{"l":[{"id":1}],"z":{"x":1,"x":2}}`, "l.#(id==1).id", true},
		{`{"l":[{"id":1}],"z":[{"x":1},{"x":2}]}`, "l.#(id==1).id", false},
		{`{"l":[{"id":1}],"z":[{"x":1},{"y":{"x":2,"x":2}}]}`, "@this.l", true},
		{`7`, "id", false},
		{`[1,1]`, "0", false},
	} {
		if got := Ambiguous([]byte(tc.document), tc.path); got != tc.want {
			t.Errorf("%s at %s: %v", tc.document, tc.path, got)
		}
	}
}

// FuzzAmbiguous compares Ambiguous and Values with two parsers that take
// different members: where these disagree about a value, it must be ambiguous.
func FuzzAmbiguous(f *testing.F) {
	f.Add(`{"id":1,"id":2}`, "id")
	f.Add(`{"a":{"b":1},"a":{"b":2,"\u0062":3}}`, "a.b")
	f.Add(`{"a":[{"b":1}]}`, "a.0.b")
	f.Add(`[[],{"#":1}]`, `1.\#`)
	f.Fuzz(func(t *testing.T, document, path string) {
		if !json.Valid([]byte(document)) {
			return
		}
		ambiguous := Ambiguous([]byte(document), path)
		values := Values([]byte(document), path)
		for _, value := range values {
			if !json.Valid(value) {
				t.Errorf("%q is no value", value)
			}
		}
		name, plain := strings.CutPrefix(path, ".")
		if plain || strings.ContainsAny(name, `.\|*?#@!{}[]()`) || name == "" {
			return
		}
		// One step into an object: the standard library takes the last member.
		var last map[string]json.RawMessage
		if json.Unmarshal([]byte(document), &last) != nil {
			return
		}
		first := gjson.Get(document, name)
		if !ambiguous && first.Exists() && string(last[name]) != first.Raw {
			t.Errorf("%s is %s or %s, and not ambiguous", name, first.Raw, last[name])
		}
		if first.Exists() && (len(values) != 1 || string(values[0]) != first.Raw) {
			t.Errorf("%s is %s, and Values has %s", name, first.Raw, values)
		}
	})
}
