// SPDX-License-Identifier: Apache-2.0

package change

import (
	"bytes"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Limits of what is told as pointers.
const (
	// MaxPointers is how many pointers there may be.
	MaxPointers = 64
	// MaxPointersSize is how many bytes they may have in a header.
	MaxPointersSize = 4 << 10
)

// Pointers returns pointers to what differs between two Shows, by name; none if
// nothing does. If there are too many, the deepest are cut to their parents, and
// so on, until they are few enough. Shows of which one is not JSON have no
// members.
func Pointers(previous, now event.Document) event.Pointers {
	if !previous.IsJSON() || !now.IsJSON() {
		if bytes.Equal(previous.Bytes(), now.Bytes()) {
			return event.Pointers{}
		}
		return event.Pointers{""}
	}
	root, differs := compare(string(previous.Bytes()), string(now.Bytes()))
	if !differs {
		return event.Pointers{}
	}
	var levels []level
	root.measure(&levels, 0, 0)
	return root.append(nil, "", deepest(levels))
}

// level is what pointers of one length take: how many there are, and their size in
// a header. Those to values that differ stay if the deeper ones are cut, and the
// others are what deeper ones are cut to.
type level struct{ ends, passes extent }

type extent struct{ pointers, size int }

func (e *extent) add(size int) {
	e.pointers++
	e.size += size + len(", ")
}

// deepest returns the length of the longest pointers of which there are few
// enough. One pointer, to the whole, always fits.
func deepest(levels []level) int {
	fits, ends := 0, extent{}
	for depth, l := range levels {
		ends.pointers, ends.size = ends.pointers+l.ends.pointers, ends.size+l.ends.size
		if ends.pointers+l.passes.pointers <= MaxPointers && ends.size+l.passes.size <= MaxPointersSize {
			fits = depth
		}
	}
	return fits
}

// measure counts the pointers to a node and below. They are not made, as a name
// may be long and have many members below it.
func (n *node) measure(levels *[]level, depth, size int) {
	if depth == len(*levels) {
		*levels = append(*levels, level{})
	}
	if n.kind != within {
		(*levels)[depth].ends.add(size)
		return
	}
	(*levels)[depth].passes.add(size)
	for i := range n.members {
		m := &n.members[i]
		m.measure(levels, depth+1, size+1+event.PointerSize(escape.Replace(m.name)))
	}
}

// append adds the pointers below a node, cut to a length.
func (n *node) append(to event.Pointers, pointer string, length int) event.Pointers {
	if n.kind != within || length == 0 {
		return append(to, pointer)
	}
	for i := range n.members {
		m := &n.members[i]
		to = m.append(to, pointer+"/"+escape.Replace(m.name), length-1)
	}
	return to
}
