// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// texted returns lines as they are read, with the kinds of those that are marked.
func texted(c code) string {
	var text strings.Builder
	for _, line := range c.Lines {
		text.WriteString(map[string]string{"ins": "+", "del": "-"}[line.Kind])
		for _, t := range line.Tokens {
			text.WriteString(t.Text)
		}
		text.WriteString("\n")
	}
	return text.String()
}

func TestCompared(t *testing.T) {
	for _, test := range []struct {
		before, now, want string
		changed           int
	}{
		{`{"a":1}`, `{"a":1}`, "{\n  \"a\": 1\n}\n", 0},
		{`{"a":1}`, `{"a":1,"b":2}`, "{\n  \"a\": 1,\n+  \"b\": 2\n}\n", 1},
		{`{"a":1,"b":2}`, `{"a":1}`, "{\n  \"a\": 1\n-  \"b\": 2\n}\n", 1},
		{`{"a":{"b":1},"c":[1,2]}`, `{"a":{"b":2},"c":[1,3]}`, "{\n  \"a\": {\n-    \"b\": 1\n+    \"b\": 2\n  },\n  \"c\": [\n    1,\n-    2\n+    3\n  ]\n}\n", 2},
		{"a\nb", "a\nc", "a\n-b\n+c\n", 1},
		{"\xff", "a", "a\n", 0},
		{``, `{}`, "+{}\n", 1},
	} {
		got, changed := compared([]byte(test.before), []byte(test.now))
		if texted(got) != test.want || changed != test.changed {
			t.Errorf("%q, %q: %d changes, %q, want %q", test.before, test.now, changed, texted(got), test.want)
		}
	}
}

// What is shown is the text, indented and bounded, and nothing in it hides.
func FuzzCode(f *testing.F) {
	for _, text := range []string{"", `{"a":[1,-2.5e3,true,null,"x\"y\\"],"b":{}}`, "plain\r\ntext", "\xff", `"half`, "{\"a\u202e\":\"\x00\"}", strings.Repeat("[", 100), `{"a": "b": "c"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := codeOf(text)
		shown := texted(c)
		for _, line := range strings.Split(shown, "\n") {
			if strings.ContainsFunc(line, hides) {
				t.Fatalf("%q hides something", line)
			}
		}
		if len(c.Lines) > maxLines {
			t.Fatalf("%d lines", len(c.Lines))
		}
		if c.Cut == "" && utf8.Valid(text) && json.Valid(text) && !strings.ContainsFunc(strings.ReplaceAll(string(text), "\n", ""), hides) {
			var was, is any
			if json.Unmarshal(text, &was) == nil && json.Unmarshal([]byte(shown), &is) != nil {
				t.Fatalf("%q is shown as %q", text, shown)
			}
		}
	})
}
