// SPDX-License-Identifier: Apache-2.0

package event

import "strings"

// Limits on the bytes that a stranger writes into the queue with each object
// that a request names. A request may name ten thousand objects.
const (
	// MaxPathLength is the number of bytes of a request's path that a [Cause]
	// keeps.
	MaxPathLength = 1024
	// MaxVersionLength is the length of the longest version that is accepted
	// from a write's response. An ETag or a number is far shorter.
	MaxVersionLength = 256
)

// CausePath returns the part of a path that a [Cause] keeps: its beginning, up
// to the boundary of a character.
func CausePath(path string) string {
	if len(path) <= MaxPathLength {
		return path
	}
	return strings.ToValidUTF8(path[:MaxPathLength], "")
}
