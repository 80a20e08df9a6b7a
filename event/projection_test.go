// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

func TestProjectionHide(t *testing.T) {
	for _, tc := range []struct{ hide, document, want string }{
		{"card", `{"id":1,"card":"4111","z":[1]}`, `{"id":1,"z":[1]}`},
		{"card", ` { "card" : {"a":[1,{"b":2}]} , "id" : 1.0e2 } `, ` { "id" : 1.0e2 } `},
		{"card", `{"id":1, "card":2 }`, `{"id":1}`},
		{"card", `{"card":2}`, `{}`},
		{"card", `{ "id" : 1 , "x" : "\u0061" }`, `{ "id" : 1 , "x" : "\u0061" }`},
		{"card", `{"c\u0061rd":1,"card":2,"Card":3,"card ":4}`, `{"Card":3,"card ":4}`},
		{"card", `[{"card":1},{"id":2,"card":3}]`, `[{},{"id":2}]`},
		{"card", `7`, `7`},
		{"buyer.card", `{"buyer":{"name":"x","card":1},"card":2}`, `{"buyer":{"name":"x"},"card":2}`},
		{"buyer.card", `{"buyer":[[{"card":1}],{"card":2,"id":3}]}`, `{"buyer":[[{}],{"id":3}]}`},
		{"buyer.card", `{"buyer":{"card":1},"buyer":{"card":2}}`, `{"buyer":{},"buyer":{}}`},
		{"buyer.card", `{"buyer":null}`, `{"buyer":null}`},
		{"l.#.price", `{"l":[{"id":1,"price":2},{"price":3}]}`, `{"l":[{"id":1},{}]}`},
		{"l.#.price", `{"l":{"id":1,"price":2}}`, `{"l":{"id":1}}`},
		{"l.#", `{"l":[1,2]}`, `{"l":[]}`},
		{"l.#", `{"l":1,"m":2}`, `{"m":2}`},
		{"*.secret", `{"a":{"secret":1,"id":2},"b":[{"secret":1}],"secret":3}`, `{"a":{"id":2},"b":[{}],"secret":3}`},
		{"*", `{"a":1,"b":{}}`, `{}`},
		{"l.1", `{"l":[1,2,3]}`, `{"l":[1,3]}`},
		{"l.1", `{"l":{"1":2,"2":3}}`, `{"l":{"2":3}}`},
		{`a\.b`, `{"a.b":1,"a":{"b":2}}`, `{"a":{"b":2}}`},
		{"a b", `{"a":{"x":1},"b":2,"c":3}`, `{"c":3}`},
		{"a.b a.c", `{"a":{"b":1,"c":2,"d":3}}`, `{"a":{"d":3}}`},
	} {
		checkProjection(t, strings.Fields(tc.hide), nil, tc.document, tc.want)
	}
}

func TestProjectionOnly(t *testing.T) {
	for _, tc := range []struct{ only, document, want string }{
		{"id", `{ "id" : 1, "card":2, "z":[{"id":3}] }`, `{ "id" : 1}`},
		{"id", `{"card":2,"id":{"x":[1]}}`, `{"id":{"x":[1]}}`},
		{"id", `[{"id":1,"x":2},3]`, `[{"id":1}]`},
		{"a.id", `{"a":{"id":1,"x":2},"b":1}`, `{"a":{"id":1}}`},
		{"a.id", `{"a":"secret"}`, `{}`},
		{"a.id", `{"a":{"x":1}}`, `{"a":{}}`},
		{"a.id", `{"a":[{"id":1},{"x":2},3]}`, `{"a":[{"id":1},{}]}`},
		{"l.#.id", `{"l":[{"id":1,"x":2},{"id":3}],"n":1}`, `{"l":[{"id":1},{"id":3}]}`},
		{"l.#.id", `{"l":{"id":1,"x":2}}`, `{"l":{"id":1}}`},
		{"l.1.id", `{"l":[{"id":1},{"id":2}]}`, `{"l":[{},{"id":2}]}`},
		{"*.id", `{"a":{"id":1,"x":2},"b":3}`, `{"a":{"id":1}}`},
		{"id a.b", `{"id":1,"a":{"b":2,"c":3},"d":4}`, `{"id":1,"a":{"b":2}}`},
		{"i\\d", `{"\u0069d":1,"id":2}`, `{"\u0069d":1,"id":2}`},
	} {
		checkProjection(t, nil, strings.Fields(tc.only), tc.document, tc.want)
	}
	checkProjection(t, []string{"a.card"}, []string{"id", "a"}, `{"id":1,"a":{"b":2,"card":3},"d":4}`, `{"id":1,"a":{"b":2}}`)
}

