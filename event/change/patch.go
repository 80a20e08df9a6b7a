// SPDX-License-Identifier: Apache-2.0

package change

import (
	"encoding/json"
	"slices"
)

// Patch returns the JSON Patch that makes one JSON text of another, with the
// operations add, remove and replace, and values as they are written. Whole is
// true if it replaces the whole, because that is all that differs or because it is far
// shorter; then it can be applied to anything.
func Patch(previous, now []byte) (patch []byte, whole bool) {
	root, differs := compare(string(previous), string(now))
	switch {
	case !differs:
		return []byte("[]"), false
	case root.kind != within:
		return Whole(now), true
	}
	p := patcher{out: []byte{'['}, limit: len(now) + slack}
	if !p.members(&root, nil) {
		return Whole(now), true
	}
	p.out[len(p.out)-1] = ']' // a comma
	return p.out, false
}

// slack is how much longer a JSON Patch may be than the text that it makes.
const slack = 4 << 10

// Whole returns the JSON Patch that puts a JSON text in the place of whatever was
// there.
func Whole(now []byte) []byte {
	const before, after = `[{"op":"add","path":"","value":`, `}]`
	out := make([]byte, 0, len(before)+len(now)+len(after))
	return append(append(append(out, before...), now...), after...)
}

// patcher writes a JSON Patch, as long as it is no longer than the limit: with
// many members below long names, it could be far longer than what it describes.
type patcher struct {
	out   []byte
	limit int
}

// members writes the operations on the members of a node, to which path leads; it
// is a pointer as it is written within a JSON string. It returns false if they are
// too long.
func (p *patcher) members(n *node, path []byte) bool {
	for i := range n.members {
		m := &n.members[i]
		quoted := appendQuoted(nil, escape.Replace(m.name))
		to := slices.Concat(path, []byte{'/'}, quoted[1:len(quoted)-1])
		if m.kind == within {
			if !p.members(m, to) {
				return false
			}
			continue
		}
		if len(p.out)+len(to)+len(m.value) > p.limit {
			return false
		}
		p.out = append(append(p.out, operations[m.kind]...), to...)
		p.out = append(p.out, '"')
		if m.kind != removed {
			p.out = append(append(p.out, `,"value":`...), m.value...)
		}
		p.out = append(p.out, '}', ',')
	}
	return true
}

var operations = map[kind]string{
	added:    `{"op":"add","path":"`,
	removed:  `{"op":"remove","path":"`,
	replaced: `{"op":"replace","path":"`,
}

// appendQuoted writes a name as JSON. Names are valid UTF-8, so none is changed.
func appendQuoted(to []byte, name string) []byte {
	quoted, err := json.Marshal(name)
	if err != nil {
		// Encoding a string cannot fail.
		return append(to, '"', '"')
	}
	return append(to, quoted...)
}
