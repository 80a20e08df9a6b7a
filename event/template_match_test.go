// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTemplateMay(t *testing.T) {
	for _, tc := range []struct {
		template, pattern string
		want              bool
	}{
		{"items.created", "items.created", true},
		{"items.created", "items.*", true},
		{"items.created", "*", true},
		{"items.created", "item.*", false},
		{"items.created", "items.create", false},
		{"items.created", "items.created.*", false},
		{"items.created", "order.*", false},
		{"items.state.{state}", "items.state.paid", true},
		{"items.state.{state}", "items.state.paid.twice", false}, // a value has no dot
		{"items.state.{state}", "items.*", true},
		{"items.state.{state}", "items.state.*", true},
		{"items.state.{state}", "items.stat.*", false},
		{"items.state.{state}", "items.state", false}, // a value is never empty
		{"{kind}.created", "orders.*", true},
		{"{kind}.created", "orders.updated", false},
		{"{kind}.created", "orders.sub.*", false},
		{"{a}{b}", "x", false},
		{"{a}{b}", "xy", true},
		{"{a}", strings.Repeat("x", 65), false},
	} {
		template, err := ParseTemplate(tc.template)
		if err != nil {
			t.Fatal(err)
		}
		if got := template.May(tc.pattern); got != tc.want {
			t.Errorf("%s may be %s: %t", tc.template, tc.pattern, got)
		}
	}
}

// What a template renders, a pattern that matches it may be.
func FuzzTemplateMay(f *testing.F) {
	f.Add("items.{a}.x{b}", "paid", "q")
	f.Fuzz(func(t *testing.T, text, a, b string) {
		template, err := ParseTemplate(text)
		if err != nil {
			return
		}
		fields := Fields{}
		for i, path := range template.Paths() {
			raw, err := json.Marshal([]string{a, b}[i%2])
			if err != nil {
				return
			}
			fields[path] = raw
		}
		made := template.Render(fields)
		for i := range made {
			for _, pattern := range []string{made, made[:i] + "*"} {
				if filter, err := ParseFilter(pattern); err == nil && filter.Match(made) && !template.May(pattern) {
					t.Errorf("%s renders %s, which %s matches", text, made, pattern)
				}
			}
		}
	})
}