func TestProjectionOfXML(t *testing.T) {
	const soap = `<?xml version="1.0"?><s:E xmlns:s="urn:s"><s:B><id>1</id><card t="x">4111<!-- c --></card></s:B></s:E>`
	for _, tc := range []struct{ hide, only, document, want string }{
		{"E.B.card", "", soap, `<?xml version="1.0"?><s:E xmlns:s="urn:s"><s:B><id>1</id></s:B></s:E>`},
		{"E.B.card.-t", "", soap, `<?xml version="1.0"?><s:E xmlns:s="urn:s"><s:B><id>1</id><card>4111</card></s:B></s:E>`},
		{"E.B.card.#text", "", soap, `<?xml version="1.0"?><s:E xmlns:s="urn:s"><s:B><id>1</id><card t="x"></card></s:B></s:E>`},
		{"E.B.*", "", soap, `<?xml version="1.0"?><s:E xmlns:s="urn:s"><s:B></s:B></s:E>`},
		{"", "E.B.id", soap, `<?xml version="1.0"?><s:E xmlns:s="urn:s"><s:B><id>1</id></s:B></s:E>`},
		{"l.i.#.card", "", `<l><i><card/>x</i><i a="1" card="2"><card>3</card><id/></i></l>`, `<l><i>x</i><i a="1" card="2"><id/></i></l>`},
		{"l.i.card", "", `<l><i><card>1</card></i><i><card>2</card></i></l>`, `<l><i></i><i></i></l>`},
		{"l.i.1", "", `<l><i>1</i><j/><i>2</i></l>`, `<l><i>1</i><j/></l>`},
		{"l.i.*.card", "", `<l><i><card>1</card></i><i><a><card>2</card></a></i></l>`, `<l><i></i><i><a></a></i></l>`},
		{"l.-a l.-b", "", `<l a='1>"' x = "2" p:b="3" xmlns:p="urn:p"/>`, `<l x = "2" xmlns:p="urn:p"/>`},
		{"", "l.-a l.i.id", `<l a='1' b="2"> t <i><id>1</id><x>2</x></i> <j/></l>`, `<l a='1'><i><id>1</id></i> </l>`},
		{"", "l.i.-u", `<l><i u="1" v="2"/></l>`, `<l><i u="1"/></l>`},
		{"l.x", "", "<!DOCTYPE l SYSTEM 'x'>\n<l/>", "<!DOCTYPE l SYSTEM 'x'>\n<l/>"},
		{"l.x", "", "\xef\xbb\xbf<l><x/></l>", "\xef\xbb\xbf<l></l>"},
		{"l.x", "", "<l><![CDATA[<x>]]><x/></l>", "<l><![CDATA[<x>]]></l>"},
	} {
		checkProjection(t, strings.Fields(tc.hide), strings.Fields(tc.only), tc.document, tc.want)
	}
}

func checkProjection(t *testing.T, hide, only []string, document, want string) {
	t.Helper()
	p, err := NewProjection(hide, only)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Apply([]byte(document)); err != nil || string(got) != want {
		t.Errorf("hide %q, only %q of %s: %s, %v; want %s", hide, only, document, got, err, want)
	}
}

