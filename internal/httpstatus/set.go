// SPDX-License-Identifier: Apache-2.0

// Package httpstatus reads sets of HTTP statuses as configurations write them.
package httpstatus

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Set is a set of HTTP statuses from 200 to 599. The zero Set is empty.
type Set struct {
	// texts are the statuses as they were given.
	texts []string
	// classes are the first digits of whole classes, codes the others.
	classes []int
	codes   []int
}

// Parse returns the set of some statuses: a code such as "204" for itself, or a
// class such as "2xx".
func Parse(texts ...string) (Set, error) {
	set := Set{texts: slices.Clone(texts)}
	for _, text := range texts {
		if class, ok := strings.CutSuffix(text, "xx"); ok && len(class) == 1 && class >= "2" && class <= "5" {
			set.classes = append(set.classes, int(class[0]-'0'))
			continue
		}
		code, err := strconv.Atoi(text)
		if err != nil || len(text) != 3 || code < 200 || code > 599 {
			return Set{}, fmt.Errorf("%q is not a status; write codes from 200 to 599, or a class such as 2xx", text)
		}
		set.codes = append(set.codes, code)
	}
	return set, nil
}

// IsZero reports whether the set is empty.
func (s Set) IsZero() bool { return len(s.texts) == 0 }

// Match reports whether a status is in the set.
func (s Set) Match(code int) bool {
	return slices.Contains(s.classes, code/100) || slices.Contains(s.codes, code)
}

// Named reports whether a status is listed by itself, not just by its class.
func (s Set) Named(code int) bool { return slices.Contains(s.codes, code) }

// String returns the statuses as they were written.
func (s Set) String() string { return strings.Join(s.texts, " ") }
