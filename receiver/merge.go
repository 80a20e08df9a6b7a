// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"encoding/json"
	"slices"
)

// applyMerge applies a JSON Merge Patch (RFC 7396). The value is nil if there is none.
func applyMerge(value, patch json.RawMessage) json.RawMessage {
	changes, ok := membersOf(patch)
	if !ok {
		return bytes.TrimSpace(patch)
	}
	members, _ := membersOf(value) // what is no object is replaced by one
	for _, change := range changes {
		isMember := func(m member) bool { return m.name == change.name }
		at := slices.IndexFunc(members, isMember)
		if bytes.Equal(bytes.TrimSpace(change.value), []byte("null")) {
			members = slices.DeleteFunc(members, isMember)
			continue
		}
		if at < 0 {
			members = append(members, member{change.name, applyMerge(nil, change.value)})
			continue
		}
		members[at].value = applyMerge(members[at].value, change.value)
	}
	return writeMembers(members)
}
