// SPDX-License-Identifier: Apache-2.0

package body

import "github.com/tidwall/gjson"

// appendString appends a JSON string. Invalid UTF-8 becomes U+FFFD.
func appendString(out []byte, s string) []byte {
	return gjson.AppendJSONString(out, s)
}

// checked fails if there are more than MaxSize bytes.
func checked(out []byte) ([]byte, error) {
	if len(out) > MaxSize {
		return nil, ErrTooLarge
	}
	return out, nil
}
