// SPDX-License-Identifier: Apache-2.0

package event

import "strings"

// Bounds of what a stranger writes into the queue with each object that a request
// names, in bytes. There may be ten thousand of those.
const (
	// MaxPathLength is how much of a request's path a [Cause] keeps.
	MaxPathLength = 1024
	// MaxVersionLength is the longest version of a write's response that counts.
	// An ETag or a number is far below it.
	MaxVersionLength = 256
)

// CausePath returns what a [Cause] keeps of a path: its beginning, up to the
// boundary of a character.
func CausePath(path string) string {
	if len(path) <= MaxPathLength {
		return path
	}
	return strings.ToValidUTF8(path[:MaxPathLength], "")
}
