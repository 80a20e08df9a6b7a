// SPDX-License-Identifier: Apache-2.0

package event

import (
	"errors"
	"strings"
	"testing"
)

func TestNewKey(t *testing.T) {
	for i, tc := range []struct {
		parts []string
		want  string // "" if refused
	}{
		{[]string{"42"}, "items/42"},
		{[]string{"9007199254740993"}, "items/9007199254740993"},
		{[]string{"a b"}, "items/a%20b"},
		{[]string{"a/b"}, "items/a%2Fb"},
		{[]string{"d1", "p/2"}, "items/d1/p%2F2"},
		{[]string{"Zürich"}, "items/Z%C3%BCrich"},
		{[]string{"..."}, "items/..."},
		{[]string{"a..b"}, "items/a..b"},
		{[]string{""}, ""},
		{[]string{}, ""},
		{[]string{"d1", ""}, ""},
		{[]string{"."}, ""},
		{[]string{".."}, ""},
		{[]string{"../users/1"}, ""},
		{[]string{`..\users\1`}, ""},
		{[]string{"a/../../users"}, ""},
		{[]string{"1\n2"}, ""},
		{[]string{"1\x00"}, ""},
		{[]string{"\xff"}, ""},
		{[]string{strings.Repeat("x", MaxPartLength+1)}, ""},
	} {
		key, err := NewKey("items", tc.parts...)
		if tc.want == "" {
			if !errors.Is(err, ErrBadKey) {
				t.Errorf("Test %d: %q was accepted as %s", i, tc.parts, key)
			}
			continue
		}
		if err != nil || key.String() != tc.want {
			t.Errorf("Test %d: NewKey(%q) = %s, %v; want %s", i, tc.parts, key, err, tc.want)
		}
		parsed, err := ParseKey(tc.want)
		if err != nil || parsed != key {
			t.Errorf("Test %d: ParseKey(%q) = %v, %v; want %v", i, tc.want, parsed, err, key)
		}
	}
}

func FuzzKey(f *testing.F) {
	for _, seed := range []string{"42", "a/b", "../x", "%2e%2e", "\x00", "ü", `..\`} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		key, err := NewKey("r", a, b)
		if err != nil {
			return
		}
		parts := key.Parts()
		if len(parts) != 2 || parts[0] != a || parts[1] != b {
			t.Errorf("NewKey(%q, %q).Parts() = %q", a, b, parts)
		}
		if parsed, err := ParseKey(key.String()); err != nil || parsed != key {
			t.Errorf("ParseKey(%q) = %v, %v", key.String(), parsed, err)
		}
		for _, segment := range strings.Split(key.ID, "/") {
			if segment == "." || segment == ".." || segment == "" {
				t.Errorf("key %q has the segment %q", key, segment)
			}
		}
	})
}