func TestNotProjectable(t *testing.T) {
	for _, tc := range []struct{ hide, only, document string }{
		{"card", "", ``},
		{"card", "", `{"card":1`},
		{"card", "", `{"card":1}{"card":1}`},
		{"card", "", "card=4111"},
		{"#", "", `7`},
		{"", "id", `"secret"`},
		{"card", "", "<html><card>1</card></html>"},
		{"card", "", "<!doctype html><p>"},
		{"a", "", "<a>1</a>"},
		{"", "b", "<a>1</a>"},
		{"a.b", "", "<a><b>1</a></b>"},
		{"a.b", "", "<a/><a><b>1</b></a>"},
		{"a.b", "", "<a/> SECRET"},
		{"", "a.b", "<a><!SECRET></a>"},
		{"", "a.b", "<a><!DOCTYPE SECRET></a>"},
		{"a.b", "", `<!DOCTYPE a [<!ENTITY b "SECRET">]><a>&b;</a>`},
		{"a.b", "", `<?xml version="1.0" encoding="iso-8859-1"?><a/>`},
		{"a.b", "", "\xfe\xff\x00<\x00a\x00/\x00>"},
		{"a.b", "", strings.Repeat("<a>", maxXMLLevels+1) + strings.Repeat("</a>", maxXMLLevels+1)},
	} {
		p, err := NewProjection(strings.Fields(tc.hide), strings.Fields(tc.only))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Apply([]byte(tc.document)); got != nil || !errors.Is(err, ErrNotProjectable) {
			t.Errorf("hide %q, only %q of %s: %s, %v", tc.hide, tc.only, tc.document, got, err)
		}
	}
	var none Projection
	if got, err := none.Apply([]byte("anything")); err != nil || string(got) != "anything" {
		t.Errorf("the zero Projection makes %q, %v", got, err)
	}
	for _, path := range []string{"", "a..b", "#(a==1)", "a.@reverse", "a|b", "a*", "{a,b}"} {
		if _, err := NewProjection([]string{path}, nil); !errors.Is(err, jsonpath.ErrUnsupported) || !strings.HasPrefix(err.Error(), "hide: ") {
			t.Errorf("hide %q: %v", path, err)
		}
		if _, err := NewProjection(nil, []string{"id", path}); !errors.Is(err, jsonpath.ErrUnsupported) || !strings.HasPrefix(err.Error(), "only: ") {
			t.Errorf("only %q: %v", path, err)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, tc := range []struct {
		hide, only, path string
		want             bool
	}{
		{"", "", "a", false},
		{"a.card", "", "a.card", true},
		{"a.card", "", "a.card.number", true},
		{"a.card", "", "a", true},
		{"a.card", "", "a.name", false},
		{"a.card", "", "b.card", false},
		{"a.card", "", "a.#.card", true},
		{"a.card", "", "a.0.card", true},
		{"a.card", "", "#.a.card", true},
		{"a.card", "", "a.#.name", false},
		{"a.card", "", "*", true},
		{"a.card", "", "*.name", false},
		{"a.card", "", "a.*", true},
		{"l.#.card", "", "l.0.card", true},
		{"l.#.card", "", "l.card", true},
		{"l.#.card", "", "l.#.id", false},
		{"l.#.card", "", "l.#", true},
		{"l.0.card", "", "l.#.card", true},
		{"l.0.card", "", "l.1.card", false},
		{"l.1.card", "", "l.01.card", true},
		{"*.card", "", "a.card", true},
		{"*.card", "", "a.id", false},
		{"*.card", "", "card", true}, // a value at "card" may hold a "card"
		{"*.*.*.*.*.*.*.*.*.*.x", "", "*.*.*.*.*.*.*.*.*.*.y", false},
		{"a.card", "", "b.#(x==1)", true},
		{"a.card", "", "a|name", true},
		{"", "id a.b", "id", false},
		{"", "id a.b", "id.x", false},
		{"", "id a.b", "a.b.c", false},
		{"", "id a.b", "a", true},
		{"", "id a.b", "a.c", true},
		{"", "id a.b", "a.#.b", false},
		{"", "id a.b", "a.0.b", true}, // the member "0" of an object is not kept
		{"", "l.#.id", "l.0.id", true},
		{"", "l.#.id", "l.#.id", false},
		{"", "l.#.id", "l.id", false},
		{"", "l.#", "l.0.x", false},
		{"", "*.id", "a.id", false},
		{"", "*.id", "a.x", true},
		{"", "a.*", "a.x", false},
		{"", "a.*", "a", true},
		{"id", "id", "id", true},
		{"a.b", "a", "a.c", false},
	} {
		p, err := NewProjection(strings.Fields(tc.hide), strings.Fields(tc.only))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Covers(tc.path); got != tc.want {
			t.Errorf("hide %q, only %q covers %s: %v", tc.hide, tc.only, tc.path, got)
		}
	}
}

// leaf is a value of a drawn document and its location.
type leaf struct {
	at   []jsonpath.Step // of Kind Name, or Each with the index as Name
	text string
}

// selected is the meaning of a path, independent of the implementation: it
// reports whether a location is at or below a value that the path selects.
func selected(path, at []jsonpath.Step) bool {
	switch {
	case len(path) == 0:
		return true
	case len(at) == 0:
		return path[0].Kind == jsonpath.Each && selected(path[1:], at)
	case at[0].Kind == jsonpath.Each: // an element of a list
		index, isIndex := path[0].Index()
		takes := path[0].Kind != jsonpath.Name || isIndex && strconv.Itoa(index) == at[0].Name
		return takes && selected(path[1:], at[1:]) || path[0].Kind == jsonpath.Name && selected(path, at[1:])
	default:
		takes := path[0].Kind == jsonpath.Any || path[0].Kind == jsonpath.Name && path[0].Name == at[0].Name
		return takes && selected(path[1:], at[1:]) || path[0].Kind == jsonpath.Each && selected(path[1:], at)
	}
}

var drawnNames = []string{"a", "b", "0", "a.b", "#", "*"}

func drawPath(t *rapid.T) string {
	escape := strings.NewReplacer(".", `\.`, "#", `\#`, "*", `\*`)
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
			return rapid.SampledFrom([]string{"#", "*", "1"}).Draw(t, "step")
		}
		return escape.Replace(rapid.SampledFrom(drawnNames).Draw(t, "name"))
	}), 1, 4).Draw(t, "path")
	return strings.Join(steps, ".")
}

