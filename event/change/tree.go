// SPDX-License-Identifier: Apache-2.0

// Package change says what differs between two Shows: as JSON Pointers, as a JSON
// Patch (RFC 6902) and as a JSON Merge Patch (RFC 7396). Its functions are pure.
//
// Shows are compared as in their canonical form ([event.Canonical]): there is no
// difference if and only if that is the same. The smallest differing members of
// objects are told. An array is one value, since the places of its elements say
// nothing of which is which, and so is an object with members that no pointer
// tells apart.
package change

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// kind is how a member differs.
type kind byte

const (
	// within: the member is an object on both sides, and its members differ.
	within kind = iota
	added
	removed
	replaced
)

// node is a member that differs, or the whole.
type node struct {
	kind kind
	// name is the member's name, and spelled how it is written.
	name, spelled string
	// value is what the member has become, if added or replaced.
	value string
	// merges is true if the member is replaced, but a merge patch would merge what
	// it was with what it is: both are objects.
	merges bool
	// members are those that differ, by name, if within.
	members []node
}

// compare returns how two JSON texts differ, and false if they do not.
func compare(previous, now string) (node, bool) {
	n := node{}
	differs := n.compare(strings.TrimSpace(previous), strings.TrimSpace(now), 0)
	return n, differs
}

// compare fills in how a value within so many objects differs, and reports
// whether it does.
func (n *node) compare(previous, now string, depth int) bool {
	if previous == now {
		return false
	}
	objects := isObject(previous) && isObject(now)
	if objects && event.SortsAt(depth) {
		before, ok := membersOf(previous)
		after, okNow := membersOf(now)
		if ok && okNow {
			n.compareMembers(before, after, depth+1)
			return len(n.members) > 0
		}
	}
	if bytes.Equal(event.CanonicalAt([]byte(previous), depth), event.CanonicalAt([]byte(now), depth)) {
		return false
	}
	n.kind, n.value, n.merges = replaced, now, objects
	return true
}

// compareMembers fills in which of an object's members differ.
func (n *node) compareMembers(before, after []member, depth int) {
	for len(before) > 0 || len(after) > 0 {
		var order int
		switch {
		case len(before) == 0:
			order = 1
		case len(after) == 0:
			order = -1
		default:
			order = strings.Compare(before[0].name, after[0].name)
		}
		switch {
		case order < 0:
			n.members = append(n.members, node{kind: removed, name: before[0].name, spelled: before[0].spelled})
			before = before[1:]
		case order > 0:
			n.members = append(n.members, node{kind: added, name: after[0].name, spelled: after[0].spelled, value: after[0].value})
			after = after[1:]
		default:
			if one, differs := compareMember(before[0], after[0], depth); differs {
				n.members = append(n.members, one)
			}
			before, after = before[1:], after[1:]
		}
	}
}

// compareMember returns how a member differs that is there on both sides. One
// whose name is spelled otherwise differs as a whole: so it does in the canonical
// form.
func compareMember(before, after member, depth int) (node, bool) {
	n := node{name: after.name, spelled: after.spelled}
	if before.spelled != after.spelled {
		n.kind, n.value, n.merges = replaced, after.value, isObject(before.value) && isObject(after.value)
		return n, true
	}
	differs := n.compare(before.value, after.value, depth)
	return n, differs
}

// member is a member of an object.
type member struct {
	// name is the member's name, and spelled how it is written.
	name, spelled string
	value         string
}

// membersOf returns an object's members by name, and false if no pointer could
// tell them apart: names are repeated, or have what is no character.
func membersOf(object string) ([]member, bool) {
	var members []member
	named := true
	gjson.Parse(object).ForEach(func(name, value gjson.Result) bool {
		named = utf8.ValidString(name.Str) && !strings.ContainsRune(name.Str, utf8.RuneError)
		members = append(members, member{name.Str, name.Raw, value.Raw})
		return named
	})
	if !named {
		return nil, false
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(members); i++ {
		if members[i].name == members[i-1].name {
			return nil, false
		}
	}
	return members, true
}

func isObject(value string) bool { return strings.HasPrefix(value, "{") }

// escape writes a name as a part of a pointer.
var escape = strings.NewReplacer("~", "~0", "/", "~1")
