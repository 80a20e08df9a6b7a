// SPDX-License-Identifier: Apache-2.0

package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// tester is a test, of whichever package.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func pointers(previous, now string) event.Pointers {
	return Pointers(event.NewDocument([]byte(previous)), event.NewDocument([]byte(now)))
}

func TestChange(t *testing.T) {
	for _, test := range []struct {
		name, previous, now string
		pointers            []string
		patch, merge        string
		whole, inexact      bool
	}{
		{name: "nothing", previous: `{"a":1,"b":[{"x":1,"y":2}]}`, now: ` {"b":[ {"y":2,"x":1}], "a":1}`, pointers: []string{}, patch: `[]`, merge: `{}`},
		{name: "nothing of an array", previous: `[1]`, now: ` [ 1 ] `, pointers: []string{}, patch: `[]`, merge: `[ 1 ]`},
		{
			name: "members", previous: `{"a":{"b":1,"c":2,"d":{"e":1}},"f":1}`, now: `{"a":{"b":2,"d":{"e":1},"g":3},"f":1}`,
			pointers: []string{"/a/b", "/a/c", "/a/g"},
			patch:    `[{"op":"replace","path":"/a/b","value":2},{"op":"remove","path":"/a/c"},{"op":"add","path":"/a/g","value":3}]`,
			merge:    `{"a":{"b":2,"c":null,"g":3}}`,
		},
		{
			name: "an array is one value", previous: `{"a":{"l":[{"id":1},{"id":2}]}}`, now: `{"a":{"l":[{"id":2}]}}`,
			pointers: []string{"/a/l"}, patch: `[{"op":"replace","path":"/a/l","value":[{"id":2}]}]`, merge: `{"a":{"l":[{"id":2}]}}`,
		},
		{
			name: "numbers as they are written", previous: `{"a":1,"b":12345678901234567890}`, now: `{"a":1.0,"b":12345678901234567891}`,
			pointers: []string{"/a", "/b"},
			patch:    `[{"op":"replace","path":"/a","value":1.0},{"op":"replace","path":"/b","value":12345678901234567891}]`,
			merge:    `{"a":1.0,"b":12345678901234567891}`,
		},
		{
			name: "names", previous: `{"a/b":1,"m~n":1,"":1,"é,%":1,"\"":1}`, now: `{"a/b":2,"m~n":2,"":2,"é,%":2,"\"":2}`,
			pointers: []string{"/", `/"`, "/a~1b", "/m~0n", "/é,%"},
			patch: `[{"op":"replace","path":"/","value":2},{"op":"replace","path":"/\"","value":2},{"op":"replace","path":"/a~1b","value":2},` +
				`{"op":"replace","path":"/m~0n","value":2},{"op":"replace","path":"/é,%","value":2}]`,
			merge: `{"":2,"\"":2,"a/b":2,"m~n":2,"é,%":2}`,
		},
		{
			name: "a repeated member", previous: `{"o":{"a":1,"a":2,"c":{"d":1}}}`, now: `{"o":{"a":1,"a":3,"c":{"d":1}}}`,
			pointers: []string{"/o"}, patch: `[{"op":"replace","path":"/o","value":{"a":1,"a":3,"c":{"d":1}}}]`,
			merge: `{"o":{"a":1,"a":3,"c":{"d":1}}}`, inexact: true,
		},
		{
			name: "a member that is repeated under another spelling", previous: `{"a":1,"\u0061":2}`, now: `{"a":1}`,
			pointers: []string{""}, patch: `[{"op":"add","path":"","value":{"a":1}}]`, merge: `{"a":1}`, whole: true, inexact: true,
		},
		{
			name: "another spelling", previous: `{"\u0061":1,"b":"é"}`, now: `{"a":1,"b":"\u00e9"}`,
			pointers: []string{"/a", "/b"},
			patch:    `[{"op":"replace","path":"/a","value":1},{"op":"replace","path":"/b","value":"\u00e9"}]`, merge: `{"a":1,"b":"\u00e9"}`,
		},
		{
			name: "names that are no characters", previous: "{\"o\":{\"\xff\":1}}", now: "{\"o\":{\"\xfe\":1}}",
			pointers: []string{"/o"}, patch: "[{\"op\":\"replace\",\"path\":\"/o\",\"value\":{\"\xfe\":1}}]", merge: "{\"o\":{\"\xfe\":1}}", inexact: true,
		},
		{
			name: "half a character", previous: `{"\ud800":1}`, now: `{"\ud801":1}`,
			pointers: []string{""}, patch: `[{"op":"add","path":"","value":{"\ud801":1}}]`, merge: `{"\ud801":1}`, whole: true, inexact: true,
		},
		{
			name: "null", previous: `{"a":1}`, now: `{"a":null}`,
			pointers: []string{"/a"}, patch: `[{"op":"replace","path":"/a","value":null}]`, merge: `{"a":null}`, inexact: true,
		},
		{
			name: "null within", previous: `{"b":1}`, now: `{"a":{"x":{"n":null}},"b":1}`,
			pointers: []string{"/a"}, patch: `[{"op":"add","path":"/a","value":{"x":{"n":null}}}]`, merge: `{"a":{"x":{"n":null}}}`, inexact: true,
		},
		{
			name: "null in an array, and in a text", previous: `{}`, now: `{"a":[null,{"n":null}],"b":{"n":"null \" null"},"n":1}`,
			pointers: []string{"/a", "/b", "/n"},
			patch: `[{"op":"add","path":"/a","value":[null,{"n":null}]},{"op":"add","path":"/b","value":{"n":"null \" null"}},` +
				`{"op":"add","path":"/n","value":1}]`,
			merge: `{"a":[null,{"n":null}],"b":{"n":"null \" null"},"n":1}`,
		},
		{
			name: "null in an array of an object", previous: `{}`, now: `{"a":{"l":[{"n":null}]}}`,
			pointers: []string{"/a"}, patch: `[{"op":"add","path":"/a","value":{"l":[{"n":null}]}}]`, merge: `{"a":{"l":[{"n":null}]}}`,
		},
		{
			name: "null before", previous: `{"a":null,"b":null}`, now: `{"b":{}}`,
			pointers: []string{"/a", "/b"}, patch: `[{"op":"remove","path":"/a"},{"op":"replace","path":"/b","value":{}}]`, merge: `{"a":null,"b":{}}`,
		},
		{
			name: "another kind of root", previous: `{"a":1}`, now: `[1]`,
			pointers: []string{""}, patch: `[{"op":"add","path":"","value":[1]}]`, merge: `[1]`, whole: true,
		},
		{
			name: "an object in the place of an array", previous: `[1]`, now: `{"a":1}`,
			pointers: []string{""}, patch: `[{"op":"add","path":"","value":{"a":1}}]`, merge: `{"a":1}`, whole: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := pointers(test.previous, test.now); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", test.pointers) || got == nil {
				t.Errorf("pointers are %q, want %q", got, test.pointers)
			}
			if patch, whole := Patch([]byte(test.previous), []byte(test.now)); string(patch) != test.patch || whole != test.whole {
				t.Errorf("the patch is %s, %v, want %s", patch, whole, test.patch)
			}
			if merge, exact := Merge([]byte(test.previous), []byte(test.now)); string(merge) != test.merge || exact == test.inexact {
				t.Errorf("the merge patch is %s, %v, want %s", merge, exact, test.merge)
			}
			check(t, []byte(test.previous), []byte(test.now))
		})
	}
}

