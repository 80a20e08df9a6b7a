// SPDX-License-Identifier: Apache-2.0

package event

import "strings"

// May reports whether there is a Show for which the template renders a type that a
// pattern of a [Filter] matches.
func (t Template) May(pattern string) bool {
	prefix, isPrefix := strings.CutSuffix(pattern, wildcard)
	return may(t.parts, prefix, !isPrefix)
}

// may reports whether some parts can render a text, or, if it is not whole, one that
// begins with it.
func may(parts []part, text string, whole bool) bool {
	switch {
	case text == "" && !whole:
		return true
	case len(parts) == 0:
		return text == ""
	case !parts[0].path && !whole && strings.HasPrefix(parts[0].text, text):
		return true
	case !parts[0].path:
		rest, begins := strings.CutPrefix(text, parts[0].text)
		return begins && may(parts[1:], rest, whole)
	}
	// A value has no dot, and is never empty.
	for n := 1; n <= len(text) && n <= maxTypeValue && text[n-1] != '.'; n++ {
		if may(parts[1:], text[n:], whole) {
			return true
		}
	}
	return false
}
