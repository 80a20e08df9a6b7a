// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"crypto/rand"
	"strings"
)

// idPrefix begins the ids of stored endpoints.
const idPrefix = "ep_"

// newID returns an id that nobody has.
func newID() string { return idPrefix + strings.ToLower(rand.Text()) }

// IsID reports whether a name may be the id of a stored endpoint: no operator writes
// such a name.
func IsID(name string) bool {
	random, ok := strings.CutPrefix(name, idPrefix)
	return ok && len(random) == 26 && strings.Trim(random, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// newRunID returns an id that no run has.
func newRunID() string { return strings.ToLower(rand.Text()) }