// drawDocument draws JSON, with names repeated and escaped, and white space.
func drawDocument(t *rapid.T, at []jsonpath.Step, leaves *[]leaf) string {
	blank := rapid.SampledFrom([]string{"", "", " ", "\n\t"}).Draw(t, "blank")
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if len(at) == 5 || kind == 0 && len(at) > 0 {
		text := fmt.Sprintf("canary-%d-", len(*leaves))
		*leaves = append(*leaves, leaf{slices.Clone(at), text})
		return strconv.Quote(text)
	}
	var parts []string
	for i := range rapid.IntRange(0, 3).Draw(t, "members") {
		if kind == 1 {
			parts = append(parts, blank+drawDocument(t, append(at, jsonpath.Step{Kind: jsonpath.Each, Name: strconv.Itoa(i)}), leaves))
			continue
		}
		name := rapid.SampledFrom(drawnNames).Draw(t, "name")
		quoted := strconv.Quote(name)
		if rapid.Bool().Draw(t, "escaped") {
			quoted = fmt.Sprintf(`"\u%04x%s"`, name[0], name[1:])
		}
		parts = append(parts, blank+quoted+blank+":"+blank+drawDocument(t, append(at, jsonpath.Step{Name: name}), leaves)+blank)
	}
	if kind == 1 {
		return "[" + strings.Join(parts, ",") + blank + "]"
	}
	return "{" + strings.Join(parts, ",") + blank + "}"
}

