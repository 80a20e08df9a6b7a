// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for i, tc := range []struct{ in, want string }{
		{`{"b":1,"a":2}`, `{"a":2,"b":1}`},
		{" { \"b\" : [ 1 , 2 ] ,\n\"a\" : { \"d\":true, \"c\":null } } ", `{"a":{"c":null,"d":true},"b":[1,2]}`},
		{`{}`, `{}`},
		{`[ ]`, `[]`},
		{`[{"b":1,"a":2},{"a":1}]`, `[{"a":2,"b":1},{"a":1}]`},
		{`"a \" , } b"`, `"a \" , } b"`},
		{`{"a":"}","\"":"\\"}`, `{"\"":"\\","a":"}"}`},
		// Numbers are kept as written.
		{`{"n":9007199254740993}`, `{"n":9007199254740993}`},
		{`{"n":1.0}`, `{"n":1.0}`},
		// Repeated members keep their order.
		{`{"a":2,"a":1,"A":0}`, `{"A":0,"a":2,"a":1}`},
		// A body that is not JSON is left alone.
		{`<item id="1"/>`, `<item id="1"/>`},
		{`{"a":`, `{"a":`},
		{``, ``},
		{`{"a":1} x`, `{"a":1} x`},
	} {
		if got := string(Canonical([]byte(tc.in))); got != tc.want {
			t.Errorf("Test %d: Canonical(%s) = %s, want %s", i, tc.in, got, tc.want)
		}
	}
}

// Deep nesting must cost neither the stack nor time that grows with its square.
func TestCanonicalDeep(t *testing.T) {
	for _, depth := range []int{100, 9000, 200000} {
		in := strings.Repeat(`{"b":`, depth) + "1" + strings.Repeat("}", depth)
		if got := Canonical([]byte(in)); string(got) != in {
			t.Errorf("depth %d: changed", depth)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":[{"d":1,"c":"\"}"}]}`, `[1, 2 ,3]`, `"x"`, `nul`, `{"a":{"a":{}}}`, "{\"a\":1e5\t}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := Canonical(in)
		if !json.Valid(in) {
			if !bytes.Equal(in, out) {
				t.Fatalf("invalid JSON was changed: %q", out)
			}
			return
		}
		if again := Canonical(out); !bytes.Equal(out, again) {
			t.Errorf("not stable: %s, then %s", out, again)
		}
		var before, after any
		if json.Unmarshal(in, &before) == nil {
			if err := json.Unmarshal(out, &after); err != nil || !reflect.DeepEqual(before, after) {
				t.Errorf("Canonical(%s) = %s means something else (%v)", in, out, err)
			}
		}
	})
}
