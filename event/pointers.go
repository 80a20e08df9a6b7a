// SPDX-License-Identifier: Apache-2.0

package event

import "strings"

// Pointers are JSON Pointers (RFC 6901) to the members of a Show that have
// changed; "" is the whole Show. Nil means that it is not known what has changed,
// and no pointer that nothing did that may be seen.
type Pointers []string

// The values of the header that are no pointers.
const (
	// changedWhole stands for the whole Show, as in section 6 of RFC 6901.
	changedWhole = "#"
	changedNone  = "none"
)

// Header returns the pointers as a header's value, each percent-encoded as in
// section 6 of RFC 6901, but without the "#" that begins a fragment. It is "" if
// they are not known.
func (p Pointers) Header() string {
	if p == nil {
		return ""
	}
	if len(p) == 0 {
		return changedNone
	}
	var b strings.Builder
	for i, pointer := range p {
		if i > 0 {
			b.WriteString(", ")
		}
		if pointer == "" {
			b.WriteString(changedWhole)
		}
		for _, c := range []byte(pointer) {
			if inFragment(c) {
				b.WriteByte(c)
				continue
			}
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

const upperHex = "0123456789ABCDEF"

// PointerSize returns how many bytes a part of a pointer takes in the header.
func PointerSize(part string) int {
	size := len(part)
	for _, c := range []byte(part) {
		if !inFragment(c) {
			size += 2
		}
	}
	return size
}

// inFragment reports whether a byte of a pointer stands for itself: what a
// fragment may have, but for the comma, which separates pointers.
func inFragment(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("-._~!$&'()*+;=:@/?", c) >= 0
}
