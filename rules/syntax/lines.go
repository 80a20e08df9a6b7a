// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"fmt"
	"strings"
)

// WholeResource is the key of a resource as a whole in its Lines.
const WholeResource = "resource"

// At returns where a part of the resource stands: in which file and on which line, as its
// Lines say of the part or of what it is a part of; without lines, where it stands in the
// JSON of the handler whose resource at an index this is. A part has its JSON names,
// joined by "/": "hide/0".
func (r *Resource) At(index int, part string) string {
	for name := part; name != ""; {
		if line := r.Lines[name]; line != "" {
			return line
		}
		name = name[:max(strings.LastIndexByte(name, '/'), 0)]
	}
	if line := r.Lines[WholeResource]; line != "" {
		return line
	}
	return strings.TrimSuffix(fmt.Sprintf("resources/%d/%s", index, part), "/")
}