// Bodies that are not JSON have no members.
func TestNoMembers(t *testing.T) {
	for _, test := range []struct{ previous, now, want string }{
		{"a,b", "a,b", `[]`},
		{"a,b", "a,c", `[""]`},
		{"<a/>", `{"a":1}`, `[""]`},
		{`{"a":1}`, `{"a":`, `[""]`},
		{"\xff", "\xfe", `[""]`},
	} {
		if got := fmt.Sprintf("%q", pointers(test.previous, test.now)); got != test.want {
			t.Errorf("%q, %q: %s, want %s", test.previous, test.now, got, test.want)
		}
	}
}

// Too many pointers, or too long ones, are cut, the deepest first, however many
// there would be.
func TestCut(t *testing.T) {
	object := func(n int, format string, args ...any) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"m%03d":`+format, append([]any{i}, args...)...)
		}
		return "{" + b.String()[1:] + "}"
	}
	short := func(p event.Pointers) string {
		if len(p) > 2 {
			return fmt.Sprintf("%s … %s (%d)", p[0], p[len(p)-1], len(p))
		}
		return fmt.Sprintf("%q", p)
	}
	name := strings.Repeat("n", 1<<16)
	for _, test := range []struct{ name, previous, now, want string }{
		{"as many as there may be", `{}`, object(64, "1"), "/m000 … /m063 (64)"},
		{"one more", `{}`, object(65, "1"), `[""]`},
		{"more, deeper", `{"a":{},"b":1}`, `{"a":` + object(64, "1") + `,"b":2}`, `["/a" "/b"]`},
		{"the deepest only", `{"a":` + object(2, `{"x":{}}`) + `}`, `{"a":` + object(2, `{"x":`+object(40, "1")+`}`) + `}`, `["/a/m000/x" "/a/m001/x"]`},
		{"many above are not helped", `{"b":{"c":{"d":1}}}`, object(70, "1"), `[""]`},
		{"as long as they may be", `{}`, `{"` + name[:4<<10-3] + `":1}`, `["/` + name[:4<<10-3] + `"]`},
		{"longer", `{}`, `{"` + name[:4<<10-2] + `":1}`, `[""]`},
		{"longer when encoded", `{"a":1,"o":{}}`, `{"a":2,"o":{"` + strings.Repeat("é", 700) + `":1}}`, `["/a" "/o"]`},
		{"a long name times thousands", `{"` + name + `":{}}`, `{"` + name + `":` + object(5_000, "1") + `}`, `[""]`},
	} {
		got := pointers(test.previous, test.now)
		if short(got) != test.want {
			t.Errorf("%s: %.200s, want %.200s", test.name, short(got), test.want)
		}
		if patch, _ := Patch([]byte(test.previous), []byte(test.now)); len(patch) > len(test.now)+slack+64 {
			t.Errorf("%s: a patch of %d bytes makes one of %d", test.name, len(patch), len(test.now))
		}
		check(t, []byte(test.previous), []byte(test.now))
	}
}

// check checks all that is promised of what differs between two documents.
func check(t tester, previous, now []byte) {
	t.Helper()
	told := pointers(string(previous), string(now))
	if same := bytes.Equal(event.Canonical(previous), event.Canonical(now)); same != (len(told) == 0) || told == nil {
		t.Fatalf("%.500q and %.500q are the same (%v), and told is %.500q", previous, now, same, told)
	}
	if size := len(told.Header()); len(told) > MaxPointers || size > MaxPointersSize {
		t.Fatalf("%d pointers of %d bytes", len(told), size)
	}
	if !json.Valid(previous) || !json.Valid(now) {
		return
	}
	checkPointers(t, told, read(t, previous), read(t, now))
	checkPatch(t, previous, now)
	before, after := read(t, previous), read(t, now)
	merge, exact := Merge(previous, now)
	if !json.Valid(merge) {
		t.Fatalf("%.500s is no JSON", merge)
	}
	if merged := merged(before, read(t, merge)); exact && !reflect.DeepEqual(merged, after) {
		t.Fatalf("%.500q, %.500q: %.500s makes %.500v", previous, now, merge, merged)
	}
	checkMergeLibrary(t, previous, merge, after, exact)
	if merged := merged(nil, after); MergeWhole(now) && !reflect.DeepEqual(merged, after) {
		t.Fatalf("merged to nothing, %.500q is %.500v", now, merged)
	}
}

// checkPatch applies the JSON Patch as RFC 6902 says, and with a library.
func checkPatch(t tester, previous, now []byte) {
	t.Helper()
	patch, whole := Patch(previous, now)
	from := previous
	if whole {
		from = []byte(`{"of":"another"}`)
	}
	if got, err := applied(patch, read(t, from)); err != nil || !reflect.DeepEqual(got, read(t, now)) {
		t.Fatalf("%.500q, %.500q: %.500s makes %.500v, %v", previous, now, patch, got, err)
	}
	decoded, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatalf("%.500s is no patch: %v", patch, err)
	}
	// The library takes objects and arrays only for documents, does not find what is
	// within a member without a name, and takes the square of the depth.
	if !isContainer(from) || !isContainer(now) || bytes.Contains(patch, []byte("//")) || len(from)+len(now) > librarySize {
		return
	}
	got, err := decoded.Apply(bytes.TrimSpace(from))
	if err != nil || !reflect.DeepEqual(read(t, got), read(t, now)) {
		t.Fatalf("%.500q, %.500q: %.500s makes %.500s, %v", previous, now, patch, got, err)
	}
}

const librarySize = 16 << 10

// applied is what a JSON Patch makes of a document.
func applied(patch []byte, document any) (any, error) {
	var operations []struct {
		Op, Path string
		Value    json.RawMessage
	}
	if err := json.Unmarshal(patch, &operations); err != nil {
		return nil, err
	}
	for _, o := range operations {
		var value any
		if o.Op != "remove" {
			decoder := json.NewDecoder(bytes.NewReader(o.Value))
			decoder.UseNumber()
			if err := decoder.Decode(&value); err != nil {
				return nil, err
			}
		}
		if o.Path == "" {
			document = value
			continue
		}
		parent, parts := document, parts(o.Path)
		last := parts[len(parts)-1]
		for _, part := range parts[:len(parts)-1] {
			object, _ := parent.(map[string]any)
			parent = object[part]
		}
		object, ok := parent.(map[string]any)
		if _, there := object[last]; !ok || there == (o.Op == "add") {
			return nil, fmt.Errorf("%s %s: %v, %v", o.Op, o.Path, ok, there)
		}
		object[last] = value
		if o.Op == "remove" {
			delete(object, last)
		}
	}
	return document, nil
}

// parts are the names in a pointer.
func parts(pointer string) (parts []string) {
	for part := range strings.SplitSeq(pointer[1:], "/") {
		parts = append(parts, strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~"))
	}
	return parts
}

// checkMergeLibrary merges with a library. It takes only objects for documents, and
// removes what is null in the objects of arrays, which RFC 7396 does not.
func checkMergeLibrary(t tester, previous, merge []byte, after any, exact bool) {
	t.Helper()
	object := func(text []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) }
	if !exact || !object(previous) || !object(merge) || bytes.Contains(merge, []byte("[")) || len(previous)+len(merge) > librarySize {
		return
	}
	got, err := jsonpatch.MergePatch(bytes.TrimSpace(previous), merge)
	if err != nil || !reflect.DeepEqual(read(t, got), after) {
		t.Fatalf("%.500q: merging %.500q makes %.500q, %v", previous, merge, got, err)
	}
}

// merged is RFC 7396, section 2, as it is written there.
func merged(target, patch any) any {
	members, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	made := map[string]any{}
	if object, ok := target.(map[string]any); ok {
		for name, value := range object {
			made[name] = value
		}
	}
	for name, value := range members {
		if value == nil {
			delete(made, name)
			continue
		}
		made[name] = merged(made[name], value)
	}
	return made
}

// checkPointers checks that outside of what the pointers name, nothing differs, and
// that each names something that does.
func checkPointers(t tester, told event.Pointers, before, after any) {
	t.Helper()
	for _, pointer := range told {
		if pointer == "" {
			if len(told) != 1 {
				t.Fatalf("%q", told)
			}
			return
		}
		removeAt(before, parts(pointer))
		removeAt(after, parts(pointer))
	}
	if !reflect.DeepEqual(before, after) {
		t.Fatalf("%q does not name all that differs: %.500v, %.500v are left", told, before, after)
	}
}

func removeAt(document any, parts []string) {
	for len(parts) > 1 {
		object, ok := document.(map[string]any)
		if !ok {
			return
		}
		document, parts = object[parts[0]], parts[1:]
	}
	if object, ok := document.(map[string]any); ok {
		delete(object, parts[0])
	}
}

func isContainer(document []byte) bool {
	trimmed := bytes.TrimSpace(document)
	return trimmed[0] == '{' || trimmed[0] == '['
}

func read(t tester, document []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%q: %v", document, err)
	}
	return value
}

// drawValue draws JSON of few names, so that two are alike, with what is odd.
func drawValue(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if depth == 0 || kind < 2 {
			return rapid.SampledFrom([]string{
				"null", "1", "1.0", "1e0", "-0", "123456789012345678901234567890", "true", "false", `""`, `"a"`, `"\u0061"`, `"~/é"`, `"\\\""`, `"\ud800"`, "{}", "[]",
			}).Draw(t, "value")
		}
		blank := rapid.SampledFrom([]string{"", "", " ", "\n\t"}).Draw(t, "blank")
		var parts []string
		for range rapid.IntRange(0, 4).Draw(t, "parts") {
			part := blank + drawValue(depth-1).Draw(t, "part") + blank
			if kind > 2 {
				names := []string{`"a"`, `"b"`, `"c"`, `"\u0061"`, `""`, `"~"`, `"/"`, `"~1"`, `"0"`, `"-"`, `"é,%\""`, `"\ud800"`, `"\ud801"`, "\"\xff\"", `"\ufffd"`, `"<&>"`}
				part = blank + rapid.SampledFrom(names).Draw(t, "name") + blank + ":" + part
			}
			parts = append(parts, part)
		}
		if kind > 2 {
			return "{" + strings.Join(parts, ",") + blank + "}"
		}
		return "[" + strings.Join(parts, ",") + blank + "]"
	})
}

// The patches of any two documents make one of the other, as a library and the
// text of RFC 7396 apply them, and the pointers name all that differs.
func TestAnyChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		previous, now := drawValue(4).Draw(t, "previous"), drawValue(4).Draw(t, "now")
		if rapid.Bool().Draw(t, "deep") {
			n := rapid.IntRange(58, 70).Draw(t, "depth")
			open, end := strings.Repeat(`{"d":`, n), strings.Repeat("}", n)
			previous, now = open+previous+end, open+now+end
		}
		check(t, []byte(previous), []byte(now))
	})
}

// A nesting of thousands takes no longer than its length.
func TestDeep(t *testing.T) {
	const levels = 2_000
	text := `"` + strings.Repeat("n", 1<<16) + `"`
	for _, opening := range []string{`{"a":`, `[`, `{"a":[`} {
		closing := strings.NewReplacer("{", "}", "[", "]").Replace(strings.Trim(opening, `"a:`))
		if len(opening) == len(`{"a":[`) {
			closing = "]}"
		}
		n := levels / len(closing)
		closing = strings.TrimFunc(closing, func(r rune) bool { return r != '}' && r != ']' })
		previous := strings.Repeat(opening, n) + text + strings.Repeat(closing, n)
		check(t, []byte(previous), []byte(strings.Replace(previous, text, "1", 1)))
		check(t, []byte(strings.Replace(previous, text, "1", 1)), []byte(previous))
	}
}

// Where the canonical form does not sort members, their order counts.
func TestOrderOfDeepMembers(t *testing.T) {
	for depth, want := range map[int]int{63: 0, 64: 1} {
		nest := func(value string) string { return strings.Repeat(`{"d":`, depth) + value + strings.Repeat("}", depth) }
		previous, now := nest(`{"a":1,"b":2}`), nest(`{"b":2,"a":1}`)
		if got := pointers(previous, now); len(got) != want {
			t.Errorf("%d deep: %q", depth, got)
		}
		check(t, []byte(previous), []byte(now))
	}
}

func FuzzChange(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1,"c":2}}`), []byte(`{"a":{"b":2,"d":null}}`))
	f.Add([]byte(`{"a":1,"\u0061":2}`), []byte(`{"a":1}`))
	f.Add([]byte("{\"o\":{\"\xff\":1}}"), []byte("{\"o\":{\"\xfe\":1}}"))
	f.Add([]byte(`[1.0,{"~/":""}]`), []byte(`[1,{"~/":""}]`))
	f.Add([]byte(` []`), []byte(`[]`))
	f.Add([]byte(`{"":{"":0}}`), []byte(`{"":{}}`))
	f.Add([]byte(`<a/>`), []byte(` {"a" : [ ] } `))
	f.Fuzz(func(t *testing.T, previous, now []byte) { check(t, previous, now) })
}