// G9: no value at a hidden path survives, in a document of any shape, and no
// other value is lost; with `only` the other way round.
func TestCanaries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var leaves []leaf
		document := drawDocument(t, nil, &leaves)
		texts := rapid.SliceOfN(rapid.Custom(drawPath), 1, 3).Draw(t, "paths")
		var paths [][]jsonpath.Step
		for _, text := range texts {
			steps, err := jsonpath.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, steps)
		}
		hide, _ := NewProjection(texts, nil)
		only, _ := NewProjection(nil, texts)
		hidden, err := hide.Apply([]byte(document))
		if whole := slices.ContainsFunc(paths, func(p []jsonpath.Step) bool { return selected(p, nil) }) && document[0] == '{'; whole {
			if err == nil {
				t.Fatalf("nothing may stay of %s: %s", document, hidden)
			}
			return
		}
		kept, err2 := only.Apply([]byte(document))
		if err != nil || err2 != nil || !json.Valid(hidden) || !json.Valid(kept) {
			t.Fatalf("%s: %s, %v; %s, %v", document, hidden, err, kept, err2)
		}
		for _, l := range leaves {
			chosen := slices.ContainsFunc(paths, func(p []jsonpath.Step) bool { return selected(p, l.at) })
			if strings.Contains(string(hidden), l.text) == chosen {
				t.Errorf("hide %q of %s: %s", texts, document, hidden)
			}
			if strings.Contains(string(kept), l.text) != chosen {
				t.Errorf("only %q of %s: %s", texts, document, kept)
			}
		}
	})
}

// FuzzProjection checks the hidden values with gjson, and Covers against the
// hidden values.
func FuzzProjection(f *testing.F) {
	f.Add(`{"a":{"card":1,"id":2}}`, "a.card", "a.id")
	f.Add(`[{"c\u0061rd":[1]},{"card":{}}]`, "card", "0.card")
	f.Add(` { "a" : [ [ 1 , "]\"" ] , {} ] } `, "a.#.b", "a.1")
	f.Add(`<a b="1"><c>2</c>3</a>`, "a.c", "a.-b")
	f.Fuzz(func(t *testing.T, document, path, other string) {
		for _, only := range []bool{false, true} {
			p, err := NewProjection([]string{path}, nil)
			if only {
				p, err = NewProjection(nil, []string{path})
			}
			if err != nil {
				return
			}
			got, err := p.Apply([]byte(document))
			if err != nil {
				if got != nil || !errors.Is(err, ErrNotProjectable) {
					t.Errorf("%q, %v", got, err)
				}
				continue
			}
			if again, err := p.Apply(got); !strings.ContainsAny(path, "0123456789") && (err != nil || string(again) != string(got)) {
				t.Errorf("%s becomes %s, then %s, %v", document, got, again, err)
			}
			if !json.Valid([]byte(document)) {
				checkXML(t, got)
				continue
			}
			if !json.Valid(got) {
				t.Fatalf("%s becomes %s", document, got)
			}
			if strings.ContainsAny(path, "0123456789") {
				continue // elements after a removed one move up
			}
			left := gjson.GetBytes(got, path)
			if !only && left.Exists() && strings.Trim(left.Raw, "[], \r\n\t") != "" && !strings.HasSuffix(path, "#") {
				t.Errorf("%s is left of %s", left.Raw, document)
			}
			if _, err := jsonpath.Parse(other); err == nil && !p.Covers(other) {
				before, after := gjson.Get(document, other).Raw, gjson.GetBytes(got, other).Raw
				if before != after {
					t.Errorf("%s of %s is %s, then %s (only: %v)", other, document, before, after, only)
				}
			}
		}
	})
}

func checkXML(t *testing.T, document []byte) {
	decoder := xml.NewDecoder(strings.NewReader(string(document)))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%q: %v", document, err)
		}
	}
}

func TestFieldHash(t *testing.T) {
	h := NewHasher([32]byte{1})
	base := string(h.Field("a.b", []byte(`{"x":1,"y":2}`)))
	if base != string(h.Field("a.b", []byte(`{ "y":2, "x":1 }`))) {
		t.Error("the order of members changes the hash")
	}
	for name, other := range map[string][]byte{
		"another path":   h.Field("a", []byte(`{"x":1,"y":2}`)),
		"a moved border": h.Field("a.b{", []byte(`"x":1,"y":2}`)),
		"another value":  h.Field("a.b", []byte(`{"x":1,"y":3}`)),
		"a missing one":  h.Field("a.b", nil),
		"another key":    NewHasher([32]byte{2}).Field("a.b", []byte(`{"x":1,"y":2}`)),
		"a Show":         h.Show(NewDocument([]byte(`{"x":1,"y":2}`))),
	} {
		if string(other) == base {
			t.Errorf("%s has the same hash", name)
		}
	}
}
