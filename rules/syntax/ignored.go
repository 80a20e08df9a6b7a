// SPDX-License-Identifier: Apache-2.0

package syntax

import "strings"

// Ignored are requests that change nothing, although their methods may: a login, a
// search.
type Ignored struct {
	// Methods are the HTTP methods. Default: any but GET, HEAD, OPTIONS and TRACE.
	Methods []string `json:"methods,omitempty"`

	// Path is the path, as that of a rule.
	Path string `json:"path"`
}

// String returns the methods and the path, as "POST /login".
func (i *Ignored) String() string {
	if len(i.Methods) == 0 {
		return "* " + i.Path
	}
	return strings.Join(i.Methods, "|") + " " + i.Path
}
