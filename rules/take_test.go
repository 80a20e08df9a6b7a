// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"strings"
	"testing"
)

// Words before a place take a part of its text, the last one first.
func TestTake(t *testing.T) {
	for _, tc := range []struct{ place, text, want string }{
		{"split:query:ids", "1,2, 3,,", "1|2|3"},
		{"split;:query:ids", "1;2,3", "1|2,3"},
		{"split|:query:ids", "1|2", "1|2"},
		{"split :query:ids", "1  2", "1|2"},
		{"split:query:ids", ",", ""},
		{"segment:header:Destination", "http://h/a/b%20c", "b c"},
		{"segment:header:Destination", "/a/b/?q=1#f", "b"},
		{"segment:header:Destination", "b", "b"},
		{"segment:header:Destination", "../a/b", "!"},
		{"segment:header:Destination", "/a/b%2Fc", "!"},
		{"segment:header:Destination", "/a/b;v=1", "!"},
		{"segment:header:Destination", "/", "!"},
		{"segment:header:Destination", "urn:a:b", "!"},
		{"segment:header:Destination", "http://[", "!"},
		{"segment:2:header:Destination", "http://h/a/b/c", "b"},
		{"segment:3:href", "/a/b", "!"},
		{"segment:split:query:urls", "/a/1, /a/2", "1|2"},
		{"split:segment:location", "/a/1,2", "1|2"},
	} {
		v, err := parsePlace(tc.place)
		if err != nil {
			t.Errorf("%s: %v", tc.place, err)
			continue
		}
		got, err := v.Take([]string{tc.text}, MaxKeys)
		if failed := err != nil; failed != (tc.want == "!") || !failed && strings.Join(got, "|") != tc.want {
			t.Errorf("%s of %q: %q, %v; want %q", tc.place, tc.text, got, err, tc.want)
		}
		if _, err := parseValue(tc.place); err == nil {
			t.Errorf("%s is all that stands at its place", tc.place)
		}
	}
	for _, text := range []string{"split:", "segment:0:a", "segment:10:a", "segment:", "splita:b", "split::", "split:bogus:x"} {
		if v, err := parsePlace(text); err == nil {
			t.Errorf("%s is taken for %+v", text, v)
		}
	}
}

// A text of any length makes no more than one value over the limit.
func TestTakeLimit(t *testing.T) {
	v, err := parsePlace("split:query:ids")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("1,", 100)
	if texts, err := v.Take([]string{text, text}, 10); err != nil || len(texts) != 11 {
		t.Errorf("%d texts, %v; want 11", len(texts), err)
	}
	rows, err := TakeRows([]Value{v, {}}, [][]string{{text, "a"}, {text, "b"}}, 10)
	if err != nil || len(rows) != 11 || rows[10][1] != "a" {
		t.Errorf("rows %q, %v; want 11", rows, err)
	}
}

// What is taken of a text stands in it, decoded, and never holds a slash.
func FuzzSegment(f *testing.F) {
	f.Add("http://h/a/b%20c?d", 1)
	f.Add("a/../b;c/%2e", 2)
	f.Fuzz(func(t *testing.T, text string, n int) {
		segment, err := segmentOf(text, 1+max(n, 0)%maxSegment)
		if err == nil && (segment == "" || strings.ContainsAny(segment, "/\\;") || slices.Contains([]string{".", ".."}, segment)) {
			t.Errorf("%q: %q", text, segment)
		}
	})
}

// The names of members are ids where an answer has them, and nowhere else.
func TestNames(t *testing.T) {
	for text, want := range map[string]string{
		"keys:result": "result.@keys", "keys:": "@keys", "keys:response:a.b": "a.b.@keys", `keys:a\.b`: `a\.b.@keys`, "segment:keys:urls": "urls.@keys",
	} {
		if v, err := parsePlace(text); err != nil || v.Name != want || v.Source != FromResponse || v.String() != text {
			t.Errorf("%s: %+v, %v; want %s", text, v, err, want)
		}
		if _, err := parseValue(text); err == nil {
			t.Errorf("%s: it is taken where one value is wanted", text)
		}
	}
	for _, text := range []string{"keys:request:a", "keys::id", "keys:query:a", "keys:header:A", "keys:location", "keys:keys:a", "keys:split:a", "keys:@values", "keys:a.@keys", "keys:/a"} {
		if v, err := parsePlace(text); err == nil {
			t.Errorf("%s: it is taken as %+v", text, v)
		}
	}
}
