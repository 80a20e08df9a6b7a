// SPDX-License-Identifier: Apache-2.0

package body

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Odd reports whether an object anywhere in some members of a valid JSON document has
// a name twice, or in two cases, or one of those members has another case: parsers
// disagree about which of them counts. Without names, all members are looked at.
func Odd(document []byte, names []string) bool {
	root := gjson.ParseBytes(document)
	if len(names) == 0 || !root.IsObject() {
		return odd(root, func(string) bool { return true })
	}
	otherCase := false
	return odd(root, func(name string) bool {
		for _, wanted := range names {
			if strings.EqualFold(name, wanted) {
				otherCase = otherCase || !slices.Contains(names, name)
				return true
			}
		}
		return false
	}) || otherCase
}

func odd(at gjson.Result, looked func(name string) bool) (found bool) {
	if !at.IsObject() && !at.IsArray() {
		return false
	}
	seen := make(map[string]bool)
	isObject := at.IsObject()
	at.ForEach(func(key, value gjson.Result) bool {
		if isObject {
			if !looked(key.Str) {
				return true
			}
			folded := strings.ToLower(key.Str)
			found = seen[folded]
			seen[folded] = true
		}
		found = found || odd(value, func(string) bool { return true })
		return !found
	})
	return found
}
