// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// maxDepth is how deep a patch may lead.
const maxDepth = 1000

// member is a member of a JSON object, with its value as it is written: numbers keep their
// digits, and members their order.
type member struct {
	name  string
	value json.RawMessage
}

// membersOf returns the members of a JSON object, or false if the value is none.
func membersOf(value json.RawMessage) (members []member, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(value))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, false
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		m := member{name: token.(string)} // names are strings, or Token fails
		if err := decoder.Decode(&m.value); err != nil {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}

func writeMembers(members []member) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			out.WriteByte(',')
		}
		_ = encoder.Encode(m.name) // a string, into memory
		out.Truncate(out.Len() - 1)
		out.WriteByte(':')
		out.Write(m.value)
	}
	out.WriteByte('}')
	return out.Bytes()
}

// find returns where a member is. A name that is there twice is not found: what is meant
// cannot be known.
func find(members []member, name string) (at int, ok bool) {
	at = slices.IndexFunc(members, func(m member) bool { return m.name == name })
	if at < 0 || slices.ContainsFunc(members[at+1:], func(m member) bool { return m.name == name }) {
		return -1, false
	}
	return at, true
}

// elementsOf returns the elements of a JSON array, or false if the value is none.
func elementsOf(value json.RawMessage) (elements []json.RawMessage, ok bool) {
	if !bytes.HasPrefix(bytes.TrimSpace(value), []byte("[")) {
		return nil, false
	}
	return elements, json.Unmarshal(value, &elements) == nil
}

func writeElements(elements []json.RawMessage) json.RawMessage {
	parts := make([][]byte, len(elements))
	for i, element := range elements {
		parts[i] = element
	}
	return slices.Concat([]byte("["), bytes.Join(parts, []byte(",")), []byte("]"))
}

// indexOf reads the index of an element, which may be no more than a limit.
func indexOf(part string, limit int) (int, bool) {
	index, err := strconv.Atoi(part)
	return index, err == nil && index >= 0 && index <= limit && part == strconv.Itoa(index)
}

// partsOf splits a JSON Pointer.
func partsOf(pointer string) (parts []string, ok bool) {
	if pointer == "" {
		return nil, true
	}
	parts = strings.Split(pointer, "/")
	if parts[0] != "" || len(parts) > maxDepth {
		return nil, false
	}
	for i, part := range parts[1:] {
		parts[i+1] = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
	}
	return parts[1:], true
}
