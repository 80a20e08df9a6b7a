// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// learn returns the schema of some Shows.
func learn(t interface{ Fatal(args ...any) }, shows ...string) (s Schema) {
	for _, show := range shows {
		one, err := Infer([]byte(show), event.Projection{})
		if err != nil {
			t.Fatal(err)
		}
		s = s.Merge(one)
	}
	return s
}

func TestSchema(t *testing.T) {
	for _, test := range []struct {
		name         string
		shows        []string
		strict, open string
	}{
		{name: "nothing", strict: `{}`, open: `{}`},
		{name: "a number", shows: []string{`1`}, strict: `{"type":"integer"}`, open: `{"type":"integer"}`},
		{name: "fractions", shows: []string{`1`, `1.0`}, strict: `{"type":"number"}`, open: `{"type":"number"}`},
		{name: "types", shows: []string{`null`, `"a"`, `true`, `3`}, strict: `{"type":["boolean","integer","null","string"]}`, open: `{"type":["boolean","integer","null","string"]}`},
		{
			name: "members", shows: []string{`{"id":1,"b":"x"}`, `{"id":2}`},
			strict: `{"additionalProperties":false,"properties":{"b":{"type":"string"},"id":{"type":"integer"}},"required":["id"],"type":"object"}`,
			open:   `{"properties":{"b":{"type":"string"},"id":{"type":"integer"}},"required":["id"],"type":"object"}`,
		},
		{
			name: "a member that comes later is not required", shows: []string{`{}`, `{"a":1}`, `null`},
			strict: `{"additionalProperties":false,"properties":{"a":{"type":"integer"}},"type":["null","object"]}`,
			open:   `{"properties":{"a":{"type":"integer"}},"type":["null","object"]}`,
		},
		{
			name: "what is no object takes no requirement away", shows: []string{`{"a":1}`, `null`, `[]`},
			strict: `{"additionalProperties":false,"maxItems":0,"properties":{"a":{"type":"integer"}},"required":["a"],"type":["array","null","object"]}`,
			open:   `{"properties":{"a":{"type":"integer"}},"required":["a"],"type":["array","null","object"]}`,
		},
		{
			name: "elements", shows: []string{`[]`, `[{"a":1},{"a":null,"b":[1.5]}]`},
			strict: `{"items":{"additionalProperties":false,"properties":{"a":{"type":["integer","null"]},"b":{"items":{"type":"number"},"type":"array"}},"required":["a"],"type":"object"},"type":"array"}`,
			open:   `{"items":{"properties":{"a":{"type":["integer","null"]},"b":{"items":{"type":"number"},"type":"array"}},"required":["a"],"type":"object"},"type":"array"}`,
		},
		{name: "a repeated name", shows: []string{`{"a":1,"a":"x"}`}, strict: `{"additionalProperties":false,"properties":{"a":{"type":["integer","string"]}},"required":["a"],"type":"object"}`, open: `{"properties":{"a":{"type":["integer","string"]}},"required":["a"],"type":"object"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := learn(t, test.shows...)
			if got := string(s.Strict()); got != test.strict {
				t.Errorf("strict\n%s\nwant\n%s", got, test.strict)
			}
			if got := string(s.Open()); got != test.open {
				t.Errorf("open\n%s\nwant\n%s", got, test.open)
			}
		})
	}
}

// drawShow draws JSON; some of it is large.
func drawShow(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 8).Draw(t, "kind")
		if depth == 0 {
			kind = 0
		}
		switch kind {
		case 0, 1, 2:
			return rapid.SampledFrom([]string{"null", "1", "1.5", `"x"`, "true", "{}", "[]"}).Draw(t, "leaf")
		case 3, 4:
			return "[" + strings.Join(rapid.SliceOfN(drawShow(depth-1), 0, 3).Draw(t, "elements"), ",") + "]"
		case 5:
			// A dictionary, whose names never end.
			first, count := rapid.IntRange(0, 3).Draw(t, "first"), rapid.SampledFrom([]int{1, 10, 80, 400, 1500}).Draw(t, "count")
			value := drawShow(depth-1).Draw(t, "value")
			var names []string
			for n := range count {
				names = append(names, fmt.Sprintf(`"key-%d":%s`, first*300+n, value))
			}
			if len(value)*count > 200_000 {
				names = names[:1]
			}
			return "{" + strings.Join(names, ",") + "}"
		default:
			var members []string
			for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "ü", ""}), 0, 4, rapid.ID).Draw(t, "names") {
				quoted, _ := json.Marshal(name)
				members = append(members, string(quoted)+":"+drawShow(depth-1).Draw(t, "member"))
			}
			return "{" + strings.Join(members, ",") + "}"
		}
	})
}

// In which order and how often Shows are seen does not matter, also where they are cut.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := learn(t, drawShow(6).Draw(t, "a")), learn(t, drawShow(6).Draw(t, "b")), learn(t, drawShow(6).Draw(t, "c"))
		if !a.Merge(b).Equal(b.Merge(a)) {
			t.Fatal("it is not commutative")
		}
		if !a.Merge(b).Merge(c).Equal(a.Merge(b.Merge(c))) {
			t.Fatalf("it is not associative:\n%s\n%s", a.Merge(b).Merge(c).Strict(), a.Merge(b.Merge(c)).Strict())
		}
		if !a.Merge(a).Equal(a) || !a.Merge(b).Merge(a).Equal(a.Merge(b)) {
			t.Fatal("it is not idempotent")
		}
		if !a.Merge(Schema{}).Equal(a) || !(Schema{}).Merge(a).Equal(a) {
			t.Fatal("nothing is not neutral")
		}
		all := a.Merge(b).Merge(c)
		encoded := all.Encode(event.Projection{})
		if len(encoded) > MaxEncoded {
			t.Fatalf("it takes %d bytes", len(encoded))
		}
		decoded, err := Decode(encoded, event.Projection{})
		if err != nil || !decoded.Equal(all) || !bytes.Equal(decoded.Strict(), all.Strict()) {
			t.Fatalf("it comes back otherwise: %v", err)
		}
		if !decoded.Merge(b).Equal(all) {
			t.Fatal("what came back does not know what it has seen")
		}
	})
}

// What has names without end is cut, and what stands beside it is not.
func TestDictionariesAreCut(t *testing.T) {
	var s Schema
	for n := range 5000 {
		show := fmt.Sprintf(`{"id":%d,"by_id":{"customer-%d":{"name":"x"}},"buyer":{"name":"Ann"}}`, n, n)
		s = s.Merge(learn(t, show))
	}
	const want = `{"additionalProperties":false,"properties":{"buyer":{"additionalProperties":false,"properties":{"name":{"type":"string"}},"required":["name"],"type":"object"},` +
		`"by_id":{"type":"object"},"id":{"type":"integer"}},"required":["buyer","by_id","id"],"type":"object"}`
	if got := string(s.Strict()); got != want {
		t.Errorf("got %s", got)
	}
}

// Shows that are deep, wide or long never make a record that is too large.
func TestBounds(t *testing.T) {
	long := strings.Repeat("n", 100_000)
	wide := make([]string, 20_000)
	for i := range wide {
		wide[i] = fmt.Sprintf(`"%d":1`, i)
	}
	for name, show := range map[string]string{
		"deep objects": strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000),
		"deep arrays":  strings.Repeat(`[`, 9000) + strings.Repeat("]", 9000),
		"a long name":  `{"` + long + `":1}`,
		"many names":   "{" + strings.Join(wide, ",") + "}",
	} {
		t.Run(name, func(t *testing.T) {
			s := learn(t, show)
			encoded := s.Encode(event.Projection{})
			if len(encoded) > MaxEncoded {
				t.Errorf("%d bytes", len(encoded))
			}
			if decoded, err := Decode(encoded, event.Projection{}); err != nil || !decoded.Equal(s) {
				t.Error(err)
			}
		})
	}
	if _, err := Infer([]byte(strings.Repeat(`[`, 20_000)+strings.Repeat("]", 20_000)), event.Projection{}); !errors.Is(err, ErrNotJSON) {
		t.Errorf("too deep for anybody: %v", err)
	}
}

func TestNotJSON(t *testing.T) {
	for _, show := range []string{"", "<a/>", "{", `{"a":1}{"b":2}`, "a=1&b=2"} {
		if _, err := Infer([]byte(show), event.Projection{}); !errors.Is(err, ErrNotJSON) {
			t.Errorf("%q: %v", show, err)
		}
	}
}

// What is hidden is in no schema, nor in a record that was made before it was hidden.
func TestHidden(t *testing.T) {
	hiding, err := event.NewProjection([]string{"buyer.card", "notes.#.secret"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const show = `{"buyer":{"card":"4111","name":"Ann"},"notes":[{"secret":1,"at":2},{"at":3}]}`
	s, err := Infer([]byte(show), hiding)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"strict": string(s.Strict()), "open": string(s.Open()), "encoded": string(s.Encode(hiding))} {
		if strings.Contains(text, "card") || strings.Contains(text, "secret") || strings.Contains(text, "4111") {
			t.Errorf("%s: %s", what, text)
		}
	}
	if !strings.Contains(string(s.Strict()), "name") || !strings.Contains(string(s.Strict()), "at") {
		t.Errorf("too much is hidden: %s", s.Strict())
	}
	if _, err := Decode(learn(t, show).Encode(event.Projection{}), hiding); !errors.Is(err, ErrProjection) {
		t.Errorf("a record from before: %v", err)
	}
	if got, err := Decode(s.Encode(hiding), hiding); err != nil || !got.Equal(s) {
		t.Errorf("its own record: %v", err)
	}
}

// Records of this version stay readable.
func TestGoldenRecord(t *testing.T) {
	const record = "\x01\x00\x60\x02\x01a\x01\x05\x01b\x00\x40\x01\x08\x01\x10"
	s := learn(t, `{"a":1,"b":[1.5]}`, `{"a":null}`, `["x"]`)
	if got := string(s.Encode(event.Projection{})); got != record {
		t.Errorf("encoded %q, want %q", got, record)
	}
	if got, err := Decode([]byte(record), event.Projection{}); err != nil || !got.Equal(s) {
		t.Errorf("decoded %s, %v", got.Strict(), err)
	}
}

// Nothing but what Encode writes is read.
func FuzzDecode(f *testing.F) {
	f.Add(learn(f, `{"a":1,"b":[1.5,{}]}`, `{"a":null}`).Encode(event.Projection{}))
	f.Add([]byte{1, 0})
	f.Add([]byte{1, 0, 0x60, 0, 1, 1})
	f.Add([]byte{1, 0, 0x20, 2, 1, 'b', 1, 1, 1, 'a', 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data, event.Projection{})
		if err != nil {
			return
		}
		if !bytes.Equal(s.Encode(event.Projection{}), data) || !s.Merge(s).Equal(s) || !json.Valid(s.Strict()) {
			t.Errorf("%q is read as %s", data, s.Strict())
		}
	})
}

// What is cut weighs what it may at most: otherwise whether the object around it is cut
// would depend on the order.
func TestCutBelowCut(t *testing.T) {
	names := func(prefix string, size int) string {
		var members []string
		for n := 0; n*20 < size; n++ {
			members = append(members, fmt.Sprintf(`"%s-%0*d":1`, prefix, 8, n))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	a := learn(t, `{"x":`+names("a", 19_000)+`,"y":`+names("a", 19_000)+`}`)
	b := learn(t, `{"z":`+names("a", 19_000)+`,"w":`+names("a", 6_000)+`}`)
	c := learn(t, `{"x":`+names("b", 5_000)+`}`)
	if !a.Merge(b).Merge(c).Equal(a.Merge(c).Merge(b)) {
		t.Error("it is not associative")
	}
	if got := string(a.Merge(c).Strict()); !strings.Contains(got, `"x":{"type":"object"}`) {
		t.Errorf("x is not cut: %.200s", got)
	}
	if got := string(a.Merge(b).Strict()); got != `{"type":"object"}` {
		t.Errorf("the whole is not cut: %.200s", got)
	}
}
