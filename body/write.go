// SPDX-License-Identifier: Apache-2.0

package body

import "github.com/tidwall/gjson"

// appendString appends a JSON string. Invalid UTF-8 becomes U+FFFD.
func appendString(out []byte, s string) []byte {
	return gjson.AppendJSONString(out, s)
}

// appendOneOrMany appends one value as it is and several as an array. If array
// is set, one value becomes an array too.
func appendOneOrMany(out []byte, values [][]byte, array bool) []byte {
	if len(values) == 1 && !array {
		return append(out, values[0]...)
	}
	out = append(out, '[')
	for i, value := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, value...)
	}
	return append(out, ']')
}

// checked fails if there are more than MaxSize bytes.
func checked(out []byte) ([]byte, error) {
	if len(out) > MaxSize {
		return nil, ErrTooLarge
	}
	return out, nil
}
