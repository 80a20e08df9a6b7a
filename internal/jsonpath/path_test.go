// SPDX-License-Identifier: Apache-2.0

package jsonpath

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestParse(t *testing.T) {
	name := func(s string) Step { return Step{Kind: Name, Name: s} }
	for path, want := range map[string][]Step{
		"a":          {name("a")},
		"a.b.0":      {name("a"), name("b"), name("0")},
		"a.#.b":      {name("a"), {Kind: Each}, name("b")},
		"*.a.*":      {{Kind: Any}, name("a"), {Kind: Any}},
		`a\.b.c`:     {name("a.b"), name("c")},
		`\#.\*`:      {name("#"), name("*")},
		`\@type`:     {name("@type")},
		`a\|b\*c\?`:  {name("a|b*c?")},
		`a\\b`:       {name(`a\b`)},
		"n.#text.-x": {name("n"), name("#text"), name("-x")},
		"a@b.c!":     {name("a@b"), name("c!")},
	} {
		if got, err := Parse(path); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v; want %v", path, got, err, want)
		}
	}
	for _, path := range []string{
		"", ".", "a.", ".a", "a..b", `a\`, "a|b", "a*", "*a", "a?", "@this", "a.@reverse", "!1", "{a,b}", "[a]", "a.{b}",
		"#(a==1)", "a.#(b>1)#.c", "a.#[b]", strings.Repeat("a.", MaxSteps) + "a",
	} {
		if got, err := Parse(path); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%q: %v, %v", path, got, err)
		}
	}
}

// FuzzParse compares names with gjson's reading of them.
func FuzzParse(f *testing.F) {
	f.Add("a.b")
	f.Add(`a\.b`)
	f.Add(`#text.\#.x#`)
	f.Fuzz(func(t *testing.T, path string) {
		steps, err := Parse(path)
		if err != nil {
			return
		}
		document := "1"
		for i := len(steps) - 1; i >= 0; i-- {
			if steps[i].Kind != Name {
				return
			}
			document = "{" + string(gjson.AppendJSONString(nil, steps[i].Name)) + ":" + document + "}"
			if strings.Contains(document, "fffd") || strings.ContainsRune(document, '\uFFFD') {
				return // not UTF-8
			}
		}
		if !gjson.Get(document, path).Exists() {
			t.Errorf("%q is not found at %q", document, path)
		}
	})
}

func TestEscape(t *testing.T) {
	for _, name := range []string{"a", "a.b", "#", "*", "@this", `a\b`, "!1", "{x}", "[0]", "#(a==1)", "a|b?", "ü.é"} {
		path := "x." + Escape(name)
		steps, err := Parse(path)
		if err != nil || !reflect.DeepEqual(steps, []Step{{Name: "x"}, {Name: name}}) {
			t.Errorf("%s: %v, %v", path, steps, err)
		}
		document := `{"x":{` + string(gjson.AppendJSONString(nil, name)) + `:1}}`
		if !gjson.Get(document, path).Exists() {
			t.Errorf("gjson does not find %s in %s", path, document)
		}
	}
}

func TestHasModifier(t *testing.T) {
	for path, want := range map[string]bool{
		"a.b": false, "@this": true, "a.@reverse": true, "a|@ugly": true, "!1": true, "{a,@this}": true, "[@this]": true, `{"a":@this}`: true,
		`\@odata\.etag`: false, `a.\@id`: false, "a@b.c!": false, "$id": false, `#(mail=="a@b.c")#.id`: false, `\\.@this`: true, `a\.@b`: false,
	} {
		if got := HasModifier(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
