// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"strings"
)

// parseBraced parses the path of a request to the API, in which a segment may be a
// value in braces, as in /jobs/{response:job}, besides a `:name`.
func parseBraced(path string) (pattern, error) {
	segments := strings.Split(path, "/")
	var braced []string
	for i, segment := range segments {
		if len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}' && isPlaceholder(segment[1:len(segment)-1]) {
			name := strings.TrimPrefix(segment[1:len(segment)-1], ":")
			segments[i] = fmt.Sprintf(":braced_%d", len(braced))
			braced = append(braced, name)
		}
	}
	p, err := parsePattern(strings.Join(segments, "/"))
	if err != nil || len(braced) == 0 {
		return p, err
	}
	p.text = path
	for i, name := range braced {
		if slices.Contains(p.names, name) {
			return p, fmt.Errorf("path %q: {%s} stands twice", path, name)
		}
		if strings.HasPrefix(name, wordPrefix) {
			return p, fmt.Errorf("path %q: a segment takes any id; write {%s}", path, strings.TrimPrefix(name, wordPrefix))
		}
		p.names[slices.Index(p.names, fmt.Sprintf("braced_%d", i))] = name
	}
	return p, nil
}
