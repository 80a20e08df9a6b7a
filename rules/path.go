// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/url"
	"strings"
)

// nextSegment splits "/a/b" into "a" and "/b".
func nextSegment(rest string) (segment, after string) {
	rest = rest[1:]
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
}

// unescape returns the plain form of a segment. An escaped slash stays within
// its segment, as it does for the servers that route by escaped paths.
func unescape(segment string) string {
	if strings.IndexByte(segment, '%') < 0 {
		return segment
	}
	plain, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return plain
}

// mergeSlashes returns a path with one slash for several that follow each other, as
// most servers have it.
func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	var merged strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			merged.WriteByte(path[i])
		}
	}
	return merged.String()
}
