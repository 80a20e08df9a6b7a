// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/hex"
	"encoding/json"

	"github.com/tidwall/gjson"
)

// Fields are the values of watched paths as raw JSON. A path that the Show does
// not have has an empty value; a path that was not watched is missing. A hidden
// path has a mask (see [IsMask]).
type Fields map[string]json.RawMessage

// Watch reads the fields at the given paths from a Show. If hide reports that a
// path leads to hidden data, only a keyed hash of its value is kept, so that a
// change can be detected.
func Watch(show Document, paths []string, hide func(path string) bool, hasher Hasher) Fields {
	fields := make(Fields, len(paths))
	for _, path := range paths {
		value := show.Field(path)
		if hide != nil && hide(path) && len(value) > 0 {
			value = mask(hasher.Field(path, value))
		}
		fields[path] = value
	}
	return fields
}

// maskStart begins a mask. It begins no JSON, so no value of a Show is a mask.
const maskStart = '#'

func mask(hash []byte) json.RawMessage {
	return hex.AppendEncode([]byte{maskStart}, hash)
}

// IsMask reports whether a value of [Fields] is the keyed hash of a hidden
// value.
func IsMask(value json.RawMessage) bool {
	return len(value) > 0 && value[0] == maskStart
}

// MarshalJSON implements json.Marshaler. It leaves out the fields that the Show
// did not have, which have no form in JSON, and the hidden ones.
func (f Fields) MarshalJSON() ([]byte, error) {
	present := make(map[string]json.RawMessage, len(f))
	for path, value := range f {
		if len(value) > 0 && !IsMask(value) {
			present[path] = value
		}
	}
	return json.Marshal(present)
}

// Text returns a raw JSON value in the form that people write in a
// configuration: a string without its quotes, "" for a missing value, anything
// else as it is.
func Text(raw json.RawMessage) string {
	if len(raw) > 0 && raw[0] == '"' {
		return gjson.ParseBytes(raw).String()
	}
	return string(raw)
}

// Unmasked returns the fields without the hidden ones.
func (f Fields) Unmasked() Fields {
	for _, value := range f {
		if !IsMask(value) {
			continue
		}
		shown := make(Fields, len(f))
		for path, value := range f {
			if !IsMask(value) {
				shown[path] = value
			}
		}
		return shown
	}
	return f
}
