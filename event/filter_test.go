// SPDX-License-Identifier: Apache-2.0

package event

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFilterMatch(t *testing.T) {
	for _, test := range []struct {
		patterns string
		match    string
		not      string
	}{
		{"", "items.created a", ""},
		{"*", "items.created a", ""},
		{"items.*", "items.created items.state.paid items.-", "items item.created itemsx.created users.items.created Items.created"},
		{"transactions.created", "transactions.created", "transactions transactions.created.x transactions.create users.created"},
		{"items.state.*", "items.state.paid", "items.state items.created"},
		{"items.* transactions.created", "items.created transactions.created", "transactions.updated"},
		{"items.created * users.x", "anything", ""},
		{"items.* items.state.* items.created", "items.state.x items.created items.x", "users.created"},
		{"ping", "ping", "ping.pong"},
		{"a-b_c.D9.*", "a-b_c.D9.x", "a-b_c.d9.x"},
	} {
		filter, err := ParseFilter(strings.Fields(test.patterns)...)
		if err != nil {
			t.Errorf("%q: %v", test.patterns, err)
			continue
		}
		for _, eventType := range strings.Fields(test.match) {
			if !filter.Match(eventType) {
				t.Errorf("%q does not match %q", test.patterns, eventType)
			}
		}
		for _, eventType := range strings.Fields(test.not) {
			if filter.Match(eventType) {
				t.Errorf("%q matches %q", test.patterns, eventType)
			}
		}
	}
}

func TestParseFilterRefuses(t *testing.T) {
	for _, test := range []struct{ pattern, want string }{
		{"", "use * for all"},
		{"items*", `"items*" has a * that is not its last part`},
		{"*.created", "as in items.*"},
		{"items.*.created", "as in items.*"},
		{"items.**", "as in items.*"},
		{"items.*.*", "as in items.*"},
		{"**", "as in items.*"},
		{".*", "nothing before, after or between"},
		{"items.", "nothing before, after or between"},
		{".items", "nothing before, after or between"},
		{"items..*", "nothing before, after or between"},
		{"items.created,items.updated", "separated by spaces"},
		{"items.état", `'é'`},
		{"items created", "separated by spaces"},
		{"items.{items.state}", `'{'`},
		{"items.\xff", "letters, digits"},
	} {
		_, err := ParseFilter("items.*", test.pattern)
		if !errors.Is(err, ErrBadFilter) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.pattern, err, test.want)
		}
	}
}

func TestFilterString(t *testing.T) {
	filter, err := ParseFilter("users.created", "items.*")
	if err != nil || filter.String() != "users.created items.*" {
		t.Errorf("got %q, %v", filter, err)
	}
	if got := (Filter{}).String(); got != "*" {
		t.Errorf("the zero filter is %q", got)
	}
}

// plainMatch is the simplest implementation of what patterns match.
func plainMatch(patterns []string, eventType string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		before, found := strings.CutSuffix(pattern, "*")
		return found && strings.HasPrefix(eventType, before) || pattern == eventType
	})
}

func drawType(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "aa"}), 1, 4).Draw(t, "type"), ".")
}

func drawPatterns(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return "*"
		case 1, 2, 3, 4:
			return drawType(t) + ".*"
		default:
			return drawType(t)
		}
	}), 0, 5).Draw(t, "patterns")
}

func TestFilterMatchesLikePlainPatterns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		patterns, eventType := drawPatterns(t), drawType(t)
		filter, err := ParseFilter(patterns...)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := filter.Match(eventType), plainMatch(patterns, eventType); got != want {
			t.Fatalf("%q and %q: got %t, want %t", patterns, eventType, got, want)
		}
	})
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{"*", "items.*", "items.created users.*", "items*", "a..b", "*.a", "é.*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		patterns := strings.Fields(text)
		filter, err := ParseFilter(patterns...)
		if err != nil {
			if !errors.Is(err, ErrBadFilter) {
				t.Fatalf("got %v", err)
			}
			return
		}
		for _, pattern := range patterns {
			eventType := strings.ReplaceAll(pattern, "*", "x.y")
			if !filter.Match(eventType) {
				t.Fatalf("%q does not match %q", patterns, eventType)
			}
		}
	})
}
