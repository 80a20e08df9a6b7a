// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// recordSeparator begins each text of a JSON text sequence (RFC 7464).
const recordSeparator = "\x1e"

// lines makes an array of the values on a body's lines. All lines must be
// valid: the one that was cut off may name the object.
func lines(plain []byte) ([]byte, error) {
	out := make([]byte, 0, len(plain)+2)
	out = append(out, '[')
	number := 0
	for line := range bytes.Lines(plain) {
		number++
		line = bytes.Trim(line, " \t\r\n"+recordSeparator)
		if len(line) == 0 {
			continue
		}
		if !json.Valid(line) {
			return nil, fmt.Errorf("%w: line %d is not valid JSON", ErrNoStructure, number)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, line...)
	}
	return append(out, ']'), nil
}
