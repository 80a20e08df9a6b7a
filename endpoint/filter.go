// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// wildcard at the end of a pattern stands for any rest of an event type.
const wildcard = "*"

// Filter says which event types an endpoint gets. The zero Filter matches every
// type, as does the pattern "*".
type Filter struct {
	// texts are the patterns as they were given.
	texts []string
	// exact are the types, and prefixes the beginnings of types up to and
	// including a ".", that match. No type is matched by two of them.
	exact, prefixes []string
	// some is false if every type matches.
	some bool
}

// ParseFilter compiles patterns: an event type such as "transactions.created"
// matches itself, "items.*" matches every type that begins with "items.",
// however many dots follow, and "*" matches all. Without a pattern it returns
// the zero Filter. Errors are [ErrBadFilter].
func ParseFilter(patterns ...string) (Filter, error) {
	filter := Filter{texts: slices.Clone(patterns), some: len(patterns) > 0}
	for _, pattern := range patterns {
		if err := checkPattern(pattern); err != nil {
			return Filter{}, err
		}
		switch prefix, isPrefix := strings.CutSuffix(pattern, wildcard); {
		case pattern == wildcard:
			filter.some = false
		case isPrefix:
			filter.prefixes = append(filter.prefixes, prefix)
		default:
			filter.exact = append(filter.exact, pattern)
		}
	}
	filter.simplify()
	return filter, nil
}

// simplify drops every pattern that another one makes redundant.
func (f *Filter) simplify() {
	if !f.some {
		f.exact, f.prefixes = nil, nil
		return
	}
	slices.Sort(f.prefixes)
	// After sorting, a prefix stands before all that begin with it.
	kept := f.prefixes[:0]
	for _, prefix := range f.prefixes {
		if len(kept) == 0 || !strings.HasPrefix(prefix, kept[len(kept)-1]) {
			kept = append(kept, prefix)
		}
	}
	f.prefixes = kept
	slices.Sort(f.exact)
	f.exact = slices.Compact(f.exact)
	f.exact = slices.DeleteFunc(f.exact, f.matchesPrefix)
}

// Match reports whether an event type matches.
func (f Filter) Match(eventType string) bool {
	if !f.some || f.matchesPrefix(eventType) {
		return true
	}
	_, found := slices.BinarySearch(f.exact, eventType)
	return found
}

// MatchNamed reports whether an event type matches a pattern that names the
// type or a prefix of it. The pattern "*" names nothing.
func (f Filter) MatchNamed(eventType string) bool {
	return slices.ContainsFunc(f.texts, func(pattern string) bool {
		prefix, isPrefix := strings.CutSuffix(pattern, wildcard)
		return pattern == eventType || isPrefix && prefix != "" && strings.HasPrefix(eventType, prefix)
	})
}

func (f Filter) matchesPrefix(eventType string) bool {
	return slices.ContainsFunc(f.prefixes, func(prefix string) bool {
		return strings.HasPrefix(eventType, prefix)
	})
}

// Patterns returns the patterns as they were given; "*" for the zero Filter.
func (f Filter) Patterns() []string {
	if len(f.texts) == 0 {
		return []string{wildcard}
	}
	return slices.Clone(f.texts)
}

// String returns the patterns in the form of the Caddyfile.
func (f Filter) String() string {
	return strings.Join(f.Patterns(), " ")
}

func checkPattern(pattern string) error {
	if pattern == "" {
		return fmt.Errorf("%w: a pattern is empty; use * for all event types", ErrBadFilter)
	}
	if pattern == wildcard {
		return nil
	}
	body := pattern
	if i := strings.Index(pattern, wildcard); i >= 0 {
		before, isLast := strings.CutSuffix(pattern, "."+wildcard)
		if !isLast || strings.Contains(before, wildcard) {
			return fmt.Errorf("%w: %q has a * that is not its last part; a * matches any rest, as in items.*", ErrBadFilter, pattern)
		}
		body = before
	}
	if i := strings.IndexFunc(body, event.NotTypeRune); i >= 0 {
		wrong, _ := utf8.DecodeRuneInString(body[i:])
		return fmt.Errorf("%w: %q has %q; event types are made of letters, digits, \".\", \"_\" and \"-\", and patterns are separated by spaces",
			ErrBadFilter, pattern, wrong)
	}
	if slices.Contains(strings.Split(body, "."), "") {
		return fmt.Errorf("%w: %q has nothing before, after or between its dots; write it as items.created or items.*", ErrBadFilter, pattern)
	}
	return nil
}
