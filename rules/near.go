// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/http"
	"slices"
	"strings"

	"github.com/jinzhu/inflection"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Compare notes that a number of requests of a kind passed that no rule matches, for those
// rules that matched none and are about requests like these: the declared ones of a
// resource, or else those by convention. A template is a path with
// ":id" for what differs.
func (s *Set) Compare(method, template string, requests uint64) {
	for _, r := range s.Resources {
		declared := false // which stand first
		for _, rule := range r.Rules {
			if !rule.word.Done() && !(declared && rule.conventional) && rule.isLike(method, template) {
				rule.word.Compare(requests, method+" "+template)
				declared = declared || !rule.conventional
			}
		}
	}
}

// isLike reports whether requests of a kind may be those that the rule means: its own
// path and method, which a `where` or `match` tells apart; one segment that differs in its
// spelling; a path that begins elsewhere; or, in a declared rule, another method that
// changes things.
func (r *Rule) isLike(method, template string) bool {
	want, tail := segmentsOf(r.pattern.text)
	got, _ := segmentsOf(template)
	if !slices.Contains(r.methods, method) && len(r.methods) > 0 {
		return !r.conventional && r.Kind != event.KindDelete && isWrite(method) && slices.ContainsFunc(r.methods, isWrite) &&
			len(got) == len(want) && !tail && allSame(want, got)
	}
	if tail {
		got = got[:max(len(got)-1, 0)] // at least one segment follows
	}
	if len(want) == 0 || len(got) == 0 {
		return false
	}
	switch more := len(got) - len(want); {
	case more == 0:
		return differences(want, got) <= 1
	case more > 0:
		got = got[more:] // the API's path begins with something else, as /api/v1
	case slices.ContainsFunc(want[:-more], isParameter):
		return false
	default:
		want = want[-more:]
	}
	return !isParameter(want[0]) && allSame(want, got)
}

// isWrite reports whether a method is one of those that APIs take for one another.
func isWrite(method string) bool {
	return method == http.MethodPut || method == http.MethodPatch || method == http.MethodPost
}

// segmentsOf returns the segments of a path or pattern, without a "*" at its end.
func segmentsOf(path string) (segments []string, tail bool) {
	segments = strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
	if n := len(segments); n > 0 && segments[n-1] == "*" {
		return segments[:n-1], true
	}
	return segments, false
}

// isParameter reports whether a segment of a pattern has a name, or more than text.
func isParameter(segment string) bool { return strings.ContainsAny(segment, ":({*") }

// allSame reports whether all segments of a path are those of a pattern; a name stands for
// what differs.
func allSame(want, got []string) bool {
	for i := range want {
		if isParameter(want[i]) != isParameter(got[i]) || !isParameter(want[i]) && !strings.EqualFold(want[i], got[i]) {
			return false
		}
	}
	return true
}

// differences counts the segments of a path that are spelled otherwise than those of a
// pattern, with a high number for those that mean something else.
func differences(want, got []string) (n int) {
	const another = 100
	for i := range want {
		switch {
		case isParameter(want[i]), strings.EqualFold(want[i], got[i]):
		case isParameter(got[i]):
			return another
		case isVersion(want[i]) && isVersion(got[i]), isMisspelt(want[i], got[i]):
			n++
		default:
			return another
		}
	}
	return n
}

// isMisspelt reports whether one word may be written for another: in another number, or by a
// slip of the pen.
func isMisspelt(a, b string) bool {
	a, b = plainName(a), plainName(b)
	if inflection.Singular(a) == inflection.Singular(b) {
		return true
	}
	_, ok := distance(a, b)
	return ok
}

// isVersion reports whether a segment is the version of an API: "v2".
func isVersion(segment string) bool {
	digits, found := strings.CutPrefix(strings.ToLower(segment), "v")
	return found && digits != "" && strings.Trim(digits, "0123456789.") == ""
}
