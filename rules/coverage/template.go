// SPDX-License-Identifier: Apache-2.0

package coverage

import (
	"strconv"
	"strings"
)

// Limits of a template.
const (
	maxTemplate = 256 // bytes of a method and a template
	maxMethod   = 16
	maxSegments = 16
	maxWord     = 40
)

// appendKey appends the method and the template of a path: segments that look
// like ids become ":id", ":id2" and so on. The part beyond a limit becomes "*".
// It does not allocate.
func appendKey(key []byte, method, path string) []byte {
	if len(method) > maxMethod || !isToken(method) {
		method = "OTHER"
	}
	key = append(append(key, method...), ' ')
	ids, segments := 0, 0
	for path = strings.TrimRight(path, "/"); path != ""; {
		path = strings.TrimLeft(path, "/")
		segment := path
		if end := strings.IndexByte(path, '/'); end >= 0 {
			segment, path = path[:end], path[end:]
		} else {
			path = ""
		}
		if segments++; segments > maxSegments || len(key)+len(segment)+len("/:id16/*") > maxTemplate {
			return append(key, "/*"...)
		}
		if key = append(key, '/'); !isID(segment) {
			key = append(key, segment...)
			continue
		}
		key = append(key, ":id"...)
		if ids++; ids > 1 {
			key = strconv.AppendInt(key, int64(ids), 10)
		}
	}
	if segments == 0 {
		key = append(key, '/')
	}
	return key
}

func isToken(method string) bool {
	for i := range len(method) {
		if c := method[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return method != ""
}

// isID reports whether a segment looks like the id of an object rather than a
// word of the API. In doubt it returns true: an id taken for a word would fill
// the register, and might be a secret.
func isID(segment string) bool {
	digits, letters, hex := 0, 0, 0
	number := len(segment) > 0 // whether only digits follow the last separator
	for i := range len(segment) {
		switch c := segment[i]; {
		case c >= '0' && c <= '9':
			digits++
			hex++
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letters++
			number = false
			if c |= 0x20; c <= 'f' {
				hex++
			}
		case c == '-' || c == '_' || c == '.':
			number = i+1 < len(segment)
			if c == '-' {
				hex++
			}
		default:
			return true // "@", "%40", ":", "(42)": not a plain word
		}
	}
	switch {
	case len(segment) > maxWord:
		return true
	case digits == 0:
		return hex == len(segment) && len(segment) >= 16
	case letters == 0:
		return true // 42, 2026-01-31, 4.5
	case number:
		return true // item-42
	case stemIsNumber(segment):
		return true // 42.json
	}
	// v1, oauth2 and ipv4 are words; a1b2, 8Xk2 and 01ARZ3NDEK are not.
	return digits+letters >= 10 || digits+letters >= 4 && digits*2 >= digits+letters
}

// stemIsNumber reports whether a segment is a number with a file's extension.
func stemIsNumber(segment string) bool {
	stem, _, found := strings.Cut(segment, ".")
	return found && stem != "" && strings.Trim(stem, "0123456789") == ""
}
