// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"encoding/json"
	"slices"
)

// operation is one of a JSON Patch (RFC 6902).
type operation struct {
	Op    string          `json:"op"`
	Path  *string         `json:"path"`
	Value json.RawMessage `json:"value"`
}

// applyPatch applies a JSON Patch of the operations that senders make: add, remove and
// replace. It applies all of it or nothing.
func applyPatch(value, patch json.RawMessage) (json.RawMessage, error) {
	var operations []operation
	if err := json.Unmarshal(patch, &operations); err != nil {
		return nil, ErrPatch
	}
	for _, o := range operations {
		if o.Path == nil {
			return nil, ErrPatch
		}
		parts, ok := partsOf(*o.Path)
		if !ok || (o.Value == nil) != (o.Op == "remove") {
			return nil, ErrPatch
		}
		var err error
		if value, err = o.apply(value, parts); err != nil {
			return nil, err
		}
	}
	return value, nil
}

// apply applies the operation at a path in a value.
func (o operation) apply(value json.RawMessage, path []string) (json.RawMessage, error) {
	if len(path) == 0 {
		if o.Op != "add" && o.Op != "replace" || o.Op == "replace" && value == nil {
			return nil, ErrPatch
		}
		return o.Value, nil
	}
	if members, ok := membersOf(value); ok {
		return o.applyToMember(members, path)
	}
	if elements, ok := elementsOf(value); ok {
		return o.applyToElement(elements, path)
	}
	return nil, ErrPatch
}

func (o operation) applyToMember(members []member, path []string) (json.RawMessage, error) {
	at, found := find(members, path[0])
	switch {
	case len(path) > 1 && found:
		changed, err := o.apply(members[at].value, path[1:])
		if err != nil {
			return nil, err
		}
		members[at].value = changed
	case len(path) > 1:
		return nil, ErrPatch
	case o.Op == "remove" && found:
		members = slices.Delete(members, at, at+1)
	case (o.Op == "add" || o.Op == "replace") && found:
		members[at].value = o.Value
	case o.Op == "add" && !slices.ContainsFunc(members, func(m member) bool { return m.name == path[0] }):
		members = append(members, member{path[0], o.Value})
	default:
		return nil, ErrPatch
	}
	return writeMembers(members), nil
}

func (o operation) applyToElement(elements []json.RawMessage, path []string) (json.RawMessage, error) {
	if o.Op == "add" && len(path) == 1 {
		at, ok := indexOf(path[0], len(elements))
		if path[0] == "-" {
			at, ok = len(elements), true
		}
		if !ok {
			return nil, ErrPatch
		}
		return writeElements(slices.Insert(elements, at, o.Value)), nil
	}
	at, ok := indexOf(path[0], len(elements)-1)
	switch {
	case !ok:
		return nil, ErrPatch
	case len(path) > 1:
		changed, err := o.apply(elements[at], path[1:])
		if err != nil {
			return nil, err
		}
		elements[at] = changed
	case o.Op == "remove":
		elements = slices.Delete(elements, at, at+1)
	case o.Op == "replace":
		elements[at] = o.Value
	default:
		return nil, ErrPatch
	}
	return writeElements(elements), nil
}
