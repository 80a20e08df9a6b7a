// SPDX-License-Identifier: Apache-2.0

package change

import "strings"

// Merge returns the JSON Merge Patch that makes one JSON text of another, with
// values as they are written. Exact is false if it does not quite: a merge patch
// cannot say that a member is null now, and merges an object with what was there
// where it should take its place.
func Merge(previous, now []byte) (patch []byte, exact bool) {
	text := strings.TrimSpace(string(now))
	root, differs := compare(string(previous), text)
	switch {
	case !differs && isObject(text):
		return []byte("{}"), true
	case !differs:
		return []byte(text), true
	case root.kind != within:
		return []byte(text), !root.merges && !losesNull(text)
	}
	m := merger{exact: true}
	m.members(&root)
	return m.out, m.exact
}

// MergeWhole reports whether a JSON text as a merge patch, applied to nothing,
// gives that text.
func MergeWhole(now []byte) bool { return !losesNull(strings.TrimSpace(string(now))) }

// merger writes a JSON Merge Patch.
type merger struct {
	out   []byte
	exact bool
}

func (m *merger) members(n *node) {
	m.out = append(m.out, '{')
	for i := range n.members {
		if i > 0 {
			m.out = append(m.out, ',')
		}
		one := &n.members[i]
		m.out = append(append(m.out, one.spelled...), ':')
		switch one.kind {
		case within:
			m.members(one)
		case removed:
			m.out = append(m.out, "null"...)
		default:
			m.exact = m.exact && !one.merges && one.value != "null" && !losesNull(one.value)
			m.out = append(m.out, one.value...)
		}
	}
	m.out = append(m.out, '}')
}

// losesNull reports whether a value has members that are null, which a merge patch
// removes. Those in arrays stay, as arrays are taken as they are. It reads each
// byte once, however deep the value is.
func losesNull(value string) bool {
	if !isObject(value) {
		return false
	}
	arrays := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			for i++; value[i] != '"'; i++ {
				if value[i] == '\\' {
					i++
				}
			}
		case '[':
			arrays++
		case ']':
			arrays--
		case 'n':
			if arrays == 0 {
				return true
			}
		}
	}
	return false
}
