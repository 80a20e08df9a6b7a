// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"

	"github.com/tidwall/gjson"
)

// Fields are the values of watched paths as raw JSON. A path that the Show
// does not have has an empty value; a path that was not watched is missing.
type Fields map[string]json.RawMessage

// Watch reads the fields at the given paths from a Show.
func Watch(show Document, paths []string) Fields {
	fields := make(Fields, len(paths))
	for _, path := range paths {
		fields[path] = show.Field(path)
	}
	return fields
}

// MarshalJSON implements json.Marshaler. It leaves out the fields that the
// Show did not have, which have no form in JSON.
func (f Fields) MarshalJSON() ([]byte, error) {
	present := make(map[string]json.RawMessage, len(f))
	for path, value := range f {
		if len(value) > 0 {
			present[path] = value
		}
	}
	return json.Marshal(present)
}

// Text returns a raw JSON value as people write it in a configuration: a
// string without its quotes, "" for a missing value, anything else as it is.
func Text(raw json.RawMessage) string {
	if len(raw) > 0 && raw[0] == '"' {
		return gjson.ParseBytes(raw).String()
	}
	return string(raw)
}
