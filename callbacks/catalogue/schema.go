// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"maps"
	"math/bits"
)

// Schema is the shape of the JSON values that were seen. The zero Schema has seen none.
// It is immutable.
//
// It holds the types of values, which members objects have and which all of them have, and the
// shape of elements. It holds no values: an API that has shown three states may have a
// fourth, and values may be somebody's data. For the same reasons it holds no formats.
//
// It is bounded: an object or array is cut, and then only known as such, when the names and
// shapes below it are more than its share, see [share]. A few places with names without end,
// such as objects used as dictionaries, cost only themselves.
type Schema struct {
	root *node
}

// kinds is a set of types of values.
type kinds uint8

const (
	isNull kinds = 1 << iota
	isBoolean
	isInteger
	isNumber
	isString
	isObject
	isArray
	// isCut says that nothing is known of the members and elements.
	isCut
)

// node is the shape of the values at one place. A nil node has seen none.
type node struct {
	kinds kinds
	// members are those of all objects; nil if it is cut, or has seen no object.
	members map[string]member
	// elements is the shape of all elements of all arrays.
	elements *node
	// weight says how much is known, see [limited].
	weight int
}

// member is the shape of a member.
type member struct {
	node *node
	// required is true if each object has had it.
	required bool
}

// IsZero reports whether nothing was seen.
func (s Schema) IsZero() bool { return s.root == nil }

// Merge returns the shape of what either has seen. It is commutative, associative and
// idempotent, so schemas may be learned apart, and a Show seen again changes nothing.
func (s Schema) Merge(other Schema) Schema { return Schema{merge(s.root, other.root, 0)} }

// Equal reports whether both have seen the same shape.
func (s Schema) Equal(other Schema) bool { return equal(s.root, other.root) }

func merge(a, b *node, depth int) *node {
	switch {
	case a == nil || a == b:
		return b
	case b == nil:
		return a
	}
	merged := &node{kinds: a.kinds | b.kinds}
	if merged.kinds&isNumber != 0 {
		merged.kinds &^= isInteger // integers are numbers
	}
	if merged.kinds&isCut != 0 {
		return cut(merged.kinds, depth)
	}
	merged.elements = merge(a.elements, b.elements, depth)
	merged.members = mergeMembers(a, b, depth)
	return limited(merged, depth)
}

// mergeMembers returns the members of both. A member is required if all objects have had it;
// who has seen no object does not count.
func mergeMembers(a, b *node, depth int) map[string]member {
	switch {
	case a.kinds&isObject == 0:
		return b.members
	case b.kinds&isObject == 0:
		return a.members
	}
	members := make(map[string]member, max(len(a.members), len(b.members)))
	for name, m := range a.members {
		other, both := b.members[name]
		members[name] = member{merge(m.node, other.node, depth+1), m.required && both && other.required}
	}
	for name, m := range b.members {
		if _, both := a.members[name]; !both {
			members[name] = member{m.node, false}
		}
	}
	return members
}

func equal(a, b *node) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	return a.kinds == b.kinds && equal(a.elements, b.elements) && maps.EqualFunc(a.members, b.members, func(x, y member) bool {
		return x.required == y.required && equal(x.node, y.node)
	})
}

// The weight of a node and of a member, in bytes; their names come on top. It is no less than
// what they take when they are encoded.
const (
	weightOfNode   = 4
	weightOfMember = 6
	weightOfAll    = 60 << 10
)

// share is how heavy a value may be, so many objects below the root: a third of what the
// object around it may be. Elements have the share of their array.
func share(depth int) int {
	limit := weightOfAll
	for range min(depth, bits.Len(weightOfAll)) {
		limit /= 3
	}
	return max(limit, weightOfNode)
}

// limited returns a node with its weight, or cuts it.
//
// What is cut weighs its whole share: weights only grow as more is seen, whatever is cut. So it
// does not matter in which order things were seen, and what was cut once stays cut.
func limited(n *node, depth int) *node {
	n.weight = weightOfNode
	if n.elements != nil {
		n.weight += n.elements.weight
	}
	for name, m := range n.members {
		n.weight += weightOfMember + len(name) + m.node.weight
	}
	if n.weight > share(depth) && n.kinds&(isObject|isArray) != 0 {
		return cut(n.kinds, depth)
	}
	return n
}

func cut(k kinds, depth int) *node { return &node{kinds: k | isCut, weight: share(depth)} }
