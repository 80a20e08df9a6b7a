// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
)

// spanRules are the rules of one pattern of spans.
type spanRules struct {
	pattern *pattern
	rules   []*Rule
}

// addSpans returns the rules of a pattern of spans among those of a node, which has the
// patterns with most text first, and those that go on with "*" last.
func (n *node) addSpans(p *pattern) *[]*Rule {
	sets := &n.spans
	if p.isRest() {
		sets = &n.rests
	}
	at := slices.IndexFunc(*sets, func(s *spanRules) bool { return s.pattern.text == p.text })
	if at < 0 {
		at, _ = slices.BinarySearchFunc(*sets, p, func(s *spanRules, p *pattern) int {
			switch {
			case s.pattern.tail != p.tail && p.tail, s.pattern.tail == p.tail && s.pattern.literal >= p.literal:
				return -1
			}
			return 1
		})
		*sets = slices.Insert(*sets, at, &spanRules{pattern: p})
	}
	return &(*sets)[at].rules
}

// findSpans finds the rule of a request whose path matches a pattern of spans.
func findSpans(sets []*spanRules, request *Request, whole string, found *Match) bool {
	for _, set := range sets {
		if !slices.ContainsFunc(set.rules, func(r *Rule) bool { return r.takes(request.Method, whole) }) {
			continue
		}
		values, unsure, ok := set.pattern.values(whole, false)
		if !ok || len(values) > maxSegments {
			continue
		}
		before := *found
		if found.count = copy(found.values[:], values); pick(set.rules, request, whole, found) {
			if unsure {
				found.Unread = errSpelling
			}
			return true
		}
		*found = before
	}
	return false
}

// looseSpans is findSpans without regard to case and to what else rules demand.
func looseSpans(sets []*spanRules, method, whole string, found *Match) bool {
	for _, set := range sets {
		at := slices.IndexFunc(set.rules, func(r *Rule) bool { return r.takes(method, whole) })
		if at < 0 {
			continue
		}
		if values, _, ok := set.pattern.values(whole, true); ok {
			found.Rule, found.count = set.rules[at], copy(found.values[:], values)
			return true
		}
	}
	return false
}

// touchingSpans calls try for the rules of all patterns of spans that a path matches.
func (n *node) touchingSpans(whole string, try func([]*Rule, *Match)) {
	for _, set := range slices.Concat(n.spans, n.rests) {
		if values, _, ok := set.pattern.values(whole, false); ok {
			found := new(Match)
			found.count = copy(found.values[:], values)
			try(set.rules, found)
		}
	}
}
