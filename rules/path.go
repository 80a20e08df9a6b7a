// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/url"
	"path"
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

// cleanPath resolves dot segments and doubled slashes, as the API's server
// most likely does too: a request must not evade a rule by "/x/../items/1".
func cleanPath(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") && !strings.Contains(p, "/%2") {
		return p
	}
	p = encodedDots.Replace(p)
	if p == "" || p[0] != '/' {
		return p
	}
	return path.Clean(p)
}

// encodedDots decodes dots: "%2e" is "." wherever it stands (RFC 3986, section
// 6.2.2.2).
var encodedDots = strings.NewReplacer("%2e", ".", "%2E", ".")
