// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Statuses says which HTTP statuses of a receiver mean that it accepted the
// event. The zero Statuses is 2xx.
type Statuses struct {
	// texts are the statuses as they were given.
	texts []string
	// classes are the first digits of whole classes, codes the other statuses.
	classes []int
	codes   []int
}

// ParseStatuses compiles statuses: a code such as "204" matches itself, "2xx"
// the whole class. Without arguments it returns the zero Statuses. Errors are
// [ErrBadEndpoint].
func ParseStatuses(texts ...string) (Statuses, error) {
	statuses := Statuses{texts: slices.Clone(texts)}
	for _, text := range texts {
		if class, ok := strings.CutSuffix(text, "xx"); ok && len(class) == 1 && class >= "2" && class <= "5" {
			statuses.classes = append(statuses.classes, int(class[0]-'0'))
			continue
		}
		code, err := strconv.Atoi(text)
		if err != nil || code < 200 || code > 599 {
			return Statuses{}, fmt.Errorf("%w: success %q is not a status; write codes from 200 to 599, or a class such as 2xx", ErrBadEndpoint, text)
		}
		statuses.codes = append(statuses.codes, code)
	}
	return statuses, nil
}

// Match reports whether a status means success.
func (s Statuses) Match(code int) bool {
	if len(s.texts) == 0 {
		return code >= 200 && code <= 299
	}
	return slices.Contains(s.classes, code/100) || slices.Contains(s.codes, code)
}

// Named reports whether a code is listed itself, not just its class.
func (s Statuses) Named(code int) bool {
	return slices.Contains(s.codes, code)
}

// String returns the statuses in the form of the Caddyfile.
func (s Statuses) String() string {
	if len(s.texts) == 0 {
		return "2xx"
	}
	return strings.Join(s.texts, " ")
}

// Equal reports whether two Statuses are written the same way, and so match the
// same statuses.
func (s Statuses) Equal(other Statuses) bool {
	return s.String() == other.String()
}
