// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"encoding/json"
	"strings"
)

// Declared is what an operator says about a type of event, or a group of types.
type Declared struct {
	// Pattern is a type, "items.*" for all that begin so, or "*" for all.
	Pattern string
	// Alias is its other name, and Description says in a sentence what it is; both may be "".
	Alias, Description string
	// Schema and Sample are nil if they are not declared.
	Schema, Sample json.RawMessage
}

// Covers reports whether what is declared of a pattern holds for a type, or for all of
// another pattern.
func Covers(pattern, other string) bool {
	prefix, isGroup := strings.CutSuffix(pattern, "*")
	return pattern == other || isGroup && strings.HasPrefix(other, prefix)
}

// Nearest returns the most exact of the declarations that hold for a type and have what
// is asked for; nil if there is none.
func Nearest(declared []Declared, name string, has func(Declared) bool) *Declared {
	var nearest *Declared
	for i := range declared {
		// Of two groups around a type, the longer is within the other.
		if d := &declared[i]; Covers(d.Pattern, name) && has(*d) && (nearest == nil || d.Pattern == name || nearest.Pattern != name && len(d.Pattern) > len(nearest.Pattern)) {
			nearest = d
		}
	}
	return nearest
}
